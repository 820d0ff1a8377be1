"""Who hears of a notice: spread over people and channels as the playbook says.

The outbox spreads in a transaction of its own, so that each recipient is an effect of their own, sent
and settled alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, get_args

from serving.handoff.oversight import notices
from serving.handoff.playbook.kept import read_agreed
from serving.handoff.playbook.sections.notifications import Medium, Notifications, Occasion, Role
from serving.notify.outbox import Effect
from serving.settings import ChatRoom, ServingSettings, WebhookEndpoint
from serving.store.session import Store

OCCASIONS: Mapping[str, Occasion] = {
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


def read_told(effect: Effect) -> dict[str, Any] | None:
    """Read what an effect tells: a notice, or what the service of handoffs announced.

    None where it is no occasion that anybody could have asked to hear of.
    """
    told = effect.payload
    if effect.topic == notices.TOPIC:
        return told if told.get("occasion") in get_args(Occasion) else None
    occasion = OCCASIONS.get(effect.topic)
    if occasion is None:
        return None
    if occasion == "breached" and "what" in told:
        # No clock: there is nobody to give the lead to.
        occasion = "nobody_free"
    own = {"because", "at", "lead_id", "seller", "handoff_id"}
    return {
        "occasion": occasion,
        "because": told.get("because") or _say_reason(told),
        "occurred_at": told.get("at", effect.created_at.isoformat()),
        "lead_id": told.get("lead_id"),
        # Whoever loses a lead hears of it; whoever gets it is told that it was handed over.
        "seller": told.get("seller") or told.get("from_seller"),
        "handoff_id": _say_id(told.get("handoff_id")),
        "facts": {name: value for name, value in told.items() if name not in own},
    }


def _say_id(handoff_id: int | None) -> str | None:
    return None if handoff_id is None else str(handoff_id)


def _say_reason(told: Mapping[str, Any]) -> str:
    reason = told.get("reason")
    return f"Reason: {reason.replace('_', ' ')}." if isinstance(reason, str) else ""


@dataclass(frozen=True)
class Leaving:
    """One message to one recipient by one channel."""

    medium: Medium
    to: str
    """An address, or the name of a room or endpoint."""
    role: Role


def list_mail_addresses(settings: ServingSettings, role: Role, seller: str | None) -> list[str]:
    """List who gets the mail of a role; of a seller's, the seller whose lead it is."""
    own = settings.mail_to.get(f"seller:{seller}", ()) if role == "seller" and seller else ()
    return list(dict.fromkeys((*own, *settings.mail_to.get(role, ()))))


def spread(
    rules: Notifications, occasion: Occasion, seller: str | None, settings: ServingSettings
) -> list[Leaving]:
    """List who is told of an occasion, and how; nobody twice by the same channel."""
    found: dict[tuple[Medium, str], Leaving] = {}
    for rule in rules.rules:
        if occasion not in rule.on:
            continue
        for role in rule.to:
            for medium in rule.by:
                for to in _list_recipients(medium, role, seller, settings):
                    found.setdefault((medium, to), Leaving(medium, to, role))
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
class Spreader:
    """Sends effects of the topic ``notice``: turns each into one effect for each recipient."""

    store: Store
    settings: ServingSettings

    def __call__(self, effect: Effect) -> None:
        """Spread a notice; one that nobody could have asked to hear of is done with."""
        told = read_told(effect)
        if told is None:
            return
        with self.store.work() as work:
            rules = read_agreed(work).playbook.notifications
            for leaving in spread(rules, told["occasion"], told["seller"], self.settings):
                # A hash, so that no address is kept in a key that is kept for good.
                whom = sha256(leaving.to.encode()).hexdigest()[:16]
                work.announce(
                    f"{effect.key}:{leaving.medium}:{whom}",
                    leaving.medium,
                    build_payload(leaving, told),
                    effect.created_at,
                    effect.lead_id,
                )


def build_payload(leaving: Leaving, told: Mapping[str, Any]) -> dict[str, Any]:
    """Build what the sender of a channel is given."""
    if leaving.medium == "webhook":
        ids = ("lead_id", "handoff_id", "seller", "because")
        return {
            "endpoint": leaving.to,
            "type": f"lead.{told['occasion']}" if told["lead_id"] else told["occasion"],
            "occurred_at": told["occurred_at"],
            "facts": {**told["facts"], **{name: told[name] for name in ids}},
        }
    kept = ("occasion", "because", "occurred_at", "lead_id", "handoff_id", "seller")
    where = "to" if leaving.medium == "mail" else "room"
    return {where: leaving.to, "role": leaving.role, **{name: told[name] for name in kept}}
