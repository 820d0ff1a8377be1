"""What leaves the house in a crash test, and where it arrives: a system that knows its keys."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

TOPIC = "crash-test"
POINTS_APART = 5
"""A lead that climbs by so many points has another effect."""


def find_effect_key(lead_id: str, points: float | None) -> str | None:
    """Find the key of the effect a score leads to; None if it leads to none."""
    return None if points is None else f"crash:{lead_id}:{int(points) // POINTS_APART}"


class Receiver:
    """The other side: it takes each key once, and counts how often it came."""

    def __init__(self) -> None:
        self.address = ""
        self.came: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, key: str) -> None:
        """Take an effect."""
        with self._lock:
            self.came[key] += 1


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive effects over HTTP, on a free port of this machine."""
    receiver = Receiver()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    receiver.address = f"http://127.0.0.1:{server.server_port}/"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
