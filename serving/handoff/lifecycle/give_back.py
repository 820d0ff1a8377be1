"""How a lead comes back to marketing: rejected, returned, given up, withdrawn; always onto a track."""

from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert

from serving.handoff.decision.cooling_down import check_return, decide_recycle
from serving.handoff.lifecycle.clocks import list_attempts
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.enqueue import enqueue_event
from serving.handoff.lifecycle.record import apply_transition, lock_handoff
from serving.handoff.machine.transitions import Signal
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.repository import read_cited
from serving.handoff.playbook.sections.returns import SalesReason
from serving.handoff.pursuit.rules import Persisted, find_persistence, find_plan
from serving.leads.queries import get_lead
from serving.store.session import UnitOfWork
from serving.store.tables import Handoff, NurtureTrack


def put_on_track(
    work: UnitOfWork,
    row: Handoff,
    track: str,
    at: datetime,
    because: str,
    *,
    rest_days: float = 0.0,
    rests_until: datetime | None = None,
) -> None:
    """Put a lead on a nurture track, where marketing owns it."""
    until = rests_until or at + timedelta(days=rest_days)
    values = {
        "track": track,
        "since": at,
        "rests_until": until if until > at else None,
        "because": because,
        "handoff_id": row.handoff_id,
    }
    lead_id = get_lead(work, row.lead_id).lead_id
    placed = insert(NurtureTrack).values(lead_id=lead_id, **values)
    work.session.execute(placed.on_conflict_do_update(index_elements=["lead_id"], set_=values))


def _find_persisted(work: UnitOfWork, row: Handoff, playbook: Playbook) -> Persisted:
    plan = find_plan(playbook.pursuit, [str(segment) for segment in row.segments])
    return find_persistence(plan, list_attempts(work, row.handoff_id))


def _come_back(
    work: UnitOfWork,
    handoff_id: int,
    signal: Signal,
    reason: SalesReason,
    note: str | None,
    context: ActionContext,
) -> Handoff:
    row = lock_handoff(work, handoff_id)
    playbook = read_cited(work, row.playbook_version).playbook
    persisted = _find_persisted(work, row, playbook)
    check_return(playbook.returns, reason, note, persisted)
    number = apply_transition(work, row, signal, context, reason=reason.value, note=note)
    recycle = decide_recycle(playbook.returns, reason, context.at)
    put_on_track(
        work,
        row,
        recycle.track,
        context.at,
        recycle.because,
        rests_until=recycle.rests_until,
    )
    enqueue_event(
        work,
        row,
        "handoff.returned",
        f"returned:{number}",
        context.at,
        reason=reason.value,
        track=recycle.track,
        rests_until=recycle.rests_until.isoformat(),
        attempts=persisted.attempts,
    )
    return row


def reject(
    work: UnitOfWork,
    handoff_id: int,
    reason: SalesReason,
    note: str | None,
    context: ActionContext,
) -> Handoff:
    """Record that sales does not take the lead, and why; oversight may look at it.

    Raises
    ------
    ImpossibleMoveError
        If it was taken already, or is not offered.
    MissingFactError, NotPersistentEnoughError
        If the reason asks for more than was told, or done.
    """
    return _come_back(work, handoff_id, Signal.REJECT, reason, note, context)


def give_back(
    work: UnitOfWork,
    handoff_id: int,
    reason: SalesReason,
    note: str | None,
    context: ActionContext,
) -> Handoff:
    """Record that sales gives a lead back after taking it, and why.

    Raises
    ------
    ImpossibleMoveError
        If it is not in a seller's hands.
    MissingFactError, NotPersistentEnoughError
        If the reason asks for more than was told, or done.
    """
    return _come_back(work, handoff_id, Signal.GIVE_BACK, reason, note, context)


def give_up(
    work: UnitOfWork, handoff_id: int, note: str | None, context: ActionContext
) -> Handoff:
    """Record that nobody could be reached, after the attempts that were agreed.

    Raises
    ------
    NotPersistentEnoughError
        If they were not made.
    """
    return _come_back(work, handoff_id, Signal.GIVE_UP, SalesReason.UNREACHABLE, note, context)


def withdraw(work: UnitOfWork, handoff_id: int, reason: str, context: ActionContext) -> Handoff:
    """Take a handoff back: a duplicate, do not contact, another handoff has the lead."""
    row = lock_handoff(work, handoff_id)
    number = apply_transition(work, row, Signal.WITHDRAW, context, reason=reason.strip())
    track = read_cited(work, row.playbook_version).playbook.returns.orphan_track
    because = f"Withdrawn: goes to the track {track}."
    put_on_track(work, row, track, context.at, because)
    enqueue_event(work, row, "handoff.withdrawn", f"withdrawn:{number}", context.at, track=track)
    return row
