"""Why jobs failed, and where: procrastinate keeps neither. Every failure goes through here."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from serving.faults import describe_fault
from serving.jobs.queries import JobFault, note_fault
from serving.jobs.tasks import JobResources
from serving.store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from procrastinate import JobContext
    from procrastinate.worker import Worker

log = structlog.get_logger(__name__)

CallNext = Callable[[], Awaitable[Any]]
Recorder = Callable[[CallNext, "JobContext", "Worker"], Awaitable[Any]]


def build_recorder(resources: JobResources) -> Recorder:
    """Build what procrastinate's worker wraps around each job: it notes why a job failed, and where.

    Around the job as a whole, so that arguments a task cannot take are noted like all else.
    """

    def note(job_id: int, fault: JobFault) -> None:
        with resources.store.work() as work:
            note_fault(work, job_id, fault, resources.now())

    async def record_failure(call_next: CallNext, context: "JobContext", worker: "Worker") -> Any:  # noqa: ARG001 - procrastinate hands it over
        try:
            return await call_next()
        except Exception as error:
            fault, job = describe_fault(error), context.job
            log.error("job_failed", job=job.id, task=job.task_name, **fault)  # noqa: TRY400 - a traceback may hold values
            try:
                await asyncio.to_thread(note, job.id or 0, JobFault(**fault))
            except StoreUnavailableError:
                log.warning("job_fault_not_noted", job=job.id)
            raise

    return record_failure
