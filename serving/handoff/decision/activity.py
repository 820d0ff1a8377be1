"""What a lead did, as the rules of the handoff see it: kind, name and moment. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Activity:
    """Something the lead did or received, known by the moment of looking."""

    at: datetime
    kind: str
    """A kind of the taxonomy."""
    name: str | None = None
    """What the source calls it."""
    channel: str | None = None
    campaign: str | None = None
    engaging: bool = True
    """Whether the lead did it; a mail it merely received is none of its doing."""


STOP_NAMES = frozenset(
    {
        "unsubscribe all",
        "unsubscribed from all",
        "unsubscribed from all email",
        "unsubscribed from all emails",
        "opted out of all",
        "do not contact",
    }
)
"""Kinds and names, folded, of events by which a lead asks not to be contacted at all."""


def asks_for_no_contact(activity: Activity) -> bool:
    """Whether the lead asked not to be contacted at all; leaving one newsletter is less than that.

    By name too, since most taxonomies have no kind for it.
    """
    return not STOP_NAMES.isdisjoint({fold_name(activity.kind), fold_name(activity.name or "")})


def fold_name(raw: str) -> str:
    """Write a name so that case, blanks and punctuation do not matter.

    >>> fold_name(" Request-a_Quote! ")
    'request a quote'
    """
    return " ".join(re.findall(r"[^\W_]+", raw.casefold()))
