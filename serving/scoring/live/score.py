"""Live scores: what is due is taken, scored in one pass from packed histories, kept, scheduled anew.

All of it is one unit of work: a worker that dies leaves the leads due, and nothing half done.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features import clock
from features.contracts.records import StageRecord
from features.kernel.packed import PackedLead
from features.lifecycle.stages import CLOSED, Stage, funnel_position
from serving.champion import Champion
from serving.scoring.lead_histories import (
    asks_for_accounts,
    find_moment,
    leave_out_not_yet_created,
    read_people,
)
from serving.scoring.live.rescore_schedule import decide_rescore
from serving.scoring.live.scoring_queue import (
    LATER,
    MODEL,
    NO_NEWS,
    TIME,
    add_colleagues_due,
    add_due,
    clear_due,
    take_due,
)
from serving.scoring.live.stored_scores import StoredScore, keep_scores
from serving.scoring.packed_scores import PackedScores, score_packed
from serving.scoring.scored_rows import encode_row
from serving.store.histories import find_colleagues
from serving.store.session import UnitOfWork

COLLEAGUES_AFTER = timedelta(seconds=20)
"""So long after a lead changed its colleagues are scored: what comes in bursts is scored once."""

SURVIVORS = """
SELECT lead_id, coalesce(merged_into, lead_id) FROM lead WHERE lead_id = ANY(%(ids)s)
"""
# In the order of their ids, as everybody locks them.
LOCK = """
SELECT lead_id, merged_into, last_scored_as_of FROM lead WHERE lead_id = ANY(%(ids)s)
ORDER BY lead_id FOR NO KEY UPDATE
"""
RECORD_LAST_SCORED = """
UPDATE lead l SET last_scored_as_of = greatest(l.last_scored_as_of, n.at)
FROM unnest(%(ids)s::text[], %(at)s::timestamptz[]) AS n (lead_id, at) WHERE l.lead_id = n.lead_id
"""
PLAYBOOK = "SELECT version FROM playbook_version WHERE state = 'in_effect'"

AfterScores = Callable[[UnitOfWork, Sequence[StoredScore]], None]
"""What is to happen in the same unit of work once leads have new scores."""


@dataclass(frozen=True)
class Pass:
    """What one pass over due leads did."""

    taken: int
    """Leads that were due."""
    scored: tuple[PackedScores, ...] = ()
    """By contract, the main one first; for the logs, once the unit of work has landed."""

    @property
    def n_scored(self) -> int:
        """Leads that have a new score, of one contract or several."""
        return len(self.scored[0].lead_ids) if self.scored else 0


def score_due(
    work: UnitOfWork,
    served: Sequence[Champion],
    now: Callable[[], datetime],
    most: int,
    after: AfterScores | None = None,
) -> Pass:
    """Take due leads and score them.

    Parameters
    ----------
    work
        The unit of work that all of it belongs to.
    served
        The champions, the main one first; packed histories are kept in the codes of that one.
    now
        Reads the clock: once to see what is due, once under the locks.
    most
        Leads taken at a time.
    after
        What else happens in the same unit of work.
    """
    taken_at = now()
    taken = take_due(work, taken_at, most)
    if not taken or not served:
        return Pass(0)
    return Pass(len(taken), score_leads(work, served, taken, taken_at, now, after))


def score_leads(
    work: UnitOfWork,
    served: Sequence[Champion],
    because: Mapping[str, Iterable[str]],
    taken_at: datetime,
    now: Callable[[], datetime],
    after: AfterScores | None = None,
) -> tuple[PackedScores, ...]:
    """Score leads, keep the scores, and schedule when to look again.

    Parameters
    ----------
    because
        By lead, what made it due.
    taken_at
        When it was seen to be due: leads that another worker has scored since are passed over.
    """
    asks = any(asks_for_accounts(champion.bundle.catalog) for champion in served)
    causes = _follow_merges(work, because)
    locked = _lock(work, causes, taken_at, with_colleagues=asks)
    causes = {lead_id: why for lead_id, why in causes.items() if lead_id in locked}
    colleagues = find_colleagues(work, list(causes)) if asks else {}
    main = served[0].bundle.catalog
    histories = read_people(work, main, list(causes), keep=True, colleagues=colleagues)
    histories = _leave_out_served(histories, causes, locked, taken_at)
    clear_due(work, list(histories), taken_at)
    moments = _find_moments(histories, locked, clock.to_us(now()))
    histories = _put_off_not_yet_created(work, histories, moments)
    if not histories:
        return ()
    words = {i: ", ".join(sorted(causes[i])) for i in histories}
    keeping = _StoringScores(work, words, colleagues, now(), after)
    scored = (
        keeping.score(served[0], histories, moments),
        *(keeping.score_further(further, histories, moments) for further in served[1:]),
    )
    _record_last_scored(work, scored, colleagues)
    _schedule(work, scored[0])
    changed = [i for i in histories if causes[i] - NO_NEWS]
    others = {other for i in changed for other in colleagues.get(i, [])} - histories.keys()
    add_colleagues_due(work, others, taken_at + COLLEAGUES_AFTER)
    return scored


def _follow_merges(work: UnitOfWork, because: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    causes: dict[str, set[str]] = {}
    for lead_id, survivor in work.execute(SURVIVORS, {"ids": list(because)}):
        causes.setdefault(survivor, set()).update(because[lead_id])
    return causes


def _lock(
    work: UnitOfWork, causes: Mapping[str, set[str]], at: datetime, *, with_colleagues: bool
) -> dict[str, datetime | None]:
    """Lock leads and whose records their scores read; give when each lead was last looked at."""
    ids = set(causes)
    if with_colleagues:
        ids.update(*find_colleagues(work, list(causes)).values())
    locked = {row[0]: row for row in work.execute(LOCK, {"ids": sorted(ids)})}
    merged = {i: row[1] for i, row in locked.items() if i in causes and row[1] is not None}
    for lead_id, survivor in merged.items():  # since we looked: it is for the other to be scored
        add_due(work, {survivor: at}, ", ".join(causes[lead_id]))
    return {i: row[2] for i, row in locked.items() if i in causes and i not in merged}


def _leave_out_served(
    histories: Mapping[str, PackedLead],
    causes: Mapping[str, set[str]],
    locked: Mapping[str, datetime | None],
    taken_at: datetime,
) -> dict[str, PackedLead]:
    """Leave out leads another worker scored since we saw that they are due, with all we know.

    That worker locked the lead after what made it due had landed, or else its look would not be
    later than ours. What landed still later is known from its look on, which `known_until` tells.
    """

    def was_served(lead_id: str, lead: PackedLead) -> bool:
        last_scored_as_of = locked[lead_id]
        if last_scored_as_of is None or last_scored_as_of < taken_at or MODEL in causes[lead_id]:
            return False
        return lead.known_until < clock.to_us(last_scored_as_of)

    return {i: lead for i, lead in histories.items() if not was_served(i, lead)}


def _find_moments(
    histories: Mapping[str, PackedLead], locked: Mapping[str, datetime | None], now_us: int
) -> dict[str, int]:
    """Find each lead's moment: now, or as soon after as everything known counts.

    Never that of an earlier score again: a moment has one score.
    """
    moments = {}
    for lead_id, lead in histories.items():
        last_scored_as_of = locked[lead_id]
        earliest = (
            now_us
            if last_scored_as_of is None
            else max(now_us, clock.to_us(last_scored_as_of) + 1)
        )
        if lead.created_at >= earliest:  # not yet created, whatever else is known
            moments[lead_id] = earliest
            continue
        moments[lead_id] = find_moment(lead, earliest)
    return moments


def _put_off_not_yet_created(
    work: UnitOfWork, histories: Mapping[str, PackedLead], moments: Mapping[str, int]
) -> dict[str, PackedLead]:
    """Put leads that are yet to come off until they have; give the others."""
    not_yet_created = {i: lead for i, lead in histories.items() if lead.created_at >= moments[i]}
    add_due(
        work, {i: clock.from_us(lead.created_at + 1) for i, lead in not_yet_created.items()}, TIME
    )
    return {i: lead for i, lead in histories.items() if i not in not_yet_created}


@dataclass(frozen=True)
class _StoringScores:
    """What the scores of one pass are kept with."""

    work: UnitOfWork
    because: Mapping[str, str]
    colleagues: Mapping[str, Sequence[str]]
    scored_at: datetime
    after: AfterScores | None

    def score(
        self, champion: Champion, histories: Mapping[str, PackedLead], moments: Mapping[str, int]
    ) -> PackedScores:
        """Score leads by one champion, and keep the scores."""
        ready = {i: leave_out_not_yet_created(lead, moments[i]) for i, lead in histories.items()}
        scored = score_packed(champion, ready, moments)
        stored = [
            StoredScore(
                score,
                self.because[score.lead_id],
                scored.encode(position),
                encode_row(scored.matrix[position]),
            )
            for position, score in enumerate(scored.answers.leads)
        ]
        keep_scores(
            self.work,
            stored,
            model_version=champion.bundle.version,
            playbook_version=self.work.execute(PLAYBOOK).scalar(),
            scored_at=self.scored_at,
        )
        if self.after is not None:
            self.after(self.work, stored)
        return scored

    def score_further(
        self, champion: Champion, histories: Mapping[str, PackedLead], moments: Mapping[str, int]
    ) -> PackedScores:
        """Score by another champion: packed in its own codes for this pass, and forgotten."""
        catalog = champion.bundle.catalog
        own = read_people(
            self.work, catalog, list(histories), keep=False, colleagues=self.colleagues
        )
        # It may read colleagues whom the main champion does not, and must not look before them.
        own_moments = {i: find_moment(lead, moments[i]) for i, lead in own.items()}
        return self.score(champion, own, own_moments)


def _record_last_scored(
    work: UnitOfWork,
    scored: Sequence[PackedScores],
    colleagues: Mapping[str, Sequence[str]],
) -> None:
    """Note the looks: what becomes known later of a lead, or a colleague, counts after them."""
    moments_scored: dict[str, int] = {}
    for one in scored:
        for lead_id, as_of in zip(one.lead_ids, one.as_of_us.tolist(), strict=True):
            for seen in (lead_id, *colleagues.get(lead_id, ())):
                moments_scored[seen] = max(moments_scored.get(seen, 0), as_of)
    ids = sorted(moments_scored)
    work.execute(
        RECORD_LAST_SCORED, {"ids": ids, "at": [clock.from_us(moments_scored[i]) for i in ids]}
    )


def _schedule(work: UnitOfWork, scored: PackedScores) -> None:
    """Say when time alone makes each lead due again."""
    due = {}
    for lead_id, as_of, facts in zip(
        scored.lead_ids, scored.as_of_us.tolist(), scored.facts, strict=True
    ):
        closed = _stands_closed(facts.moves, as_of)
        rescore = decide_rescore(quiet_us=as_of - facts.last_at, is_closed=closed)
        due[lead_id] = clock.from_us(as_of + rescore.after_us)
    add_due(work, due, TIME, LATER)


def _stands_closed(moves: Sequence[StageRecord], as_of: int) -> bool:
    past = [(m.at, funnel_position(m.stage), m.stage) for m in moves if m.at < as_of]
    return bool(past) and Stage(max(past)[2]) in CLOSED
