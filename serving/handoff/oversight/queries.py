"""Rejections, cases and findings as the store keeps them, in the words of the rules of oversight."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from serving.handoff.machine.transitions import Signal, State
from serving.handoff.oversight.report import Answered, Review
from serving.handoff.oversight.rules import (
    Checked,
    DefinitionFacts,
    Rejection,
    ReviewFinding,
    Ruling,
    Sampled,
    check_rejection,
)
from serving.handoff.playbook.sections.returns import SalesReason
from serving.handoff.playbook.sections.triggers import Trigger
from serving.handoff.scoreboard.queries import ANSWERS
from serving.store.session import UnitOfWork
from serving.store.tables import Handoff, HandoffMove, OversightCase, OversightFinding

GIVEN_BACK = (State.REJECTED.value, State.RETURNED.value, State.GIVEN_UP.value)
"""States in which sales has given a lead back."""


def bounds_of(month: date) -> tuple[datetime, datetime]:
    """Give the moments between which a month lies, ``[start, end)``, by UTC.

    >>> bounds_of(date(2026, 12, 1))[1].isoformat()
    '2027-01-01T00:00:00+00:00'
    """
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return tuple(datetime(d.year, d.month, 1, tzinfo=UTC) for d in (month, following))  # type: ignore[return-value]


def read_rejections(work: UnitOfWork, month: date) -> list[Rejection]:
    """Read what sales gave back in a month, in the order of the handoffs."""
    start, end = bounds_of(month)
    asked = select(Handoff).where(
        Handoff.closed_at >= start, Handoff.closed_at < end, Handoff.state.in_(GIVEN_BACK)
    )
    return [
        read_rejection(row) for row in work.session.scalars(asked.order_by(Handoff.handoff_id))
    ]


def read_rejection(row: Handoff) -> Rejection:
    """Read a handoff that was given back as oversight sees it."""
    stored = row.definition
    met = stored.get("mql")
    reasons = set(SalesReason)
    usual = SalesReason.UNREACHABLE if row.state == State.GIVEN_UP else SalesReason.OTHER
    return Rejection(
        handoff_id=str(row.handoff_id),
        lead_id=row.lead_id,
        handed_at=row.handed_at or row.decided_at,
        rejected_at=row.closed_at or row.since,
        reason=SalesReason(row.reason) if row.reason in reasons else usual,
        trigger=Trigger(row.trigger),
        playbook_version=row.playbook_version,
        definition=DefinitionFacts(
            met if met in {"met", "failed"} else "unknown",
            tuple(stored.get("failing", ())),
            tuple(stored.get("unknown", ())),
        ),
        source=row.source,
        seller=row.seller_id,
    )


def read_answered(work: UnitOfWork, month: date) -> list[Answered]:
    """Read the handoffs that sales first answered in a month."""
    start, end = bounds_of(month)
    signals = {signal.value for _, signal in ANSWERS}
    asked = (
        select(HandoffMove, Handoff)
        .join(Handoff, Handoff.handoff_id == HandoffMove.handoff_id)
        .where(HandoffMove.signal.in_(signals), HandoffMove.at >= start, HandoffMove.at < end)
        .order_by(HandoffMove.move_number)
    )
    answered: dict[int, Answered] = {}
    for move, row in work.session.execute(asked):
        accepted = ANSWERS.get((State(move.origin), Signal(move.signal)))
        if accepted is not None:
            handoff_answered = Answered(accepted, Trigger(row.trigger), row.source, row.seller_id)
            answered.setdefault(row.handoff_id, handoff_answered)
    return list(answered.values())


@dataclass(frozen=True)
class Case:
    """A case with its handoff and what was found, if anything was."""

    row: OversightCase
    handoff: Handoff
    finding: OversightFinding | None

    @property
    def sampled(self) -> Sampled:
        """The case as the rules see it."""
        row = self.row
        checked = Checked(Ruling(row.ruling), row.because)
        stratum = tuple(str(part) for part in row.stratum)
        return Sampled(read_rejection(self.handoff), checked, stratum, row.weight)


def list_cases(
    work: UnitOfWork, month: date | None = None, *, case_id: int | None = None
) -> list[Case]:
    """List cases, newest month first, each with its newest finding."""
    later = aliased(OversightFinding)
    newest = (
        select(func.max(later.finding_number))
        .where(later.case_id == OversightCase.case_id)
        .correlate(OversightCase)
        .scalar_subquery()
    )
    asked = (
        select(OversightCase, Handoff, OversightFinding)
        .join(Handoff, Handoff.handoff_id == OversightCase.handoff_id)
        .outerjoin(OversightFinding, OversightFinding.finding_number == newest)
        .order_by(OversightCase.month.desc(), OversightCase.case_id)
    )
    if month is not None:
        asked = asked.where(OversightCase.month == month)
    if case_id is not None:
        asked = asked.where(OversightCase.case_id == case_id)
    return [Case(row, handoff, finding) for row, handoff, finding in work.session.execute(asked)]


def read_reviews(cases: Sequence[Case]) -> list[Review]:
    """Read what was found on cases, as far as it was."""
    return [
        Review(case.sampled, ReviewFinding(case.finding.finding))
        for case in cases
        if case.finding is not None
    ]


def build_case(sampled: Sampled, month: date, at: datetime, due_at: datetime) -> OversightCase:
    """Build the row of a case."""
    checked = check_rejection(sampled.rejection)
    return OversightCase(
        handoff_id=int(sampled.rejection.handoff_id),
        month=month,
        ruling=checked.ruling.value,
        because=checked.because,
        stratum=list(sampled.stratum),
        weight=sampled.weight,
        drawn_at=at,
        due_at=due_at,
    )
