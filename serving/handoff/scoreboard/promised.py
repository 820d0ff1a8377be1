"""What both sides had promised, and while: counted from the day each version was agreed. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from serving.handoff.playbook.sections.goals import Goals, GoalTarget, Measure, Period
from serving.handoff.playbook.sections.sla import Sla
from serving.handoff.scoreboard.period import ReportingPeriod

PERIOD_DAYS: dict[Period, float] = {"week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4}

SHARES: frozenset[Measure] = frozenset({"accepted_share", "sql_share"})
"""What is promised as a share, whatever the length of the time."""


@dataclass(frozen=True)
class AgreedSpan:
    """A version of the playbook, and while it was in effect, ``[start, end)``."""

    sla: Sla
    goals: Goals
    start: datetime
    end: datetime | None = None
    """None: it still is."""

    def covers(self, at: datetime) -> bool:
        """Whether it was in effect at a moment."""
        return self.start <= at and (self.end is None or at < self.end)

    def overlap(self, period: ReportingPeriod, at: datetime) -> timedelta:
        """How long of a period it was in effect, up to a moment."""
        end = min(period.end, at, self.end or at)
        return max(timedelta(), end - max(period.start, self.start))

    def leads_per_day(self, measure: Measure) -> float:
        """How many leads a day it wants of a measure; 0 where it names no number."""
        for target in self.goals.targets:
            if target.measure == measure:
                return target.at_least / PERIOD_DAYS[target.period]
        return 0.0

    @property
    def handoffs_per_day(self) -> float:
        """How many leads a day marketing promised to hand over."""
        return self.sla.marketing.handoffs / PERIOD_DAYS[self.sla.marketing.period]


@dataclass(frozen=True)
class Promised:
    """What is promised now, and what was while."""

    sla: Sla
    """Of the version in effect: its shares are the goals."""
    targets: tuple[GoalTarget, ...] = ()
    """Of the version in effect."""
    spans: tuple[AgreedSpan, ...] = ()
    """Every version that both sides had agreed to; none: nobody has promised anything yet."""

    def covers(self, at: datetime) -> bool:
        """Whether anything was promised at a moment."""
        return any(span.covers(at) for span in self.spans)

    def passed(self, period: ReportingPeriod, at: datetime) -> timedelta:
        """How long of a period anything was promised, up to a moment."""
        return sum((span.overlap(period, at) for span in self.spans), timedelta())

    def leads(
        self, per_day: Callable[[AgreedSpan], float], period: ReportingPeriod, at: datetime
    ) -> float:
        """How many leads were promised for as much of a period as has passed, pro rata."""
        day = timedelta(days=1)
        return sum(per_day(span) * (span.overlap(period, at) / day) for span in self.spans)
