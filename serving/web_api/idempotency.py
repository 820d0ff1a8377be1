"""Idempotency keys: a request that is sent again gets the answer it got, and has no second effect.

After the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header,
2025): the same key with another body is refused (422), one still under way as well (409). The key is
kept in the transaction of the effect itself, so there is never one without the other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from fastapi import Request

from serving.errors import RefusedError
from serving.store.session import UnitOfWork
from serving.web_api.paths import find_asked

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}
KEPT = timedelta(hours=24)
"""How long a key and its answer are kept."""

DESCRIBED_KEY = "^[!#-\\[\\]-~]{1,255}$"
"""What a key looks like, for the description of the API; it may also stand in double quotes."""

_KEY = re.compile(r'^"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?$')
TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended(%(turn)s, 0))"
FIND = """
SELECT body_hash, status, media_type, answer FROM idempotency_key
WHERE scope = %(scope)s AND key = %(key)s AND expires_at > %(now)s
"""
KEEP = """
INSERT INTO idempotency_key (scope, key, body_hash, status, media_type, answer, answered_at, expires_at)
VALUES (%(scope)s, %(key)s, %(hash)s, %(status)s, %(media_type)s, %(answer)s, %(now)s, %(until)s)
ON CONFLICT (scope, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
    media_type = excluded.media_type, answer = excluded.answer,
    answered_at = excluded.answered_at, expires_at = excluded.expires_at
"""


class KeyMalformedError(RefusedError):
    """An idempotency key that is none."""

    status, slug, title = 400, "idempotency-key-malformed", "Idempotency key malformed"
    fix = "Send 1 to 255 visible ASCII characters, such as a UUID."

    def __init__(self) -> None:
        super().__init__("The header Idempotency-Key cannot be read.")


class KeyReusedError(RefusedError):
    """An idempotency key that came with another body before."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency key used before"
    fix = "Use a new key for a new request; repeat a request with the very same body."

    def __init__(self) -> None:
        super().__init__("This key was used with another body before.")


class KeyInFlightError(RefusedError):
    """A request of the same key that is still under way."""

    status, slug, title = 409, "idempotency-key-in-flight", "The same request is under way"
    fix = "Wait a second and repeat it: you get the answer of the first."

    def __init__(self) -> None:
        super().__init__("A request with this key has not been answered yet.")


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that is to have its effect once."""

    scope: str
    """Caller, method and path."""
    key: str
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer as it leaves, or left."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    is_replayed: bool = False


def name_caller(request: Request) -> str:
    """Name who asks, so that keys of others do not meet: the API key's id, or else what was sent."""
    known: str | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    sent = request.headers.get("authorization", "")
    return sha256(sent.encode()).hexdigest()[:16]


def read_key(request: Request, body: bytes) -> IdempotentRequest | None:
    """Read the request's idempotency key; None if it has none.

    Raises
    ------
    KeyMalformedError
        If it cannot be read.
    """
    sent = request.headers.get(HEADER)
    if sent is None:
        return None
    found = _KEY.match(sent)
    if found is None:
        raise KeyMalformedError
    scope = f"{name_caller(request)} {request.method} {find_asked(request.scope)}"
    return IdempotentRequest(scope, found[1], sha256(body).digest())


def run_idempotent(
    work: UnitOfWork,
    request_key: IdempotentRequest | None,
    now: datetime,
    action: Callable[[], StoredResponse],
) -> StoredResponse:
    """Run an action and store its response; if it was done before, give the answer of then.

    An action that raises stores nothing: sent again, it is tried again.

    Raises
    ------
    KeyReusedError, KeyInFlightError
        If the key came with another body, or its request is still under way.
    """
    if request_key is None:
        return action()
    if not work.execute(TURN, {"turn": f"{request_key.scope} {request_key.key}"}).scalar():
        raise KeyInFlightError
    named = {"scope": request_key.scope, "key": request_key.key, "now": now}
    found = work.execute(FIND, named).first()
    if found is not None:
        if bytes(found[0]) != request_key.body_hash:
            raise KeyReusedError
        return StoredResponse(bytes(found[3]), found[1], found[2], is_replayed=True)
    answer = action()
    kept = {
        "hash": request_key.body_hash,
        "status": answer.status,
        "media_type": answer.media_type,
    }
    work.execute(KEEP, {**named, **kept, "answer": answer.body, "until": now + KEPT})
    return answer


def forget_expired(work: UnitOfWork, now: datetime) -> int:
    """Delete the keys that are kept no longer; count them."""
    deleted = work.execute("DELETE FROM idempotency_key WHERE expires_at <= %(now)s", {"now": now})
    return int(deleted.rowcount)
