"""What the Python clients share: a runner, and the messages that are worth sending. Knows neither client."""

import asyncio
import sys
import traceback

#: The borders of every length encoding, and the largest message that the server takes.
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20]
PATIENCE = 60
#: The largest body that the echo example takes.
MAX_BODY = 1 << 20
#: With the word `tls`, every connection is under TLS. `SSL_CERT_FILE` names the certificate that is trusted.
WS, HTTP = ("wss", "https") if "tls" in sys.argv[2:] else ("ws", "http")


def text(size):
    """So many bytes of UTF-8, with characters of two bytes where there is room."""
    return "é" * (size // 2) + "x" * (size % 2)


def binary(size):
    return bytes(range(256)) * (size // 256) + bytes(range(size % 256))


def run(checks):
    """Runs every check with the server's address; prints a line for each and `N passed, N failed`."""
    address, *options = sys.argv[1:]
    failed = 0
    for check in checks:
        try:
            asyncio.run(asyncio.wait_for(check(address, "deflate" in options), PATIENCE))
            print(f"ok   {check.__name__}")
        except Exception:
            failed += 1
            print(f"FAIL {check.__name__}")
            print(traceback.format_exc().rstrip())
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r:.200} is not {expected!r:.200}")
