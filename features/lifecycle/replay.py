"""Replay a lead's stage changes: what stood at a moment, as far as was known then. Pure."""

from dataclasses import dataclass

from features.lifecycle.reasons import Finding
from features.lifecycle.stages import CLOSED, REOPENING, Stage, reaches
from features.lifecycle.targets import WITH_SALES, Target


@dataclass(frozen=True)
class StageChange:
    """One move of one lead. Times are microseconds since the epoch."""

    at: int
    known_at: int
    stage: Stage
    finding: Finding | None = None
    """Of a return whose reason says so."""

    def fulfils(self, target: Target) -> bool:
        """Whether this is the event that was predicted, or means that it has been."""
        return self.stage in reaches(target.stage) and target.finding in {None, self.finding}


@dataclass(frozen=True)
class Standing:
    """Where a lead stood at a moment, as far as was known then."""

    stage: Stage
    since: int | None
    """When the present stage was entered; None for a lead that never moved."""
    reached: bool
    """Whether the target was reached in the present cycle."""
    target: Target

    @property
    def is_open(self) -> bool:
        """Whether there is still something to predict.

        Only a lead that stands with sales can be given back, and again after the next handoff.
        """
        if self.target.stage is Stage.RETURNED:
            return self.stage in WITH_SALES
        return not self.reached and self.stage not in CLOSED


def standing_at(changes: list[StageChange], as_of: int, target: Target) -> Standing:
    """Tell where a lead stood at ``as_of``, from what was known strictly before it.

    Parameters
    ----------
    changes
        The lead's stage changes in order of ``(at, funnel_position(stage))``.
    as_of
        The moment of looking, microseconds since the epoch.
    target
        What is predicted.
    """
    goal = reaches(target.stage)
    stage, since, reached = Stage.LEAD, None, False
    for change in changes:
        if change.at >= as_of or change.known_at >= as_of:
            continue
        if change.stage in REOPENING and change.stage not in goal:
            reached = False
        reached = reached or change.stage in goal
        stage, since = change.stage, change.at
    return Standing(stage, since, reached, target)
