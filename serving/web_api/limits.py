"""What is turned away at the door: foreign host names, compressed bodies, bodies too large."""

from collections.abc import Set
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import BodyTooLargeError, HostRefusedError, NotJsonError, RefusedError
from serving.settings import ServingSettings, is_loopback
from serving.web_api.inflate import PACKED
from serving.web_api.paths import find_asked
from serving.web_api.problems import refuse

FORM_BYTES = 16 * 1024
"""Most bytes of a form: an address, a password, where to go."""

SMALL_BYTES = 256 * 1024
"""Most bytes of any body that is not records: the framework reads it before it asks who sends it."""


def _host_name(header: str) -> str:
    """Cut the port off a Host header."""
    if header.startswith("["):
        return header[1 : header.find("]")]
    return header.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Paths:
    """Addresses whose bodies are unlike those of all others."""

    records: Set[str]
    """Take records: bodies up to ``BATON_MAX_BODY_BYTES``, read by routes that know who asks."""
    packed: Set[str]
    """Take bodies that are packed, too."""
    forms: Set[str]
    """Take forms of whoever comes by."""


class LimitsMiddleware:
    """Checks every request before its body is read, and counts the body while it is."""

    def __init__(self, app: ASGIApp, settings: ServingSettings, paths: Paths) -> None:
        self.app = app
        self.paths = paths
        self.records_bytes = settings.max_body_bytes
        self.small_bytes = min(SMALL_BYTES, settings.max_body_bytes)
        self.guards_host = settings.has_local_credentials
        self.hosts = frozenset(settings.allowed_hosts)

    def _find_most_bytes(self, path: str) -> int:
        if path in self.paths.records:
            return self.records_bytes
        return FORM_BYTES if path in self.paths.forms else self.small_bytes

    def _find_refusal(self, path: str, headers: Headers, most_bytes: int) -> RefusedError | None:
        host = _host_name(headers.get("host", "")).lower()
        # Without a token, a web page that rebinds its own name to 127.0.0.1 could read answers.
        if self.guards_host and not is_loopback(host) and host not in self.hosts:
            return HostRefusedError(host)
        encoding = headers.get("content-encoding", "identity")
        takes_packed = path in self.paths.packed and encoding.strip().lower() in PACKED
        if encoding.lower() != "identity" and not takes_packed:
            return NotJsonError(f"Content-Encoding: {encoding}")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most_bytes:
            return self._describe_too_large(most_bytes)
        return None

    def _describe_too_large(self, most_bytes: int) -> BodyTooLargeError:
        return BodyTooLargeError(most_bytes, may_be_raised=most_bytes == self.records_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on with its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most_bytes = self._find_most_bytes(scope["path"])
        refusal = self._find_refusal(scope["path"], Headers(scope=scope), most_bytes)
        if refusal is not None:
            await refuse(refusal, find_asked(scope))(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > most_bytes:
                    raise self._describe_too_large(most_bytes)
            return message

        await self.app(scope, receive_counted, send)
