"""Working hours: by the clock on the wall, without holidays and absences, in any time zone. Pure.

The meaning is that of counting minutes: a minute is worked if the wall clock of the calendar's zone
stands within its hours, on a day that is neither closed nor a public holiday. So an hour that the
clock skips in spring is not worked, and one that it shows twice in autumn is worked twice.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from serving.handoff.playbook.public_holidays import list_holidays
from serving.handoff.playbook.sections.routing import AwayPeriod
from serving.handoff.playbook.sections.sla import Calendar, WorkingSpan, read_hours

Interval = tuple[datetime, datetime]
"""A span of time ``[start, end)``, aware and in UTC."""

LOOK_AHEAD_DAYS = 3 * 366
"""Days within which a calendar must have working hours, lest the search for them never end."""

_DAY = timedelta(days=1)
_NONE = timedelta()


class NoWorkingTimeError(Exception):
    """Nobody works for years from a moment on."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        super().__init__(
            f"There are no working hours within {LOOK_AHEAD_DAYS} days of {at:%Y-%m-%d}. Shorten "
            "the absence, or give the calendar hours."
        )


class WorkingHours:
    """When one seller, or one team, works.

    Parameters
    ----------
    calendar
        Hours, time zone and holidays.
    away
        Days on which this one does not work.
    """

    def __init__(self, calendar: Calendar, away: Iterable[AwayPeriod] = ()) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.time_zone)
        self.away = tuple(away)
        self._hours: tuple[list[tuple[int, int]], ...] = tuple([] for _ in range(7))
        for line in calendar.hours:
            days, start, end = read_hours(line)
            for day in days:
                self._hours[day].append((start, end))
        for spans in self._hours:
            spans.sort()
        self._worked: dict[date, tuple[Interval, ...]] = {}

    def local_day(self, at: datetime) -> date:
        """Tell the day that the calendar's wall shows at a moment."""
        return at.astimezone(self.zone).date()

    def is_free_day(self, day: date) -> bool:
        """Whether nothing is worked on a day, whatever the hours say."""
        calendar = self.calendar
        if day in calendar.closed or any(span.first <= day <= span.last for span in self.away):
            return True
        if calendar.country is None or day in calendar.open_holidays:
            return False
        return day in list_holidays(calendar.country, calendar.subdivision, day.year)

    def intervals_on(self, day: date) -> tuple[Interval, ...]:
        """List what is worked on a day of the wall calendar, in order."""
        if day not in self._worked:
            spans = () if self.is_free_day(day) else tuple(self._hours[day.weekday()])
            self._worked[day] = tuple(_place(day, spans, self.zone))
        return self._worked[day]

    def intervals(self, start: datetime, end: datetime | None = None) -> Iterator[Interval]:
        """List what is worked in ``[start, end)``, in order; without an end, for years.

        Raises
        ------
        NoWorkingTimeError
            If there is no end, and nothing is worked any more.
        """
        day = self.local_day(start)
        last = day + timedelta(days=LOOK_AHEAD_DAYS) if end is None else self.local_day(end)
        while day <= last:
            for begun, ended in self.intervals_on(day):
                first, until = max(begun, start), ended if end is None else min(ended, end)
                if first < until:
                    yield first, until
            day += _DAY
        if end is None:
            raise NoWorkingTimeError(start)

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Sum the working time in ``[start, end)``; nothing if the end comes first."""
        return sum((until - first for first, until in self.intervals(start, end)), _NONE)

    def next_working(self, at: datetime) -> datetime:
        """Find the first worked moment at or after another."""
        return next(self.intervals(at))[0]

    @property
    def average_day(self) -> timedelta:
        """An average working day of an ordinary week: what a span's ``1d`` means here."""
        worked = [day for day in self._hours if day]
        minutes = sum(end - start for day in worked for start, end in day)
        return timedelta(minutes=minutes / len(worked))

    def length_of(self, span: WorkingSpan) -> timedelta:
        """Turn a span of days, hours and minutes into working time."""
        return span.days * self.average_day + timedelta(minutes=span.minutes)


def add_worked(
    hours: WorkingHours,
    start: datetime,
    length: timedelta,
    pauses: Collection[Interval] = (),
) -> datetime:
    """Find the moment by which so much has been worked since another, pauses left out.

    The end of a working day and the start of the next one are the same working time: the end is
    given. No time at all gives the first worked moment.
    """
    left = length
    for first, until in subtract(hours.intervals(start), sorted(pauses)):
        if left <= until - first:
            return first + left
        left -= until - first
    raise NoWorkingTimeError(start)


def subtract(intervals: Iterable[Interval], holes: Collection[Interval]) -> Iterator[Interval]:
    """Cut holes, in order of their starts, out of intervals."""
    for start, end in intervals:
        first = start
        for begun, ended in holes:
            if ended <= first or begun >= end:
                continue
            if begun > first:
                yield first, begun
            first = max(first, ended)
        if first < end:
            yield first, end


def _place(day: date, spans: Iterable[tuple[int, int]], zone: ZoneInfo) -> Iterator[Interval]:
    """Place hours of a wall clock in time, piece by piece between changes of its offset."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    placed = []
    for first, until, offset in _list_pieces(midnight - _DAY, midnight + 2 * _DAY, zone):
        for start, end in spans:
            begun = max(first, midnight + timedelta(minutes=start) - offset)
            ended = min(until, midnight + timedelta(minutes=end) - offset)
            if begun < ended:
                placed.append((begun, ended))
    yield from sorted(placed)


def _list_pieces(
    start: datetime, end: datetime, zone: ZoneInfo
) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """Split a few days where the zone's offset changes; it does so at most once in them."""
    before, after = _offset(start, zone), _offset(end, zone)
    if before == after:
        return ((start, end, before),)
    low, high = start, end
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    change = high.replace(microsecond=0)
    return ((start, change, before), (change, end, after))


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or _NONE
