"""Finding a seller: by the playbook's routing, under one lock, so that turns are fair; or by hand."""

from datetime import datetime, timedelta

from sqlalchemy import select, text

from serving.handoff.decision.definitions import run_definitions
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.enqueue import enqueue_event
from serving.handoff.lifecycle.lead_facts import LeadFacts, read_lead_facts
from serving.handoff.lifecycle.record import apply_transition, lock_handoff
from serving.handoff.lifecycle.sellers import ensure_sellers, keep_ledger, read_ledger, read_roster
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.playbook.playbook import ASKS_FOR_SALES
from serving.handoff.playbook.repository import Agreed, read_agreed
from serving.handoff.routing.rules import (
    AccountOwner,
    LeadToRoute,
    Route,
    assign_by_hand,
    decide_route,
)
from serving.store.session import UnitOfWork
from serving.store.tables import Assignment, Handoff

TURN = 0x726F757465
"""Key of the advisory lock under which leads are routed, one at a time."""

DECIDES_WITHIN = timedelta(days=1)
"""After so long a handoff that somebody must decide about is looked at again."""

REFUSED = (Signal.HAND_ON, Signal.ANSWER_OVERDUE, Signal.CONTACT_OVERDUE)

OWNER = """
SELECT a.seller_id, a.at FROM assignment a JOIN handoff h USING (handoff_id)
    JOIN lead l ON l.lead_id = h.lead_id
WHERE l.account_id = %(account)s AND h.handoff_id <> %(own)s
    AND a.ended_by IS DISTINCT FROM 'hand_on' ORDER BY a.at DESC LIMIT 1
"""


def _list_offered(work: UnitOfWork, handoff_id: int) -> tuple[str, ...]:
    asked = select(Assignment.seller_id).where(
        Assignment.handoff_id == handoff_id,
        Assignment.ended_by.in_([signal.value for signal in REFUSED]),
    )
    ordered = work.session.scalars(asked.order_by(Assignment.assignment_number))
    return tuple(dict.fromkeys(ordered))


def _find_owner(work: UnitOfWork, lead_facts: LeadFacts, row: Handoff) -> AccountOwner | None:
    if lead_facts.account_id is None:
        return None
    found = work.execute(OWNER, {"account": lead_facts.account_id, "own": row.handoff_id}).first()
    return None if found is None else AccountOwner(found[0], found[1])


def _as_lead(work: UnitOfWork, row: Handoff, lead_facts: LeadFacts, agreed: Agreed) -> LeadToRoute:
    return LeadToRoute(
        lead_id=row.lead_id,
        since=row.handed_at or row.decided_at,
        facts=lead_facts.facts,
        found=run_definitions(agreed.playbook, lead_facts.facts),
        value=row.value,
        is_hand_raiser=ASKS_FOR_SALES in row.segments,
        form=row.form,
        account_id=lead_facts.account_id,
        owner=_find_owner(work, lead_facts, row),
        offered_to=_list_offered(work, row.handoff_id),
    )


def _take_turn(work: UnitOfWork) -> None:
    work.session.flush()
    work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN})


def seek_seller(work: UnitOfWork, row: Handoff, context: ActionContext) -> Route:
    """Give a queued handoff to whose turn it is, or have it wait; the lead is locked."""
    agreed = read_agreed(work)
    lead_facts = read_lead_facts(work, row.lead_id, context.at, agreed.playbook.kinds)
    _take_turn(work)
    ensure_sellers(work, agreed, context.at)
    lead = _as_lead(work, row, lead_facts, agreed)
    roster, ledger = read_roster(work, agreed), read_ledger(work)
    route, ledger = decide_route(lead, roster, ledger, context.at)
    if route.seller is not None and route.group is not None:
        keep_ledger(work, ledger, route.group, route.seller)
        _assign(work, row, route, context, because=route.because)
    elif route.wait_until is not None:
        row.next_at = max(route.wait_until, context.at + timedelta(seconds=1))
    else:
        row.next_at = context.at + DECIDES_WITHIN
        tried = len(lead.offered_to)
        key = f"needs-decision:{tried}:{_day(context.at)}"
        facts = {"because": route.because, "wrong": "nobody_can_get_it"}
        enqueue_event(work, row, "handoff.escalated", key, context.at, **facts)
    work.session.flush()
    return route


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


BY_HAND = "Somebody who assigns handoffs chose this seller."
"""What leaves of an assignment by hand: the reason that was typed stays here."""


def _assign(
    work: UnitOfWork, row: Handoff, route: Route, context: ActionContext, *, because: str
) -> None:
    number = apply_transition(work, row, Signal.ASSIGN, context, route=route, note=route.because)
    enqueue_event(work, row, "handoff.assigned", f"assigned:{number}", context.at, because=because)


def assign(
    work: UnitOfWork, handoff_id: int, seller_id: str, reason: str, context: ActionContext
) -> Handoff:
    """Give a handoff to the seller somebody chose, be it queued or in another's hands.

    Raises
    ------
    ImpossibleMoveError
        If it can go to nobody now.
    UnknownSellerError
        If the playbook in effect has no such seller.
    """
    row = lock_handoff(work, handoff_id)
    if State(row.state) is not State.QUEUED:
        apply_transition(work, row, Signal.REASSIGN, context, note=reason)
    agreed = read_agreed(work)
    _take_turn(work)
    ensure_sellers(work, agreed, context.at)
    route, ledger = assign_by_hand(
        row.lead_id,
        seller_id,
        by=context.by,
        reason=reason,
        roster=read_roster(work, agreed),
        ledger=read_ledger(work),
        at=context.at,
    )
    keep_ledger(work, ledger, str(route.group), seller_id)
    _assign(work, row, route, context, because=BY_HAND)
    return row
