"""Pursuits of a span of time, read from the store: each lead's plan, and the attempts made at it."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import exists, select

from serving.handoff.lifecycle.clocks import as_attempt
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.playbook.sections.pursuit import Plan, Pursuit
from serving.handoff.pursuit.rules import ContactAttempt, find_plan
from serving.handoff.scoreboard.period import ReportingPeriod
from serving.store.session import UnitOfWork
from serving.store.tables import Attempt as AttemptRow
from serving.store.tables import Handoff, HandoffMove

TOOK = (Signal.ACCEPT.value, Signal.ATTEMPT.value)


@dataclass(frozen=True)
class Pursued:
    """A lead that sales took, and what was done to reach it."""

    plan: Plan
    attempts: tuple[ContactAttempt, ...]


def read_pursuits(work: UnitOfWork, section: Pursuit, span: ReportingPeriod) -> list[Pursued]:
    """Read the pursuits of leads handed over in a span and taken by sales."""
    took = exists().where(
        HandoffMove.handoff_id == Handoff.handoff_id,
        HandoffMove.origin == State.ASSIGNED.value,
        HandoffMove.signal.in_(TOOK),
    )
    asked = select(Handoff.handoff_id, Handoff.segments).where(
        Handoff.handed_at >= span.start, Handoff.handed_at < span.end, took
    )
    taken = {str(handoff_id): segments for handoff_id, segments in work.session.execute(asked)}
    made: dict[str | None, list[ContactAttempt]] = defaultdict(list)
    rows = select(AttemptRow).where(AttemptRow.handoff_id.in_(taken)).order_by(AttemptRow.at)
    for row in work.session.scalars(rows):
        attempt = as_attempt(row)
        if attempt is not None:
            made[row.handoff_id].append(attempt)
    return [
        Pursued(find_plan(section, [str(s) for s in segments]), tuple(made[handoff_id]))
        for handoff_id, segments in taken.items()
    ]
