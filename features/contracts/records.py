"""One lead as it reaches the online path: plain records, times in microseconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something the lead did or received."""

    occurred_at: int
    known_at: int
    kind: str
    """A kind of the taxonomy; anything else counts as ``other``."""
    channel: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A move of the lead."""

    at: int
    known_at: int
    stage: str


@dataclass(frozen=True, slots=True)
class LeadVersion:
    """The lead's attributes as known from ``known_at`` on."""

    known_at: int
    attributes: Mapping[str, float | str | bool | None]
    """By attribute name; a time attribute in microseconds since the epoch; None if unknown."""


@dataclass(frozen=True, slots=True)
class LeadRecord:
    """One lead with its history."""

    lead_id: str
    created_at: int
    versions: tuple[LeadVersion, ...] = ()
    events: tuple[EventRecord, ...] = ()
    stages: tuple[StageRecord, ...] = ()
