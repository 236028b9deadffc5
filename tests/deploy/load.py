"""Clients that come all the time, and clients that stay. Each counts what became of its attempts.

Visitors make a connection for each request. Keepers ask again and again over one connection, until
an answer says that it is the last. Regulars hold a WebSocket that echoes.
"""

import base64
import os
import socket
import struct
import threading
import time
from collections import Counter

PATIENCE = 10.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
FURTHER = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
GOING_AWAY = 1001


class Cut(Exception):
    """The server ended a connection without the answer or the Close frame that it owes."""


def connect(address):
    made = socket.create_connection(address, PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def read_answer(connection):
    """Reads to the end of the connection, and demands a whole 200."""
    answer = b""
    while piece := connection.recv(1 << 16):
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200 ") or lengths != [len(body)]:
        raise Cut(repr(answer))
    return body


def get(address):
    with connect(address) as connection:
        connection.sendall(REQUEST)
        return read_answer(connection)


def status(address, path):
    """The status of an answer."""
    with connect(address) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    return int(answer.split(b" ", 2)[1])


class WebSocket:
    """A WebSocket client for short texts."""

    def __init__(self, connection, path="/"):
        self.connection = connection
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        connection.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.take(1)
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise Cut(repr(answer))

    def take(self, count):
        taken = b""
        while len(taken) < count:
            piece = self.connection.recv(count - len(taken))
            if not piece:
                raise Cut(f"the end after {taken!r}")
            taken += piece
        return taken

    def send(self, payload, opcode=1):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.connection.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)

    def receive(self):
        """The opcode and the payload of a frame."""
        first, length = self.take(2)
        assert length < 126, "a short frame"
        return first & 15, self.take(length)


class Load:
    """Clients of the three kinds, each on a thread."""

    def __init__(self, address, visitors=3, regulars=16, keepers=0):
        self.address = address
        self.counts = Counter()
        self.faults = []
        self.longest = 0.0
        self.over = threading.Event()
        work = [self.visit] * visitors + [self.stay] * regulars + [self.keep] * keepers
        self.threads = [threading.Thread(target=self.go_on, args=(step,), daemon=True) for step in work]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE * 2)
            assert not thread.is_alive(), "a client hangs"

    def go_on(self, step):
        while not self.over.is_set():
            start = time.monotonic()
            try:
                step(start)
            except ConnectionRefusedError:
                self.counts["refused"] += 1
            except (ConnectionResetError, BrokenPipeError) as error:
                self.counts["reset"] += 1
                self.faults.append(repr(error))
            except (Cut, OSError) as error:
                self.counts["cut"] += 1
                self.faults.append(repr(error))

    def visit(self, start):
        get(self.address)
        self.counts["answered"] += 1
        self.longest = max(self.longest, time.monotonic() - start)

    def keep(self, start):
        """Asks until an answer is the last one. A connection that ends before has cost a request."""
        with connect(self.address) as connection:
            while not self.over.is_set():
                connection.sendall(FURTHER)
                answer = b""
                while b"POST is echoed" not in answer:
                    piece = connection.recv(1 << 16)
                    if not piece:
                        raise Cut(f"a kept connection after {answer!r}")
                    answer += piece
                self.counts["answered while kept"] += 1
                if b"connection: close" in answer.lower():
                    self.counts["told to move"] += 1
                    return
                time.sleep(0.01)

    def stay(self, start):
        """Echoes until the server closes with 1001; then the client comes back at once."""
        with connect(self.address) as connection:
            websocket = WebSocket(connection)
            self.counts["opened"] += 1
            self.longest = max(self.longest, time.monotonic() - start)
            number = 0
            while not self.over.is_set():
                number += 1
                websocket.send(b"%d" % number)
                opcode, payload = websocket.receive()
                if opcode == 8:
                    self.closed(websocket, payload)
                    return
                assert payload == b"%d" % number, payload
                self.counts["echoed"] += 1
                time.sleep(0.01)

    def closed(self, websocket, payload):
        (code,) = struct.unpack("!H", payload[:2])
        self.counts["closed with 1001" if code == GOING_AWAY else "closed otherwise"] += 1
        websocket.send(payload[:2], opcode=8)
        # The server ends the connection, without a reset.
        while websocket.connection.recv(1 << 10):
            pass

    def lost(self):
        return {name: self.counts[name] for name in ("refused", "reset", "cut", "closed otherwise")}

    def demand_none_lost(self):
        assert not any(self.lost().values()), f"{self.lost()} of {dict(self.counts)}: {self.faults[:5]}"
        figures = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        return f"{figures}; 0 refused, 0 reset, 0 cut; longest {self.longest * 1000:.0f} ms"
