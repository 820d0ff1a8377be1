"""The clocks of a handoff as its moves tell them: when each ran, what it says now, when to look again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select

from serving.handoff.clocks.rules import (
    ClockAction,
    ClockFacts,
    DueAction,
    Pause,
    Promise,
    Reading,
    find_next_look,
    list_due_actions,
    list_promises,
    read_clock,
)
from serving.handoff.lifecycle.context import SOURCE
from serving.handoff.lifecycle.sellers import find_hours, read_roster
from serving.handoff.machine.transitions import MOVES, OPEN, Clock, Signal, State, move_from
from serving.handoff.playbook.repository import Agreed, read_agreed
from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.pursuit.rules import ContactAttempt, Progress, find_plan, follow_plan
from serving.store.session import UnitOfWork
from serving.store.tables import Assignment, ClockActionTaken, Handoff, HandoffMove
from serving.store.tables import Attempt as AttemptRow

REACHED = frozenset(
    {"reached", "connected", "conversation", "spoke", "answered", "replied", "meeting"}
)
"""Results of an attempt that mean that the lead was spoken with, or answered."""

LATE = {Clock.ANSWER: Signal.ANSWER_OVERDUE, Clock.FIRST_CONTACT: Signal.CONTACT_OVERDUE}
"""Signals by which a handoff goes to another seller since a promise was broken."""

ATTEMPTED_AT = "attempted_at"
"""Fact of a move by an attempt: when that was made, which may be before we were told of it."""

COUNTED_FROM = "counted_from"
"""Fact of a move by an attempt: the moment at which it stops and starts clocks."""

LOGGED_WITHIN = timedelta(hours=1)
"""An attempt that a seller logs within this time counts from when it was made."""

PURSUIT = "pursuit"
"""Under this name, with the step's number, reminders of overdue steps are kept beside the clocks."""


@dataclass(frozen=True)
class Run:
    """One run of a clock, from its start to its stop."""

    clock: Clock
    started_at: datetime
    stopped_at: datetime | None = None
    stopped_by: Signal | None = None
    pauses: tuple[Pause, ...] = ()
    seller_id: str | None = None
    """In whose hands the lead lay when it started."""


def list_moves(work: UnitOfWork, handoff_id: int) -> list[HandoffMove]:
    """List the moves of a handoff, in the order they were made."""
    asked = select(HandoffMove).where(HandoffMove.handoff_id == handoff_id)
    return list(work.session.scalars(asked.order_by(HandoffMove.move_number)))


def find_counted_from(at: datetime, known_at: datetime, source: str) -> datetime:
    """Tell from when an attempt counts.

    A seller who could date back what was not done would keep every promise: what one logs here more
    than an hour later counts from when it was logged. Other systems note the time themselves, and pass
    their attempts on when they can.
    """
    is_logged_late = source == SOURCE and known_at - at > LOGGED_WITHIN
    return known_at if is_logged_late else at


def list_moments(moves: Sequence[HandoffMove]) -> list[datetime]:
    """List when each move was made, in order: by an attempt, when that counts from.

    Who called in time kept the promise, though the call was logged an hour later.
    """
    moments: list[datetime] = []
    for row in moves:
        attempted_at = row.facts.get(COUNTED_FROM)
        at = row.at if attempted_at is None else min(row.at, datetime.fromisoformat(attempted_at))
        moments.append(max(at, moments[-1]) if moments else at)
    return moments


def list_runs(moves: Sequence[HandoffMove]) -> list[Run]:
    """List every run of every clock that the moves of a handoff started, oldest first."""
    done: list[Run] = []
    running: dict[Clock, Run] = {}
    for row, at in zip(moves, list_moments(moves), strict=True):
        signal = Signal(row.signal)
        move = move_from(State(row.origin), signal)
        for clock in sorted(move.stops):
            if clock in running:
                run = _resume(running.pop(clock), at)
                done.append(replace(run, stopped_at=at, stopped_by=signal))
        for clock in sorted(move.starts):
            running[clock] = Run(clock, at, seller_id=row.seller_id)
        for clock in sorted(move.pauses & running.keys()):
            run = running[clock]
            running[clock] = replace(run, pauses=(*run.pauses, Pause(at)))
        for clock in sorted(move.resumes & running.keys()):
            running[clock] = _resume(running[clock], at)
    return sorted([*done, *running.values()], key=lambda run: (run.started_at, run.clock))


def _resume(run: Run, at: datetime) -> Run:
    if not run.pauses or run.pauses[-1].until_at is not None:
        return run
    return replace(run, pauses=(*run.pauses[:-1], Pause(run.pauses[-1].from_at, at)))


@dataclass(frozen=True)
class Read:
    """A run of a clock and what it says."""

    run: Run
    reading: Reading


def find_promises(row: Handoff, agreed: Agreed) -> dict[Clock, Promise]:
    """Find what was promised for a handoff, by the playbook it cites."""
    sla = agreed.playbook.sla
    named = [one for one in sla.priorities if one.name == row.priority]
    return list_promises(sla, (named or [sla.priorities[-1]])[0])


def read_clocks(
    work: UnitOfWork, row: Handoff, at: datetime, agreed: Agreed, *, running: bool = False
) -> list[Read]:
    """Read the clocks of a handoff at a moment; only those that still run, if asked for."""
    runs = list_runs(list_moves(work, row.handoff_id))
    promises = find_promises(row, agreed)
    roster = read_roster(work, read_agreed(work))
    read = []
    for run in runs:
        if run.clock not in promises or (running and run.stopped_at is not None):
            continue
        who = None if run.clock is Clock.SUPPLY else run.seller_id
        hours = find_hours(roster, agreed.playbook, who)
        facts = ClockFacts(run.started_at, run.stopped_at, run.pauses)
        read.append(Read(run, read_clock(promises[run.clock], facts, hours, at)))
    return read


def as_attempt(row: AttemptRow) -> ContactAttempt | None:
    """Read an attempt as the plans see it; None on a channel that no plan knows."""
    if row.channel not in set(Channel):
        return None
    at = find_counted_from(row.at, row.known_at, row.source)
    return ContactAttempt(at, Channel(row.channel), (row.result or "").lower() in REACHED)


def list_attempts(work: UnitOfWork, handoff_id: int) -> list[ContactAttempt]:
    """List the attempts made for a handoff, on the channels a plan knows."""
    asked = select(AttemptRow).where(AttemptRow.handoff_id == str(handoff_id))
    read = map(as_attempt, work.session.scalars(asked.order_by(AttemptRow.at)))
    return [attempt for attempt in read if attempt is not None]


def read_pursuit(
    work: UnitOfWork, row: Handoff, at: datetime, agreed: Agreed
) -> tuple[datetime, Progress] | None:
    """Read how far a seller has come with the lead's plan, and since when; None if nobody took it."""
    if State(row.state) not in {State.ACCEPTED, State.WORKING, State.WORKING_ASKING}:
        return None
    since = _find_taken_at(list_moves(work, row.handoff_id))
    if since is None:
        return None
    pursuit = agreed.playbook.pursuit
    hours = find_hours(read_roster(work, read_agreed(work)), agreed.playbook, row.seller_id)

    def place(start: datetime, days: int) -> datetime:
        return hours.next_working(start + timedelta(days=days)) if days else start

    attempts = [a for a in list_attempts(work, row.handoff_id) if a.at >= since]
    plan = find_plan(pursuit, [str(s) for s in row.segments])
    return since, follow_plan(pursuit, plan, since, attempts, at, place)


def _find_taken_at(moves: Sequence[HandoffMove]) -> datetime | None:
    """Find when a seller last took the lead; None if nobody did."""
    took = {Signal.ACCEPT, Signal.ATTEMPT}
    return max(
        (
            moment
            for move, moment in zip(moves, list_moments(moves), strict=True)
            if Signal(move.signal) in took and move.origin == State.ASSIGNED.value
        ),
        default=None,
    )


def find_held_since(work: UnitOfWork, row: Handoff) -> datetime | None:
    """Find since when a lead lies in the hands it lies in: taken, or, before that, assigned."""
    asked = select(func.max(Assignment.at)).where(Assignment.handoff_id == row.handoff_id)
    assigned_at = work.session.scalar(asked)
    taken_at = _find_taken_at(list_moves(work, row.handoff_id))
    return max((at for at in (assigned_at, taken_at) if at is not None), default=None)


def list_done(
    work: UnitOfWork, handoff_id: int, clock: str, started_at: datetime
) -> set[ClockAction]:
    """List what was done about one run of a clock."""
    asked = select(ClockActionTaken.action).where(
        ClockActionTaken.handoff_id == handoff_id,
        ClockActionTaken.clock == clock,
        ClockActionTaken.started_at == started_at,
    )
    return {ClockAction(action) for action in work.session.scalars(asked)}


def list_due_clock_actions(
    work: UnitOfWork, row: Handoff, read: Read, at: datetime
) -> list[DueAction]:
    """List what is to be done about a clock, as far as the handoff can take it where it stands.

    Whoever asks marketing when their answer is long overdue keeps the lead until they are told.
    """
    done = list_done(work, row.handoff_id, read.run.clock, read.run.started_at)
    due = list_due_actions(read.reading, at, done)
    signal = LATE.get(read.run.clock)
    can_move = signal is not None and (State(row.state), signal) in MOVES
    return [one for one in due if can_move or one.action is not ClockAction.REASSIGN]


def find_next_at(work: UnitOfWork, row: Handoff, at: datetime, agreed: Agreed) -> datetime | None:
    """Find when time alone next asks for a look at a handoff; None if it never does."""
    state = State(row.state)
    if state not in OPEN:
        return None
    if state is State.QUEUED:
        return at
    moments: list[datetime] = []
    for one in read_clocks(work, row, at, agreed, running=True):
        if list_due_clock_actions(work, row, one, at):
            return at
        following = find_next_look(one.reading, at)
        moments += [] if following is None else [following]
    pursued = read_pursuit(work, row, at, agreed)
    if pursued is not None and pursued[1].next_step is not None:
        waiting = [s.overdue_from for s in pursued[1].steps if s.done_at is None]
        moments += [moment for moment in waiting if moment > at]
    return min(moments, default=None)
