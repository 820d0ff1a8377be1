"""Handoffs read for people: the queue page by page, one with all that happened to it, decisions."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select

from serving.handoff.packet.build import Packet
from serving.leads.cursors import (
    CursorRefusedError,
    read_cursor,
    read_cursor_number,
    write_cursor,
)
from serving.store.session import UnitOfWork
from serving.store.tables import Assignment, Decision, Handoff, NurtureTrack

ORDER = "queue"
LISTED = """
SELECT handoff_id, lead_id, cycle, state, since, trigger, because, playbook_version, decided_at,
    handed_at, closed_at, seller_id, source, priority, value, next_at, reason,
    (trigger <> 'hand_raiser')::int AS rank, -coalesce(value, -1) AS place
FROM handoff WHERE true {conditions}
ORDER BY rank, place, handoff_id LIMIT %(limit)s
"""
BEYOND = """AND ((trigger <> 'hand_raiser')::int, -coalesce(value, -1), handoff_id)
    > (%(rank)s, %(place)s, %(after)s)"""


PROPOSED_ORDER = "proposed"
PROPOSED = """
SELECT * FROM (
    SELECT DISTINCT ON (1) coalesce(l.merged_into, l.lead_id) AS lead_id, at, because, trigger,
        points, band, verdict, (trigger <> 'hand_raiser')::int AS rank,
        -coalesce(points, -1) AS place
    FROM decision d JOIN lead l USING (lead_id) ORDER BY 1, decision_number DESC
) newest WHERE verdict = 'propose' {beyond}
ORDER BY rank, place, lead_id LIMIT %(limit)s
"""
PROPOSED_BEYOND = "AND (rank, place, lead_id) > (%(rank)s, %(place)s, %(after)s)"


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which handoffs to list."""

    is_open: bool | None = True
    state: str | None = None
    seller_id: str | None = None
    trigger: str | None = None
    priority: str | None = None
    source: str | None = None
    lead_id: str | None = None


CONDITIONS = {
    "state": "state = %(state)s",
    "seller_id": "seller_id = %(seller_id)s",
    "trigger": "trigger = %(trigger)s",
    "priority": "priority = %(priority)s",
    "source": "source = %(source)s",
    "lead_id": "lead_id = %(lead_id)s",
}


def list_queue(
    work: UnitOfWork, asked: QueueFilter, cursor: str | None, limit: int
) -> tuple[Sequence[Any], str | None]:
    """List handoffs, those who asked for sales first, then the most valuable; and the next page."""
    values: dict[str, Any] = {f.name: getattr(asked, f.name) for f in fields(asked)}
    conditions = [f"AND {CONDITIONS[n]}" for n in CONDITIONS if values[n] is not None]
    if asked.is_open is not None:
        conditions.append(f"AND closed_at IS {'' if asked.is_open else 'NOT '}NULL")
    values["limit"] = limit + 1
    if cursor is not None:
        rank, place, after = read_cursor(ORDER, cursor, 3)
        if not isinstance(place, int | float):
            raise CursorRefusedError
        values |= {"rank": read_cursor_number(rank), "place": float(place)}
        values["after"] = read_cursor_number(after)
        conditions.append(BEYOND)
    rows = list(work.execute(LISTED.format(conditions=" ".join(conditions)), values))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], write_cursor(ORDER, last.rank, last.place, last.handoff_id)


def list_proposed(
    work: UnitOfWork, cursor: str | None, limit: int
) -> tuple[Sequence[Any], str | None]:
    """List leads that were only proposed, those who asked for sales first, then the best scored."""
    values: dict[str, Any] = {"limit": limit + 1}
    if cursor is not None:
        rank, place, after = read_cursor(PROPOSED_ORDER, cursor, 3)
        if not isinstance(place, int | float) or not isinstance(after, str):
            raise CursorRefusedError
        values |= {"rank": read_cursor_number(rank), "place": float(place), "after": after}
    beyond = PROPOSED_BEYOND if cursor is not None else ""
    rows = list(work.execute(PROPOSED.format(beyond=beyond), values))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], write_cursor(PROPOSED_ORDER, last.rank, last.place, last.lead_id)


def list_assignments(work: UnitOfWork, handoff_id: int) -> list[Assignment]:
    """List to whom a handoff was given, in order."""
    asked = select(Assignment).where(Assignment.handoff_id == handoff_id)
    return list(work.session.scalars(asked.order_by(Assignment.assignment_number)))


def list_decisions(
    work: UnitOfWork, lead_ids: Sequence[str], before: int | None, limit: int
) -> list[Decision]:
    """List what was decided of a lead, newest first."""
    asked = select(Decision).where(Decision.lead_id.in_(lead_ids))
    if before is not None:
        asked = asked.where(Decision.decision_number < before)
    return list(work.session.scalars(asked.order_by(Decision.decision_number.desc()).limit(limit)))


def find_track(work: UnitOfWork, lead_id: str) -> NurtureTrack | None:
    """Find on which nurture track a lead lies."""
    return work.session.get(NurtureTrack, lead_id)


_PACKETS = TypeAdapter(Packet)


def read_packet(row: Handoff) -> Packet:
    """Read a handoff's packet as it was built."""
    return _PACKETS.validate_python({n: v for n, v in row.packet.items() if n != "held"})
