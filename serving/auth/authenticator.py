"""From what a request brings (key, token, cookie) to who asks."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic

from anyio import Lock, to_thread
from starlette.requests import Request

from serving.auth.errors import ForeignPageError, TooOftenError
from serving.auth.keys import find_key, hash_secret, list_keys, split_key
from serving.auth.local_credentials import LocalCredentials
from serving.auth.principals import BY_TOKEN, Principal, build_principal
from serving.auth.rate_limiter import RateLimiter
from serving.auth.roles import Role
from serving.auth.sessions import COOKIE, find_person
from serving.errors import TokenRefusedError
from serving.settings import ServingSettings
from serving.store.session import Store

MOST_CACHED = 10_000
FAILURES = (1.0, 60.0)
"""Wrong keys, and passwords, one address may send: so many a second, so many at once."""

LIVE_SECONDS = 1.0
"""Seconds for which all keys are remembered while somebody guesses."""

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
        # "none": somebody typed the address, or opened a bookmark.
        is_own = site == "same-origin" or (site == "none" and request.method in SAFE_METHODS)
    else:
        host = request.headers.get("host", "")
        # A proxy that speaks TLS for us may not say so; a page by http may not speak for one by https.
        schemes = {request.url.scheme, "https"}
        is_own = request.headers.get("origin") in {f"{scheme}://{host}" for scheme in schemes}
    if not is_own:
        raise ForeignPageError


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    until: float


class Authenticator:
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
        local: LocalCredentials | None,
        ticks: Callable[[], float],
    ) -> None:
        token = settings.api_token
        self._token = token.get_secret_value().encode() if token else None
        self._store = store
        self.local = local
        self.ticks = ticks
        self.limiter = RateLimiter(settings.requests_per_second, settings.requests_at_once)
        self._failures = RateLimiter(*FAILURES)
        self._remember_seconds = settings.key_cache_seconds
        self._remembered: dict[bytes, _Remembered] = {}
        self._live: dict[str, bytes] = {}
        self._live_until = 0.0
        self._live_lock = Lock()
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

    def check_rate(self, principal: Principal) -> None:
        """Count a request of somebody.

        Raises
        ------
        TooOftenError
            If it is one too many.
        """
        wait = self.limiter.acquire(principal.actor, self.ticks())
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
        wait = self._failures.acquire(f"sign-in {address}", self.ticks())
        if wait:
            self.refused["too_often"] += 1
            raise TooOftenError(wait, "Too many tries to sign in came from this address.")

    def _recall(self, digest: bytes) -> Principal | None:
        found = self._remembered.get(digest)
        return found.principal if found is not None and found.until > self.ticks() else None

    def _remember(self, digest: bytes, principal: Principal) -> None:
        if len(self._remembered) >= MOST_CACHED:
            self._remembered.clear()
        self._remembered[digest] = _Remembered(principal, self.ticks() + self._remember_seconds)

    async def _find_by_key(self, request: Request, sent: str, at: datetime) -> Principal:
        digest = sha256(sent.encode()).digest()
        known = self._recall(digest)
        if known is not None:
            return known
        address = request.client.host if request.client else ""
        principal = self._find_here(sent) or await self._find_stored(sent, address, at)
        if principal is None:
            wait = self._failures.acquire(address, self.ticks())
            self.refused["too_often" if wait else "unknown"] += 1
            if wait:
                raise TooOftenError(wait, "Too many wrong keys came from this address.")
            raise TokenRefusedError(sent=True)
        self._remember(digest, principal)
        return principal

    def _find_here(self, sent: str) -> Principal | None:
        if self._token is not None and hmac.compare_digest(sent.encode(), self._token):
            return BY_TOKEN
        if self.local is not None and self.local.is_key(sent):
            return self.local.build_principal()
        return None

    async def _find_stored(self, sent: str, address: str, at: datetime) -> Principal | None:
        if self._store is None or split_key(sent) is None:
            return None
        # Who guesses must not keep the database busy; nor lock out those who share the address.
        guesses = self._failures.peek(address, self.ticks()) > 0
        if guesses and not await self._is_live(self._store, sent, at):
            return None
        return await to_thread.run_sync(_read_key, self._store, sent, at)

    async def _is_live(self, store: Store, sent: str, at: datetime) -> bool:
        """Tell whether a key is one of all there are, which are read once a second at most."""
        async with self._live_lock:
            if self.ticks() >= self._live_until:
                self._live = await to_thread.run_sync(_read_live_keys, store, at)
                self._live_until = self.ticks() + LIVE_SECONDS
        key_id, secret = split_key(sent) or ("", "")
        return hmac.compare_digest(self._live.get(key_id, b""), hash_secret(secret))

    async def _find_by_session(self, token: str, at: datetime) -> Principal | None:
        if self.local is not None and (here := self.local.find_session(token, at)) is not None:
            return here
        # Looked up each time: who is disabled, or signs out elsewhere, is out at once.
        if self._store is None:
            return None
        return await to_thread.run_sync(_read_session, self._store, token, at)


def build_authenticator(settings: ServingSettings, store: Store | None) -> Authenticator:
    """Build the authenticator of a server."""
    lasts = timedelta(hours=settings.session_hours)
    local = LocalCredentials(settings.local_key, lasts) if settings.has_local_credentials else None
    return Authenticator(settings, store, local, monotonic)


def _read_key(store: Store, sent: str, at: datetime) -> Principal | None:
    with store.work() as work:
        key = find_key(work, sent, at)
        return (
            None if key is None else build_principal("key", key.key_id, key.name, Role(key.role))
        )


def _read_live_keys(store: Store, at: datetime) -> dict[str, bytes]:
    with store.work(read_only=True) as work:
        return {key.key_id: key.secret_hash for key in list_keys(work, at)}


def _read_session(store: Store, token: str, at: datetime) -> Principal | None:
    with store.work(read_only=True) as work:
        return find_person(work, token, at)
