"""``[goals]``: what both teams want together, and how a version of the playbook is agreed."""

from typing import Annotated, Literal

from pydantic import Field

from serving.handoff.playbook.sections.section import Section, Words

Period = Literal["week", "month", "quarter"]

Measure = Literal["handoffs", "accepted", "sqls", "won", "accepted_share", "sql_share"]
"""What a target counts: leads per period, or a share of those handed over."""


class GoalTarget(Section):
    """``[[goals.targets]]``: a number both teams are measured by."""

    measure: Measure
    """What is counted."""
    at_least: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
    """Leads per period, or a share from 0 to 1."""
    period: Period = "month"
    """In what span of time."""


class Goals(Section):
    """``[goals]``: what both teams want together."""

    statement: Words = (
        "Every lead is worked by somebody, sales gets leads it wants to call, and marketing learns "
        "the outcome."
    )
    """The common objective, in a sentence that both teams would sign."""
    outcome: Literal["sql", "opportunity", "won"] = "sql"
    """What the score predicts."""
    horizon_days: Annotated[int, Field(ge=1, le=730)] = 30
    """Within how many days."""
    targets: tuple[GoalTarget, ...] = (
        GoalTarget(measure="sqls", at_least=20),
        GoalTarget(measure="accepted_share", at_least=0.7),
    )
    """Numbers both teams are measured by."""
    one_person_for_both: bool = False
    """Whether one person may agree for both sides, as in firms where one does both jobs."""
