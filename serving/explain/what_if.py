"""What a next event would do to a score: each plausible one, as if it happened just now. Pure.

A comparison of the lead with itself plus one event, by the model: what such leads did, no promise that an
event brought about would work the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord
from features.taxonomy import OTHER
from training.bundle import Bundle


@dataclass(frozen=True, slots=True)
class NextEvent:
    """An event that may come."""

    kind: str
    channel: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class WhatIfOutcome:
    """The score a lead would have, were an event to happen now."""

    event: NextEvent
    seen_before: int
    """How often the lead did, or received, this already."""
    points: float
    """Uncut."""
    points_added: float
    probability: float


def list_plausible(bundle: Bundle, record: LeadRecord) -> list[NextEvent]:
    """List every kind of the taxonomy, by the channel the lead itself uses most for it."""
    own: dict[str, Counter[str]] = {}
    everywhere: Counter[str] = Counter()
    for event in record.events:
        if event.channel is not None:
            own.setdefault(event.kind, Counter())[event.channel] += 1
            everywhere[event.channel] += 1
    listed = []
    for kind in bundle.catalog.taxonomy.kind_names:
        if kind != OTHER:
            used = own.get(kind) or everywhere
            listed.append(
                NextEvent(kind, min(used, key=lambda c: (-used[c], c)) if used else None)
            )
    return listed


def score_next_events(
    bundle: Bundle, record: LeadRecord, as_of: int, events: Sequence[NextEvent]
) -> tuple[float, list[WhatIfOutcome]]:
    """Score a lead as it is, and with each event in turn.

    Parameters
    ----------
    record
        The lead as known before ``as_of``.
    as_of
        Microseconds since the epoch; the events happen a microsecond before.

    Returns
    -------
    tuple of float and list of Outcome
        Uncut points as it is; outcomes, those that raise the score most first.
    """
    happened = as_of - 1
    records = [record]
    for event in events:
        added = EventRecord(happened, happened, event.kind, event.channel, event.value)
        records.append(record._replace(events=(*record.events, added)))
    rows = compute_rows(bundle.catalog, records, [as_of] * len(records))
    scores = bundle.score(rows)
    base = float(scores.points[0])
    seen = Counter(event.kind for event in record.events)
    outcomes = [
        WhatIfOutcome(event, seen[event.kind], points, points - base, probability)
        for event, points, probability in zip(
            events, scores.points[1:].tolist(), scores.probability[1:].tolist(), strict=True
        )
    ]
    return base, sorted(outcomes, key=lambda o: (-o.points_added, o.event.kind))
