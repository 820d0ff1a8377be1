"""GET /v1/jobs/failed, POST /v1/jobs/{job_id}/retry: what failed for good, and another try."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict

from serving.auth.guard import require
from serving.errors import RefusedError
from serving.jobs.queries import MOST_NUMBER, FailedJob, list_failed, try_again
from serving.store.dependencies import Reading, Work
from serving.web_api.openapi import describe_problems

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[require("jobs:manage")])

JobId = Annotated[int, PathParameter(ge=1, le=MOST_NUMBER)]


class NoSuchJobError(RefusedError):
    """No job of this number failed."""

    status, slug, title = 404, "no-such-job", "No such failed job"
    fix = "GET /v1/jobs/failed lists those there are."

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(f"No job {job_id} has failed for good.")


class FailedJobs(BaseModel):
    """Jobs that were tried as often as they may be."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    jobs: list[FailedJob]
    """Newest first."""
    next_before: int | None
    """Ask with `before` of this for those before them; null if these were all."""


class Retried(BaseModel):
    """A job that is tried again."""

    job_id: int


@router.get(
    "/failed",
    summary="List jobs that failed for good",
    responses=describe_problems(401, 422, 503),
)
def failed(
    work: Reading,
    before: Annotated[int | None, Query(ge=1, le=MOST_NUMBER)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> FailedJobs:
    """List the jobs that failed for good: of which class their latest error is, and where it was raised."""
    jobs = list_failed(work, before, limit + 1)
    more = len(jobs) > limit
    return FailedJobs(
        jobs=list(jobs[:limit]), next_before=jobs[limit - 1].job_id if more else None
    )


@router.post(
    "/{job_id}/retry",
    summary="Try a failed job again",
    responses=describe_problems(401, 404, 422, 503),
)
def retry(work: Work, job_id: JobId) -> Retried:
    """Put a job that failed for good back in the queue, with all its attempts before it."""
    if not try_again(work, job_id):
        raise NoSuchJobError(job_id)
    return Retried(job_id=job_id)
