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
from serving.handoff.clocks.rules import Deed, DueDeed
from serving.handoff.lifecycle.announce import announce
from serving.handoff.lifecycle.assign import seek_seller
from serving.handoff.lifecycle.clocks import (
    LATE,
    PURSUIT,
    Read,
    find_next_at,
    list_deeds,
    read_clocks,
    read_pursuit,
)
from serving.handoff.lifecycle.context import Occasion
from serving.handoff.lifecycle.decide import decide_lead
from serving.handoff.lifecycle.give_back import put_on_track, withdraw
from serving.handoff.lifecycle.orphan_rules import Deed as Repair
from serving.handoff.lifecycle.orphan_rules import Holding, Orphan, Place, find_orphans
from serving.handoff.lifecycle.record import get_handoff, lock_handoff, lock_lead, take
from serving.handoff.lifecycle.work import follow_told, list_told
from serving.handoff.machine.transitions import OPEN, Signal, State
from serving.handoff.playbook.kept import read_agreed, read_cited
from serving.store.session import Store, UnitOfWork
from serving.store.tables import ClockDeed, Handoff

MOST = 500
"""Handoffs, and leads, that one sweep deals with; the next one goes on."""

TOPICS = {Deed.REMIND: "handoff.reminder", Deed.ESCALATE: "handoff.escalated"}

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
PLACES = """
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
class Swept:
    """What a sweep did."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many deeds it did."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Broom:
    """What a sweep works with."""

    store: Store
    rng: np.random.Generator
    catalog: Catalog | None = None
    contract: str | None = None
    """Which score decides; the latest of any, if left out."""


def sweep(broom: Broom, at: datetime) -> Swept:
    """Do all that time asks for at a moment.

    Raises
    ------
    StoreUnavailableError
        If the database is away; the next sweep does the rest.
    """
    swept = Swept()
    occasion = Occasion(at, catalog=broom.catalog)
    # Before anybody is reminded of what was done.
    with broom.store.work(read_only=True) as work:
        told = list_told(work, at, MOST)
    for handoff_id, number in told:
        deed = partial(follow_told, handoff_id=handoff_id, number=number, occasion=occasion)
        _try(broom, swept, deed)
    for handoff_id in _list(broom, DUE, at):
        _try(broom, swept, partial(tend, handoff_id=handoff_id, occasion=occasion))
    with broom.store.work() as work:
        rested = list(work.execute(RESTED, {"at": at, "most": MOST}).scalars())
    swept.counts["rests ended"] += len(rested)
    decide_about(broom, [*rested, *_list_asked(broom, at)], at, swept)
    repair_orphans(broom, at, swept)
    return swept


def _list(broom: Broom, statement: str, at: datetime) -> list[int]:
    with broom.store.work(read_only=True) as work:
        return list(work.execute(statement, {"at": at, "most": MOST}).scalars())


def _list_asked(broom: Broom, at: datetime) -> list[str]:
    with broom.store.work(read_only=True) as work:
        triggers = read_agreed(work).playbook.triggers
        since = at - timedelta(days=triggers.hand_raiser_days)
        asked = {"since": since, "kinds": list(triggers.hand_raiser_kinds), "most": MOST}
        return list(work.execute(ASKED, asked).scalars())


def _try(broom: Broom, swept: Swept, deed: Callable[[UnitOfWork], Iterable[str]]) -> None:
    """Do a deed in a unit of work; one that the rules refuse by now is left to the next sweep."""
    try:
        swept.counts.update(broom.store.run(deed))
    except RefusedError as refusal:
        if refusal.status == 503:
            raise
        swept.counts["refused"] += 1
        log.warning("sweep_refused", problem=refusal.slug)


def decide_about(
    broom: Broom, lead_ids: Iterable[str], at: datetime, swept: Swept | None = None
) -> Swept:
    """Decide about leads, each in a unit of work of its own."""
    swept = swept or Swept()
    occasion = Occasion(at, catalog=broom.catalog)
    for lead_id in dict.fromkeys(lead_ids):

        def deed(work: UnitOfWork, lead_id: str = lead_id) -> list[str]:
            outcome = decide_lead(work, lead_id, occasion, broom.rng, contract=broom.contract)
            return ["handed over" if outcome.handoff is not None else "kept"]

        _try(broom, swept, deed)
    return swept


def tend(work: UnitOfWork, handoff_id: int, occasion: Occasion) -> list[str]:
    """Do what time asks for about one handoff; give the deeds."""
    row = lock_handoff(work, handoff_id)
    if row.closed_at is not None or row.next_at is None or row.next_at > occasion.at:
        return []
    if State(row.state) is State.QUEUED:
        return ["assigned"] if seek_seller(work, row, occasion).seller else []
    agreed = read_cited(work, row.playbook_version)
    done: list[str] = []
    for read in read_clocks(work, row, occasion.at, agreed, running=True):
        for due in list_deeds(work, row, read, occasion.at):
            done += _do(work, row, read, due, occasion)
        if State(row.state) is State.QUEUED:
            seek_seller(work, row, occasion)
            return done
    done += _remind_of_steps(work, row, occasion)
    row.next_at = find_next_at(work, row, occasion.at, agreed)
    work.session.flush()
    return done


def _note_deed(
    work: UnitOfWork,
    row: Handoff,
    clock: str,
    started_at: datetime,
    deed: str,
    at: datetime,
    because: str,
) -> bool:
    noted = insert(ClockDeed).values(
        handoff_id=row.handoff_id,
        clock=clock,
        started_at=started_at,
        deed=deed,
        at=at,
        because=because,
    )
    return bool(work.session.execute(noted.on_conflict_do_nothing().returning(ClockDeed.at)).all())


def _do(work: UnitOfWork, row: Handoff, read: Read, due: DueDeed, occasion: Occasion) -> list[str]:
    clock, started_at = read.run.clock, read.run.started_at
    if not _note_deed(
        work, row, clock.value, started_at, due.deed.value, occasion.at, due.because
    ):
        return []
    told = {"clock": clock.value, "because": due.because, "due_at": _say(read.reading.due_at)}
    if due.deed in TOPICS:
        what = f"{due.deed.value}:{clock.value}:{started_at.isoformat()}"
        announce(work, row, TOPICS[due.deed], what, occasion.at, **told)
        return [due.deed.value]
    before = row.seller_id
    number = take(work, row, LATE[clock], occasion, note=due.because)
    told["from_seller"] = before
    announce(work, row, "handoff.reassigned", f"reassigned:{number}", occasion.at, **told)
    return [due.deed.value]


def _say(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _remind_of_steps(work: UnitOfWork, row: Handoff, occasion: Occasion) -> list[str]:
    """Remind the seller of steps of the plan that are overdue, once of each."""
    agreed = read_cited(work, row.playbook_version)
    pursued = read_pursuit(work, row, occasion.at, agreed)
    if pursued is None:
        return []
    since, progress = pursued
    done = []
    for step in progress.overdue:
        clock = f"{PURSUIT}:{step.number}"
        if _note_deed(work, row, clock, since, Deed.REMIND.value, occasion.at, progress.because):
            told = {"clock": PURSUIT, "step": step.number, "because": progress.because}
            what = f"remind:{clock}:{since.isoformat()}"
            announce(work, row, "handoff.reminder", what, occasion.at, **told)
            done.append("step overdue")
    return done


def read_places(work: UnitOfWork) -> list[Place]:
    """Read where the leads lie that were ever handed over, and lie anywhere else than on a track."""
    found: dict[str, Place] = {}
    for lead_id, handoff_id, state, since, seller, next_at, track, stage in work.execute(PLACES):
        place = found.get(lead_id) or Place(lead_id, Stage(stage or "lead"), track)
        holdings = place.holdings
        if State(state) in OPEN:
            holdings = (*holdings, Holding(str(handoff_id), State(state), since, seller, next_at))
        found[lead_id] = Place(lead_id, place.stage, track, holdings)
    return list(found.values())


def repair_orphans(broom: Broom, at: datetime, swept: Swept) -> None:
    """Find leads that lie in nobody's hands, or in two, and repair each."""
    with broom.store.work(read_only=True) as work:
        playbook = read_agreed(work).playbook
        places = read_places(work)
    sellers: Sequence[str] = [seller.id for seller in playbook.routing.sellers]
    occasion = Occasion(at, catalog=broom.catalog)
    for orphan in find_orphans(places, sellers, playbook.returns, at):
        _try(broom, swept, partial(_repair, orphan=orphan, occasion=occasion))


def _repair(work: UnitOfWork, orphan: Orphan, occasion: Occasion) -> list[str]:
    done = [f"orphan: {orphan.deed.value}"]
    if orphan.deed is Repair.NURTURE:
        lock_lead(work, orphan.lead_id)
        row = _find_last(work, orphan.lead_id)
        track = orphan.track or "review"
        put_on_track(work, row, track, occasion.at, orphan.because)
        return done
    row = lock_handoff(work, int(orphan.handoff_id or 0))
    if orphan.deed is Repair.WITHDRAW:
        withdraw(work, row.handoff_id, orphan.because, occasion)
    elif orphan.deed is Repair.REASSIGN:
        take(work, row, Signal.REASSIGN, occasion, note=orphan.because)
        seek_seller(work, row, occasion)
    else:
        row.next_at = occasion.at + timedelta(days=orphan.again_days)
        what = f"orphan:{occasion.at:%Y-%m-%d}"
        told = {"because": orphan.because, "wrong": orphan.wrong.value}
        announce(work, row, "handoff.escalated", what, occasion.at, **told)
    return done


def _find_last(work: UnitOfWork, lead_id: str) -> Handoff:
    return get_handoff(work, work.execute(LAST, {"lead": lead_id}).scalar() or 0)
