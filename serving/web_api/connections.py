"""Connections that keep a server busy without asking anything: slow ones, endless ones, too many of them.

The server below reads a head of any length, and waits for it and for the body for ever.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 10.0
"""Seconds from the opening of a connection, or the last answer on it, to the end of the next head."""

HEAD_BYTES = 64 * 1024
"""Most bytes of a request line and its headers; also of what frames the pieces of a body."""

HEADERS = 100
"""Most headers of one request."""

GRACE_SECONDS = 10.0
"""Seconds a body or an answer may stand still: networks stumble."""

LEAST_BYTES_PER_SECOND = 1_000
"""How fast a body has to come, once that grace is over."""

MOST_CONNECTIONS = 4_000
"""Connections of one process; of more, the one that has waited longest without a request is closed."""

CHECK_SECONDS = 1.0


class EndlessHeadError(Exception):
    """A head with too many headers, or too long."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection, which is watched by `watch_connections`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request; make room for it if there is none."""
        if len(self.connections) >= MOST_CONNECTIONS:
            _close_longest_waiting(self.connections)
        self.waiting_since: float | None = self.loop.time()
        self.body_since: float | None = None
        self.framing_bytes = 0
        self.body_bytes = 0
        self.is_endless = False
        self._unsent = (0, self.loop.time())
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless what it was fed before is more than any head."""
        # Counted before this piece: it may hold the end of one request and the next one's head.
        if self.framing_bytes > HEAD_BYTES + 8 * self.body_bytes:
            self.is_endless = True
            self.send_400_response("")
            return
        self.framing_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self.framing_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header.

        Raises
        ------
        EndlessHeadError
            If it is one too many: the parser turns the request away.
        """
        if len(self.headers) >= HEADERS:
            self.is_endless = True
            raise EndlessHeadError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        self.waiting_since = None
        self.body_since, self.body_bytes = self.loop.time(), 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count a piece of the body."""
        self.body_bytes += len(body)
        self.framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing until the answer is sent."""
        self.body_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Turn a request away that cannot be read, or has no end."""
        if not self.is_endless:
            super().send_400_response(msg)
            return
        head = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head)
            self.transport.close()

    def is_too_slow(self, now: float) -> bool:
        """Tell whether the other side has kept us waiting for too long."""
        if self.waiting_since is not None:
            return now - self.waiting_since > HEAD_SECONDS
        if self.body_since is not None and not self.flow.read_paused:
            waited = now - self.body_since - GRACE_SECONDS
            return waited > 0 and self.body_bytes < waited * LEAST_BYTES_PER_SECOND
        return self._is_unread(now)

    def _is_unread(self, now: float) -> bool:
        """Tell whether an answer lies here that the other side does not take."""
        n_bytes = self.transport.get_write_buffer_size()
        before, since = self._unsent
        if n_bytes == 0 or n_bytes != before:
            self._unsent = (n_bytes, now)
            return False
        return now - since > GRACE_SECONDS


def allow_many_connections() -> None:
    """Raise the number of files this process may open to what it may raise it to."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # a system that names no limit may still have one
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _close_longest_waiting(connections: set[Any]) -> None:
    waiting = [
        one
        for one in connections
        if isinstance(one, GuardedProtocol) and one.waiting_since is not None
    ]
    if waiting:
        min(waiting, key=lambda one: one.waiting_since or 0.0).transport.abort()


async def watch_connections(connections: set[Any]) -> None:
    """Close connections whose other side is too slow, as long as the server runs."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        now = loop.time()
        for one in [c for c in connections if isinstance(c, GuardedProtocol)]:
            if one.is_too_slow(now):
                one.transport.abort()
