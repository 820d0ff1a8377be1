"""The jobs: what each does, how often it is tried, and what becomes of one that fails for good."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from features import clock
from serving.handoff.lifecycle.jobs import (
    DECIDE,
    SWEEP,
    decide_job,
    decide_proposed_job,
    sweep_job,
)
from serving.handoff.oversight.service import draw_last_month
from serving.handoff.playbook.repository import DECIDE_PROPOSED
from serving.notify.outbox import Outbox
from serving.scoring.live.scoring_queue import add_everyone_due
from serving.scoring.live.worker import SCORE_LEAD, LiveScorer
from serving.scoring.models_in_use import RESCORE
from serving.scoring.scored_rows import forget_rows
from serving.store.deferring import QUEUE, defer
from serving.store.session import Store, UnitOfWork
from serving.web_api.idempotency import forget_expired

if TYPE_CHECKING:
    from procrastinate import App, RetryStrategy

ATTEMPTS = 5
"""Times a job is tried before it is set aside; times a job may take its worker down with it."""

RETRY_SECONDS = 3
"""Seconds before the second attempt; three times as long before each further one."""

RESCORED_AT_A_TIME = 5_000
TIDY = "baton.tidy"
DRAW = "baton.draw_oversight"
DIGESTS = "baton.announce_digests"
FORGET_ROWS = "baton.forget_scored_rows"
STALE_DAYS = 30
"""Days after which jobs that failed for good are forgotten."""

TASKS = frozenset(
    {RESCORE, SCORE_LEAD, TIDY, DRAW, DIGESTS, FORGET_ROWS, DECIDE, DECIDE_PROPOSED, SWEEP}
)
"""The names of all jobs."""

IS_IN_USE = """
SELECT EXISTS (SELECT 1 FROM bundle_version WHERE version = %(version)s AND retired_at IS NULL)
"""
FORGET_JOBS = """
DELETE FROM procrastinate_jobs j WHERE status = 'failed' AND EXISTS (
    SELECT 1 FROM job_problem p WHERE p.job_id = j.id AND p.at < %(since)s
)
"""
FORGET_PROBLEMS = """
DELETE FROM job_problem p WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = p.job_id)
"""

JobAction = Callable[[UnitOfWork, datetime], object]
"""What a job does in one transaction, at a moment."""


@dataclass
class JobResources:
    """What jobs work with."""

    store: Store
    scorer: LiveScorer
    outbox: Outbox
    now: Callable[[], datetime] = clock.now
    retry_seconds: int = RETRY_SECONDS
    announce_digests: JobAction | None = None
    """Announces the digests that are due, as the settings say to whom."""
    hands_over: bool = False
    """Whether leads are decided about and clocks are looked at."""
    hands_over_unagreed: bool = False
    """Whether leads are handed over before both sides have agreed to a playbook."""
    rows_kept_days: int = 90
    """Days after which rows that models scored are forgotten."""


def rescore_next(work: UnitOfWork, version: str, after: str, at: datetime) -> None:
    """Say of the next leads that they are due for a new model, and put off the leads after them.

    A model that is not in use any more has nobody scored.
    """
    if not work.execute(IS_IN_USE, {"version": version}).scalar():
        return
    last, n = add_everyone_due(work, at, after, RESCORED_AT_A_TIME)
    if n == RESCORED_AT_A_TIME:
        defer(work, RESCORE, {"version": version, "after": last})


def tidy(work: UnitOfWork, at: datetime) -> None:
    """Forget what is kept no longer: idempotency keys, jobs that failed long ago."""
    forget_expired(work, at)
    work.execute(FORGET_JOBS, {"since": at - timedelta(days=STALE_DAYS)})
    work.execute(FORGET_PROBLEMS)


EVERY_5, EVERY_10 = "*/5 * * * *", "*/10 * * * *"

PERIODIC: tuple[tuple[str, str, JobAction], ...] = (
    (TIDY, EVERY_10, tidy),
    # By the hour, so that a month is drawn soon after it is over; drawn once, it stays as it is.
    (DRAW, "7 * * * *", draw_last_month),
)
"""What is done again and again, and when."""


def build_jobs(resources: JobResources, url: str) -> "App":
    """Build procrastinate's app with our jobs; the tables are those of the store."""
    import procrastinate

    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=4)
    )
    retry = procrastinate.RetryStrategy(
        max_attempts=ATTEMPTS - 1, exponential_wait=resources.retry_seconds
    )

    @app.task(name=RESCORE, queue=QUEUE, retry=retry)
    def rescore_everyone(version: str, after: str) -> None:
        with resources.store.work() as work:
            rescore_next(work, version, after, resources.now())

    @app.task(name=SCORE_LEAD, queue=QUEUE, retry=retry)
    def score_lead(lead_id: str) -> None:
        resources.scorer.score_lead(lead_id, ["retry"])

    kept = timedelta(days=resources.rows_kept_days)
    own: list[tuple[str, str, JobAction]] = [
        (FORGET_ROWS, EVERY_10, lambda work, at: forget_rows(work, at - kept))
    ]
    if resources.announce_digests is not None:
        own.append((DIGESTS, EVERY_5, resources.announce_digests))
    for name, cron, action in (*PERIODIC, *own):
        _add_periodic(app, resources, retry, name, cron, action)
    add_handoff_jobs(app, resources, retry)
    return app


def _add_periodic(
    app: "App",
    resources: JobResources,
    retry: "RetryStrategy",
    name: str,
    cron: str,
    action: JobAction,
) -> None:
    """Add what is done again and again, each time in one transaction."""

    @app.periodic(cron=cron)
    @app.task(name=name, queue=QUEUE, retry=retry)
    def repeated(timestamp: int) -> None:  # noqa: ARG001 - a periodic task is told when
        with resources.store.work() as work:
            action(work, resources.now())


def add_handoff_jobs(app: "App", resources: JobResources, retry: "RetryStrategy") -> None:
    """Add the jobs of handoffs; where Baton does not hand over, they find nothing to do."""
    model_holders, now = resources.scorer.model_holders, resources.now
    unagreed = resources.hands_over_unagreed

    @app.task(name=DECIDE, queue=QUEUE, retry=retry)
    def decide_leads(lead_ids: list[str], contract: str) -> None:
        if resources.hands_over:
            decide_job(resources.store, model_holders, lead_ids, contract, now, unagreed=unagreed)

    @app.task(name=DECIDE_PROPOSED, queue=QUEUE, retry=retry)
    def decide_proposed() -> None:
        if resources.hands_over:
            decide_proposed_job(resources.store, model_holders, now, unagreed=unagreed)

    @app.periodic(cron="* * * * *")
    @app.task(name=SWEEP, queue=QUEUE, lock=SWEEP, retry=retry)
    def sweep_handoffs(timestamp: int) -> None:  # noqa: ARG001 - a periodic task is told when
        if resources.hands_over:
            sweep_job(resources.store, model_holders, now, unagreed=unagreed)
