"""The one that scores what is due, again and again; and keeps going when one lead cannot be scored."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from features import clock
from features.compute.online import compute_packed_rows
from serving.champion import Champion, ModelHolder
from serving.faults import describe_fault
from serving.scoring.lead_histories import find_moment, leave_out_not_yet_created, read_people
from serving.scoring.live.score import AfterScores, Pass, score_due, score_leads
from serving.scoring.live.scoring_queue import read_due_state
from serving.scoring.models_in_use import ModelCache, list_served, record_use
from serving.scoring.packed_scores import PackedScores
from serving.scoring.request.shadow import Shadow
from serving.scoring.request.shadow_scores import ShadowScores, judge, read_verdict
from serving.scoring.scored_rows import ScoreTally
from serving.store.deferring import defer
from serving.store.errors import StoreUnavailableError
from serving.store.session import Store, UnitOfWork

SCORE_LEAD = "baton.score_lead"
"""The job of one lead that could not be scored among others: tried again, then quarantined."""

PEEK = """
SELECT lead_id, array_agg(DISTINCT because) FROM (
    SELECT lead_id, because FROM score_due WHERE due_at <= %(at)s
    ORDER BY lane, due_at LIMIT %(most)s
) due GROUP BY lead_id ORDER BY lead_id
"""
SET_ASIDE = "DELETE FROM score_due WHERE lead_id = %(lead)s AND due_at <= %(at)s"

log = structlog.get_logger(__name__)


class LiveScorer:
    """Scores due leads with the champions in use, and lets a challenger score them in the shadow."""

    def __init__(
        self,
        store: Store,
        model_holders: Sequence[ModelHolder],
        model_cache: ModelCache,
        shadow: Shadow | None = None,
        *,
        most: int,
        now: Callable[[], datetime] = clock.now,
        after: AfterScores | None = None,
        tally: ScoreTally | None = None,
    ) -> None:
        self.store = store
        self.model_holders = tuple(model_holders)
        self.model_cache = model_cache
        self.shadow = shadow
        self.most = most
        self.now = now
        self.after = after
        self.tally = tally or ScoreTally()
        """Counts the scores by status and band; a server counts those of requests in the same."""
        self.scored = 0
        """Leads scored since the start."""
        self.passes = 0
        """Passes that found something due."""
        self.set_aside = 0
        """Leads that could not be scored and were given a job of their own."""
        self.waiting = 0
        """Due rows when last looked at."""
        self.oldest_due_at: datetime | None = None
        """Since when the oldest of them was due."""
        self._noted: dict[str, str] = {}

    def note_champions(self) -> None:
        """Keep each champion's bundle, and write down that it is in use, once after each swap."""
        for champion in list_served(self.model_holders):
            contract, version = champion.bundle.contract.text, champion.bundle.version
            if self._noted.get(contract) == version:
                continue
            self.model_cache.keep(champion)
            folder, at = self.model_cache.folder / version, self.now()
            with self.store.work() as work:
                is_news = record_use(work, champion, folder, at)
            self._noted[contract] = version
            log.info("champion_recorded", version=version, rescore=is_news)

    def run_once(self) -> int:
        """Make one pass over what is due; give how many leads were taken.

        Raises
        ------
        StoreUnavailableError
            If the database is away; nothing is lost.
        """
        self.note_champions()
        served = list_served(self.model_holders)
        if not served:
            return 0
        try:
            done = self.store.run(
                lambda work: score_due(work, served, self.now, self.most, self.after)
            )
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - edge of a job: one bad lead must not stop the others
            log.error("scoring_pass_failed", **describe_fault(error))  # noqa: TRY400 - may hold values
            return self._score_one_by_one()
        self._account_for(served, done)
        return done.taken

    def look_at_queue(self) -> None:
        """Look how much is due, for those who watch."""
        with self.store.work(read_only=True) as work:
            self.waiting, self.oldest_due_at = read_due_state(work, self.now())

    def _account_for(self, served: Sequence[Champion], done: Pass) -> None:
        """Count a pass that has landed, and let the shadow score its leads. Never raises."""
        if done.taken:
            self.passes += 1
        self.scored += done.n_scored
        for scored in done.scored:
            self.tally.add(scored.answers.leads)
        if done.scored and self.shadow is not None:
            self._shadow_score(self.shadow, served[0], done.scored[0])

    def _score_one_by_one(self) -> int:
        """Find the lead that spoils a pass, and set it aside."""
        at = self.now()
        with self.store.work(read_only=True) as work:
            due = [tuple(row) for row in work.execute(PEEK, {"at": at, "most": self.most})]
        for lead_id, because in due:
            try:
                self.score_lead(lead_id, because)
            except StoreUnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 - edge of a job: it is named, and tried again by itself
                self.set_aside += 1
                log.error("lead_set_aside", **describe_fault(error))  # noqa: TRY400 - may hold values
                with self.store.work() as work:
                    self._set_aside(work, lead_id, at)
        return len(due)

    @staticmethod
    def _set_aside(work: UnitOfWork, lead_id: str, at: datetime) -> None:
        work.execute(SET_ASIDE, {"lead": lead_id, "at": at})
        defer(work, SCORE_LEAD, {"lead_id": lead_id})

    def score_lead(self, lead_id: str, because: Sequence[str]) -> None:
        """Score one lead now.

        Raises
        ------
        Exception
            Whatever keeps it from being scored.
        """
        served, causes = list_served(self.model_holders), {lead_id: because}
        scored = self.store.run(
            lambda work: score_leads(work, served, causes, self.now(), self.now, self.after)
        )
        self._account_for(served, Pass(1, scored))

    def _shadow_score(self, shadow: Shadow, champion: Champion, scored: PackedScores) -> None:
        """Let the challenger score the same leads, for the comparison only. Never raises."""
        challenger = shadow.holder.find_champion()
        if challenger is None or challenger.bundle.version == champion.bundle.version:
            return
        try:
            self._shadow_score_with(shadow, challenger, champion, scored)
        except Exception as error:  # noqa: BLE001 - edge of a job: a failing shadow hurts nobody
            shadow.failures += 1
            log.error("shadow_failed", **describe_fault(error))  # noqa: TRY400 - may hold values

    def _shadow_score_with(
        self, shadow: Shadow, challenger: Champion, champion: Champion, scored: PackedScores
    ) -> None:
        by_champion = [read_verdict(answer) for answer in scored.answers.leads]
        matrix, moments = scored.matrix, scored.as_of_us.tolist()
        if challenger.bundle.catalog.fingerprint != champion.bundle.catalog.fingerprint:
            with self.store.work(read_only=True) as work:
                catalog = challenger.bundle.catalog
                histories = read_people(work, catalog, scored.lead_ids, keep=False)
            still_there = [n for n, i in enumerate(scored.lead_ids) if i in histories]
            if not still_there:
                return
            by_champion = [by_champion[n] for n in still_there]
            leads = [histories[scored.lead_ids[n]] for n in still_there]
            # What landed since the pass counts as well: the shadow looks a moment later.
            moments = [
                find_moment(lead, moments[n]) for n, lead in zip(still_there, leads, strict=True)
            ]
            leads = [
                leave_out_not_yet_created(lead, at)
                for lead, at in zip(leads, moments, strict=True)
            ]
            matrix = compute_packed_rows(catalog, leads, moments)
        shadow.rows.add(
            ShadowScores(
                champion=champion.bundle.version,
                challenger=challenger.bundle.version,
                scored_at=self.now(),
                as_of=[clock.from_us(at) for at in moments],
                by_champion=by_champion,
                by_challenger=judge(challenger, matrix),
            )
        )
        shadow.scored += len(matrix)
