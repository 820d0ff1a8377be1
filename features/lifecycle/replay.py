"""Replay a lead's stage changes: what stood at a moment, and what came after it. Pure."""

from dataclasses import dataclass

from features.lifecycle.stages import CLOSED, REOPENING, Stage, reaches


@dataclass(frozen=True)
class StageChange:
    """One move of one lead. Times are microseconds since the epoch."""

    at: int
    known_at: int
    stage: Stage


@dataclass(frozen=True)
class Standing:
    """Where a lead stood at a moment, as far as was known then."""

    stage: Stage
    since: int | None
    """When the present stage was entered; None for a lead that never moved."""
    reached: bool
    """Whether the target was reached in the present cycle."""

    @property
    def is_open(self) -> bool:
        """Whether there is still something to predict."""
        return not self.reached and self.stage not in CLOSED


def standing_at(changes: list[StageChange], as_of: int, target: Stage) -> Standing:
    """Tell where a lead stood at ``as_of``, from what was known strictly before it.

    Parameters
    ----------
    changes
        The lead's stage changes in order of ``(at, funnel_position(stage))``.
    as_of
        The moment of looking, microseconds since the epoch.
    target
        The stage whose reaching is predicted.
    """
    goal = reaches(target)
    stage, since, reached = Stage.LEAD, None, False
    for change in changes:
        if change.at >= as_of or change.known_at >= as_of:
            continue
        if change.stage in REOPENING and change.stage not in goal:
            reached = False
        reached = reached or change.stage in goal
        stage, since = change.stage, change.at
    return Standing(stage, since, reached)


def first_reached(changes: list[StageChange], start: int, target: Stage) -> StageChange | None:
    """Find the first change that reaches the target at or after ``start``, whenever known."""
    goal = reaches(target)
    return next((c for c in changes if c.at >= start and c.stage in goal), None)
