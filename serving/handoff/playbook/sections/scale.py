"""``[bands]`` and ``[points]``: the bands of the score, and the marketing team's own points table."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from serving.handoff.playbook.sections.section import Section

Edge = Annotated[float, Field(gt=0, lt=100)]
MOST_STEPS = 1000
"""As training counts them: more would make a model of one rule."""
Number = Annotated[float, Field(allow_inf_nan=False)]


class Bands(Section):
    """``[bands]``: from how many points on a lead is in which band; below C is D."""

    A: Edge = 65.0
    B: Edge = 55.0
    C: Edge = 45.0

    @model_validator(mode="after")
    def _fall(self) -> Self:
        if not self.A > self.B > self.C:
            raise ValueError("the edges do not fall from A to C; A needs the most points.")
        return self


class PointsRule(Section):
    """``[[points.rule]]``: what one fact about a lead gives."""

    feature: Annotated[str, Field(min_length=1)]
    """A feature, as `baton features list` names it."""
    points: Number | None = None
    """Points it gives, or takes where negative; ten double the odds."""
    at_least: Number | None = None
    """From when on it counts (a number)."""
    is_: tuple[str, ...] | None = Field(default=None, alias="is")
    """For which values it counts (a category)."""
    unknown: bool = False
    """Whether it counts where nothing is known."""
    each: Number | None = None
    """Points for each one counted, in place of at_least and points."""
    most: Number | None = None
    """Most points that `each` gives."""

    @model_validator(mode="after")
    def _count_one_way(self) -> Self:
        ways = (
            self.at_least is not None,
            self.is_ is not None,
            self.unknown,
            self.each is not None,
        )
        if sum(ways) != 1:
            raise ValueError(
                f"the rule for {self.feature} must count one way; give it one of at_least, is, "
                "unknown and each."
            )
        if self.each is None and (self.points is None or self.most is not None):
            raise ValueError(f"the rule for {self.feature} must say points, and no most.")
        if self.each is not None:
            self._check_each(self.each)
        return self

    def _check_each(self, each: float) -> None:
        if self.points is not None or self.most is None or not each or self.most / each <= 0:
            raise ValueError(
                f"the rule for {self.feature} has each; give it most, of the same sign, and no "
                "points."
            )
        if self.most / each > MOST_STEPS:
            raise ValueError(
                f"the rule for {self.feature} takes more than {MOST_STEPS} steps from each to "
                "most; let each be larger or most smaller."
            )


class Points(Section):
    """``[points]``: the points table of `baton cold-start` and `baton train --points`."""

    rule: tuple[PointsRule, ...] = ()
    """Rules; without any, Baton's own table is used."""
