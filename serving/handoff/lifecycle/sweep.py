"""What time alone asks for: reminders, escalations, another seller, rests that end, orphans repaired.

Each handoff and each lead is a unit of work of its own: what cannot be done for one is done for others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import structlog
from sqlalchemy.dialects.postgresql import insert

from features.catalog.manifest import Catalog
from features.lifecycle.stages import Stage
from serving.errors import RefusedError
from serving.handoff.clocks.rules import ClockAction, DueAction
from serving.handoff.decision.rules import HandoffVerdict
from serving.handoff.lifecycle.assign import seek_seller
from serving.handoff.lifecycle.clocks import (
    LATE,
    PURSUIT,
    Read,
    find_next_at,
    list_due_clock_actions,
    read_clocks,
    read_pursuit,
)
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.decide import decide_lead
from serving.handoff.lifecycle.enqueue import enqueue_event
from serving.handoff.lifecycle.give_back import put_on_track, withdraw
from serving.handoff.lifecycle.orphan_rules import (
    Holding,
    LeadOwnership,
    Orphan,
    OwnershipRepair,
    find_orphans,
)
from serving.handoff.lifecycle.record import apply_transition, get_handoff, lock_handoff, lock_lead
from serving.handoff.lifecycle.work import follow_reported_attempt, list_reported_attempts
from serving.handoff.machine.transitions import OPEN, Signal, State
from serving.handoff.playbook.repository import read_agreed, read_cited
from serving.store.session import Store, UnitOfWork
from serving.store.tables import ClockActionTaken, Handoff

MOST = 500
"""Handoffs, and leads, that one sweep deals with; the next one goes on."""

DONE = {
    HandoffVerdict.HAND_OFF: "handed over",
    HandoffVerdict.PROPOSE: "proposed",
    HandoffVerdict.KEEP: "kept",
}
"""What a sweep counts of decisions."""

TOPICS = {ClockAction.REMIND: "handoff.reminder", ClockAction.ESCALATE: "handoff.escalated"}

# Those who asked for sales first, then the most valuable: so they find a seller in that order.
DUE = """
SELECT handoff_id FROM handoff WHERE closed_at IS NULL AND next_at <= %(at)s
ORDER BY trigger <> 'hand_raiser', value DESC NULLS LAST, handed_at, handoff_id LIMIT %(most)s
"""
RESTED = """
UPDATE nurture_track SET rests_until = NULL WHERE lead_id = ANY(ARRAY(
    SELECT lead_id FROM nurture_track WHERE rests_until <= %(at)s
    ORDER BY rests_until LIMIT %(most)s FOR UPDATE SKIP LOCKED
)) RETURNING lead_id
"""
# Whoever asks for sales is not made to wait for a score, nor for a model to give one.
ASKED = """
SELECT DISTINCT coalesce(l.merged_into, l.lead_id) FROM event e JOIN lead l USING (lead_id)
WHERE e.occurred_at >= %(since)s AND e.kind = ANY(%(kinds)s) AND NOT EXISTS (
    SELECT 1 FROM decision d WHERE d.lead_id = coalesce(l.merged_into, l.lead_id)
        AND d.at >= e.known_at
) AND NOT EXISTS (
    SELECT 1 FROM handoff h WHERE h.lead_id = coalesce(l.merged_into, l.lead_id)
        AND (h.closed_at IS NULL OR h.closed_at >= e.known_at)
) ORDER BY 1 LIMIT %(most)s
"""
PROPOSED = """
SELECT lead_id FROM (
    SELECT DISTINCT ON (1) coalesce(l.merged_into, l.lead_id) AS lead_id, verdict
    FROM decision d JOIN lead l USING (lead_id) ORDER BY 1, decision_number DESC
) newest WHERE verdict = 'propose' ORDER BY 1
"""
OWNERSHIPS = """
SELECT coalesce(l.merged_into, l.lead_id), h.handoff_id, h.state,
    greatest(h.since, (SELECT max(a.at) FROM attempt a WHERE a.handoff_id = h.handoff_id::text)),
    h.seller_id, h.next_at,
    n.track, s.stage
FROM handoff h JOIN lead l USING (lead_id)
LEFT JOIN nurture_track n ON n.lead_id = coalesce(l.merged_into, l.lead_id)
LEFT JOIN LATERAL (
    SELECT stage FROM stage_change c WHERE c.lead_id = h.lead_id
    ORDER BY c.at DESC, c.change_number DESC LIMIT 1
) s ON true
WHERE h.closed_at IS NULL OR (n.track IS NULL AND h.handoff_id = (
    SELECT max(o.handoff_id) FROM handoff o WHERE o.lead_id = h.lead_id
))
ORDER BY 1, 2
"""

LAST = """
SELECT h.handoff_id FROM handoff h JOIN lead l USING (lead_id)
WHERE coalesce(l.merged_into, l.lead_id) = %(lead)s ORDER BY h.handoff_id DESC LIMIT 1
"""

log = structlog.get_logger(__name__)


@dataclass
class SweepResult:
    """What a sweep did."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many actions it took."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class SweepContext:
    """What a sweep works with."""

    store: Store
    rng: np.random.Generator
    catalog: Catalog | None = None
    contract: str | None = None
    """Which score decides; the latest of any, if left out."""
    unagreed: bool = False
    """Whether leads are handed over although no playbook is agreed; else they are only proposed."""


def sweep(sweep_context: SweepContext, at: datetime) -> SweepResult:
    """Do all that time asks for at a moment.

    Raises
    ------
    StoreUnavailableError
        If the database is away; the next sweep does the rest.
    """
    result = SweepResult()
    context = ActionContext(at, catalog=sweep_context.catalog)
    # Before anybody is reminded of what was done.
    with sweep_context.store.work(read_only=True) as work:
        reported = list_reported_attempts(work, at, MOST)
    for handoff_id, number in reported:
        action = partial(
            follow_reported_attempt, handoff_id=handoff_id, number=number, context=context
        )
        _try(sweep_context, result, action)
    for handoff_id in _list(sweep_context, DUE, at):
        _try(
            sweep_context,
            result,
            partial(process_due_handoff, handoff_id=handoff_id, context=context),
        )
    with sweep_context.store.work() as work:
        rested = list(work.execute(RESTED, {"at": at, "most": MOST}).scalars())
    result.counts["rests ended"] += len(rested)
    decide_about(sweep_context, [*rested, *_list_asked(sweep_context, at)], at, result)
    repair_orphans(sweep_context, at, result)
    return result


def _list(sweep_context: SweepContext, statement: str, at: datetime) -> list[int]:
    with sweep_context.store.work(read_only=True) as work:
        return list(work.execute(statement, {"at": at, "most": MOST}).scalars())


def _list_asked(sweep_context: SweepContext, at: datetime) -> list[str]:
    with sweep_context.store.work(read_only=True) as work:
        triggers = read_agreed(work).playbook.triggers
        since = at - timedelta(days=triggers.hand_raiser_days)
        asked = {"since": since, "kinds": list(triggers.hand_raiser_kinds), "most": MOST}
        return list(work.execute(ASKED, asked).scalars())


def _try(
    sweep_context: SweepContext, result: SweepResult, action: Callable[[UnitOfWork], Iterable[str]]
) -> None:
    """Run an action in a unit of work; one that the rules refuse by now is left to the next sweep."""
    try:
        result.counts.update(sweep_context.store.run(action))
    except RefusedError as refusal:
        if refusal.status == 503:
            raise
        result.counts["refused"] += 1
        log.warning("sweep_refused", problem=refusal.slug)


def decide_about(
    sweep_context: SweepContext,
    lead_ids: Iterable[str],
    at: datetime,
    result: SweepResult | None = None,
) -> SweepResult:
    """Decide about leads, each in a unit of work of its own."""
    result = result or SweepResult()
    context = ActionContext(at, catalog=sweep_context.catalog)
    for lead_id in dict.fromkeys(lead_ids):

        def action(work: UnitOfWork, lead_id: str = lead_id) -> list[str]:
            outcome = decide_lead(
                work,
                lead_id,
                context,
                sweep_context.rng,
                contract=sweep_context.contract,
                unagreed=sweep_context.unagreed,
            )
            return [DONE[outcome.decision.verdict]]

        _try(sweep_context, result, action)
    return result


def decide_about_proposed(sweep_context: SweepContext, at: datetime) -> SweepResult:
    """Decide about every lead that was only proposed: by now both sides have agreed."""
    with sweep_context.store.work(read_only=True) as work:
        proposed = list(work.execute(PROPOSED).scalars())
    return decide_about(sweep_context, proposed, at)


def process_due_handoff(work: UnitOfWork, handoff_id: int, context: ActionContext) -> list[str]:
    """Do what has become due for one handoff; give the actions."""
    row = lock_handoff(work, handoff_id)
    if row.closed_at is not None or row.next_at is None or row.next_at > context.at:
        return []
    if State(row.state) is State.QUEUED:
        return ["assigned"] if seek_seller(work, row, context).seller else []
    agreed = read_cited(work, row.playbook_version)
    done: list[str] = []
    for read in read_clocks(work, row, context.at, agreed, running=True):
        for due in list_due_clock_actions(work, row, read, context.at):
            done += _do(work, row, read, due, context)
        if State(row.state) is State.QUEUED:
            seek_seller(work, row, context)
            return done
    done += _remind_of_steps(work, row, context)
    row.next_at = find_next_at(work, row, context.at, agreed)
    work.session.flush()
    return done


def _note_clock_action(
    work: UnitOfWork,
    row: Handoff,
    clock: str,
    started_at: datetime,
    action: str,
    at: datetime,
    because: str,
) -> bool:
    noted = insert(ClockActionTaken).values(
        handoff_id=row.handoff_id,
        clock=clock,
        started_at=started_at,
        action=action,
        at=at,
        because=because,
    )
    return bool(
        work.session.execute(noted.on_conflict_do_nothing().returning(ClockActionTaken.at)).all()
    )


def _do(
    work: UnitOfWork, row: Handoff, read: Read, due: DueAction, context: ActionContext
) -> list[str]:
    clock, started_at = read.run.clock, read.run.started_at
    if not _note_clock_action(
        work, row, clock.value, started_at, due.action.value, context.at, due.because
    ):
        return []
    facts = {
        "clock": clock.value,
        "because": due.because,
        "due_at": _format_moment(read.reading.due_at),
    }
    if due.action in TOPICS:
        what = f"{due.action.value}:{clock.value}:{started_at.isoformat()}"
        enqueue_event(work, row, TOPICS[due.action], what, context.at, **facts)
        return [due.action.value]
    before = row.seller_id
    number = apply_transition(work, row, LATE[clock], context, note=due.because)
    facts["from_seller"] = before
    enqueue_event(work, row, "handoff.reassigned", f"reassigned:{number}", context.at, **facts)
    return [due.action.value]


def _format_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _remind_of_steps(work: UnitOfWork, row: Handoff, context: ActionContext) -> list[str]:
    """Remind the seller of steps of the plan that are overdue, once of each."""
    agreed = read_cited(work, row.playbook_version)
    pursued = read_pursuit(work, row, context.at, agreed)
    if pursued is None:
        return []
    since, progress = pursued
    done = []
    for step in progress.overdue:
        clock = f"{PURSUIT}:{step.number}"
        if _note_clock_action(
            work, row, clock, since, ClockAction.REMIND.value, context.at, progress.because
        ):
            facts = {"clock": PURSUIT, "step": step.number, "because": progress.because}
            what = f"remind:{clock}:{since.isoformat()}"
            enqueue_event(work, row, "handoff.reminder", what, context.at, **facts)
            done.append("step overdue")
    return done


def read_ownerships(work: UnitOfWork) -> list[LeadOwnership]:
    """Read where the leads lie that were ever handed over, and lie anywhere else than on a track."""
    found: dict[str, LeadOwnership] = {}
    for lead_id, handoff_id, state, since, seller, next_at, track, stage in work.execute(
        OWNERSHIPS
    ):
        ownership = found.get(lead_id) or LeadOwnership(lead_id, Stage(stage or "lead"), track)
        holdings = ownership.holdings
        if State(state) in OPEN:
            holdings = (*holdings, Holding(str(handoff_id), State(state), since, seller, next_at))
        found[lead_id] = LeadOwnership(lead_id, ownership.stage, track, holdings)
    return list(found.values())


def repair_orphans(sweep_context: SweepContext, at: datetime, result: SweepResult) -> None:
    """Find leads that lie in nobody's hands, or in two, and repair each."""
    with sweep_context.store.work(read_only=True) as work:
        playbook = read_agreed(work).playbook
        ownerships = read_ownerships(work)
    sellers: Sequence[str] = [seller.id for seller in playbook.routing.sellers]
    context = ActionContext(at, catalog=sweep_context.catalog)
    for orphan in find_orphans(ownerships, sellers, playbook.returns, at):
        _try(sweep_context, result, partial(_repair, orphan=orphan, context=context))


def _repair(work: UnitOfWork, orphan: Orphan, context: ActionContext) -> list[str]:
    done = [f"orphan: {orphan.repair.value}"]
    if orphan.repair is OwnershipRepair.NURTURE:
        lock_lead(work, orphan.lead_id)
        row = _find_last(work, orphan.lead_id)
        track = orphan.track or "review"
        put_on_track(work, row, track, context.at, orphan.because)
        return done
    row = lock_handoff(work, int(orphan.handoff_id or 0))
    if orphan.repair is OwnershipRepair.WITHDRAW:
        withdraw(work, row.handoff_id, orphan.because, context)
    elif orphan.repair is OwnershipRepair.REASSIGN:
        apply_transition(work, row, Signal.REASSIGN, context, note=orphan.because)
        seek_seller(work, row, context)
    else:
        row.next_at = context.at + timedelta(days=orphan.again_days)
        what = f"orphan:{context.at:%Y-%m-%d}"
        facts = {"because": orphan.because, "wrong": orphan.anomaly.value}
        enqueue_event(work, row, "handoff.escalated", what, context.at, **facts)
    return done


def _find_last(work: UnitOfWork, lead_id: str) -> Handoff:
    return get_handoff(work, work.execute(LAST, {"lead": lead_id}).scalar() or 0)
