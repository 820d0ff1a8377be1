"""Headers of every answer that keep browsers and proxies from doing more with it than was meant."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING_BUT_DATA = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of an answer that is no page."""

DEFAULTS = {
    # Nearly every answer is about people: nobody on the way keeps a copy.
    "cache-control": "no-store",
    "content-security-policy": NOTHING_BUT_DATA,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
"""Headers and their values, where the route says nothing else."""


class HeadersMiddleware:
    """Adds the headers that an answer does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
