"""The door of a server that only this machine can reach: a key in a file, and a link that opens it.

Whoever can read the file could read the database beside it, too; so it gives no right that its
reader would not have. It keeps out the other users of the machine, and pages in its browsers.
"""

import hmac
import os
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkstemp

from serving.auth.errors import LocalKeyUnreadableError
from serving.auth.principals import Principal, build_principal
from serving.auth.roles import Role
from serving.auth.sessions import draw_token, hash_token, sign_form

SECRET_BYTES = 24
TICKET_LASTS = timedelta(hours=12)


def read_or_make_key(path: Path) -> str:
    """Read the key in a file that its owner alone may read; make it if it is not there.

    It comes to be whole or not at all: of two servers that start at once both read the same.

    Raises
    ------
    LocalKeyUnreadableError
        If what is there is no key, or cannot be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}-")  # for its owner alone
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as writing:
            writing.write(f"baton_local_{secrets.token_hex(SECRET_BYTES)}")
        with suppress(FileExistsError):
            os.link(made, path)
        path.chmod(0o600)
        kept = path.read_text(encoding="ascii").strip()
        if len(kept) < 2 * SECRET_BYTES:  # an empty file is nobody's key
            made.replace(path)
            kept = path.read_text(encoding="ascii")
        if not kept.isprintable() or " " in kept:
            raise LocalKeyUnreadableError(path, "it holds no key")
        return kept
    except UnicodeDecodeError:
        raise LocalKeyUnreadableError(path, "it holds no key") from None
    except OSError as error:
        raise LocalKeyUnreadableError(path, error.strerror or type(error).__name__) from error
    finally:
        made.unlink(missing_ok=True)


class LocalCredentials:
    """The key, the tickets given out, and the browsers that came in with one.

    Sessions are kept in memory: they end with the server, which prints a new link when it starts.
    """

    def __init__(self, path: Path, session_lasts: timedelta) -> None:
        self.path = path
        self._lasts = session_lasts
        self._key: str | None = None
        self._tickets: dict[bytes, datetime] = {}
        self._sessions: dict[bytes, datetime] = {}

    def open(self) -> None:
        """Read the key, or make it; touches the disk."""
        self._key = read_or_make_key(self.path)

    @property
    def key(self) -> str:
        """What to send as ``Authorization: Bearer ...``; empty before the door is open."""
        return self._key or ""

    def is_key(self, sent: str) -> bool:
        """Tell whether the key was sent."""
        return bool(self._key) and hmac.compare_digest(sent.encode(), self.key.encode())

    def give_ticket(self, at: datetime) -> str:
        """Give out a ticket: good for one browser, once."""
        ticket = draw_token()
        self._tickets[hash_token(ticket)] = at + TICKET_LASTS
        return ticket

    def redeem(self, ticket: str, at: datetime) -> str | None:
        """Take a ticket back, and give a session's token for it; None if it is worth nothing."""
        ends_at = self._tickets.pop(hash_token(ticket), None)
        return None if ends_at is None or ends_at <= at else self.start_session(at)

    def start_session(self, at: datetime) -> str:
        """Start a session, and give its token."""
        self._sessions = {token: ends for token, ends in self._sessions.items() if ends > at}
        token = draw_token()
        self._sessions[hash_token(token)] = at + self._lasts
        return token

    def find_session(self, token: str, at: datetime) -> Principal | None:
        """Find whose session it is; None if it has ended."""
        ends_at = self._sessions.get(hash_token(token))
        if ends_at is None or ends_at <= at:
            return None
        return self.build_principal(sign_form(token))

    def end_session(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(hash_token(token), None)

    @staticmethod
    def build_principal(csrf_token: str | None = None) -> Principal:
        """Build whoever came through this door."""
        return build_principal("local", "", "you, at this machine", Role.ADMIN, csrf_token)
