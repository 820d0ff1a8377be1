"""Leads read for people: one, a page of them, what happened to one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from features.contracts.provenance import CombinedFacts, Facts, combine_facts
from serving.leads.cursors import (
    CursorRefusedError,
    read_cursor,
    read_cursor_moment,
    write_cursor,
)
from serving.leads.errors import LeadNotFoundError
from serving.store.session import UnitOfWork

FIND = """
SELECT l.lead_id, l.account_id, l.created_at, l.first_known_at, l.last_scored_as_of
FROM lead asked JOIN lead l ON l.lead_id = coalesce(asked.merged_into, asked.lead_id)
WHERE asked.lead_id = %(id)s
"""
MEMBERS = "SELECT lead_id FROM lead WHERE merged_into = %(id)s ORDER BY lead_id"
ATTRIBUTES = """
SELECT DISTINCT ON (lead_id) lead_id, source, account_id, attributes, origins, account_source
FROM lead_version
WHERE lead_id = ANY(%(ids)s) ORDER BY lead_id, known_at DESC, version_id DESC
"""
STANDING = """
SELECT stage, at FROM stage_change WHERE lead_id = ANY(%(ids)s)
ORDER BY at DESC, change_number DESC LIMIT 1
"""
COUNTS = """
SELECT (SELECT count(*) FROM event WHERE lead_id = ANY(%(ids)s)),
    (SELECT count(*) FROM stage_change WHERE lead_id = ANY(%(ids)s)),
    (SELECT count(*) FROM attempt WHERE lead_id = ANY(%(ids)s)),
    (SELECT max(occurred_at) FROM event WHERE lead_id = ANY(%(ids)s)),
    (SELECT min(due_at) FROM score_due WHERE lead_id = ANY(%(ids)s))
"""
LATEST = """
SELECT contract, as_of, status, points, probability, band, model_version FROM score
WHERE lead_id = %(id)s AND is_latest ORDER BY contract
"""

Order = Literal["points", "created_at", "lead_id"]


@dataclass(frozen=True, slots=True)
class FoundLead:
    """A lead, as it is since it may have been merged into another."""

    lead_id: str
    account_id: str | None
    created_at: datetime
    first_known_at: datetime
    last_scored_as_of: datetime | None


def get_lead(work: UnitOfWork, lead_id: str) -> FoundLead:
    """Find a lead by its id; of a lead that was merged, the one it is now.

    Raises
    ------
    LeadNotFoundError
        If there is none.
    """
    row = work.execute(FIND, {"id": lead_id}).first()
    if row is None:
        raise LeadNotFoundError
    return FoundLead(*row)


def list_members(work: UnitOfWork, lead_id: str) -> list[str]:
    """List the lead and those that were merged into it."""
    return [lead_id, *work.execute(MEMBERS, {"id": lead_id}).scalars()]


def read_facts_now(work: UnitOfWork, members: Sequence[str]) -> CombinedFacts:
    """Read what is known now of a lead, given first, and of those merged into it, and who stated it."""
    newest = {row[0]: Facts(*row[1:]) for row in work.execute(ATTRIBUTES, {"ids": list(members)})}
    return combine_facts([newest[member] for member in reversed(members) if member in newest])


def read_standing(work: UnitOfWork, members: Sequence[str]) -> tuple[str | None, datetime | None]:
    """Read the stage a lead stands in, and since when."""
    row = work.execute(STANDING, {"ids": list(members)}).first()
    return (None, None) if row is None else (row[0], row[1])


def read_counts(work: UnitOfWork, members: Sequence[str]) -> Any:
    """Read how many records there are, when the last event happened, and when it is due."""
    return work.execute(COUNTS, {"ids": list(members)}).one()


def list_latest(work: UnitOfWork, lead_id: str) -> list[Any]:
    """List a lead's latest scores, one of each contract."""
    return list(work.execute(LATEST, {"id": lead_id}))


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads to list."""

    contract: str
    band: str | None = None
    points_from: float | None = None
    points_to: float | None = None
    status: str | None = None
    stage: str | None = None
    account_id: str | None = None
    text: str | None = None
    """What the id begins with."""


LISTED = """
SELECT l.lead_id, l.account_id, l.created_at, stood.stage, s.contract, s.as_of, s.status, s.points,
    s.probability, s.band, s.model_version
FROM lead l {join} JOIN score s ON s.lead_id = l.lead_id AND s.contract = %(contract)s AND s.is_latest
LEFT JOIN LATERAL (
    SELECT c.stage FROM stage_change c WHERE c.lead_id = l.lead_id OR c.lead_id IN (
        SELECT m.lead_id FROM lead m WHERE m.merged_into = l.lead_id
    ) ORDER BY c.at DESC, c.change_number DESC LIMIT 1
) stood ON true
WHERE l.merged_into IS NULL {conditions}
ORDER BY {order} LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a list that one index gives in order."""

    join: str
    order: str
    only: str
    beyond: str
    """What lies after a place: first by the index alone, then exactly."""


# Leads without points come last, by a stretch of their own: where a condition has to allow for them,
# no index leads to the place where a page begins.
SCORED = _Stretch(
    "",
    "s.points DESC NULLS LAST, s.lead_id",
    "AND s.points IS NOT NULL",
    "AND s.points <= %(place)s AND (s.points < %(place)s OR s.lead_id > %(after)s)",
)
UNSCORED = _Stretch("", "s.lead_id", "AND s.points IS NULL", "AND s.lead_id > %(after)s")
NEWEST = _Stretch(
    "LEFT",
    "l.created_at DESC, l.lead_id",
    "",
    "AND l.created_at <= %(place)s AND (l.created_at < %(place)s OR l.lead_id > %(after)s)",
)
BY_ID = _Stretch("LEFT", "l.lead_id", "", "AND l.lead_id > %(after)s")
STRETCHES: dict[Order, tuple[_Stretch, ...]] = {
    "points": (SCORED, UNSCORED),
    "created_at": (NEWEST,),
    "lead_id": (BY_ID,),
}
CONDITIONS = {
    "band": "s.band = %(band)s",
    "points_from": "s.points >= %(points_from)s",
    "points_to": "s.points < %(points_to)s",
    "status": "s.status = %(status)s",
    "stage": "stood.stage = %(stage)s",
    "account_id": "l.account_id = %(account_id)s",
    "text": "starts_with(l.lead_id, %(text)s)",
}


def list_leads(
    work: UnitOfWork, asked: LeadFilter, order: Order, cursor: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """List leads of a filter, and where the next page begins.

    By points, the best come first, and only leads that have a score are listed; else leads without one
    are, too, as long as no condition is about scores.
    """
    values: dict[str, Any] = {name: getattr(asked, name) for name in CONDITIONS}
    conditions = [f"AND {CONDITIONS[n]}" for n, value in values.items() if value is not None]
    values["contract"] = asked.contract
    stretches, place = STRETCHES[order], None
    if cursor is not None:
        place, values["after"] = _read_place(order, cursor)
        values["place"] = place
        if order == "points" and place is None:
            stretches = (UNSCORED,)
    rows: list[Any] = []
    for position, stretch in enumerate(stretches):
        begins = stretch.beyond if cursor is not None and position == 0 else ""
        statement = LISTED.format(
            join=stretch.join,
            conditions=" ".join([*conditions, stretch.only, begins]),
            order=stretch.order,
        )
        if len(rows) <= limit:
            rows += work.execute(statement, {**values, "limit": limit + 1 - len(rows)})
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    place = {"points": last.points, "created_at": last.created_at, "lead_id": None}[order]
    return rows[:limit], write_cursor(order, place, last.lead_id)


def _read_place(order: Order, cursor: str) -> tuple[Any, str]:
    place, after = read_cursor(order, cursor, 2)
    if order == "created_at":
        place = read_cursor_moment(place)
    elif place is not None and not isinstance(place, int | float):
        raise CursorRefusedError
    if not isinstance(after, str):
        raise CursorRefusedError
    return place, after
