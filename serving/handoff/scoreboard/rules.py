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
from serving.handoff.playbook.sections.goals import GoalTarget, Measure
from serving.handoff.scoreboard.period import ReportingPeriod
from serving.handoff.scoreboard.promised import SHARES, AgreedSpan, Promised

Axis = Literal["team", "seller", "source"]


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
    qualified_at: datetime | None = None
    won_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was closed, however it ended."""
    team: str | None = None
    seller: str | None = None
    source: str | None = None


class SideName(StrEnum):
    """Whose promise it is."""

    MARKETING = "marketing"
    SALES = "sales"
    BOTH = "both"
    """What both teams want together: `[[goals.targets]]`."""


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
    """Such as ``answer``, ``handoffs``, ``accepted_share`` or, of a common goal, ``goal_sqls``."""
    goal: float
    """Leads in this span of time, or the share that was promised."""
    reached: float | None
    """None where nothing can be said yet."""
    trend: float | None
    """Reached now, less reached in the span before; None where either is not known."""
    kept: bool | None
    because: str
    counts: Achieved | None = None
    is_number: bool = False
    """Whether goal and reached are numbers of leads; shares otherwise."""


NOTHING_PROMISED = "nothing was promised then: both sides had not agreed to a playbook"

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
    promised: Promised,
    clocks: Iterable[ClockRecord],
    handoffs: Iterable[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
) -> list[Line]:
    """Set what both sides promised beside what they did, marketing first, common goals last.

    Parameters
    ----------
    promised
        The promises; what happened before anything was agreed kept and broke none.
    clocks, handoffs
        What happened, in any order; of this span and the one before it.
    period
        The time that is looked at.
    at
        The moment of looking.
    """
    marketing, sales = promised.sla.marketing, promised.sla.sales
    clocks = [record for record in clocks if promised.covers(record.started_at)]
    handoffs = [record for record in handoffs if promised.covers(record.handed_at)]
    return [
        *_list_marketing(promised, handoffs, period, at),
        _count_clock(Clock.SUPPLY, "supplied_share", marketing.supplied_share, clocks, period, at),
        *(
            _count_clock(clock, name, getattr(sales, name), clocks, period, at)
            for clock, name in CLOCK_LINES
        ),
        *(_measure(target, promised, handoffs, period, at) for target in promised.targets),
    ]


def build_scoreboards(
    promised: Promised,
    clocks: Sequence[ClockRecord],
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
    by: Axis,
) -> dict[str, list[Line]]:
    """Build a scoreboard for each team, seller or source, in order of their names.

    Numbers of leads are promises of a side as a whole and are left out of the parts.
    """
    names = {getattr(record, by) for record in (*clocks, *handoffs)} - {None}
    return {
        name: [
            line
            for line in build_scoreboard(
                promised,
                [record for record in clocks if getattr(record, by) == name],
                [record for record in handoffs if getattr(record, by) == name],
                period,
                at,
            )
            if not line.is_number
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
    promised: Promised,
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
) -> Iterable[Line]:
    promise = promised.sla.marketing
    yield _count_leads(
        (SideName.MARKETING, "handoffs", "handed over"),
        lambda span: span.handoffs_per_day,
        [record.handed_at for record in handoffs],
        promised,
        period,
        at,
    )
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


def _count_leads(
    line: tuple[SideName, str, str],
    per_day: Callable[[AgreedSpan], float],
    moments: Sequence[datetime],
    promised: Promised,
    period: ReportingPeriod,
    at: datetime,
) -> Line:
    """Set leads beside those promised for as much of the span as has passed since it was agreed.

    Parameters
    ----------
    line
        Whose promise it is, what it is called, and what became of the leads, in words.
    per_day
        How many leads a day a version promises.
    moments
        When it became so, lead by lead.
    """
    side, name, words = line
    passed, goal = promised.passed(period, at), promised.leads(per_day, period, at)
    now = sum(period.holds(moment) and moment <= at for moment in moments)
    if not passed:
        return Line(side, name, 0.0, None, None, None, f"{NOTHING_PROMISED}.", is_number=True)
    # The span before is looked at as far as this one has come, so that like stands beside like.
    earlier = ReportingPeriod(period.before.start, period.before.start + passed)
    before = sum(earlier.holds(moment) for moment in moments)
    sentence = (
        f"{now} leads {words}, {goal:.0f} promised for {passed / timedelta(days=1):.0f} days"
    )
    kept = now >= round(goal)
    because = f"{sentence}: {_describe_achieved(kept)}."
    return Line(side, name, goal, float(now), float(now - before), kept, because, is_number=True)


_REACHED: dict[Measure, tuple[str, Callable[[HandoffRecord], datetime | None]]] = {
    "handoffs": ("handed over", lambda h: h.handed_at),
    "accepted": ("accepted", lambda h: h.answered_at if h.accepted else None),
    "sqls": ("sales-qualified", lambda h: h.qualified_at),
    "won": ("won", lambda h: h.won_at),
}
"""What each number of leads of a common goal counts, and when a lead became so."""


def _measure(
    target: GoalTarget,
    promised: Promised,
    handoffs: Sequence[HandoffRecord],
    period: ReportingPeriod,
    at: datetime,
) -> Line:
    """Set a common goal beside what was reached."""
    name = f"goal_{target.measure}"
    if target.measure in SHARES:
        is_sql = target.measure == "sql_share"
        ask = _is_sql if is_sql else _is_accepted
        now = _answers(handoffs, period, at, lambda h: ask(h, at))
        before = _answers(handoffs, period.before, at, lambda h: ask(h, at))
        sentence = f"{sum(now)} of {len(now)} {'sales-qualified' if is_sql else 'accepted'}"
        goal = target.at_least
        return _line(SideName.BOTH, name, goal, _mean(now), _mean(before), sentence)
    words, when = _REACHED[target.measure]
    moments = [moment for h in handoffs if (moment := when(h)) is not None]
    return _count_leads(
        (SideName.BOTH, name, words),
        lambda span: span.leads_per_day(target.measure),
        moments,
        promised,
        period,
        at,
    )


def _is_sql(handoff: HandoffRecord, at: datetime) -> bool | None:
    """Whether a lead became sales-qualified; nothing is said of one that still may."""
    if handoff.qualified_at is not None and handoff.qualified_at <= at:
        return True
    return False if handoff.ended_at is not None and handoff.ended_at <= at else None


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
