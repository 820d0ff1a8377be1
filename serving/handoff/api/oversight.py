"""/v1/oversight: a month's sample of rejected leads, what the overseer finds, and the report."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi import Path as PathParameter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serving.auth.guard import Caller, require
from serving.errors import RefusedError
from serving.handoff.oversight.queries import Case, list_cases
from serving.handoff.oversight.render import write_report
from serving.handoff.oversight.report import MonthlyReport
from serving.handoff.oversight.rules import ReviewFinding, Ruling
from serving.handoff.oversight.service import add_finding, draw_month, get_case, report_month
from serving.store.dependencies import Reading, Work
from serving.web_api.dependencies import Now, check_json
from serving.web_api.openapi import describe_problems
from serving.web_api.text_types import NO_NUL

router = APIRouter(
    prefix="/v1/oversight", tags=["oversight"], dependencies=[require("rejections:review")]
)
report_router = APIRouter(
    prefix="/v1/oversight", tags=["oversight"], dependencies=[require("oversight:read")]
)

MOST_NUMBER = 2**63 - 1
CaseId = Annotated[int, PathParameter(ge=1, le=MOST_NUMBER)]
MonthText = Annotated[
    str, PathParameter(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-03"])
]


def read_month(month: MonthText) -> date:
    """Read a month such as ``2026-03``."""
    return date(int(month[:4]), int(month[5:]), 1)


Month = Annotated[date, Depends(read_month)]


class FoundOut(BaseModel):
    """What the overseer found."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    finding: ReviewFinding
    note: str | None
    by: str
    at: datetime


class CaseOut(BaseModel):
    """A rejected lead, drawn at random for the overseer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    case_id: int
    month: str
    handoff_id: int
    lead_id: str
    ruling: Ruling
    """What the rule says."""
    because: str
    reason: str | None
    """Why sales gave it back."""
    reason_text: str | None
    trigger: str
    playbook_version: str
    stratum: list[str]
    weight: float
    """Number of rejections of its stratum that it represents."""
    drawn_at: datetime
    due_at: datetime
    found: FoundOut | None
    """The newest finding; the seller is left out on purpose."""


class Cases(BaseModel):
    """Cases, newest month first."""

    cases: list[CaseOut]


class FindingIn(BaseModel):
    """What the overseer finds of a case."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    finding: ReviewFinding
    note: Annotated[str, Field(max_length=2_000, pattern=NO_NUL)] | None = None
    """In the overseer's words; it is not sent to anybody."""


def shape_case(case: Case) -> CaseOut:
    """Shape a case for the API."""
    row, handoff, found = case.row, case.handoff, case.finding
    return CaseOut(
        case_id=row.case_id,
        month=f"{row.month:%Y-%m}",
        handoff_id=row.handoff_id,
        lead_id=handoff.lead_id,
        ruling=Ruling(row.ruling),
        because=row.because,
        reason=handoff.reason,
        reason_text=handoff.reason_text,
        trigger=handoff.trigger,
        playbook_version=handoff.playbook_version,
        stratum=[str(part) for part in row.stratum],
        weight=row.weight,
        drawn_at=row.drawn_at,
        due_at=row.due_at,
        found=None
        if found is None
        else FoundOut(
            finding=ReviewFinding(found.finding), note=found.note, by=found.by, at=found.at
        ),
    )


@router.post("/{month}/draw", responses=describe_problems(409, 422, 503))
def draw(month: Month, work: Work, now: Now) -> Cases:
    """Draw a month's random sample, or give the one already drawn."""
    return Cases(cases=[shape_case(case) for case in draw_month(work, month, now)])


@router.get("/cases", responses=describe_problems(422, 503))
def cases(work: Reading, month: str | None = None) -> Cases:
    """List the cases, of one month if asked."""
    chosen = None if month is None else choose_month(month)
    return Cases(cases=[shape_case(case) for case in list_cases(work, chosen)])


class NoMonthError(RefusedError):
    """The parameter is not a month."""

    status, slug, title = 422, "no-month", "No such month"
    fix = "Write it as 2026-03."


def choose_month(text: str) -> date:
    """Read a month that was asked for.

    Raises
    ------
    NoMonthError
        If it is none.
    """
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NoMonthError("The month asked for is none.") from None


@router.get("/cases/{case_id}", responses=describe_problems(404, 422, 503))
def case(case_id: CaseId, work: Reading) -> CaseOut:
    """Show a case."""
    return shape_case(get_case(work, case_id))


@router.post(
    "/cases/{case_id}/findings",
    dependencies=[Depends(check_json)],
    responses=describe_problems(404, 415, 422, 503),
)
def find(case_id: CaseId, sent: FindingIn, work: Work, now: Now, caller: Caller) -> CaseOut:
    """Record a finding; the newest one counts."""
    return shape_case(add_finding(work, case_id, sent.finding, sent.note, caller.actor, now))


@report_router.get(
    "/{month}/report", responses=describe_problems(422, 503), response_model=MonthlyReport
)
def report(
    month: Month, work: Reading, accept: Annotated[str, Header()] = "application/json"
) -> MonthlyReport | Response:
    """Report a month: rates with their intervals, and what the next playbook might change.

    With ``Accept: text/markdown`` as a text for the meeting.
    """
    found = report_month(work, month)
    if "text/markdown" in accept:
        return PlainTextResponse(write_report(found), media_type="text/markdown")
    return found
