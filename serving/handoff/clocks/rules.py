"""Clocks on both sides: when something is due, how much time is used, what follows. Pure.

Everything is computed from the moments that were recorded and the moment of looking, so a breach is
seen without anybody touching a record.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from serving.handoff.clocks.working_hours import Interval, WorkingHours, add_worked, subtract
from serving.handoff.machine.transitions import Clock
from serving.handoff.playbook.sections.sla import Priority, Sla, WorkingSpan, read_span
from serving.handoff.playbook.sections.triggers import Trigger

_NONE = timedelta()
_AN_HOUR, _AT_ONCE = WorkingSpan(minutes=60), WorkingSpan()

CLOCK_WORDS: Mapping[Clock, str] = {
    Clock.ASSIGNMENT: "a seller",
    Clock.ANSWER: "sales' answer",
    Clock.FIRST_CONTACT: "the first contact",
    Clock.DECISION: "the decision",
    Clock.SUPPLY: "marketing's answer",
}


@dataclass(frozen=True)
class Promise:
    """How much working time somebody has, and what follows if it passes."""

    clock: Clock
    allowed: WorkingSpan
    remind_before: WorkingSpan = _AN_HOUR
    escalate_after: WorkingSpan = _AT_ONCE
    reassign_after: WorkingSpan | None = None
    """None: nobody else gets the lead for it."""


@dataclass(frozen=True)
class Pause:
    """A span of time that does not count, such as waiting for the other side."""

    from_at: datetime
    until_at: datetime | None = None
    """None: it goes on."""


@dataclass(frozen=True)
class ClockFacts:
    """What happened to a clock. What lies after the moment of looking is not looked at."""

    started_at: datetime
    stopped_at: datetime | None = None
    pauses: Sequence[Pause] = ()
    """None overlaps another."""


class ClockState(StrEnum):
    """What a clock says."""

    RUNNING = "running"
    PAUSED = "paused"
    OVERDUE = "overdue"
    IN_TIME = "in_time"
    """Done before it was due, or at that moment."""
    LATE = "late"
    """Done, but after it was due."""


@dataclass(frozen=True)
class Reading:
    """A clock at a moment."""

    clock: Clock
    state: ClockState
    due_at: datetime | None
    """None while a pause goes on that began before it was due."""
    elapsed: timedelta
    """Working time used, pauses left out."""
    left: timedelta
    """Working time left; negative once it is too much."""
    paused: timedelta
    """Working time that fell into pauses."""
    remind_at: datetime | None
    escalate_at: datetime | None
    reassign_at: datetime | None
    because: str

    @property
    def breached(self) -> bool:
        """Whether the promise was broken, be it kept later or not."""
        return self.state in {ClockState.OVERDUE, ClockState.LATE}


class ClockAction(StrEnum):
    """What follows from time alone."""

    REMIND = "remind"
    ESCALATE = "escalate"
    REASSIGN = "reassign"


@dataclass(frozen=True)
class DueAction:
    """Something to be done, since when, and why."""

    action: ClockAction
    since: datetime
    because: str


def find_priority(
    section: Sla, *, trigger: Trigger, band: str | None = None, segments: Collection[str] = ()
) -> Priority:
    """Find how fast sales deals with a lead: the first priority that fits."""
    return next(
        priority
        for priority in section.priorities
        if (not priority.triggers or trigger in priority.triggers)
        and (not priority.bands or band in priority.bands)
        and (not priority.segments or not set(segments).isdisjoint(priority.segments))
    )


def list_promises(section: Sla, priority: Priority) -> dict[Clock, Promise]:
    """List what both sides promise for a lead of a priority."""
    remind, escalate = read_span(priority.remind_before), read_span(priority.escalate_after)
    reassign = read_span(priority.reassign_after)
    return {
        Clock.ANSWER: Promise(
            Clock.ANSWER, read_span(priority.answer), remind, escalate, reassign
        ),
        Clock.FIRST_CONTACT: Promise(
            Clock.FIRST_CONTACT, read_span(priority.first_contact), remind, escalate, reassign
        ),
        Clock.DECISION: Promise(Clock.DECISION, read_span(priority.decision), remind, escalate),
        Clock.SUPPLY: Promise(Clock.SUPPLY, read_span(section.marketing.answer_waiting)),
    }


def read_clock(promise: Promise, facts: ClockFacts, hours: WorkingHours, at: datetime) -> Reading:
    """Read a clock.

    Parameters
    ----------
    promise
        What was promised.
    facts
        When it started and stopped, and its pauses.
    hours
        When those who promised work.
    at
        The moment of looking; a clock that had not started has used no time.

    Raises
    ------
    NoWorkingTimeError
        If they do not work for years.
    """
    stopped = facts.stopped_at if facts.stopped_at and facts.stopped_at <= at else None
    closed, open_from = _split_pauses(facts.pauses, stopped or at, stopped=stopped is not None)
    counted = _Counted(facts.started_at, hours, closed, open_from)
    allowed = hours.length_of(promise.allowed)
    end, due_at = stopped or at, counted.find(allowed)
    elapsed = counted.until(end)
    state = _find_state(due_at, end, stopped=stopped is not None, paused=open_from is not None)
    reminder = max(_NONE, allowed - hours.length_of(promise.remind_before))
    after = promise.reassign_after
    return Reading(
        clock=promise.clock,
        state=state,
        due_at=due_at,
        elapsed=elapsed,
        left=allowed - elapsed,
        paused=hours.worked(facts.started_at, end) - elapsed,
        remind_at=counted.find(reminder),
        escalate_at=counted.find(allowed + hours.length_of(promise.escalate_after)),
        reassign_at=None if after is None else counted.find(allowed + hours.length_of(after)),
        because=_describe_reading(promise.clock, state, due_at, elapsed, allowed, hours),
    )


@dataclass(frozen=True)
class _Counted:
    """The working time that counts from a start on."""

    start: datetime
    hours: WorkingHours
    closed: Sequence[Interval]
    open_from: datetime | None

    def until(self, end: datetime) -> timedelta:
        """Sum what counts before a moment."""
        end = min(end, self.open_from) if self.open_from else end
        worked = subtract(self.hours.intervals(self.start, end), self.closed)
        return sum((last - first for first, last in worked), _NONE)

    def find(self, length: timedelta) -> datetime | None:
        """Find the moment by which so much has counted; None if a pause came before and goes on."""
        if self.open_from is not None and self.until(self.open_from) < length:
            return None
        return add_worked(self.hours, self.start, length, self.closed)


def _split_pauses(
    pauses: Iterable[Pause], until: datetime, *, stopped: bool
) -> tuple[list[Interval], datetime | None]:
    """Split pauses into those that have ended, and the start of the one that goes on."""
    closed, open_from = [], None
    for pause in sorted(pauses, key=lambda pause: pause.from_at):
        if pause.from_at >= until:
            continue
        if pause.until_at is not None and pause.until_at <= until:
            closed.append((pause.from_at, pause.until_at))
        elif stopped:
            # Whoever did what was promised ended the pause by it.
            closed.append((pause.from_at, until))
        else:
            open_from = pause.from_at
    return closed, open_from


def _find_state(
    due_at: datetime | None, end: datetime, *, stopped: bool, paused: bool
) -> ClockState:
    late = due_at is not None and end > due_at
    if stopped:
        return ClockState.LATE if late else ClockState.IN_TIME
    if late:
        return ClockState.OVERDUE
    return ClockState.PAUSED if paused else ClockState.RUNNING


def list_due_actions(
    reading: Reading, at: datetime, done: Collection[ClockAction] = ()
) -> list[DueAction]:
    """List what is to be done now about a clock, besides what was done already.

    A reminder that nobody sent in time is left out once the promise is broken.
    """
    if reading.state in {ClockState.IN_TIME, ClockState.LATE}:
        return []
    planned = [
        (ClockAction.REMIND, None if reading.breached else reading.remind_at),
        (ClockAction.ESCALATE, reading.escalate_at),
        (ClockAction.REASSIGN, reading.reassign_at),
    ]
    return [
        DueAction(action, since, reading.because)
        for action, since in planned
        # What is escalated at once is escalated after the due moment, not at it.
        if since is not None
        and since <= at
        and action not in done
        and (reading.breached or action is ClockAction.REMIND)
    ]


def find_next_look(reading: Reading, at: datetime) -> datetime | None:
    """Find the next moment at which time alone changes something; None if it does not."""
    if reading.state in {ClockState.IN_TIME, ClockState.LATE}:
        return None
    moments = (reading.remind_at, reading.due_at, reading.escalate_at, reading.reassign_at)
    return min((moment for moment in moments if moment is not None and moment > at), default=None)


def format_length(length: timedelta) -> str:
    """Say a length of time in hours and minutes.

    >>> format_length(timedelta(hours=3, minutes=30)), format_length(timedelta(minutes=-5))
    ('3 h 30 min', '-5 min')
    """
    minutes = round(abs(length) / timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    sentences = " ".join(
        part
        for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "")
        if part
    )
    return f"{'-' if sentences and length < _NONE else ''}{sentences or '0 min'}"


def format_moment(at: datetime, hours: WorkingHours) -> str:
    """Say a moment by the clock on somebody's wall."""
    return f"{at.astimezone(hours.zone):%a %Y-%m-%d %H:%M} {hours.calendar.time_zone}"


def _describe_reading(
    clock: Clock,
    state: ClockState,
    due_at: datetime | None,
    elapsed: timedelta,
    allowed: timedelta,
    hours: WorkingHours,
) -> str:
    what = CLOCK_WORDS[clock]
    used = f"{format_length(elapsed)} of {format_length(allowed)} working time used"
    if due_at is None:
        return f"The clock for {what} is paused; {used}."
    due = f"due {format_moment(due_at, hours)}"
    words = {
        ClockState.RUNNING: f"is {due}",
        ClockState.PAUSED: f"is paused, and was {due}",
        ClockState.OVERDUE: f"is overdue: {due}",
        ClockState.IN_TIME: f"came in time: {due}",
        ClockState.LATE: f"came late: {due}",
    }
    return f"{what[:1].upper()}{what[1:]} {words[state]}; {used}."
