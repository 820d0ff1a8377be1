"""Signed webhooks after Standard Webhooks (https://www.standardwebhooks.com, read 2026-11).

The id of a message is made of the effect's key, so it is the same at every attempt, whoever makes it:
receivers tell repeats by it. The time and the signature are those of the attempt.
"""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from features import clock
from serving.notify.guarded_http import (
    OutboundRules,
    Resolve,
    check_answer,
    find_target,
    post,
    resolve,
)
from serving.notify.outbox import Effect, SendFailedError
from serving.settings import WebhookEndpoint, read_webhook_secret
from serving.store.session import Store, UnitOfWork
from serving.store.tables import ClosedEndpoint

TOPIC = "webhook"
MOST_BYTES = 20_000
"""A payload stays below 20 KB; receivers ask the API for more."""

GONE = 410

log = structlog.get_logger(__name__)


def make_message_id(effect_key: str) -> str:
    """Make the id of a message: the same for the same effect, and telling nothing about it.

    >>> make_message_id("handoff:17:accepted") == make_message_id("handoff:17:accepted")
    True
    """
    return f"msg_{sha256(effect_key.encode()).hexdigest()[:32]}"


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message with each key: ``v1,...`` by spaces.

    Parameters
    ----------
    keys
        The newest first; more than one while receivers change over.
    timestamp
        Seconds since 1970.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return " ".join(f"v1,{signature}" for signature in signatures)


def build_body(kind: str, occurred_at: str, facts: Mapping[str, Any]) -> bytes:
    """Build the body: ``type``, ``timestamp``, ``data``; the same bytes for the same facts.

    Facts that would make it too long are left out, longest first, and named under ``left_out``.
    """
    data = dict(facts)
    left_out: list[str] = []
    while True:
        held = {**data, "left_out": sorted(left_out)} if left_out else data
        body = _write({"type": kind, "timestamp": occurred_at, "data": held})
        if len(body) < MOST_BYTES or not data:
            return body
        longest = max(sorted(data), key=lambda name: len(_write(data[name])))
        left_out.append(longest)
        del data[longest]


def _write(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def fingerprint_url(url: str) -> bytes:
    """Tell one address from another without keeping it."""
    return sha256(url.encode()).digest()


def is_closed(work: UnitOfWork, name: str, url: str) -> bool:
    """Whether the other side said that this address is gone."""
    found = work.session.get(ClosedEndpoint, name)
    return found is not None and found.url_hash == fingerprint_url(url)


def list_closed(work: UnitOfWork) -> list[ClosedEndpoint]:
    """List endpoints that said they are gone, by name."""
    return list(work.session.scalars(select(ClosedEndpoint).order_by(ClosedEndpoint.name)))


def close_endpoint(work: UnitOfWork, name: str, url: str, at: datetime) -> None:
    """Note that the other side said its address is gone."""
    values = {"url_hash": fingerprint_url(url), "closed_at": at}
    noted = insert(ClosedEndpoint).values(name=name, **values)
    work.session.execute(noted.on_conflict_do_update(index_elements=["name"], set_=values))


def reopen_endpoint(work: UnitOfWork, name: str) -> bool:
    """Send to an endpoint again; tell whether it was closed."""
    gone = delete(ClosedEndpoint).where(ClosedEndpoint.name == name)
    return bool(work.session.execute(gone.returning(ClosedEndpoint.name)).all())


@dataclass
class WebhookSender:
    """Sends effects of the topic ``webhook``."""

    store: Store
    endpoints: Mapping[str, WebhookEndpoint]
    rules: OutboundRules
    now: Callable[[], datetime] = clock.now
    find: Resolve = resolve

    def __call__(self, effect: Effect) -> None:
        """Sign and send.

        Raises
        ------
        SendFailedError
            If it was not taken; for good where the endpoint is gone or not in the settings any more.
        """
        name = str(effect.payload.get("endpoint"))
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            raise SendFailedError("No such endpoint in BATON_WEBHOOKS", for_good=True)
        with self.store.work(read_only=True) as work:
            if is_closed(work, name, endpoint.url):
                raise SendFailedError("The endpoint answered 410 (gone)", for_good=True)
        payload = effect.payload
        body = build_body(payload["type"], payload["occurred_at"], payload["facts"])
        target = find_target(endpoint.url, self.rules, self.find)
        headers = self._sign(endpoint, effect.key, body)
        answer = post(target, body, headers, self.rules.timeout_seconds)
        if answer.status == GONE:
            with self.store.work() as work:
                close_endpoint(work, name, endpoint.url, self.now())
            log.warning("endpoint_closed", endpoint=name)
            raise SendFailedError("The endpoint answered 410 (gone)", for_good=True)
        check_answer(answer, self.now())

    def _sign(self, endpoint: WebhookEndpoint, key: str, body: bytes) -> dict[str, str]:
        message_id, seconds = make_message_id(key), int(self.now().astimezone(UTC).timestamp())
        keys = [read_webhook_secret(secret) for secret in endpoint.secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": "baton",
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(keys, message_id, seconds, body),
        }
