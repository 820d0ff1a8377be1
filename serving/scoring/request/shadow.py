"""A challenger in the champion's shadow: it scores what was asked, and only the store sees it.

Leads wait in memory until a thread of its own scores them, so that no answer waits for the
challenger and no failure of it reaches a caller. Each lead is read and computed once more, with
the challenger's own catalogue: a server with a shadow does about twice the work.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from features import clock
from features.compute.online import compute_rows
from serving.champion import Champion, ModelHolder, find_mark
from serving.errors import RefusedError
from serving.faults import describe_fault
from serving.scoring.request.records import ScorableLead, read_lead
from serving.scoring.request.shadow_scores import (
    ModelVerdict,
    ShadowScores,
    judge,
    keep_shadow_scores,
    read_verdict,
)
from serving.scoring.row_buffer import RowBuffer
from serving.scoring.schemas import LeadIn, LeadScore
from serving.settings import ServingSettings
from serving.store.errors import StoreOffError
from serving.store.session import Store

MOST_WAITING = 200_000
"""Records (leads, their events and stage changes) that may wait; further leads are passed over."""

LEADS_AT_A_TIME = 1_000

log = structlog.get_logger(__name__)


class ChallengerHolder(ModelHolder):
    """Keeps the challenger; unlike a champion it goes when its folder goes."""

    def refresh(self, at: datetime) -> None:
        """Look at the folder; forget the challenger if there is none any more. Never raises."""
        if find_mark(self.folder) is None:
            self.forget()
        super().refresh(at)


@dataclass(frozen=True, slots=True)
class ShadowedLead:
    """A lead that the champion answered, waiting for the challenger."""

    lead: LeadIn
    champion: str
    """Version of the champion."""
    as_of: datetime
    scored_at: datetime
    verdict: ModelVerdict
    """The champion's."""

    @property
    def records(self) -> int:
        """What it weighs while it waits."""
        colleagues = self.lead.colleagues or ()
        brought = sum(1 + len(person.events) + len(person.stages) for person in colleagues)
        return 1 + len(self.lead.events) + len(self.lead.stages) + brought


class Shadow:
    """Scores with the challenger what the champion was asked, in a thread of its own."""

    def __init__(
        self, holder: ChallengerHolder, rows: RowBuffer[ShadowScores], *, most_events: int
    ) -> None:
        self.holder = holder
        self.rows = rows
        """Takes both scores to the store."""
        self.most_events = most_events
        self.scored = 0
        """Leads scored since the start, and those of whom not enough is known."""
        self.passed_over = 0
        """Leads not scored because too many waited."""
        self.refused = 0
        """Leads the challenger's catalogue cannot read."""
        self.failures = 0
        """Times the challenger failed."""
        self._waiting: deque[ShadowedLead] = deque()
        self._records = 0
        self._wake = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def add(
        self,
        champion: Champion,
        leads: Sequence[LeadIn],
        answers: Sequence[LeadScore],
        scored_at: datetime,
    ) -> None:
        """Take in what was answered. Never waits, and does nothing without a challenger."""
        challenger = self.holder.find_champion()
        if challenger is None or challenger.bundle.version == champion.bundle.version:
            return
        waiting = [
            ShadowedLead(
                lead,
                champion.bundle.version,
                answer.as_of,
                scored_at,
                read_verdict(answer),
            )
            for lead, answer in zip(leads, answers, strict=True)
        ]
        with self._wake:
            for one in waiting:
                weight = one.records
                if self._records + weight > MOST_WAITING:
                    self.passed_over += 1
                    continue
                self._waiting.append(one)
                self._records += weight
            self._wake.notify()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the leads in hand; those that wait are forgotten."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopped:
                    self._wake.wait()
                if self._stopped:
                    return
                waiting = self._take()
            self.score(waiting)

    def _take(self) -> list[ShadowedLead]:
        """Take the oldest leads of one champion."""
        first = self._waiting[0].champion
        taken: list[ShadowedLead] = []
        while (
            self._waiting and len(taken) < LEADS_AT_A_TIME and self._waiting[0].champion == first
        ):
            one = self._waiting.popleft()
            self._records -= one.records
            taken.append(one)
        return taken

    def score(self, waiting: Sequence[ShadowedLead]) -> None:
        """Score leads of one champion and have both scores kept. Never raises."""
        challenger = self.holder.find_champion()
        if challenger is None:
            return
        try:
            self._score(challenger, waiting)
        except Exception as error:  # noqa: BLE001 - edge of a job: a failing shadow hurts nobody
            self.failures += 1
            log.error(  # noqa: TRY400 - a traceback could hold what a lead sent
                "shadow_failed",
                challenger=challenger.bundle.version,
                **describe_fault(error),
                leads=len(waiting),
            )

    def _score(self, challenger: Champion, waiting: Sequence[ShadowedLead]) -> None:
        kept, reads = [], []
        for one in waiting:
            try:
                reads.append(self._read(challenger, one))
                kept.append(one)
            except RefusedError:
                self.refused += 1
        if reads:
            self.rows.add(score_shadowed(challenger, kept, reads))
            self.scored += len(reads)

    def _read(self, challenger: Champion, one: ShadowedLead) -> ScorableLead:
        bundle = challenger.bundle
        # The moment the champion looked at, also where the lead names none.
        return read_lead(
            one.lead, bundle.catalog, bundle.contract.event, one.as_of, self.most_events
        )


def score_shadowed(
    challenger: Champion, waiting: Sequence[ShadowedLead], reads: Sequence[ScorableLead]
) -> ShadowScores:
    """Score leads with the challenger, and put beside it what the champion said."""
    as_of_us = [clock.to_us(read.as_of) for read in reads]
    matrix = compute_rows(challenger.bundle.catalog, [read.record for read in reads], as_of_us)
    return ShadowScores(
        champion=waiting[0].champion,
        challenger=challenger.bundle.version,
        scored_at=waiting[0].scored_at,
        as_of=[read.as_of for read in reads],
        by_champion=[one.verdict for one in waiting],
        by_challenger=judge(challenger, matrix),
    )


def build_shadow(settings: ServingSettings, store: Store | None) -> Shadow:
    """Build a shadow with a model holder of its own.

    Raises
    ------
    StoreOffError
        If there is no store for its scores.
    """
    if store is None:
        raise StoreOffError
    rows = RowBuffer(store, keep_shadow_scores, most_rows=settings.scored_buffer_rows)
    holder = ChallengerHolder(settings.challenger, role="challenger")
    return Shadow(holder, rows, most_events=settings.max_events)
