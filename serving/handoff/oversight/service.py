"""What is done in oversight: a month's sample is drawn once, findings are added, the report is made."""

from datetime import date, datetime, timedelta

from serving.errors import RefusedError
from serving.handoff.oversight.queries import (
    Case,
    bounds_of,
    build_case,
    list_cases,
    read_answered,
    read_rejections,
    read_reviews,
)
from serving.handoff.oversight.report import MonthlyReport, build_report
from serving.handoff.oversight.rules import ReviewFinding, draw_sample, month_rng
from serving.handoff.playbook.notifications import Notification, enqueue_notification
from serving.handoff.playbook.repository import read_agreed
from serving.store.session import UnitOfWork
from serving.store.tables import OversightFinding

TURN = 0x6F766572
"""Key of the advisory lock under which a month is drawn: by one at a time."""


class MonthNotOverError(RefusedError):
    """A month whose rejections are not all there yet."""

    status, slug, title = 409, "month-not-over", "The month is not over"
    fix = "Draw once it is: what is returned after the draw would never be reviewed."

    def __init__(self, month: date) -> None:
        self.month = month
        super().__init__(f"{month:%Y-%m} is not over yet, by UTC.")


class NoSuchCaseError(RefusedError):
    """No case of this number was drawn."""

    status, slug, title = 404, "no-such-case", "No such case"
    fix = "GET /v1/oversight/cases lists those there are."

    def __init__(self, case_id: int) -> None:
        self.case_id = case_id
        super().__init__(f"There is no case {case_id}.")


def draw_month(work: UnitOfWork, month: date, at: datetime) -> list[Case]:
    """Draw the sample of a month, or give the one that was drawn.

    The seed is the playbook's and the month's, so that anybody can repeat the draw.

    Raises
    ------
    MonthNotOverError
        If more may still be given back in it.
    """
    if at < bounds_of(month)[1]:
        raise MonthNotOverError(month)
    work.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": TURN})
    drawn = list_cases(work, month)
    if drawn:
        return drawn
    section = read_agreed(work).playbook.oversight
    due_at = at + timedelta(days=section.review_days)
    rejections = read_rejections(work, month)
    for sampled in draw_sample(rejections, section, month_rng(section, month)):
        work.session.add(build_case(sampled, month, at, due_at))
    work.session.flush()
    return list_cases(work, month)


def draw_last_month(work: UnitOfWork, at: datetime) -> int:
    """Draw the sample of the month before this one, if nobody did; give how many cases it has."""
    last = (at.date().replace(day=1) - timedelta(days=1)).replace(day=1)
    return len(draw_month(work, last, at))


def get_case(work: UnitOfWork, case_id: int) -> Case:
    """Get a case.

    Raises
    ------
    NoSuchCaseError
        If none of this number was drawn.
    """
    found = list_cases(work, case_id=case_id)
    if not found:
        raise NoSuchCaseError(case_id)
    return found[0]


def add_finding(
    work: UnitOfWork, case_id: int, finding: ReviewFinding, note: str | None, by: str, at: datetime
) -> Case:
    """Add what the overseer found; the newest counts, and none is changed.

    Raises
    ------
    NoSuchCaseError
        If none of this number was drawn.
    """
    case = get_case(work, case_id)
    row = OversightFinding(case_id=case_id, finding=finding.value, note=note, by=by, at=at)
    work.session.add(row)
    work.session.flush()
    # The note stays out of it: people write names in notes.
    because = f"Case {case_id} of {case.row.month:%Y-%m}: {finding.value.replace('_', ' ')}."
    enqueue_notification(
        work,
        Notification(
            key=f"finding:{row.finding_number}",
            event="finding",
            because=because,
            at=at,
            lead_id=case.handoff.lead_id,
            handoff_id=str(case.handoff.handoff_id),
            facts={"finding": finding.value, "month": f"{case.row.month:%Y-%m}"},
        ),
    )
    return get_case(work, case_id)


def report_month(work: UnitOfWork, month: date) -> MonthlyReport:
    """Make the report of a month from what was recorded."""
    return build_report(
        month,
        read_answered(work, month),
        read_rejections(work, month),
        read_reviews(list_cases(work, month)),
        read_agreed(work).playbook.oversight,
    )
