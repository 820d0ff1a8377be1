"""Write keys: how the libraries of analytics tools say who they are (Basic, with the key as user)."""

import base64
import binascii
import hmac
from typing import ClassVar

from fastapi import Request

from serving.errors import RefusedError
from serving.settings import ServingSettings


class WriteKeyRefusedError(RefusedError):
    """The library did not send its write key, or not the right one."""

    status, slug, title = 401, "write-key-refused", "Write key missing or wrong"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Basic realm="write key"'}
    fix = "Give the library the token of BATON_API_TOKEN as its write key."

    def __init__(self, *, sent: bool) -> None:
        self.sent = sent
        super().__init__(
            "The write key is not the right one." if sent else "No write key was sent."
        )


def find_write_key(request: Request) -> str | None:
    """Find the write key of a request: the user name of its Basic credentials.

    A token sent as Bearer does as well, for those who send messages by themselves.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        user = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return user or None


async def check_write_key(request: Request) -> None:
    """Check the write key, where the server has a token.

    Raises
    ------
    WriteKeyRefusedError
        If it is missing or wrong. The libraries keep nothing they got a 401 for.
    """
    settings: ServingSettings = request.app.state.settings
    if settings.api_token is None:
        return
    key = find_write_key(request)
    if key is None:
        raise WriteKeyRefusedError(sent=False)
    token = settings.api_token.get_secret_value().encode()
    if not hmac.compare_digest(key.encode(), token):
        raise WriteKeyRefusedError(sent=True)
