"""Programs as a supervisor runs them: with inherited sockets, and with a socket for what they report."""

import os
import selectors
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 10.0

# As a supervisor does: the socket is descriptor 3, and the variables name the process itself.
INHERIT = 'exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'


class Program:
    """One process. It ends with the `with` block."""

    def __init__(self, command, socket_to_inherit=None, watchdog=None, reports=True):
        self.folder = tempfile.TemporaryDirectory(prefix="sw-deploy-")
        self.reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = str(Path(self.folder.name) / "notify")
        self.reports.bind(self.path)
        self.read = []
        self.errors = tempfile.TemporaryFile()
        if socket_to_inherit:
            command = ["sh", "-c", INHERIT, "sh", *command]
        environment = dict(os.environ)
        if reports:
            environment["NOTIFY_SOCKET"] = self.path
        if watchdog:
            environment["WATCHDOG_USEC"] = str(watchdog)
        self.process = subprocess.Popen(
            command,
            stdin=socket_to_inherit or subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            env=environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reports.close()
        self.errors.close()
        self.folder.cleanup()

    def wait_for(self, report, patience=PATIENCE):
        """Waits for a report such as READY=1, and fails if it does not come."""
        end = time.monotonic() + patience
        while report not in self.read:
            may_come = time.monotonic() < end and self.process.poll() is None
            self.reports.settimeout(0.05)
            try:
                self.read += self.reports.recv(4096).decode().split()
            except TimeoutError:
                assert may_come, f"no {report}, only {self.read}; {self.what_it_said()}"
        return self

    def forget_reports(self):
        """Takes all reports that are there, and returns how many lines they had."""
        count = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self.reports, selectors.EVENT_READ)
            while selector.select(0):
                count += len(self.reports.recv(4096).decode().split())
        self.read = []
        return count

    def what_it_said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def signal(self, signal):
        self.process.send_signal(signal)

    def end(self, patience=30.0):
        """Ends the process by SIGTERM, and demands that it ends in order."""
        self.process.terminate()
        self.ended(patience)

    def ended(self, patience=30.0):
        code = self.process.wait(patience)
        assert code == 0, f"the process ended with {code}: {self.what_it_said()}"


def listener(address=("127.0.0.1", 0), backlog=4096):
    """The socket of a supervisor."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    made.listen(backlog)
    return made
