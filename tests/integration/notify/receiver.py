"""A receiver of webhooks over real HTTP, polite or hostile, and what it was sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

Reply = tuple[int, dict[str, str]]


@dataclass
class Receiver:
    """Answers what it is told to, the last answer again and again."""

    replies: list[Reply] = field(default_factory=lambda: [(204, {})])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.received]


@contextmanager
def receiving(*replies: Reply) -> Iterator[Receiver]:
    receiver = Receiver(list(replies) or [(204, {})])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
            receiver.before_answer()
            status, headers = receiver.replies[
                min(len(receiver.received), len(receiver.replies)) - 1
            ]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook?tenant=7"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hanging() -> Iterator[tuple[Receiver, Event]]:
    """Give a receiver that answers only once told to."""
    let_go = Event()
    with receiving() as receiver:
        receiver.before_answer = let_go.wait
        try:
            yield receiver, let_go
        finally:
            let_go.set()
