"""Jobs put off in the transaction that decided them: the job is there if, and only if, that landed."""

import json
from datetime import datetime
from typing import Any

from serving.store.session import UnitOfWork

QUEUE = "baton"
"""The one queue."""

# The very function procrastinate defers by; its own connection would be another transaction.
DEFER = """
SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, %(task)s, %(priority)s, %(lock)s, NULL, %(args)s::jsonb, %(at)s
)::procrastinate_job_to_defer_v1])
"""


def defer(
    work: UnitOfWork,
    task: str,
    arguments: dict[str, Any],
    *,
    at: datetime | None = None,
    lock: str | None = None,
    priority: int = 0,
) -> int:
    """Put a job off; give its number.

    Parameters
    ----------
    work
        The transaction it belongs to.
    task
        Name of the task, as ``serving.jobs`` knows it.
    arguments
        What the task is told; ids and counts, nothing personal.
    at
        Not before this moment; at once if left out.
    lock
        Jobs of one lock run one after the other, in the order they were put off.
    priority
        Higher goes first.
    """
    values = {"queue": QUEUE, "task": task, "priority": priority, "lock": lock, "at": at}
    numbers = work.execute(DEFER, {**values, "args": json.dumps(arguments)}).scalar()
    return int(numbers[0])
