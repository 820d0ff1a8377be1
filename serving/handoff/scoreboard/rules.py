"""One scoreboard for both sides: promised, done, broken, and how it changes. Pure arithmetic.

Marketing promises numbers and shares of a period, sales promises times and the share of them kept.
What is not due yet counts for neither side, so a period that has just begun accuses nobody.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from serving.handoff.machine.transitions import Clock
from serving.handoff.playbook.sections.goals import Period
from serving.handoff.playbook.sections.sla import MarketingPromise, Sla

Axis = Literal["team", "seller", "source"]

PERIOD_DAYS: dict[Period, float] = {"week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4}


@dataclass(frozen=True)
class ClockRecord:
    """A promise of time that was made about one lead."""

    clock: Clock
    started_at: datetime
    due_at: datetime | None
    """None while it is paused."""
    done_at: datetime | None = None
    team: str | None = None
    seller: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class HandoffRecord:
    """A lead that marketing handed over."""

    handed_at: datetime
    is_complete: bool
    """Whether its packet held all that is required."""
    accepted: bool | None = None
    """None: not answered yet."""
    answered_at: datetime | None = None
    team: str | None = None
    seller: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class ReportingPeriod:
    """The time that is looked at, ``[start, end)``."""

    start: datetime
    end: datetime

    @property
    def before(self) -> "ReportingPeriod":
        """The span of the same length before it."""
        return ReportingPeriod(self.start - (self.end - self.start), self.start)

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.start <= at < self.end


class SideName(StrEnum):
    """Whose promise it is."""

    MARKETING = "marketing"
    SALES = "sales"


@dataclass(frozen=True)
class Achieved:
    """What became of promises of one kind."""

    promised: int
    """Promises whose time has come: done, or due."""
    done: int
    """Of these, done, be it late."""
    breached: int
    """Of these, not done when they were due, be it done since."""
    open: int
    """Promises not due yet, or paused; counted nowhere else."""

    @property
    def share(self) -> float | None:
        """Share of promises kept in time; None where there were none."""
        return (self.promised - self.breached) / self.promised if self.promised else None


@dataclass(frozen=True)
class Line:
    """One promise on the scoreboard."""

    side: SideName
    promise: str
    """Such as ``answer``, ``handoffs`` or ``accepted_share``."""
    goal: float
    """Leads in this span of time, or the share that was promised."""
    reached: float | None
    """None where nothing can be said yet."""
    trend: float | None
    """Reached now, less reached in the span before; None where either is not known."""
    kept: bool | None
    because: str
    counts: Achieved | None = None


CLOCK_LINES: tuple[tuple[Clock, str], ...] = (
    (Clock.ANSWER, "answered_share"),
    (Clock.FIRST_CONTACT, "contacted_share"),
    (Clock.DECISION, "decided_share"),
)


def count_achieved(
    records: Iterable[ClockRecord], period: ReportingPeriod, at: datetime
) -> Achieved:
    """Count the promises of a span whose time has come by a moment.

    A promise belongs to the span in which its clock started.
    """
    promised = done = breached = open_ = 0
    for record in records:
        if not period.holds(record.started_at) or record.started_at > at:
            continue
        done_at = record.done_at if record.done_at and record.done_at <= at else None
        is_late = record.due_at is not None and (done_at or at) > record.due_at
        if done_at is None and not is_late:
            open_ += 1
            continue
        promised += 1
        done += done_at is not None
        breached += is_late
    return Achieved(promised, done, breached, open_)


def build_scoreboard(
    section: Sla,
    clocks: Sequence[ClockRecord],
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
) -> list[Line]:
    """Set what both sides promised beside what they did, marketing first.

    Parameters
    ----------
    section
        The promises.
    clocks, handoffs
        What happened, in any order; of this span and the one before it.
    period
        The time that is looked at.
    at
        The moment of looking.
    """
    return [
        *_list_marketing(section.marketing, handoffs, period, at),
        _count_clock(
            Clock.SUPPLY, "supplied_share", section.marketing.supplied_share, clocks, period, at
        ),
        *(
            _count_clock(clock, name, getattr(section.sales, name), clocks, period, at)
            for clock, name in CLOCK_LINES
        ),
    ]


def build_scoreboards(
    section: Sla,
    clocks: Sequence[ClockRecord],
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
    by: Axis,
) -> dict[str, list[Line]]:
    """Build a scoreboard for each team, seller or source, in order of their names.

    The number of leads is a promise of marketing as a whole and is left out of the parts.
    """
    names = {getattr(record, by) for record in (*clocks, *handoffs)} - {None}
    return {
        name: [
            line
            for line in build_scoreboard(
                section,
                [record for record in clocks if getattr(record, by) == name],
                [record for record in handoffs if getattr(record, by) == name],
                period,
                at,
            )
            if line.promise != "handoffs"
        ]
        for name in sorted(names)
    }


def _count_clock(
    clock: Clock,
    name: str,
    goal: float,
    clocks: Sequence[ClockRecord],
    period: ReportingPeriod,
    at: datetime,
) -> Line:
    """Set the share of promises of time that were kept beside the share promised."""
    own = [record for record in clocks if record.clock is clock]
    now, before = count_achieved(own, period, at), count_achieved(own, period.before, at)
    side = SideName.MARKETING if clock is Clock.SUPPLY else SideName.SALES
    sentence = (
        f"{now.promised - now.breached} of {now.promised} in time, {now.breached} broken, "
        f"{now.open} still open"
    )
    return _line(side, name, goal, now.share, before.share, sentence, now)


def _list_marketing(
    promise: MarketingPromise,
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
) -> Iterable[Line]:
    yield _count_volume(promise, handoffs, period, at)
    shares: tuple[tuple[str, float, Callable[[HandoffRecord], bool | None], str], ...] = (
        ("accepted_share", promise.accepted_share, lambda h: _is_accepted(h, at), "accepted"),
        ("complete_share", promise.complete_share, lambda h: h.is_complete, "complete"),
    )
    for name, goal, ask, word in shares:
        now = _answers(handoffs, period, at, ask)
        before = _answers(handoffs, period.before, at, ask)
        sentence = f"{sum(now)} of {len(now)} {word}"
        yield _line(SideName.MARKETING, name, goal, _mean(now), _mean(before), sentence)


def _is_accepted(handoff: HandoffRecord, at: datetime) -> bool | None:
    is_answered = handoff.answered_at is not None and handoff.answered_at <= at
    return handoff.accepted if is_answered else None


def _answers(
    handoffs: Iterable[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
    ask: Callable[[HandoffRecord], bool | None],
) -> list[bool]:
    """Ask each handoff of a span; those that cannot tell yet are left out."""
    answers_ = [ask(h) for h in handoffs if period.holds(h.handed_at) and h.handed_at <= at]
    return [answer for answer in answers_ if answer is not None]


def _mean(answers: Sequence[bool]) -> float | None:
    return sum(answers) / len(answers) if answers else None


def _count_volume(
    promise: MarketingPromise,
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
) -> Line:
    """Set leads handed over beside those promised for as much of the span as has passed."""
    passed = max(timedelta(), min(at, period.end) - period.start)
    goal = promise.handoffs * (passed / timedelta(days=PERIOD_DAYS[promise.period]))
    now = sum(period.holds(h.handed_at) and h.handed_at <= at for h in handoffs)
    # The span before is looked at as far as this one has come, so that like stands beside like.
    earlier = ReportingPeriod(period.before.start, period.before.start + passed)
    before = sum(earlier.holds(h.handed_at) for h in handoffs)
    sentence = (
        f"{now} leads handed over, {goal:.0f} promised for {passed / timedelta(days=1):.0f} days"
    )
    kept = None if not passed else now >= round(goal)
    return Line(
        SideName.MARKETING,
        "handoffs",
        goal,
        float(now),
        float(now - before),
        kept,
        f"{sentence}: {_describe_achieved(kept)}.",
    )


def _line(
    side: SideName,
    promise: str,
    goal: float,
    reached: float | None,
    before: float | None,
    sentence: str,
    counts: Achieved | None = None,
) -> Line:
    kept = None if reached is None else reached >= goal
    trend = None if reached is None or before is None else reached - before
    because = f"{sentence}, {goal:.0%} promised: {_describe_achieved(kept)}."
    return Line(side, promise, goal, reached, trend, kept, because, counts)


def _describe_achieved(kept: bool | None) -> str:
    return {True: "kept", False: "not kept", None: "nothing to report yet"}[kept]
