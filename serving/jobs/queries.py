"""Jobs as they stand in procrastinate's tables: those whose worker died, those that failed for good."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.store.session import UnitOfWork

STALLED = """
SELECT j.id, j.attempts FROM procrastinate_jobs j
LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing' AND (
    w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %(seconds)s)
) FOR UPDATE OF j SKIP LOCKED
"""
AGAIN = "SELECT procrastinate_retry_job_v2(%(job)s, now(), NULL, NULL, NULL)"
GIVE_UP = "SELECT procrastinate_finish_job_v1(%(job)s, 'failed', false)"
NOTE = """
INSERT INTO job_problem (job_id, problem, "where", at)
VALUES (%(job)s, %(problem)s, %(where)s::text[], %(at)s)
ON CONFLICT (job_id)
DO UPDATE SET problem = excluded.problem, "where" = excluded."where", at = excluded.at
"""
# Jobs of a name that no task has never begin; others failed while the database was away.
NOTE_UNEXPLAINED = """
INSERT INTO job_problem (job_id, problem, at)
SELECT j.id, CASE WHEN j.task_name = ANY(%(tasks)s) THEN %(unknown)s ELSE %(no_task)s END, %(at)s
FROM procrastinate_jobs j
WHERE j.status = 'failed' AND NOT EXISTS (SELECT 1 FROM job_problem p WHERE p.job_id = j.id)
ON CONFLICT (job_id) DO NOTHING RETURNING job_id, problem
"""
FAILED = """
SELECT j.id, j.task_name, j.attempts, j.args, p.problem, p."where", p.at
FROM procrastinate_jobs j JOIN job_problem p ON p.job_id = j.id
WHERE j.status = 'failed' AND j.id < %(before)s ORDER BY j.id DESC LIMIT %(limit)s
"""
IS_FAILED = "SELECT status = 'failed' FROM procrastinate_jobs WHERE id = %(job)s FOR UPDATE"
COUNTS = "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status"

WORKER_DIED = "WorkerDied"
"""The problem of a job whose worker went away, again and again."""
NO_TASK = "TaskNotFound"
"""The problem of a job that is called as none of ours, after a change of version for example."""
NOT_NOTED = "NotNoted"
"""The problem of a job that failed when nothing could be noted."""

MOST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that was tried as often as it may be."""

    job_id: int
    task: str
    attempts: int
    arguments: dict[str, Any]
    problem: str
    """Class of the latest error."""
    where: list[str]
    """Where it was raised, as ``file:line function``, the outermost call first."""
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class JobFault:
    """Why a job failed, as ``serving.faults`` describes it."""

    error: str
    where: Sequence[str] = ()


def note_fault(work: UnitOfWork, job_id: int, fault: JobFault, at: datetime) -> None:
    """Note why a job failed, and where."""
    values = {"job": job_id, "problem": fault.error, "where": list(fault.where), "at": at}
    work.execute(NOTE, values)


def note_unexplained(
    work: UnitOfWork, tasks: Iterable[str], at: datetime
) -> Sequence[tuple[int, str]]:
    """Note what is known of failed jobs of which nothing is noted; give their numbers and problems.

    Parameters
    ----------
    work
        To note with.
    tasks
        The names of all tasks.
    at
        Now.
    """
    values = {"tasks": list(tasks), "unknown": NOT_NOTED, "no_task": NO_TASK, "at": at}
    return [tuple(row) for row in work.execute(NOTE_UNEXPLAINED, values)]


def recover_stalled(
    work: UnitOfWork, seconds: float, most_attempts: int, at: datetime
) -> tuple[int, int]:
    """Put jobs of workers that give no sign of life back in the queue.

    A job that took its worker down with it as often as it may is set aside: it is likely the cause.

    Returns
    -------
    tuple of int
        How many run again, and how many were set aside.
    """
    stalled = list(work.execute(STALLED, {"seconds": seconds}))
    given_up = [job for job, attempts in stalled if attempts + 1 >= most_attempts]
    for job, _ in stalled:
        if job in given_up:
            work.execute(GIVE_UP, {"job": job})
            note_fault(work, job, JobFault(WORKER_DIED), at)
        else:
            work.execute(AGAIN, {"job": job})
    return len(stalled) - len(given_up), len(given_up)


def list_failed(work: UnitOfWork, before: int | None, limit: int) -> Sequence[FailedJob]:
    """List jobs that failed for good, newest first."""
    asked = {"before": MOST_NUMBER if before is None else before, "limit": limit}
    return [FailedJob(*row) for row in work.execute(FAILED, asked)]


def try_again(work: UnitOfWork, job_id: int) -> bool:
    """Put a job that failed for good back in the queue; tell whether there was one."""
    if not work.execute(IS_FAILED, {"job": job_id}).scalar():
        return False
    work.execute("UPDATE procrastinate_jobs SET attempts = 0 WHERE id = %(job)s", {"job": job_id})
    work.execute(AGAIN, {"job": job_id})
    return True


def count_jobs(work: UnitOfWork) -> dict[str, int]:
    """Count jobs by status."""
    return {row[0]: row[1] for row in work.execute(COUNTS)}
