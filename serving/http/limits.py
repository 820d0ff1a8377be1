"""What is turned away at the door: foreign host names, compressed bodies, bodies too large."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import BodyTooLargeError, HostRefusedError, NotJsonError, RefusedError
from serving.http.inflate import PACKED
from serving.http.problems import refuse
from serving.settings import ServingSettings, is_loopback


def _host_name(header: str) -> str:
    """Cut the port off a Host header."""
    if header.startswith("["):
        return header[1 : header.find("]")]
    return header.partition(":")[0]


class LimitsMiddleware:
    """Checks every request before its body is read, and counts the body while it is."""

    def __init__(
        self, app: ASGIApp, settings: ServingSettings, packed_paths: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self.packed_paths = packed_paths
        self.most_bytes = settings.max_body_bytes
        self.guards_host = settings.has_local_door
        self.hosts = frozenset(settings.allowed_hosts)

    def _find_refusal(self, path: str, headers: Headers) -> RefusedError | None:
        host = _host_name(headers.get("host", "")).lower()
        # Without a token, a web page that rebinds its own name to 127.0.0.1 could read answers.
        if self.guards_host and not is_loopback(host) and host not in self.hosts:
            return HostRefusedError(host)
        encoding = headers.get("content-encoding", "identity")
        takes_packed = path in self.packed_paths and encoding.strip().lower() in PACKED
        if encoding.lower() != "identity" and not takes_packed:
            return NotJsonError(f"Content-Encoding: {encoding}")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.most_bytes:
            return BodyTooLargeError(self.most_bytes)
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on with its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._find_refusal(scope["path"], Headers(scope=scope))
        if refusal is not None:
            await refuse(refusal, scope["path"])(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.most_bytes:
                    raise BodyTooLargeError(self.most_bytes)
            return message

        await self.app(scope, receive_counted, send)
