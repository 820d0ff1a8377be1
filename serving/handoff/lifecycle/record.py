"""A handoff's row under its lead's lock: every change is a move of the table, written down as such."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from serving.handoff.lifecycle.clocks import find_next_at
from serving.handoff.lifecycle.context import SOURCE, ActionContext
from serving.handoff.lifecycle.errors import HandoffNotFoundError
from serving.handoff.machine.transitions import (
    OPEN,
    STATES,
    Custody,
    Move,
    Signal,
    State,
    check_supplied,
    move_from,
)
from serving.handoff.playbook.repository import read_cited
from serving.handoff.playbook.sections.returns import MEANS, SalesReason
from serving.handoff.routing.rules import Route
from serving.intake.records.ingest import ingest_records
from serving.intake.records.parsing import ParsedStage
from serving.store.session import UnitOfWork
from serving.store.tables import Assignment, Handoff, HandoffMove

LOCK = """
SELECT lead_id FROM lead WHERE lead_id = %(id)s
    OR lead_id = (SELECT merged_into FROM lead WHERE lead_id = %(id)s)
ORDER BY lead_id FOR NO KEY UPDATE
"""
END = """
UPDATE assignment SET ended_at = %(at)s, ended_by = %(signal)s
WHERE handoff_id = %(id)s AND ended_at IS NULL
"""
KEEPS_SELLER = frozenset(
    {State.WON, State.LOST, State.REJECTED, State.RETURNED, State.GIVEN_UP, State.WITHDRAWN}
)
"""Closed handoffs keep the name of whose they were last."""


def lock_lead(work: UnitOfWork, lead_id: str) -> None:
    """Lock a lead's row, and that of the lead it was merged into, as everybody does."""
    work.session.flush()
    work.execute(LOCK, {"id": lead_id}).all()


def get_handoff(work: UnitOfWork, handoff_id: int) -> Handoff:
    """Read a handoff.

    Raises
    ------
    HandoffNotFoundError
        If there is none.
    """
    row = work.session.get(Handoff, handoff_id)
    if row is None:
        raise HandoffNotFoundError(handoff_id)
    return row


def lock_handoff(work: UnitOfWork, handoff_id: int) -> Handoff:
    """Read a handoff to change it: its lead locked first, then read as it is by now.

    Raises
    ------
    HandoffNotFoundError
        If there is none.
    """
    lock_lead(work, get_handoff(work, handoff_id).lead_id)
    asked = select(Handoff).where(Handoff.handoff_id == handoff_id)
    row = work.session.scalars(asked.execution_options(populate_existing=True)).first()
    if row is None:
        raise HandoffNotFoundError(handoff_id)
    return row


def apply_transition(
    work: UnitOfWork,
    row: Handoff,
    signal: Signal,
    context: ActionContext,
    *,
    route: Route | None = None,
    reason: str | None = None,
    note: str | None = None,
    facts: Mapping[str, Any] | None = None,
    supplied: tuple[str, ...] = (),
) -> int:
    """Make a move of a handoff, with all that follows from it in the store; give its number.

    Parameters
    ----------
    work
        Which holds the lead's lock.
    row
        The handoff.
    signal, context
        What makes it move, when and by whom.
    route
        Of an assignment: to whom and why.
    reason, note, facts
        What was told with it.
    supplied
        Names of what was told, beside ``reason`` and ``seller``.

    Raises
    ------
    ImpossibleMoveError
        If its state does not take the signal.
    MissingFactError
        If something must be told with it, and was not.
    """
    move = move_from(State(row.state), signal)
    named = {"reason": reason, "seller": route and route.seller}
    check_supplied(signal, move, (*supplied, *(name for name, value in named.items() if value)))
    _settle_hands(work, row, signal, move, context, route)
    row.state, row.since = move.to.value, context.at
    if move.to not in OPEN:
        row.closed_at = context.at
        row.reason, row.reason_text = reason, note
    if move.to is State.QUEUED and row.handed_at is None:
        row.handed_at = context.at
    number = _write_move(work, row, signal, move, context, reason, note, facts)
    row.next_at = find_next_at(work, row, context.at, read_cited(work, row.playbook_version))
    work.session.flush()
    if move.stage is not None:
        _ingest_stage(work, row, move, signal, context, number, reason)
    return number


def _settle_hands(
    work: UnitOfWork,
    row: Handoff,
    signal: Signal,
    move: Move,
    context: ActionContext,
    route: Route | None,
) -> None:
    """Write down in whose hands the lead lies from now on, and in whose no more."""
    if STATES[move.to].custody is not Custody.SELLER and row.seller_id is not None:
        work.session.flush()
        work.execute(END, {"id": row.handoff_id, "at": context.at, "signal": signal.value})
        if move.to not in KEEPS_SELLER:
            row.seller_id = None
    if route is not None and route.seller is not None:
        row.seller_id = route.seller
        work.session.add(
            Assignment(
                handoff_id=row.handoff_id,
                seller_id=route.seller,
                at=context.at,
                because=route.because,
                group_name=route.group,
                rule=route.rule,
                by=context.by,
            )
        )


def _write_move(
    work: UnitOfWork,
    row: Handoff,
    signal: Signal,
    move: Move,
    context: ActionContext,
    reason: str | None,
    note: str | None,
    facts: Mapping[str, Any] | None,
) -> int:
    written = HandoffMove(
        handoff_id=row.handoff_id,
        at=context.at,
        origin=move.origin.value,
        state=move.to.value,
        signal=signal.value,
        by=context.by,
        seller_id=row.seller_id,
        reason=reason,
        note=note,
        facts=dict(facts or {}),
    )
    work.session.add(written)
    work.session.flush()
    return written.move_number


def _ingest_stage(
    work: UnitOfWork,
    row: Handoff,
    move: Move,
    signal: Signal,
    context: ActionContext,
    number: int,
    reason: str | None,
) -> None:
    """Have the lead enter the move's stage as if a CRM had said so: features and labels see it."""
    reasons = set(SalesReason)
    meant = MEANS[SalesReason(reason)].value if reason in reasons else None
    stage = ParsedStage(
        row.lead_id,
        SOURCE,
        f"move-{number}",
        context.at,
        str(move.stage),
        signal.value,
        meant,
        None if context.by == "rule" else context.by,
        None,
        None,
    )
    ingest_records(work, [stage], context.at, context.catalog)
