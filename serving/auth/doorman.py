"""From what a request brings (key, token, cookie) to who asks."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic

from anyio import to_thread
from starlette.requests import Request

from serving.auth.errors import ForeignPageError, TooOftenError
from serving.auth.keys import find_key, split_key
from serving.auth.local import LocalDoor
from serving.auth.principals import BY_TOKEN, Principal, build_principal
from serving.auth.rates import Rates
from serving.auth.roles import Role
from serving.auth.sessions import COOKIE, find_person, hash_token
from serving.errors import TokenRefusedError
from serving.settings import ServingSettings
from serving.store.session import Store

MOST_CACHED = 10_000
FAILURES = (1.0, 60.0)
"""Wrong keys, and passwords, one address may send: so many a second, so many at once."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def read_credential(header: str) -> str:
    """Read the key off an Authorization header; empty if it has none.

    Clients that know nothing but ``Basic``, such as those of Segment, send it as the user.
    """
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return "" if password else user


def check_own_page(request: Request) -> None:
    """Check that a request a browser sent its cookie with was made by a page of this server.

    Raises
    ------
    ForeignPageError
        If another site's page made it, or nothing says which did.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_own = site == "same-origin"
    else:
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        is_own = request.headers.get("origin") == own
    if not is_own:
        raise ForeignPageError


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    until: float


class Doorman:
    """Knows who asks. Keys are looked up in the database, and remembered for a few seconds.

    Parameters
    ----------
    settings
        The token, and how long to remember.
    store
        Where keys and sessions are; None without.
    local
        The door of this machine, if there is one.
    ticks
        Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        settings: ServingSettings,
        store: Store | None,
        local: LocalDoor | None,
        ticks: Callable[[], float],
    ) -> None:
        token = settings.api_token
        self._token = token.get_secret_value().encode() if token else None
        self._store = store
        self.local = local
        self.ticks = ticks
        self.rates = Rates(settings.requests_per_second, settings.requests_at_once)
        self._failures = Rates(*FAILURES)
        self._remember_seconds = settings.key_cache_seconds
        self._remembered: dict[bytes, _Remembered] = {}
        self._known: set[bytes] = set()
        self.refused: dict[str, int] = {"unknown": 0, "not_allowed": 0, "too_often": 0}
        """Requests turned away, by why."""

    async def find(self, request: Request, at: datetime) -> Principal | None:
        """Find who asks; None if the request does not say.

        Raises
        ------
        TokenRefusedError
            If a key was sent that is not one.
        ForeignPageError
            If a foreign page had a browser send its session.
        TooOftenError
            If too many wrong keys came from that address.
        """
        header = request.headers.get("authorization")
        if header is not None:
            return await self._find_by_key(request, read_credential(header), at)
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            return None
        principal = await self._find_by_session(cookie, at)
        if principal is not None and request.method not in SAFE_METHODS:
            check_own_page(request)
        return principal

    def forget(self, token: str) -> None:
        """Forget a session that has just ended."""
        self._remembered.pop(hash_token(token), None)

    def check_rate(self, principal: Principal) -> None:
        """Count a request of somebody.

        Raises
        ------
        TooOftenError
            If it is one too many.
        """
        wait = self.rates.take(principal.actor, self.ticks())
        if wait:
            self.refused["too_often"] += 1
            raise TooOftenError(wait)

    def count_try(self, request: Request) -> None:
        """Count a try to sign in, by where it comes from.

        Raises
        ------
        TooOftenError
            If it is one too many.
        """
        address = request.client.host if request.client else ""
        wait = self._failures.take(f"sign-in {address}", self.ticks())
        if wait:
            self.refused["too_often"] += 1
            raise TooOftenError(wait, "Too many tries to sign in came from this address.")

    def _recall(self, digest: bytes) -> Principal | None:
        found = self._remembered.get(digest)
        return found.principal if found is not None and found.until > self.ticks() else None

    def _remember(self, digest: bytes, principal: Principal) -> None:
        if len(self._remembered) >= MOST_CACHED:
            self._remembered.clear()
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
        self._remembered[digest] = _Remembered(principal, self.ticks() + self._remember_seconds)
        self._known.add(digest)

    async def _find_by_key(self, request: Request, sent: str, at: datetime) -> Principal:
        digest = sha256(sent.encode()).digest()
        known = self._recall(digest)
        if known is not None:
            return known
        address = request.client.host if request.client else ""
        # Whoever was right before is not made to wait for others who guess from the same address.
        wait = 0.0 if digest in self._known else self._failures.look(address, self.ticks())
        if wait:
            self.refused["too_often"] += 1
            raise TooOftenError(wait, "Too many wrong keys came from this address.")
        principal = await self._look_up(sent, at)
        if principal is None:
            self.refused["unknown"] += 1
            self._failures.take(address, self.ticks())
            raise TokenRefusedError(sent=True)
        self._remember(digest, principal)
        return principal

    async def _look_up(self, sent: str, at: datetime) -> Principal | None:
        if self._token is not None and hmac.compare_digest(sent.encode(), self._token):
            return BY_TOKEN
        if self.local is not None and self.local.is_key(sent):
            return self.local.build_principal()
        if self._store is None or split_key(sent) is None:
            return None
        return await to_thread.run_sync(_read_key, self._store, sent, at)

    async def _find_by_session(self, token: str, at: datetime) -> Principal | None:
        if self.local is not None and (here := self.local.find_session(token, at)) is not None:
            return here
        digest = hash_token(token)
        known = self._recall(digest)
        if known is not None or self._store is None:
            return known
        principal = await to_thread.run_sync(_read_session, self._store, token, at)
        if principal is not None:
            self._remember(digest, principal)
        return principal


def build_doorman(settings: ServingSettings, store: Store | None) -> Doorman:
    """Build the doorman of a server."""
    lasts = timedelta(hours=settings.session_hours)
    local = LocalDoor(settings.local_key, lasts) if settings.has_local_door else None
    return Doorman(settings, store, local, monotonic)


def _read_key(store: Store, sent: str, at: datetime) -> Principal | None:
    with store.work() as work:
        key = find_key(work, sent, at)
        return (
            None if key is None else build_principal("key", key.key_id, key.name, Role(key.role))
        )


def _read_session(store: Store, token: str, at: datetime) -> Principal | None:
    with store.work(read_only=True) as work:
        return find_person(work, token, at)
