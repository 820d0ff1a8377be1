"""What people are told of: whoever decides something says so in the same transaction.

Who hears of it, and how, is the playbook's to say and the outbox's to do (`serving.notify.fan_out`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serving.handoff.playbook.sections.notifications import NotificationEvent
from serving.store.session import UnitOfWork

TOPIC = "notice"


@dataclass(frozen=True)
class Notification:
    """Something people want to hear of."""

    key: str
    """What makes it one, such as ``handoff:17:accepted``: told once, however often it is noticed."""
    event: NotificationEvent
    because: str
    """In a sentence; it is sent, so it holds ids and no names."""
    at: datetime
    lead_id: str | None = None
    seller: str | None = None
    """Whose lead it is: who is told where the playbook says ``seller``."""
    handoff_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further facts for machines; JSON, no personal data."""


def enqueue_notification(work: UnitOfWork, notification: Notification) -> bool:
    """Have a notice told; tell whether it is new."""
    payload = {
        "event": notification.event,
        "because": notification.because,
        "occurred_at": notification.at.isoformat(),
        "lead_id": notification.lead_id,
        "seller": notification.seller,
        "handoff_id": notification.handoff_id,
        "facts": dict(notification.facts),
    }
    return work.enqueue_effect(
        f"notice:{notification.key}", TOPIC, payload, notification.at, notification.lead_id
    )
