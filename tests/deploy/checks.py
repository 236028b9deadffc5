"""What the chapter on deployment says, tried with real processes. tests/deploy/run starts this file.

It runs in a network of its own, so that every port is free and a sysctl of that network may change. In
that of the machine, the checks that need the sysctl are not run, and say so.
Arguments: the folder of the examples, the folder of the static binaries, and parts of the names of
checks to run (all without any).
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from load import PATIENCE, Load, REQUEST, WebSocket, connect, get, read_answer, status
from programs import Program, listener

EXAMPLES, STATIC = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
ECHO, CHAT = str(EXAMPLES / "echo"), str(EXAMPLES / "chat")
UNITS = Path(__file__).resolve().parents[2] / "examples" / "deploy"
ADDRESS = ("127.0.0.1", 9001)
PLACE = "127.0.0.1:9001"
REDEPLOYS = 4


class NotPossible(Exception):
    """The machine forbids what a check needs."""


def migrate(yes):
    """Whether the kernel hands the queue of a closed listener to another one of its port."""
    if os.environ["OWN_NETWORK"] == "0":
        raise NotPossible("needs a network of its own, to set net.ipv4.tcp_migrate_req")
    Path("/proc/sys/net/ipv4/tcp_migrate_req").write_text(f"{int(yes)}\n")


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout}"
    return done.stdout


def units_are_sound():
    """systemd-analyze takes the units, once they name a program that is there, and finds them safe."""
    exposures = []
    with tempfile.TemporaryDirectory() as folder:
        for unit in sorted(UNITS.glob("echo*.s*")):
            text = unit.read_text().replace("/usr/local/bin/echo", ECHO)
            (Path(folder) / unit.name).write_text(text)
        units = sorted(Path(folder).iterdir())
        assert [unit.name for unit in units] == ["echo.service", "echo.socket", "echo@.service"]
        said = run("systemd-analyze", "verify", *map(str, units))
        assert not said.strip(), said
        for unit in units:
            if unit.suffix == ".service":
                said = run("systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit))
                exposures.append(said.strip().splitlines()[-1].split(":")[-1].split()[0])
    return f"exposure {' and '.join(exposures)} of 10"


def units_name_what_a_line_needs():
    """A unit with a misspelt line is an error: the check before this one can fail."""
    with tempfile.TemporaryDirectory() as folder:
        text = (UNITS / "echo.service").read_text().replace("/usr/local/bin/echo", ECHO)
        unit = Path(folder) / "echo.service"
        unit.write_text(text.replace("NoNewPrivileges", "NoNewPrivilege"))
        shutil.copy(UNITS / "echo.socket", folder)
        done = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], stderr=subprocess.PIPE, text=True, timeout=60
        )
        assert "NoNewPrivilege" in done.stderr, done
    return "the misspelt line is named"


def socket_activation():
    """The first connection starts the program, and is served."""
    command = ["systemd-socket-activate", "-E", "NOTIFY_SOCKET", "-l", PLACE, ECHO]
    with Program(command) as program:
        wait_until_listening()
        assert "READY=1" not in program.read
        with connect(ADDRESS) as first:
            first.sendall(REQUEST)
            program.wait_for("READY=1")
            read_answer(first)
        get(ADDRESS)
        program.end()
    return "the connection that starts it is served"


def queued():
    """How many connections wait at the listener; nothing if none listens."""
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues = line.split()[:5]
        if local.endswith(f":{ADDRESS[1]:04X}") and state == "0A":
            return int(queues.split(":")[1], 16)
    return None


def wait_until(what, holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.005)


def wait_until_listening():
    wait_until(f"a listener at {PLACE}", lambda: queued() is not None)


def supervisor_learns_of_start_life_and_end():
    """READY=1, WATCHDOG=1 while the loop turns, STOPPING=1."""
    for command in ([ECHO, PLACE], [CHAT, "--listen", PLACE]):
        with Program(command, watchdog=200_000) as program:
            program.wait_for("READY=1")
            get(ADDRESS)
            program.wait_for("WATCHDOG=1")
            program.signal(signal.SIGSTOP)
            program.forget_reports()
            time.sleep(0.5)
            assert program.forget_reports() == 0, "a loop that stands still is silent"
            program.signal(signal.SIGCONT)
            program.wait_for("WATCHDOG=1")
            program.signal(signal.SIGTERM)
            program.wait_for("STOPPING=1")
            program.ended()
    return "echo and chat: READY=1, WATCHDOG=1 only while the loop turns, STOPPING=1"


def queue_at_a_drain_is_served():
    """Connections that wait in the kernel's queue when the drain begins get an answer."""
    waiting = 600  # more than one turn accepts
    with Program([ECHO, PLACE]) as program:
        program.wait_for("READY=1")
        program.signal(signal.SIGSTOP)
        clients = [connect(ADDRESS) for _ in range(waiting)]
        for client in clients:
            client.sendall(REQUEST)
        program.signal(signal.SIGTERM)
        program.signal(signal.SIGCONT)
        for client in clients:
            with client:
                read_answer(client)
        program.ended()
    return f"{waiting} of {waiting} answered"


def first_request_during_a_drain_is_served():
    """A connection whose request is still on its way when the drain begins gets an answer."""
    count = 20
    with tempfile.TemporaryDirectory() as folder:
        chain, key = certificate(folder)
        trusting = ssl.create_default_context(cafile=chain)
        secure = lambda client: trusting.wrap_socket(client, server_hostname="127.0.0.1")
        for command, wrap in [
            ([ECHO, PLACE], lambda client: client),
            ([str(STATIC / "echo"), PLACE, "--tls", chain, key], secure),
        ]:
            with Program(command) as program:
                program.wait_for("READY=1")
                clients = [connect(ADDRESS) for _ in range(count)]
                wait_until("all are accepted", lambda: queued() == 0)
                program.signal(signal.SIGTERM)
                wait_until("the listener is closed", lambda: queued() is None)
                for client in clients:
                    with wrap(client) as client:
                        client.sendall(REQUEST)
                        read_answer(client)
                program.ended()
    return f"{count} of {count} answered over http, and over https"


def queue_of_a_killed_program():
    """Without a drain the queue is lost, unless the kernel hands it to the next listener."""
    found = {}
    for yes in (False, True):
        migrate(yes)
        with Program([ECHO, PLACE, "--reuse-port"]) as old:
            old.wait_for("READY=1")
            old.signal(signal.SIGSTOP)
            clients = [connect(ADDRESS) for _ in range(50)]
            with Program([ECHO, PLACE, "--reuse-port"]) as new:
                new.wait_for("READY=1")
                old.signal(signal.SIGKILL)
                old.process.wait()
                found[yes] = 0
                for client in clients:
                    with client:
                        try:
                            client.sendall(REQUEST)
                            read_answer(client)
                            found[yes] += 1
                        except ConnectionError:
                            pass
                new.end()
    assert found == {False: 0, True: 50}, found
    return "50 waited: 0 answered without net.ipv4.tcp_migrate_req, 50 with it"


def redeploy_at_a_socket_of_the_supervisor():
    """The supervisor keeps the socket; the next program starts on it before the last one ends."""
    with listener(ADDRESS) as socket_of_supervisor, Load(ADDRESS) as load:
        figures = redeploy(load, lambda: Program([ECHO], socket_of_supervisor))
    return f"{figures}; {load.demand_none_lost()}"


def redeploy_with_reuse_port():
    """Both programs listen at the port, and the kernel hands over what is under way."""
    migrate(True)
    with Program([ECHO, PLACE, "--reuse-port"]) as first:
        first.wait_for("READY=1")
        with Load(ADDRESS) as load:
            figures = redeploy(load, lambda: Program([ECHO, PLACE, "--reuse-port"]), first)
    return f"{figures}; {load.demand_none_lost()}"


def redeploy_with_a_notice():
    """A notice moves kept connections to the next program, /readyz shows it, and a window spreads the WebSockets."""
    migrate(True)
    command = [ECHO, PLACE, "--reuse-port", "--drain-notice", "0.5", "--drain-window", "0.5"]
    ports = itertools.count(9464)

    def start():
        port = next(ports)
        program = Program([*command, "--metrics-listen", str(port)])
        program.pages = ("127.0.0.1", port)
        return program

    def end(program):
        assert status(program.pages, "/readyz") == 200
        program.signal(signal.SIGTERM)
        wait_until("/readyz answers 503", lambda: status(program.pages, "/readyz") == 503)
        assert status(program.pages, "/healthz") == 200
        program.ended()

    with start() as first:
        first.wait_for("READY=1")
        with Load(ADDRESS, keepers=8) as load:
            figures = redeploy(load, start, first, end)
    # A keeper that the kernel gives to the program that ends is told again.
    assert load.counts["told to move"] >= 8 * REDEPLOYS / 2, load.counts
    return f"{figures}; {load.demand_none_lost()}"


def restart_at_a_socket_of_the_supervisor():
    """The program ends first, then the next one starts. New connections wait meanwhile."""
    with listener(ADDRESS) as socket_of_supervisor, Load(ADDRESS) as load:
        for _ in range(REDEPLOYS):
            with Program([ECHO], socket_of_supervisor) as program:
                program.wait_for("READY=1")
                time.sleep(0.3)
                program.end()
        with Program([ECHO], socket_of_supervisor) as last:
            last.wait_for("READY=1")
            load.__exit__()
            last.end()
    return f"{REDEPLOYS} restarts; {load.demand_none_lost()}"


def redeploy(load, start, first=None, end=Program.end):
    """Starts the next program, ends the one before, and so on."""
    programs = [first or start()]
    try:
        programs[0].wait_for("READY=1")
        for _ in range(REDEPLOYS):
            time.sleep(0.3)
            programs.append(start())
            programs[-1].wait_for("READY=1")
            end(programs[-2])
        load.__exit__()
        programs[-1].end()
    finally:
        for program in programs:
            program.__exit__()
    return f"{REDEPLOYS} redeploys"


def static_binary_in_an_empty_root():
    """The binary is the only file of its root, with TLS the certificate as well."""
    if os.environ["OWN_NETWORK"] == "0" and os.geteuid() != 0:
        raise NotPossible("needs the right to change the root folder")
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(STATIC / "echo", Path(root) / "echo")
        with Program(["chroot", root, "/echo", PLACE], reports=False) as program:
            wait_until_listening()
            serves(get, lambda: connect(ADDRESS))
            program.end()
        chain, key = certificate(root)
        command = ["chroot", root, "/echo", PLACE, "--tls", "/chain.pem", "/key.pem"]
        trusting = ssl.create_default_context(cafile=chain)
        with Program(command, reports=False) as program:
            wait_until_listening()
            serves(None, lambda: trusting.wrap_socket(connect(ADDRESS), server_hostname="127.0.0.1"))
            program.end()
        assert sorted(os.listdir(root)) == ["chain.pem", "echo", "key.pem"]
        size = (Path(root) / "echo").stat().st_size
    return f"http and https, {size / 1e6:.1f} MB"


def serves(fetch, made):
    if fetch:
        assert b"echo server" in fetch(ADDRESS)
    with made() as connection:
        websocket = WebSocket(connection)
        websocket.send(b"hello")
        assert websocket.receive() == (1, b"hello")


def certificate(folder):
    chain, key = f"{folder}/chain.pem", f"{folder}/key.pem"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=echo"
    run(*request.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain)
    return chain, key


def raise_loopback():
    """Turns the loopback interface of this network on: up and running."""
    with socket.socket() as any_socket, contextlib.suppress(PermissionError):
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))


CHECKS = [
    units_are_sound,
    units_name_what_a_line_needs,
    socket_activation,
    supervisor_learns_of_start_life_and_end,
    queue_at_a_drain_is_served,
    first_request_during_a_drain_is_served,
    queue_of_a_killed_program,
    redeploy_at_a_socket_of_the_supervisor,
    redeploy_with_reuse_port,
    redeploy_with_a_notice,
    restart_at_a_socket_of_the_supervisor,
    static_binary_in_an_empty_root,
]


def main():
    raise_loopback()
    parts = sys.argv[3:]
    passed = failed = impossible = 0
    for check in CHECKS:
        if parts and not any(part in check.__name__ for part in parts):
            continue
        start = time.monotonic()
        try:
            said = check()
            passed += 1
            print(f"ok   {check.__name__}: {said} ({time.monotonic() - start:.1f} s)", flush=True)
        except NotPossible as reason:
            impossible += 1
            print(f"---- {check.__name__}: not run: {reason}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL {check.__name__}: {type(error).__name__}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed, {impossible} not run")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
