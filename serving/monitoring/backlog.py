"""What waits in the store: scores due, jobs, effects to send, items set aside; and whether it moves."""

from dataclasses import dataclass
from datetime import datetime

from serving.store.session import Store, UnitOfWork

STALLED_SECONDS = 60.0
"""Work that waits this long waits for nobody: it is done within seconds where somebody does it."""

PATIENCE_MS = 2_000
"""Milliseconds that counting may take: whoever scrapes or asks for readiness will not wait longer."""

PATIENCE = f"SET LOCAL statement_timeout = {PATIENCE_MS}"
DUE = "SELECT count(*), min(due_at) FROM score_due WHERE due_at <= %(now)s"
EFFECTS = """
SELECT count(*) FILTER (WHERE state = 'waiting'), min(next_at) FILTER (WHERE state = 'waiting'),
    count(*) FILTER (WHERE state = 'given_up')
FROM outbox_effect WHERE state <> 'done'
"""
JOBS = "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1 ORDER BY 1"
OVERDUE = """
SELECT min(coalesce(j.scheduled_at, e.at)) FROM procrastinate_jobs j
LEFT JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred'
WHERE j.status = 'todo' AND coalesce(j.scheduled_at, e.at) <= %(now)s
"""
SET_ASIDE = "SELECT count(*) FROM quarantined_item WHERE state = 'waiting'"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits, and for how long the oldest of it has."""

    scores_due: int
    scores_lag_seconds: float
    effects_waiting: int
    effects_lag_seconds: float
    effects_given_up: int
    jobs: dict[str, int]
    """By status."""
    jobs_lag_seconds: float
    quarantined_items: int


def _lag(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)


def read_backlog(work: UnitOfWork, now: datetime) -> Backlog:
    """Count what waits."""
    work.execute(PATIENCE)
    due, due_since = work.execute(DUE, {"now": now}).one()
    waiting, waiting_since, given_up = work.execute(EFFECTS).one()
    return Backlog(
        scores_due=due,
        scores_lag_seconds=_lag(due_since, now),
        effects_waiting=waiting,
        effects_lag_seconds=_lag(waiting_since, now),
        effects_given_up=given_up,
        jobs={row[0]: row[1] for row in work.execute(JOBS)},
        jobs_lag_seconds=_lag(work.execute(OVERDUE, {"now": now}).scalar(), now),
        quarantined_items=work.execute(SET_ASIDE).scalar_one(),
    )


def find_stall(backlog: Backlog) -> str | None:
    """Say what waits for a worker that does not come; None if all moves.

    >>> still = Backlog(3, 90.0, 0, 0.0, 0, {}, 0.0, 0)
    >>> find_stall(still)
    'scores due have waited for 90 s: is a worker running?'
    """
    lags = {
        "scores due": backlog.scores_lag_seconds,
        "jobs": backlog.jobs_lag_seconds,
        "effects to send": backlog.effects_lag_seconds,
    }
    stalled = {what: lag for what, lag in lags.items() if lag > STALLED_SECONDS}
    if not stalled:
        return None
    what = max(stalled, key=lambda name: stalled[name])
    return f"{what} have waited for {stalled[what]:.0f} s: is a worker running?"


def find_backlog(store: Store, now: datetime) -> Backlog:
    """Count what waits in a store.

    Raises
    ------
    StoreUnavailableError
        If it does not answer in time.
    """
    with store.work(read_only=True) as work:
        return read_backlog(work, now)
