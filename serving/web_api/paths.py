"""Addresses with ids in them: a slash that came percent-encoded is part of the id, not of the address."""

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

MARK = "\uf02f"
"""A letter that no id has: of the area that Unicode leaves to everybody's private use."""

SLASH, ITSELF = f"{MARK}s", f"{MARK}i"
"""What stands in a path for a slash within an id, and for the mark if an id has it after all."""


def mark(part: str) -> str:
    """Mark the slashes within a part of a path.

    >>> read_marked(mark("LEAD/2024/1")), "/" in mark("LEAD/2024/1")
    ('LEAD/2024/1', False)
    """
    return part.replace(MARK, ITSELF).replace("/", SLASH)


def read_marked(part: str) -> str:
    """Read a part of a path as it was sent."""
    return part.replace(SLASH, "/").replace(ITSELF, MARK)


class PathsMiddleware:
    """Keeps apart the slashes of addresses and those of ids, which the server decodes alike."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with slashes of ids marked in its path."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and (b"%2f" in raw.lower() or MARK in scope["path"]):
            parts = raw.decode("ascii", "replace").split("/")
            # In place: those around read off it which route was taken.
            scope["path"] = "/".join(mark(unquote(part)) for part in parts)
        await self.app(scope, receive, send)


def find_asked(scope: Scope) -> str:
    """Give the path that was asked, as it was sent."""
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("ascii", "replace") if raw else str(scope["path"])
