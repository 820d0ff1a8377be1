"""``[oversight]``: how rejections are looked at by people who belong to neither team."""

from typing import Annotated, Literal

from pydantic import Field

from serving.handoff.playbook.sections.section import Count, Days, Section, Share

Stratum = Literal["source", "seller", "reason", "rule"]


class Oversight(Section):
    """``[oversight]``: the monthly look at rejected leads."""

    sample_per_month: Count = 20
    """Rejected leads that the overseer looks at each month; fewer if there were fewer."""
    strata: tuple[Stratum, ...] = ("reason", "source")
    """Rejections are drawn evenly over the combinations of these, so that no corner is unseen."""
    least_per_stratum: Count = 1
    """Least number drawn of each combination, as far as the sample goes."""
    seed: Annotated[int, Field(ge=0)] = 7
    """Where the lot starts: the same month is drawn alike by whoever repeats it."""
    review_days: Days = 10.0
    """Days the overseer has for a month's sample."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of the intervals around rates."""
    least_cell: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Rates of fewer leads are not shown: they would say more of a person than of a pattern."""
    overturned_above: Share = 0.25
    """Share of overturned rejections that calls for a change, once its interval lies above it."""
    accepted_below: Share = 0.6
    """Share of accepted handoffs that calls for a change, once its interval lies below it."""
    unclear_above: Share = 0.2
    """Share of findings "definition unclear" that calls for other words, likewise."""
