"""Keys of machines: ``baton_<id>_<secret>``. Only a hash of the secret is kept.

The secret has 192 random bits, so a fast hash is the right one: there is nothing to guess.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import or_, select, text

from serving.auth.errors import KeyNameTakenError, NoSuchKeyError, TwoKeysLiveError
from serving.auth.roles import Role
from serving.store.session import UnitOfWork
from serving.store.tables import ApiKey

SECRET_BYTES = 24
ID_BYTES = 6
MOST_LIVE = 2
"""Live keys of one name: the old one and its successor."""

USED_EVERY = timedelta(hours=1)
"""How coarse ``last_used_at`` is: a key used all day is written 24 times."""

_SHAPE = re.compile(rf"baton_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")
_NOBODYS = sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time its secret is seen."""

    key_id: str
    secret: str
    """The whole of what the caller sends."""
    name: str
    role: Role
    expires_at: datetime | None


def split_key(sent: str) -> tuple[str, str] | None:
    """Split what was sent into id and secret; None if it is no key.

    >>> split_key("baton_" + "a" * 12 + "_" + "0" * 48) == ("a" * 12, "0" * 48)
    True
    >>> split_key("hunter2") is None
    True
    """
    found = _SHAPE.fullmatch(sent)
    return None if found is None else (found[1], found[2])


def hash_secret(secret: str) -> bytes:
    """Hash a secret, as it is kept."""
    return sha256(secret.encode()).digest()


def draw_key() -> tuple[str, str]:
    """Draw an id and a secret."""
    return secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)


def _lock_name(work: UnitOfWork, name: str) -> None:
    # Two at once must not both find one live key, and make a third.
    work.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('key ' || :n))"), {"n": name})


def list_keys(work: UnitOfWork, at: datetime | None = None) -> list[ApiKey]:
    """List keys by name, oldest first; with a moment only those live then."""
    asked = select(ApiKey).order_by(ApiKey.name, ApiKey.created_at)
    if at is not None:
        asked = asked.where(
            ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > at)
        )
    return list(work.session.scalars(asked))


def _list_live(work: UnitOfWork, name: str, at: datetime) -> list[ApiKey]:
    return [key for key in list_keys(work, at) if key.name == name]


def _add(
    work: UnitOfWork, name: str, role: Role, expires_at: datetime | None, *, by: str, at: datetime
) -> NewKey:
    key_id, secret = draw_key()
    work.session.add(
        ApiKey(
            key_id=key_id,
            name=name,
            role=role.value,
            secret_hash=hash_secret(secret),
            created_at=at,
            created_by=by,
            expires_at=expires_at,
        )
    )
    work.session.flush()
    return NewKey(key_id, f"baton_{key_id}_{secret}", name, role, expires_at)


def create_key(
    work: UnitOfWork, name: str, role: Role, expires_at: datetime | None, *, by: str, at: datetime
) -> NewKey:
    """Make a key for a machine that has none.

    Raises
    ------
    KeyNameTakenError
        If a live key has the name.
    """
    _lock_name(work, name)
    if _list_live(work, name, at):
        raise KeyNameTakenError(name)
    return _add(work, name, role, expires_at, by=by, at=at)


def rotate_key(
    work: UnitOfWork,
    name: str,
    expires_at: datetime | None,
    overlap: timedelta,
    *,
    by: str,
    at: datetime,
) -> tuple[NewKey, ApiKey]:
    """Make a key's successor, of the same role; the old one lives on for a while.

    Parameters
    ----------
    expires_at
        When the successor expires; None: it lives as long as the old one was to live, if that had an end.

    Returns
    -------
    tuple of NewKey and ApiKey
        The successor, and the old key, which now expires.

    Raises
    ------
    NoSuchKeyError
        If no key of the name is live.
    TwoKeysLiveError
        If a rotation is under way already.
    """
    _lock_name(work, name)
    live = _list_live(work, name, at)
    if not live:
        raise NoSuchKeyError(name)
    if len(live) >= MOST_LIVE:
        raise TwoKeysLiveError(name)
    old = live[0]
    if expires_at is None and old.expires_at is not None:
        expires_at = at + (old.expires_at - old.created_at)
    new = _add(work, name, Role(old.role), expires_at, by=by, at=at)
    ends_at = at + overlap
    old.expires_at = ends_at if old.expires_at is None else min(old.expires_at, ends_at)
    work.session.flush()
    return new, old


def revoke_key(work: UnitOfWork, key_id: str, at: datetime) -> ApiKey:
    """Revoke a key.

    Raises
    ------
    NoSuchKeyError
        If there is none, or it was revoked already.
    """
    key = work.session.get(ApiKey, key_id)
    if key is None or key.revoked_at is not None:
        raise NoSuchKeyError(key_id)
    key.revoked_at = at
    work.session.flush()
    return key


def find_key(work: UnitOfWork, sent: str, at: datetime) -> ApiKey | None:
    """Find the live key that was sent; None for one that is unknown, revoked or expired."""
    parts = split_key(sent)
    if parts is None:
        return None
    key_id, secret = parts
    key = work.session.get(ApiKey, key_id)
    # Compared even if there is no such id, so that the time taken does not tell which ids exist.
    same = hmac.compare_digest(hash_secret(secret), key.secret_hash if key else _NOBODYS)
    if key is None or not same or key.revoked_at is not None:
        return None
    if key.expires_at is not None and key.expires_at <= at:
        return None
    if key.last_used_at is None or at - key.last_used_at >= USED_EVERY:
        key.last_used_at = at
    return key
