"""One lead as it reaches the online path: plain records, times in microseconds since the epoch.

Named tuples, since they are made, and taken apart into columns, several times faster than frozen
data classes: most of what one lead costs is the making of its records.
"""

from collections.abc import Mapping
from typing import NamedTuple


class EventRecord(NamedTuple):
    """Something the lead did or received."""

    occurred_at: int
    known_at: int
    kind: str
    """A kind of the taxonomy; anything else counts as ``other``."""
    channel: str | None = None
    value: float | None = None


class StageRecord(NamedTuple):
    """A move of the lead."""

    at: int
    known_at: int
    stage: str
    reason: str | None = None
    """Of a return: why, in the source's own words; the taxonomy says what they mean."""


class LeadVersion(NamedTuple):
    """The lead's attributes as known from ``known_at`` on."""

    known_at: int
    attributes: Mapping[str, float | str | bool | None]
    """By attribute name; a time attribute in microseconds since the epoch; None if unknown."""
    account_id: str | None = None


class LeadRecord(NamedTuple):
    """One lead with its history."""

    lead_id: str
    created_at: int
    versions: tuple[LeadVersion, ...] = ()
    events: tuple[EventRecord, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    colleagues: "tuple[LeadRecord, ...] | None" = None
    """Leads that are, or were, of its account; None if nobody said, which is not "no colleague"."""
