"""Who hears of a notice: spread over people and channels as the playbook says.

The outbox spreads in a transaction of its own, so that each recipient is an effect of their own, sent
and settled alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, get_args

from serving.handoff.playbook import notifications
from serving.handoff.playbook.repository import read_agreed
from serving.handoff.playbook.sections.notifications import (
    Medium,
    NotificationEvent,
    Notifications,
    Role,
)
from serving.notify.outbox import Effect
from serving.settings import ChatRoom, ServingSettings, WebhookEndpoint
from serving.store.session import Store

EVENTS_BY_TOPIC: Mapping[str, NotificationEvent] = {
    "handoff.held": "packet_incomplete",
    "handoff.assigned": "handed_over",
    "handoff.reassigned": "reassigned",
    "handoff.accepted": "accepted",
    "handoff.returned": "returned",
    "handoff.reminder": "reminder",
    "handoff.escalated": "breached",
    "handoff.asked": "waiting",
    "handoff.qualified": "sql",
    "handoff.won": "won",
    "handoff.supplied": "supplied",
    "handoff.lost": "lost",
    "handoff.withdrawn": "withdrawn",
    "lead.band_changed": "band_changed",
}
"""What the service of handoffs announces, as the playbook calls it."""


def read_event(effect: Effect) -> dict[str, Any] | None:
    """Read what an effect tells: a notice, or what the service of handoffs announced.

    None where it is no event that anybody could have subscribed to.
    """
    payload = effect.payload
    if effect.topic == notifications.TOPIC:
        return payload if payload.get("event") in get_args(NotificationEvent) else None
    event = EVENTS_BY_TOPIC.get(effect.topic)
    if event is None:
        return None
    if event == "breached" and "what" in payload:
        # No clock: there is nobody to give the lead to.
        event = "nobody_free"
    own = {"because", "at", "lead_id", "seller", "handoff_id"}
    return {
        "event": event,
        "because": payload.get("because") or _describe_reason(payload),
        "occurred_at": payload.get("at", effect.created_at.isoformat()),
        "lead_id": payload.get("lead_id"),
        # Whoever loses a lead hears of it; whoever gets it is told that it was handed over.
        "seller": payload.get("seller") or payload.get("from_seller"),
        "handoff_id": _format_id(payload.get("handoff_id")),
        "facts": {name: value for name, value in payload.items() if name not in own},
    }


def _format_id(handoff_id: int | None) -> str | None:
    return None if handoff_id is None else str(handoff_id)


def _describe_reason(payload: Mapping[str, Any]) -> str:
    reason = payload.get("reason")
    return f"Reason: {reason.replace('_', ' ')}." if isinstance(reason, str) else ""


@dataclass(frozen=True)
class Delivery:
    """One message to one recipient by one channel."""

    medium: Medium
    to: str
    """An address, or the name of a room or endpoint."""
    role: Role


def list_mail_addresses(settings: ServingSettings, role: Role, seller: str | None) -> list[str]:
    """List who gets the mail of a role; of a seller's, the seller whose lead it is."""
    own = settings.mail_to.get(f"seller:{seller}", ()) if role == "seller" and seller else ()
    return list(dict.fromkeys((*own, *settings.mail_to.get(role, ()))))


def fan_out(
    rules: Notifications, event: NotificationEvent, seller: str | None, settings: ServingSettings
) -> list[Delivery]:
    """List who is notified of an event, and how; nobody twice by the same channel."""
    found: dict[tuple[Medium, str], Delivery] = {}
    for rule in rules.rules:
        if event not in rule.on:
            continue
        for role in rule.to:
            for medium in rule.by:
                for to in _list_recipients(medium, role, seller, settings):
                    found.setdefault((medium, to), Delivery(medium, to, role))
    return list(found.values())


def _list_recipients(
    medium: Medium, role: Role, seller: str | None, settings: ServingSettings
) -> Iterator[str]:
    if medium == "mail":
        if settings.smtp_host is not None:
            yield from list_mail_addresses(settings, role, seller)
        return
    places: Mapping[str, WebhookEndpoint | ChatRoom] = settings.chats
    if medium == "webhook":
        places = settings.webhooks
    for name, place in sorted(places.items()):
        if not place.roles or role in place.roles:
            yield name


@dataclass
class FanOut:
    """Sends effects of the topic ``notice``: turns each into one effect for each recipient."""

    store: Store
    settings: ServingSettings

    def __call__(self, effect: Effect) -> None:
        """Spread a notice; one that nobody could have asked to hear of is done with."""
        payload = read_event(effect)
        if payload is None:
            return
        with self.store.work() as work:
            rules = read_agreed(work).playbook.notifications
            for delivery in fan_out(rules, payload["event"], payload["seller"], self.settings):
                # A hash, so that no address is kept in a key that is kept for good.
                whom = sha256(delivery.to.encode()).hexdigest()[:16]
                work.enqueue_effect(
                    f"{effect.key}:{delivery.medium}:{whom}",
                    delivery.medium,
                    build_payload(delivery, payload),
                    effect.created_at,
                    effect.lead_id,
                )


def build_payload(delivery: Delivery, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Build what the sender of a channel is given."""
    if delivery.medium == "webhook":
        ids = ("lead_id", "handoff_id", "seller", "because")
        return {
            "endpoint": delivery.to,
            "type": f"lead.{payload['event']}" if payload["lead_id"] else payload["event"],
            "occurred_at": payload["occurred_at"],
            "facts": {**payload["facts"], **{name: payload[name] for name in ids}},
        }
    kept = ("event", "because", "occurred_at", "lead_id", "handoff_id", "seller")
    where = "to" if delivery.medium == "mail" else "room"
    return {where: delivery.to, "role": delivery.role, **{name: payload[name] for name in kept}}
