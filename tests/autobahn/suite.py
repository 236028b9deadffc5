"""Runs the cases of Autobahn|Testsuite in two processes side by side and sums up, strictly: only OK and INFORMATIONAL pass.

Called by `run`, which has made the environment and built the peer. Knows the suite's files, not its code: in the suite's own
environment it only asks which cases a pattern means.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

PROCESSES = 2
PASSING = {"OK", "INFORMATIONAL"}
SUITE_VERSION = "0.8.2"
AGENT = "switchboard"

EXPAND = """
import json, sys
from autobahntestsuite import case, caseset
names = case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories
print("\\n".join(caseset.CaseSet(*names).parseSpecCases(json.loads(sys.argv[1]))))
"""


def main():
    options = arguments()
    selected = expand(options, options.cases, options.exclude)
    if not selected:
        sys.exit(f"autobahn: no case is named {','.join(options.cases)}")
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    # Neighbours take about the same time, so dealing them out in turn makes equal shares.
    shares = [share for share in (selected[n::PROCESSES] for n in range(PROCESSES)) if share]
    start = time.monotonic()
    deadline = start + options.timeout
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("autobahn: ended from outside"))  # and whatever was started with it
    problems = (test_server if options.role == "server" else test_client)(options, shares, deadline)
    print(f"Autobahn|Testsuite {SUITE_VERSION}, {options.role} role, {time.monotonic() - start:.0f} s")
    failures = table(selected, read_reports(options, len(shares)))
    if options.exclude:
        left_out = len(expand(options, options.cases, [])) - len(selected)
        print(f"left out: {left_out} cases, {', '.join(options.exclude)}")
    for line in failures + problems:
        print(f"FAIL {line}")
    print(f"{len(selected) - len(failures)} passed, {len(failures) + len(problems)} failed")
    sys.exit(1 if failures or problems else 0)


def arguments():
    parser = argparse.ArgumentParser(prog="tests/autobahn/run", description="Autobahn|Testsuite against the examples")
    parser.add_argument("role", choices=["server", "client"], help="which role of the library is tested")
    parser.add_argument("--cases", type=names, default=["*"], help="patterns such as '1.*,2.*' (default: all)")
    parser.add_argument("--exclude", type=names, default=[], help="patterns of cases to leave out")
    parser.add_argument("--timeout", type=float, default=1500, metavar="SECONDS", help="then it has failed (1500)")
    parser.add_argument("--environment", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("program", nargs="+", help="the peer: prints `listening on ADDRESS`, or takes a URL and an agent")
    return parser.parse_args()


def names(value):
    return [name for name in value.split(",") if name]


def expand(options, cases, exclude):
    """The ids of the cases that the patterns mean, in the suite's order."""
    spec = json.dumps({"cases": cases, "exclude-cases": exclude})
    python = options.environment / "bin/python"
    return subprocess.run(
        [python, "-W", "ignore", "-c", EXPAND, spec], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()


# The two roles. Both return what went wrong beside the cases.


def test_server(options, shares, deadline):
    server = subprocess.Popen(options.program, stdout=subprocess.PIPE, text=True)
    suites = []
    try:
        _, found, address = server.stdout.readline().strip().partition("listening on ")
        if not found:
            return ["the server did not say where it listens"]
        spec = {"servers": [{"agent": AGENT, "url": f"ws://{address}/", "options": {"version": 18}}]}
        suites = [start_suite(options, n, "fuzzingclient", spec, share) for n, share in enumerate(shares)]
        problems = [problem for suite in suites for problem in finish(suite, "the suite", deadline)]
        if server.poll() is not None:
            problems.append(f"the server ended with {server.returncode}")
        return problems
    finally:
        for process in [*suites, server]:
            stop(process)


def test_client(options, shares, deadline):
    ports = [free_port() for _ in shares]
    suites = [
        start_suite(options, n, "fuzzingserver", {"url": f"ws://127.0.0.1:{port}"}, share)
        for n, (port, share) in enumerate(zip(ports, shares))
    ]
    clients = []
    try:
        if not all([listening(port, suite) for port, suite in zip(ports, suites)]):
            return ["the suite does not listen"]
        clients = [subprocess.Popen([*options.program, f"ws://127.0.0.1:{port}", AGENT]) for port in ports]
        return [problem for client in clients for problem in finish(client, "the client", deadline)]
    finally:
        for process in [*clients, *suites]:
            stop(process)


def start_suite(options, number, mode, spec, cases):
    out = options.out / str(number)
    out.mkdir()
    spec = {**spec, "outdir": str(out), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    path = options.out / f"spec-{number}.json"
    path.write_text(json.dumps(spec))
    with open(options.out / f"suite-{number}.log", "w") as log:
        command = [options.environment / "bin/wstest", "--mode", mode, "--spec", path, "--webport", "0"]
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def finish(process, name, deadline):
    try:
        code = process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        stop(process)
        return [f"{name} was not done in time"]
    return [f"{name} ended with {code}"] if code else []


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port, suite):
    end = time.monotonic() + 30
    while suite.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


# What came out.


def read_reports(options, processes):
    reports = {}
    for number in range(processes):
        index = options.out / str(number) / "index.json"
        if index.exists():
            reports.update(json.loads(index.read_text()).get(AGENT, {}))
    return reports


def table(selected, reports):
    """Prints a line for each group of cases and returns what failed."""
    groups = collections.defaultdict(collections.Counter)
    failures = []
    for case in selected:
        report = reports.get(case, {"behavior": "NOT RUN", "behaviorClose": "OK", "duration": 0})
        verdict, closing = report["behavior"], report["behaviorClose"]
        if verdict in PASSING and closing not in PASSING:
            verdict = closing
        if verdict not in PASSING:
            failures.append(f"{case}: {verdict}")
        group = groups[int(case.split(".")[0])]
        group[verdict] += 1
        group["milliseconds"] += report["duration"]
    bad = {verdict for group in groups.values() for verdict in group} - PASSING - {"milliseconds"}
    verdicts = ["OK", "INFORMATIONAL", *sorted(bad)]
    print(f"| group | cases | {' | '.join(verdicts)} | seconds |")
    print("| ---: " * (len(verdicts) + 3) + "|")
    for name, group in sorted(groups.items()):
        print(row(name, group, verdicts))
    print(row("all", sum(groups.values(), collections.Counter()), verdicts))
    return failures


def row(name, group, verdicts):
    counts = [group[verdict] for verdict in verdicts]
    cells = [name, sum(counts), *counts, f"{group['milliseconds'] / 1000:.1f}"]
    return f"| {' | '.join(map(str, cells))} |"


main()
