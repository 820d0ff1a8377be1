"""``[sla]``: what each side promises the other, by which calendar and in which time."""

import re
from datetime import date
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from serving.handoff.playbook.sections.goals import Period
from serving.handoff.playbook.sections.section import Name, Section, Share, Words
from serving.handoff.playbook.sections.triggers import Trigger

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HOURS = re.compile(
    r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? "
    r"(?P<from>\d\d:\d\d)-(?P<until>\d\d:\d\d)"
)
_SPAN = re.compile(
    r"(?:(?P<days>\d{1,3})d)? ?(?:(?P<hours>\d{1,4})h)? ?(?:(?P<minutes>\d{1,5})m)?"
)

DAY_MINUTES = 24 * 60


class WorkingSpan(Section):
    """A length of working time; a day is an average working day of the calendar."""

    days: int = 0
    minutes: int = 0


def read_hours(line: str) -> tuple[frozenset[int], int, int]:
    """Read opening hours: weekdays (0 is Monday), first minute of the day, and end.

    >>> read_hours("sat 09:00-12:30")
    (frozenset({5}), 540, 750)
    """
    found = _HOURS.fullmatch(line.strip().lower())
    names = (found["first"], found["last"] or found["first"]) if found else ()
    if not found or any(name not in WEEKDAYS for name in names):
        raise ValueError(f'{line!r} are no hours; write them as "mon-fri 09:00-17:30".')
    first, last = (WEEKDAYS.index(name) for name in names)
    if last < first:
        raise ValueError(
            f"{line!r} runs past Sunday; write two lines, such as one for sat-sun and one for mon."
        )
    start, end = _read_minute(found["from"], line), _read_minute(found["until"], line)
    if end <= start:
        raise ValueError(
            f"{line!r} ends before it begins; split a night in two: until 24:00, and from 00:00."
        )
    return frozenset(range(first, last + 1)), start, end


def _read_minute(text: str, line: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or hours * 60 + minutes > DAY_MINUTES:
        raise ValueError(f"{text} in {line!r} is no time; use 00:00 to 24:00.")
    return hours * 60 + minutes


def read_span(text: str) -> WorkingSpan:
    """Read a length of working time such as ``4h``, ``1d 10h`` or ``30m``.

    >>> read_span("1d 10h")
    Span(days=1, minutes=600)
    """
    found = _SPAN.fullmatch(text.strip().lower())
    if not found or not any(found.groups()):
        raise ValueError(f'{text!r} is no length of time; write it as "4h", "30m" or "1d 2h".')
    days, hours, minutes = (int(found[unit] or 0) for unit in ("days", "hours", "minutes"))
    return WorkingSpan(days=days, minutes=hours * 60 + minutes)


def _check_span(text: str) -> str:
    read_span(text)
    return text.strip()


WorkingTime = Annotated[str, Field(max_length=20)]
"""A length of working time as `read_span` reads it."""


class Calendar(Section):
    """``[sla.calendars.NAME]``: when somebody works."""

    time_zone: Words = "Europe/Amsterdam"
    """A name of the tz database."""
    hours: tuple[Words, ...] = Field(
        default=("mon-fri 09:00-17:30",), min_length=1, max_length=200
    )
    """Opening hours by the clock on the wall, such as "mon-fri 09:00-17:30"."""
    country: Annotated[str, Field(min_length=2, max_length=3)] | None = None
    """Whose public holidays are free, as ISO 3166 writes it: NL, DE, US."""
    subdivision: Words | None = None
    """Part of the country whose holidays count too, such as BY or CA."""
    closed: tuple[date, ...] = ()
    """Further days without work."""
    open_holidays: tuple[date, ...] = ()
    """Public holidays that are worked nevertheless."""

    @field_validator("time_zone")
    @classmethod
    def _find_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            raise ValueError(
                f"there is no time zone {name!r}; use a name of the tz database, such as "
                "Europe/Amsterdam or UTC."
            ) from None
        return name

    @field_validator("hours")
    @classmethod
    def _read_hours(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        taken: list[tuple[int, int, int, str]] = []
        for line in lines:
            days, start, end = read_hours(line)
            for day, begun, ended, other in taken:
                if day in days and start < ended and begun < end:
                    raise ValueError(f"{line!r} overlaps {other!r}; let one end earlier.")
            taken += [(day, start, end, line) for day in days]
        return lines

    @model_validator(mode="after")
    def _have_a_country(self) -> Self:
        if self.subdivision is not None and self.country is None:
            raise ValueError("subdivision is given without country; add country.")
        return self


class Priority(Section):
    """``[[sla.priorities]]``: how fast sales deals with some leads; the first that fits is taken."""

    name: Name
    triggers: tuple[Trigger, ...] = ()
    """What handed the lead over; empty, here and below: whatever."""
    bands: tuple[Literal["A", "B", "C", "D"], ...] = ()
    """Bands of the score."""
    segments: tuple[Name, ...] = ()
    """Segments of leads."""
    answer: WorkingTime
    """Working time from the handoff until sales takes the lead or gives it back."""
    first_contact: WorkingTime
    """Working time from acceptance until the first attempt."""
    decision: WorkingTime
    """Working time from acceptance until sales says SQL or gives the lead back."""
    remind_before: WorkingTime = "1h"
    """Working time before a promise is due at which the seller is reminded."""
    escalate_after: WorkingTime = "0h"
    """Working time after it was due at which the team's lead hears of it."""
    reassign_after: WorkingTime = "4h"
    """Working time after the answer was due at which another seller gets the lead."""

    @field_validator(
        "answer", "first_contact", "decision", "remind_before", "escalate_after", "reassign_after"
    )
    @classmethod
    def _read_span(cls, text: str) -> str:
        return _check_span(text)

    @field_validator("answer", "first_contact", "decision")
    @classmethod
    def _leave_time(cls, text: str) -> str:
        if read_span(text) == WorkingSpan():
            raise ValueError(f"{text!r} leaves no time; give at least a minute.")
        return text


class MarketingPromise(Section):
    """``[sla.marketing]``: what marketing promises sales."""

    handoffs: Annotated[int, Field(ge=0, le=1_000_000)] = 40
    """Least number of leads handed over in a period."""
    period: Period = "month"
    accepted_share: Share = 0.7
    """Least share of them that sales takes."""
    complete_share: Share = 0.9
    """Least share of packets that hold all that is required."""
    answer_waiting: WorkingTime = "1d"
    """Working time in which marketing answers a question that holds sales up."""
    supplied_share: Share = 0.9
    """Least share of such questions answered in time."""

    @field_validator("answer_waiting")
    @classmethod
    def _read_span(cls, text: str) -> str:
        return _check_span(text)


class SalesPromise(Section):
    """``[sla.sales]``: what sales promises marketing; how fast, the priorities say."""

    answered_share: Share = 0.95
    """Least share of handoffs answered in time."""
    contacted_share: Share = 0.9
    """Least share of accepted leads first contacted in time."""
    decided_share: Share = 0.85
    """Least share of accepted leads decided in time."""


_PRIORITIES = (
    Priority(
        name="at_once",
        triggers=(Trigger.HAND_RAISER,),
        answer="1h",
        first_contact="1h",
        decision="5d",
        remind_before="30m",
        reassign_after="1h",
    ),
    Priority(name="soon", bands=("A",), answer="4h", first_contact="4h", decision="10d"),
    Priority(name="standard", answer="1d", first_contact="1d", decision="15d"),
)


class Sla(Section):
    """``[sla]``: what each side promises the other."""

    calendars: dict[Name, Calendar] = Field(default_factory=lambda: {"office": Calendar()})
    """When people work, by name."""
    marketing_calendar: Name = "office"
    """The calendar of what marketing must answer."""
    priorities: tuple[Priority, ...] = Field(default=_PRIORITIES, min_length=1)
    """How fast sales deals with which leads; the last must fit everyone."""
    marketing: MarketingPromise = MarketingPromise()
    sales: SalesPromise = SalesPromise()

    @model_validator(mode="after")
    def _leave_nobody_out(self) -> Self:
        last = self.priorities[-1]
        if last.triggers or last.bands or last.segments:
            raise ValueError(
                f"priorities: the last one ({last.name}) must fit everyone; add one without "
                "triggers, bands and segments at the end."
            )
        if self.marketing_calendar not in self.calendars:
            raise ValueError(
                f"marketing_calendar names {self.marketing_calendar!r}, which there is not; add "
                f"[sla.calendars.{self.marketing_calendar}], or use one of: "
                f"{', '.join(self.calendars)}."
            )
        return self
