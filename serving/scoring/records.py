"""From what a caller sent to what the kernel reads, and what must be said about it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from features import clock
from features.catalog.fit import OTHER_CATEGORY, Attribute
from features.catalog.manifest import Catalog
from features.contracts.leads import AttributeType
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.lifecycle.replay import StageChange, standing_at
from features.lifecycle.stages import Stage
from features.taxonomy import OTHER, Taxonomy
from serving.errors import FieldProblem, InvalidBodyError, LookedTooEarlyError, TooManyEventsError
from serving.scoring.schemas import EventIn, LeadIn, Moment, StageIn

NAMES_LISTED = 5
"""Unknown names repeated in a warning, at most."""

_moment = TypeAdapter(Moment)

Cell = float | str | bool | None


@dataclass(frozen=True, slots=True)
class ReadLead:
    """A lead ready for the kernel."""

    record: LeadRecord
    as_of: datetime
    ignored: list[str]
    warnings: list[str]
    known: frozenset[str]
    """Attributes of the catalogue that came with a value."""


def _as_category(value: Cell) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _as_number(value: Cell) -> float:
    if isinstance(value, str | bool) or value is None:
        raise TypeError
    return value


def _as_flag(value: Cell) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _as_time(value: Cell) -> float:
    if not isinstance(value, str):
        raise TypeError
    try:
        return float(clock.to_us(_moment.validate_python(value, strict=False)))
    except ValidationError as error:
        raise TypeError from error


_READERS: dict[AttributeType, tuple[Callable[[Cell], Cell], str, str]] = {
    "category": (_as_category, "is not text", 'Send text in quotes, e.g. "software".'),
    "number": (_as_number, "is not a number", "Send a number without quotes, e.g. 250."),
    "flag": (_as_flag, "is not true or false", "Send true or false without quotes."),
    "time": (
        _as_time,
        "is not a time with a zone",
        "Send a time with its zone, e.g. 2026-03-01T09:00:00Z.",
    ),
}


def read_attributes(
    attributes: dict[str, Cell], known: dict[str, Attribute]
) -> tuple[dict[str, Cell], list[str], list[str]]:
    """Sort a lead's attributes into those the model knows and those it does not.

    Returns
    -------
    tuple
        The cells by name; the names that are ignored; warnings about unseen values.

    Raises
    ------
    InvalidBodyError
        Listing every attribute of the wrong type.
    """
    cells: dict[str, Cell] = {}
    ignored, warnings, problems = [], [], []
    for name, value in attributes.items():
        attribute = known.get(name)
        if attribute is None:
            ignored.append(name)
            continue
        if value is None:
            continue
        read, problem, fix = _READERS[attribute.type]
        try:
            cells[name] = read(value)
        except TypeError:
            problems.append(FieldProblem(f"attributes.{name}", problem, fix))
            continue
        if attribute.type == "category" and value not in attribute.categories:
            counted = "counts as another rare value"
            if OTHER_CATEGORY not in attribute.categories:
                counted = "counts as not known"
            warnings.append(f"The value of {name} was too rare in training; it {counted}.")
    if problems:
        raise InvalidBodyError(tuple(problems))
    return cells, ignored, warnings


def _read_event(event: EventIn, taxonomy: Taxonomy) -> EventRecord:
    occurred_at = clock.to_us(event.occurred_at)
    channel = event.channel
    if channel is not None and channel not in taxonomy.channels:
        channel = channel.strip().lower()
    return EventRecord(
        occurred_at=occurred_at,
        known_at=occurred_at if event.known_at is None else clock.to_us(event.known_at),
        kind=taxonomy.kind_of(event.kind if event.kind is not None else event.name),
        channel=channel,
        value=event.value,
    )


def _read_stage(move: StageIn) -> StageRecord:
    at = clock.to_us(move.at)
    return StageRecord(at, at if move.known_at is None else clock.to_us(move.known_at), move.stage)


def _warn_of_unknown_names(
    sent: Sequence[EventIn], read: Sequence[EventRecord], taxonomy: Taxonomy
) -> list[str]:
    strange = [e.kind or e.name or "" for e, r in zip(sent, read, strict=True) if r.kind == OTHER]
    strange = [
        name for name in strange if name.strip().casefold() not in _names_of_other(taxonomy)
    ]
    if not strange:
        return []
    listed = list(dict.fromkeys(strange))
    more = ", ..." if len(listed) > NAMES_LISTED else ""
    names = ", ".join(repr(name) for name in listed[:NAMES_LISTED])
    return [
        f"{_count(len(strange), 'event has a name', 'events have names')} the taxonomy does not "
        f"know and {'counts' if len(strange) == 1 else 'count'} as other: {names}{more}."
    ]


def _names_of_other(taxonomy: Taxonomy) -> frozenset[str]:
    kind = taxonomy.kinds[-1]
    return frozenset(name.strip().casefold() for name in (kind.name, *kind.names))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _warn_of_future(
    events: Sequence[EventRecord], stages: Sequence[StageRecord], as_of: int
) -> list[str]:
    late_events = sum(e.occurred_at >= as_of or e.known_at >= as_of for e in events)
    late_moves = sum(m.at >= as_of or m.known_at >= as_of for m in stages)
    said = []
    for late, one, many in (
        (late_events, "event", "events"),
        (late_moves, "stage change", "stage changes"),
    ):
        if late:
            verb = "does" if late == 1 else "do"
            said.append(
                f"{_count(late, one, many)} at or after as_of, or not known before it, "
                f"{verb} not count."
            )
    return said


def _warn_of_standing(stages: Sequence[StageRecord], as_of: int, target: str) -> list[str]:
    """Say if there is nothing left to predict: the model learned from open leads only."""
    if target not in set(Stage):
        return []
    moves = sorted(stages, key=lambda move: move.at)
    changes = [StageChange(m.at, m.known_at, Stage(m.stage)) for m in moves]
    standing = standing_at(changes, as_of, Stage(target))
    if standing.reached:
        what = f"had already reached {target.upper()}"
    elif not standing.is_open:
        what = f"was already closed ({standing.stage})"
    else:
        return []
    return [f"At as_of the lead {what}; the model learned from open leads only."]


def _check(lead: LeadIn, as_of: datetime, most_events: int) -> None:
    if as_of < lead.created_at:
        raise LookedTooEarlyError(lead.created_at.isoformat(), as_of.isoformat())
    for field, found in (("events", len(lead.events)), ("stages", len(lead.stages))):
        if found > most_events:
            raise TooManyEventsError(field, found, most_events)
    nameless = [i for i, e in enumerate(lead.events) if e.name is None and e.kind is None]
    if nameless:
        fix = "Say what happened: `name` as the source calls it, or `kind` of the taxonomy."
        raise InvalidBodyError(
            tuple(
                FieldProblem(f"events[{i}]", "has neither name nor kind", fix)
                for i in nameless[:20]
            )
        )


def read_lead(
    lead: LeadIn, catalog: Catalog, target: str, now: datetime, most_events: int
) -> ReadLead:
    """Turn a lead as sent into a record, and say what will not count.

    Parameters
    ----------
    lead
        As sent, its fields already checked one by one.
    catalog
        Of the model that will score it.
    target
        The stage whose reaching is predicted.
    now
        The moment to look at the lead if it names none.
    most_events
        Most events, and most stage changes, it may have.

    Raises
    ------
    LookedTooEarlyError, TooManyEventsError, InvalidBodyError
        If the fields do not go together, or do not fit the catalogue.
    """
    as_of = now if lead.as_of is None else lead.as_of
    _check(lead, as_of, most_events)
    known = {attribute.name: attribute for attribute in catalog.attributes}
    cells, ignored, warnings = read_attributes(lead.attributes, known)
    events = tuple(_read_event(event, catalog.taxonomy) for event in lead.events)
    stages = tuple(_read_stage(move) for move in lead.stages)
    as_of_us, created_us = clock.to_us(as_of), clock.to_us(lead.created_at)
    if as_of > now:
        warnings.append("as_of lies in the future: what happens until then is not known yet.")
    warnings += _warn_of_unknown_names(lead.events, events, catalog.taxonomy)
    warnings += _warn_of_future(events, stages, as_of_us)
    if stages:
        warnings += _warn_of_standing(stages, as_of_us, target)
    record = LeadRecord(
        lead_id=lead.lead_id,
        created_at=created_us,
        versions=(LeadVersion(created_us, cells),),
        events=events,
        stages=stages,
    )
    return ReadLead(record, as_of, ignored, warnings, frozenset(cells))
