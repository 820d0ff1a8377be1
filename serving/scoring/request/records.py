"""From what a caller sent to what the kernel reads, and what must be said about it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import EventRecord, LeadRecord, StageRecord
from features.taxonomy import Taxonomy
from serving.errors import (
    AsOfBeforeCreationError,
    FieldProblem,
    InvalidBodyError,
    TooManyEventsError,
)
from serving.scoring.lead_warnings import (
    warn_of_account,
    warn_of_future,
    warn_of_moment,
    warn_of_repeats,
    warn_of_standing,
    warn_of_unknown_names,
    warn_of_unknown_reasons,
)
from serving.scoring.request.attributes import read_attributes
from serving.scoring.schemas import EventIn, LeadIn, StageIn

ACCOUNT = "account"
"""What the account of a lead and its colleagues is called; no other lead sees it."""


@dataclass(frozen=True, slots=True)
class ScorableLead:
    """A lead ready for the kernel."""

    record: LeadRecord
    as_of: datetime
    ignored: list[str]
    warnings: list[str]
    known: frozenset[str]
    """Attributes of the catalogue that came with a value."""


def _read_event(event: EventIn, taxonomy: Taxonomy) -> EventRecord:
    occurred_at = clock.to_us(event.occurred_at)
    return EventRecord(
        occurred_at=occurred_at,
        known_at=occurred_at if event.known_at is None else clock.to_us(event.known_at),
        kind=taxonomy.kind_of_event(event.kind, event.name),
        channel=taxonomy.channel_of(event.channel),
        value=event.value,
    )


def _read_stage(move: StageIn) -> StageRecord:
    at = clock.to_us(move.at)
    known_at = at if move.known_at is None else clock.to_us(move.known_at)
    return StageRecord(at, known_at, move.stage, move.reason)


def _leave_out_repeats(events: Sequence[EventIn]) -> list[EventIn]:
    """Keep the first event of each id, as imports do; those without an id are all kept."""
    seen: set[str] = set()
    kept = []
    for event in events:
        event_id = (event.event_id or "").strip()
        if event_id and event_id in seen:
            continue
        seen.add(event_id)
        kept.append(event)
    return kept


def _is_nameless(event: EventIn) -> bool:
    return not (event.name or "").strip() and not (event.kind or "").strip()


def _check(lead: LeadIn, as_of: datetime, most_events: int) -> None:
    if as_of < lead.created_at:
        raise AsOfBeforeCreationError(lead.created_at.isoformat(), as_of.isoformat())
    for field, found in (("events", len(lead.events)), ("stages", len(lead.stages))):
        if found > most_events:
            raise TooManyEventsError(field, found, most_events)
    brought = sum(len(person.events) + len(person.stages) for person in lead.colleagues or ())
    if brought > most_events:
        raise TooManyEventsError("colleagues", brought, most_events)
    _check_names(lead.events, "")
    for position, person in enumerate(lead.colleagues or ()):
        _check_names(person.events, f"colleagues[{position}].")


def _check_names(events: Sequence[EventIn], where: str) -> None:
    nameless = [i for i, event in enumerate(events) if _is_nameless(event)]
    if nameless:
        fix = "Say what happened: `name` as the source calls it, or `kind` of the taxonomy."
        raise InvalidBodyError(
            tuple(
                FieldProblem(f"{where}events[{i}]", "has neither name nor kind", fix)
                for i in nameless[:20]
            )
        )


def _read_colleagues(lead: LeadIn, catalog: Catalog) -> tuple[LeadRecord, ...] | None:
    if lead.colleagues is None:
        return None
    found = []
    for position, person in enumerate(lead.colleagues):
        attributes = read_attributes(
            person, catalog.attributes, account_id=ACCOUNT, where=f"colleagues[{position}]."
        )
        found.append(
            LeadRecord(
                lead_id="",
                created_at=clock.to_us(person.created_at),
                versions=attributes.versions,
                events=tuple(
                    _read_event(event, catalog.taxonomy)
                    for event in _leave_out_repeats(person.events)
                ),
                stages=tuple(_read_stage(move) for move in person.stages),
            )
        )
    return tuple(found)


def read_lead(
    lead: LeadIn, catalog: Catalog, target: str, now: datetime, most_events: int
) -> ScorableLead:
    """Turn a lead as sent into a record, and say what will not count.

    Parameters
    ----------
    lead
        As sent, its fields already checked one by one.
    catalog
        Of the model that will score it.
    target
        What is predicted, as `features.lifecycle.targets` writes it.
    now
        The moment to look at the lead if it names none.
    most_events
        Most events, and most stage changes, it may have.

    Raises
    ------
    AsOfBeforeCreationError, TooManyEventsError, InvalidBodyError
        If the fields do not go together, or do not fit the catalogue.
    """
    as_of = now if lead.as_of is None else lead.as_of
    _check(lead, as_of, most_events)
    named = None if lead.colleagues is None else ACCOUNT
    attributes = read_attributes(lead, catalog.attributes, account_id=named)
    sent = _leave_out_repeats(lead.events)
    events = tuple(_read_event(event, catalog.taxonomy) for event in sent)
    stages = tuple(_read_stage(move) for move in lead.stages)
    as_of_us = clock.to_us(as_of)
    warnings = [
        *attributes.warnings,
        *warn_of_moment(lead, as_of, now, has_facts=bool(attributes.known)),
        *warn_of_repeats(len(lead.events) - len(sent)),
        *warn_of_unknown_names(sent, events, catalog.taxonomy),
        *warn_of_unknown_reasons(stages, catalog.taxonomy),
        *warn_of_future(events, stages, attributes.versions[1:], as_of_us),
        *warn_of_standing(stages, as_of_us, target),
        *warn_of_account(lead, catalog),
    ]
    record = LeadRecord(
        lead_id=lead.lead_id,
        created_at=clock.to_us(lead.created_at),
        versions=attributes.versions,
        events=events,
        stages=stages,
        colleagues=_read_colleagues(lead, catalog),
    )
    return ScorableLead(record, as_of, attributes.ignored, warnings, attributes.known)
