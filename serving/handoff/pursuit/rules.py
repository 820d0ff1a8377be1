"""How a lead is pursued: which step is next, what is overdue, when it may be given up. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from serving.handoff.intervals import Rate, find_rate
from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.playbook.sections.pursuit import Plan, Pursuit, Step
from serving.handoff.wording import format_count

PlaceDay = Callable[[datetime, int], datetime]
"""Gives the moment at which the day so many days after a start begins for the seller."""


@dataclass(frozen=True)
class ContactAttempt:
    """An attempt to reach the lead."""

    at: datetime
    channel: Channel
    reached: bool = False
    """Whether the lead was spoken with, or answered."""


def add_days(start: datetime, days: int) -> datetime:
    """Place a step so many days after the start, where nobody keeps a calendar."""
    return start + timedelta(days=days)


def find_plan(section: Pursuit, segments: Iterable[str]) -> Plan:
    """Find the plan of a lead: the first that names one of its segments, else that for everyone."""
    own = {segment.casefold() for segment in segments}
    for plan in section.plans:
        if not plan.segments or own & {segment.casefold() for segment in plan.segments}:
            return plan
    return section.plans[-1]


@dataclass(frozen=True)
class PlannedStep:
    """A step of the plan and what became of it."""

    number: int
    """From 1."""
    step: Step
    due_from: datetime
    overdue_from: datetime
    done_at: datetime | None

    def is_overdue(self, at: datetime) -> bool:
        """Whether it should have been made by then, and was not."""
        return self.done_at is None and at >= self.overdue_from


@dataclass(frozen=True)
class Progress:
    """How far a pursuit has come."""

    plan: str
    steps: tuple[PlannedStep, ...]
    beside_the_plan: int
    """Attempts that fulfil no step: another channel than planned, or more than planned."""
    next_step: PlannedStep | None
    """The first that is not done; None once all are, or the lead was reached."""
    overdue: tuple[PlannedStep, ...]
    because: str


def follow_plan(
    section: Pursuit,
    plan: Plan,
    accepted_at: datetime,
    attempts: Iterable[ContactAttempt],
    at: datetime,
    place: PlaceDay = add_days,
) -> Progress:
    """Tell which steps are done, which is next and which are overdue.

    An attempt fulfils the first step of its channel that is not done yet. Once the lead was reached
    the plan has served its purpose: nothing is due any more.

    Parameters
    ----------
    section, plan
        The playbook's section, and the lead's plan of it.
    accepted_at
        When the seller took the lead: day 0.
    attempts
        What was tried since; later ones than ``at`` do not count.
    at
        The moment of looking.
    place
        Where a day of the plan begins, by the seller's calendar.
    """
    made = sorted((a for a in attempts if a.at <= at), key=lambda a: a.at)
    done: dict[int, datetime] = {}
    beside = 0
    for attempt in made:
        open_steps = (
            number
            for number, planned in enumerate(plan.steps)
            if number not in done and planned.channel is attempt.channel
        )
        number = next(open_steps, None)
        if number is None:
            beside += 1
        else:
            done[number] = attempt.at
    steps = tuple(
        _planned(section, number, planned, place(accepted_at, planned.day), done.get(number))
        for number, planned in enumerate(plan.steps)
    )
    reached = next((a.at for a in made if a.reached), None)
    waiting = () if reached else tuple(s for s in steps if s.done_at is None)
    overdue = tuple(s for s in waiting if s.is_overdue(at))
    because = _describe_progress(plan, steps, reached, waiting, len(overdue))
    return Progress(plan.name, steps, beside, next(iter(waiting), None), overdue, because)


def _planned(
    section: Pursuit, number: int, step: Step, due_from: datetime, done_at: datetime | None
) -> PlannedStep:
    overdue_from = due_from + timedelta(hours=section.grace_hours)
    return PlannedStep(number + 1, step, due_from, overdue_from, done_at)


def _describe_progress(
    plan: Plan,
    steps: Sequence[PlannedStep],
    reached: datetime | None,
    waiting: Sequence[PlannedStep],
    n_overdue: int,
) -> str:
    if reached is not None:
        return f"The lead was reached on {reached:%Y-%m-%d}: no further step is due."
    if not waiting:
        return f"All {len(steps)} steps of the plan {plan.name} are done."
    first = waiting[0]
    late = f"; {n_overdue} overdue" if n_overdue else ""
    return (
        f"Step {first.number} of {len(steps)} ({first.step.channel.value}) is next, due from "
        f"{first.due_from:%Y-%m-%d %H:%M} UTC{late}."
    )


@dataclass(frozen=True)
class Persisted:
    """Whether enough was tried for a lead to be given up."""

    enough: bool
    attempts: int
    over_days: float
    channels: int
    because: str
    fix: str
    """What is still to be done; empty if nothing is."""


def find_persistence(plan: Plan, attempts: Iterable[ContactAttempt]) -> Persisted:
    """Tell whether the agreed attempts were made, and what is missing."""
    made = sorted(attempts, key=lambda a: a.at)
    asked = plan.persistence
    days = (made[-1].at - made[0].at) / timedelta(days=1) if made else 0.0
    channels = len({a.channel for a in made})
    missing = []
    if len(made) < asked.attempts:
        left = asked.attempts - len(made)
        missing.append(format_count(left, "more attempt", "more attempts"))
    if days < asked.over_days:
        missing.append(f"a last one {asked.over_days:g} days after the first")
    if channels < asked.channels:
        left = asked.channels - channels
        missing.append(format_count(left, "more channel", "more channels"))
    sentence = (
        f"{len(made)} of {asked.attempts} attempts, over {days:.1f} of {asked.over_days:g} days, "
        f"on {channels} of {asked.channels} channels"
    )
    verdict = "Not yet pursued as agreed" if missing else "Pursued as agreed"
    fix = f"Still to do: {', '.join(missing)}." if missing else ""
    because = f"{verdict} (plan {plan.name}): {sentence}."
    return Persisted(not missing, len(made), days, channels, because, fix)


@dataclass(frozen=True)
class ChannelShare:
    """A channel's part of all attempts, planned and made."""

    channel: Channel
    made: float
    planned: float


def mix_channels(
    plans: Iterable[Plan], attempts: Iterable[ContactAttempt]
) -> tuple[ChannelShare, ...]:
    """Compare the channels that were used with those of the plans, as shares of one.

    Parameters
    ----------
    plans
        The plan of each pursuit, once for each.
    attempts
        Of all these pursuits.
    """
    planned = Counter(step.channel for plan in plans for step in plan.steps)
    made = Counter(attempt.channel for attempt in attempts)
    return tuple(
        ChannelShare(
            channel,
            made[channel] / max(made.total(), 1),
            planned[channel] / max(planned.total(), 1),
        )
        for channel in Channel
    )


@dataclass(frozen=True)
class AttemptResult:
    """How often attempts of one number and channel reached the lead."""

    number: int
    """Of the attempt among those at its lead, from 1."""
    channel: Channel
    attempts: int
    reached: Rate


def count_results(
    section: Pursuit, pursuits: Iterable[Sequence[ContactAttempt]], confidence: float = 0.95
) -> tuple[AttemptResult, ...]:
    """Tell how often leads were reached, by number of the attempt and by channel.

    Attempts after the first that reached its lead do not count: they are conversations.
    """
    tried: Counter[tuple[int, Channel]] = Counter()
    reached: Counter[tuple[int, Channel]] = Counter()
    for attempts in pursuits:
        for number, attempt in enumerate(sorted(attempts, key=lambda a: a.at), start=1):
            tried[number, attempt.channel] += 1
            if attempt.reached:
                reached[number, attempt.channel] += 1
                break
    return tuple(
        AttemptResult(
            number,
            channel,
            count,
            find_rate(reached[number, channel], count, confidence, section.least_attempts_shown),
        )
        for (number, channel), count in sorted(tried.items())
    )
