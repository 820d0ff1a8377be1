"""What the scoreboard is made of: handoffs of a span of time and their moves, read from the store."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import or_, select

from serving.handoff.calendar import WorkingHours
from serving.handoff.clock_records import MoveLine, Run, list_records, list_runs
from serving.handoff.moves import Clock, Signal, State
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.routing import Absence as Away
from serving.handoff.scoreboard import ClockRecord, HandoffRecord, Span
from serving.handoff.sla import list_promises
from serving.store.session import UnitOfWork
from serving.store.tables import Absence, Handoff, HandoffMove, Seller

ANSWERS = {
    (State.ASSIGNED, Signal.ACCEPT): True,
    (State.ASSIGNED, Signal.ATTEMPT): True,
    (State.ASSIGNED, Signal.REJECT): False,
    (State.ASSIGNED_ASKING, Signal.REJECT): False,
}
"""Moves by which sales answers, and whether it took the lead."""

Cite = Callable[[str], Playbook]
"""Gives the playbook of a version, as it was agreed on."""


class Calendars:
    """The working hours of everybody, built once."""

    def __init__(self, work: UnitOfWork, playbook: Playbook) -> None:
        self.playbook = playbook
        self.sellers = {seller.id: seller for seller in playbook.routing.sellers}
        self._away: dict[str, list[Away]] = defaultdict(list)
        for absence in work.session.scalars(select(Absence).where(Absence.removed_at.is_(None))):
            away = Away(first=absence.first_day, last=absence.last_day)
            self._away[absence.seller_id].append(away)
        self._hours: dict[str | None, WorkingHours] = {}
        calendars = playbook.sla.calendars
        self.marketing = WorkingHours(calendars[playbook.sla.marketing_calendar])

    def hours_of(self, run: Run) -> WorkingHours:
        """Give the hours by which a promise is measured."""
        if run.clock is Clock.SUPPLY:
            return self.marketing
        if run.seller not in self._hours:
            self._hours[run.seller] = self._build(run.seller)
        return self._hours[run.seller]

    def _build(self, seller_id: str | None) -> WorkingHours:
        seller = self.sellers.get(seller_id or "")
        calendars = self.playbook.sla.calendars
        # Somebody whom the playbook does not name any more is measured by marketing's hours.
        name = seller.calendar if seller else self.playbook.sla.marketing_calendar
        away = (*(seller.away if seller else ()), *self._away[seller_id or ""])
        return WorkingHours(calendars[name], away)


def read_moves(work: UnitOfWork, handoff_ids: Sequence[int]) -> dict[int, list[MoveLine]]:
    """Read the moves of handoffs, each handoff's in order."""
    asked = (
        select(HandoffMove)
        .where(HandoffMove.handoff_id.in_(handoff_ids))
        .order_by(HandoffMove.handoff_id, HandoffMove.move_number)
    )
    moves: dict[int, list[MoveLine]] = defaultdict(list)
    for row in work.session.scalars(asked):
        moves[row.handoff_id].append(
            MoveLine(
                row.at, State(row.origin), State(row.state), Signal(row.signal), row.seller_id
            )
        )
    return moves


def read_records(
    work: UnitOfWork, playbook: Playbook, cite: Cite, span: Span, at: datetime
) -> tuple[list[ClockRecord], list[HandoffRecord]]:
    """Read what the scoreboards of a span, and of the one before it, are made of.

    Parameters
    ----------
    playbook
        That in effect: its calendars count.
    cite
        Each lead has the promises of the version it was handed over by.
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
    calendars = Calendars(work, playbook)
    clocks: list[ClockRecord] = []
    handoffs: list[HandoffRecord] = []
    for row in rows:
        runs = [
            run
            for run in list_runs(moves[row.handoff_id])
            if begin <= run.facts.started_at < span.end
        ]
        agreed = cite(row.playbook_version).sla
        priority = next(
            (one for one in agreed.priorities if one.name == row.priority), agreed.priorities[-1]
        )
        clocks.extend(
            list_records(
                runs,
                list_promises(agreed, priority),
                calendars.hours_of,
                at,
                team_of=lambda seller: teams.get(seller or ""),
                source=row.source,
            )
        )
        if row.handed_at is not None:
            handoffs.append(_read_handoff(row, row.handed_at, moves[row.handoff_id], teams))
    return clocks, handoffs


def _read_handoff(
    row: Handoff, handed_at: datetime, moves: Sequence[MoveLine], teams: dict[str, str]
) -> HandoffRecord:
    answers = [
        (m.at, ANSWERS[m.origin, m.signal]) for m in moves if (m.origin, m.signal) in ANSWERS
    ]
    answered_at, accepted = answers[0] if answers else (None, None)
    return HandoffRecord(
        handed_at,
        not row.packet.get("missing"),
        accepted,
        answered_at,
        teams.get(row.seller_id or ""),
        row.seller_id,
        row.source,
    )
