"""What the scoreboard is made of: handoffs of a span of time and their moves, read from the store."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import or_, select

from serving.handoff.lifecycle.clocks import find_promises, list_moments, list_runs
from serving.handoff.lifecycle.sellers import find_hours, read_roster
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.playbook.repository import (
    Agreed,
    list_versions,
    read_agreed,
    read_cited,
    read_version,
)
from serving.handoff.scoreboard.clock_records import list_records
from serving.handoff.scoreboard.period import ReportingPeriod
from serving.handoff.scoreboard.promised import AgreedSpan, Promised
from serving.handoff.scoreboard.rules import ClockRecord, HandoffRecord
from serving.store.session import UnitOfWork
from serving.store.tables import Handoff, HandoffMove, Seller

ANSWERS = {
    (State.ASSIGNED, Signal.ACCEPT): True,
    (State.ASSIGNED, Signal.ATTEMPT): True,
    (State.ASSIGNED, Signal.REJECT): False,
    (State.ASSIGNED_ASKING, Signal.REJECT): False,
}
"""Moves by which sales answers, and whether it took the lead."""


def read_promised(work: UnitOfWork) -> Promised:
    """Read what both sides have promised each other, and since when."""
    now = read_agreed(work).playbook
    spans = []
    for row in reversed(list_versions(work)):
        if row.in_effect_from is not None:
            playbook = read_version(row).playbook
            spans.append(
                AgreedSpan(playbook.sla, playbook.goals, row.in_effect_from, row.retired_at)
            )
    return Promised(now.sla, now.goals.targets, tuple(spans))


def read_moves(work: UnitOfWork, handoff_ids: Sequence[int]) -> dict[int, list[HandoffMove]]:
    """Read the moves of handoffs, each handoff's in order."""
    asked = (
        select(HandoffMove)
        .where(HandoffMove.handoff_id.in_(handoff_ids))
        .order_by(HandoffMove.handoff_id, HandoffMove.move_number)
    )
    moves: dict[int, list[HandoffMove]] = defaultdict(list)
    for row in work.session.scalars(asked):
        moves[row.handoff_id].append(row)
    return moves


def read_records(
    work: UnitOfWork, agreed: Agreed, span: ReportingPeriod, at: datetime
) -> tuple[list[ClockRecord], list[HandoffRecord]]:
    """Read what the scoreboards of a span, and of the one before it, are made of.

    Parameters
    ----------
    agreed
        The playbook in effect: its calendars and sellers count. The times promised for a lead are
        those of the version it was handed over by.
    at
        The moment of looking.
    """
    begin = span.before.start
    asked = select(Handoff).where(
        Handoff.decided_at < min(span.end, at),
        or_(Handoff.closed_at.is_(None), Handoff.closed_at >= begin),
    )
    rows = list(work.session.scalars(asked))
    moves = read_moves(work, [row.handoff_id for row in rows])
    teams = {row.seller_id: row.team for row in work.session.scalars(select(Seller))}
    roster = read_roster(work, agreed)
    hours_of = lru_cache(lambda seller: find_hours(roster, agreed.playbook, seller))
    clocks: list[ClockRecord] = []
    handoffs: list[HandoffRecord] = []
    for row in rows:
        own = moves[row.handoff_id]
        clocks.extend(
            list_records(
                [run for run in list_runs(own) if begin <= run.started_at < span.end],
                find_promises(row, read_cited(work, row.playbook_version)),
                hours_of,
                at,
                team_of=lambda seller: teams.get(seller or ""),
                source=row.source,
            )
        )
        if row.handed_at is not None:
            handoffs.append(_read_handoff(row, row.handed_at, own, teams))
    return clocks, handoffs


def _read_handoff(
    row: Handoff, handed_at: datetime, moves: Sequence[HandoffMove], teams: dict[str, str]
) -> HandoffRecord:
    answered_at, accepted = None, None
    reached: dict[Signal, datetime] = {}
    for move, moment in zip(moves, list_moments(moves), strict=True):
        reached.setdefault(Signal(move.signal), moment)
        answer = ANSWERS.get((State(move.origin), Signal(move.signal)))
        if answer is not None and answered_at is None:
            answered_at, accepted = moment, answer
    return HandoffRecord(
        handed_at,
        not row.packet.get("missing"),
        accepted,
        answered_at,
        reached.get(Signal.QUALIFY),
        reached.get(Signal.WIN),
        row.closed_at,
        teams.get(row.seller_id or ""),
        row.seller_id,
        row.source,
    )
