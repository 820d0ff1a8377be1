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


def fold_name(raw: str) -> str:
    """Write a name so that case, blanks and punctuation do not matter.

    >>> fold_name(" Request-a_Quote! ")
    'request a quote'
    """
    return " ".join(re.findall(r"[^\W_]+", raw.casefold()))
