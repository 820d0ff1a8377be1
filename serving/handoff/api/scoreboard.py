"""GET /v1/sla and /sla: SLA targets of both sides, what was achieved, and the trend."""

from datetime import datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import HTMLResponse, Response

from serving.auth.guard import require
from serving.handoff.playbook.repository import read_agreed
from serving.handoff.scoreboard.period import ReportingPeriod, choose_span
from serving.handoff.scoreboard.queries import read_promised, read_records
from serving.handoff.scoreboard.rules import Axis, Line, build_scoreboard, build_scoreboards
from serving.leads.schemas import AsOf
from serving.store.dependencies import Reading
from serving.store.session import UnitOfWork
from serving.web.pages import PAGE_POLICY, build_scoreboard_page
from serving.web_api.dependencies import Now
from serving.web_api.openapi import describe_problems

router = APIRouter(tags=["handoff"], dependencies=[require("scoreboard:read")])

MOST_POINTS = 12
"""Most points of a trend."""


class Trend(BaseModel):
    """How one SLA target was met, period by period."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    promise: str
    goal: float
    """Of the whole period; a number of leads is that of each of its parts."""
    is_number: bool
    """Whether goal and reached are numbers of leads; shares otherwise."""
    reached: list[float | None]
    """Oldest first; null where there are too few leads."""


class Scoreboard(BaseModel):
    """SLA of both sides: agreed and achieved."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    since: datetime
    until: datetime
    as_of: datetime
    playbook_version: str
    """Whose shares are the goals; each lead's times are those of the version it was handed over by."""
    lines: list[Line]
    """Marketing's targets first, then those of sales, then the goals of both."""
    by: Axis | None
    parts: dict[str, list[Line]]
    """The same by team, seller or source, where that was asked for."""
    trend: list[Trend]


def read_scoreboard(
    work: UnitOfWork, span: ReportingPeriod, at: datetime, by: Axis | None = None
) -> Scoreboard:
    """Compute the scoreboard of a period from the records known at a moment."""
    agreed, promised = read_agreed(work), read_promised(work)
    clocks, handoffs = read_records(work, agreed, span, at)
    lines = build_scoreboard(promised, clocks, handoffs, span, at)
    count = min(MOST_POINTS, max(2, (span.end - span.start) // timedelta(days=7)))
    step = (span.end - span.start) / count
    points = [
        build_scoreboard(promised, clocks, handoffs, part, at)
        for part in (
            ReportingPeriod(span.start + n * step, span.start + (n + 1) * step)
            for n in range(count)
        )
    ]
    return Scoreboard(
        since=span.start,
        until=span.end,
        as_of=at,
        playbook_version=agreed.version,
        lines=lines,
        by=by,
        parts=build_scoreboards(promised, clocks, handoffs, span, at, by) if by else {},
        trend=[
            Trend(
                promise=line.promise,
                goal=line.goal / count if line.is_number else line.goal,
                is_number=line.is_number,
                reached=[point[n].reached for point in points],
            )
            for n, line in enumerate(lines)
        ],
    )


@router.get("/v1/sla", responses=describe_problems(422, 503))
def sla(
    work: Reading, now: Now, since: AsOf = None, until: AsOf = None, by: Axis | None = None
) -> Scoreboard:
    """Give the SLA of both sides: what was agreed, what was achieved, and the trend."""
    return read_scoreboard(work, choose_span(since, until, now), now, by)


@router.get("/sla", include_in_schema=False)
def sla_page(
    work: Reading, now: Now, since: AsOf = None, until: AsOf = None, by: Axis | None = None
) -> Response:
    """Show the same as a page."""
    found = read_scoreboard(work, choose_span(since, until, now), now, by)
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return HTMLResponse(build_scoreboard_page(found.model_dump()), headers=headers)
