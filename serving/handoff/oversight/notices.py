"""What people are told of: whoever decides something says so in the same transaction.

Who hears of it, and how, is the playbook's to say and the outbox's to do (`serving.notify.spreading`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serving.handoff.playbook.sections.notifications import Occasion
from serving.store.session import UnitOfWork

TOPIC = "notice"


@dataclass(frozen=True)
class Notice:
    """Something people want to hear of."""

    key: str
    """What makes it one, such as ``handoff:17:accepted``: told once, however often it is noticed."""
    occasion: Occasion
    because: str
    """In a sentence; it is sent, so it holds ids and no names."""
    at: datetime
    lead_id: str | None = None
    seller: str | None = None
    """Whose lead it is: who is told where the playbook says ``seller``."""
    handoff_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further facts for machines; JSON, no personal data."""


def tell(work: UnitOfWork, notice: Notice) -> bool:
    """Have a notice told; tell whether it is new."""
    payload = {
        "occasion": notice.occasion,
        "because": notice.because,
        "occurred_at": notice.at.isoformat(),
        "lead_id": notice.lead_id,
        "seller": notice.seller,
        "handoff_id": notice.handoff_id,
        "facts": dict(notice.facts),
    }
    return work.announce(f"notice:{notice.key}", TOPIC, payload, notice.at, notice.lead_id)
