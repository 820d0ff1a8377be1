"""``[pursuit]``: how persistently, over which channels and in which order sales pursues a lead."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.playbook.sections.section import Count, Name, Section, Words


class Step(Section):
    """``[[pursuit.plans.steps]]``: one attempt of a plan."""

    day: Annotated[int, Field(ge=0, le=365)]
    """Days after acceptance: 0 is the same day."""
    channel: Channel
    """How the lead is tried."""
    template: Name | None = None
    """Words for it, a name of `[packet.templates]`; left out: the seller's own."""


class Persistence(Section):
    """``[pursuit.plans.persistence]``: what must be tried before a lead may be given up."""

    attempts: Annotated[int, Field(ge=0, le=50)] = 6
    """Least number of attempts."""
    over_days: Annotated[float, Field(ge=0, le=365)] = 10.0
    """Least days between the first and the last of them: six calls in one morning are one."""
    channels: Annotated[int, Field(ge=0, le=4)] = 2
    """Least number of different channels."""


class Plan(Section):
    """``[[pursuit.plans]]``: the plan for some segments."""

    name: Name
    segments: tuple[Words, ...] = ()
    """Segments it is for; empty: everyone whom no plan before it takes. A hand-raiser is in the
    segment `hand_raiser`, besides that of its lead."""
    steps: tuple[Step, ...] = Field(min_length=1)
    """In order of their days."""
    persistence: Persistence = Persistence()

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        for before, after in pairwise(steps):
            if after.day < before.day:
                raise ValueError(
                    f"a step on day {after.day} stands after one on day {before.day}; "
                    "write the steps in the order of their days."
                )
        return steps

    @model_validator(mode="after")
    def _persist_as_planned(self) -> "Plan":
        asked = self.persistence
        if asked.attempts > len(self.steps):
            raise ValueError(
                f"persistence asks for {asked.attempts} attempts, but the plan has "
                f"{len(self.steps)} steps; add steps or ask for fewer attempts."
            )
        if asked.channels > len({step.channel for step in self.steps}):
            raise ValueError(
                f"persistence asks for {asked.channels} channels, but the steps use fewer; "
                "add a step on another channel or ask for fewer."
            )
        if asked.over_days > self.steps[-1].day - self.steps[0].day:
            raise ValueError(
                f"persistence asks for {asked.over_days:g} days between the first and the last "
                "attempt, but the steps cover fewer; plan a later step or ask for fewer days."
            )
        return self


def _steps(*given: tuple[int, Channel, str]) -> tuple[Step, ...]:
    return tuple(Step(day=day, channel=channel, template=name) for day, channel, name in given)


_PLANS = (
    Plan(
        name="hand_raiser",
        segments=("hand_raiser",),
        steps=_steps(
            (0, Channel.CALL, "call_requested"),
            (0, Channel.EMAIL, "email_follow_up"),
            (1, Channel.CALL, "call_requested"),
            (3, Channel.CALL, "call_requested"),
            (5, Channel.EMAIL, "email_follow_up"),
            (8, Channel.CALL, "call_requested"),
            (12, Channel.EMAIL, "email_last"),
        ),
        persistence=Persistence(attempts=7, over_days=10.0, channels=2),
    ),
    Plan(
        name="standard",
        steps=_steps(
            (0, Channel.CALL, "call_first"),
            (1, Channel.EMAIL, "email_first"),
            (3, Channel.CALL, "call_first"),
            (6, Channel.SOCIAL, "social_follow_up"),
            (9, Channel.EMAIL, "email_follow_up"),
            (14, Channel.EMAIL, "email_last"),
        ),
    ),
)


class Pursuit(Section):
    """``[pursuit]``: how sales pursues what it accepted."""

    plans: tuple[Plan, ...] = _PLANS
    """The first that is for a lead's segment is its plan; the last must be for everyone."""
    grace_hours: Annotated[float, Field(ge=0, le=24 * 60)] = 24.0
    """Hours after its day begins until a step that was not made counts as overdue."""
    least_attempts_shown: Count = 5
    """Results by attempt number and channel are shown for cells of at least so many attempts."""

    @model_validator(mode="after")
    def _leave_nobody_out(self) -> "Pursuit":
        if not self.plans or self.plans[-1].segments:
            raise ValueError(
                "plans: the last one must be for everyone; add a plan without segments at the end."
            )
        names = [plan.name for plan in self.plans]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"plans: two are called {name!r}; give one another name.")
        for plan in self.plans[:-1]:
            if not plan.segments:
                raise ValueError(
                    f"plans: {plan.name!r} takes everyone, so those after it are never used; give "
                    "it segments or move it to the end."
                )
        return self
