"""Working time is what counting minute by minute gives: across clock changes, holidays, week ends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.handoff.clocks.working_hours import WorkingHours, add_worked
from serving.handoff.playbook.public_holidays import list_holidays
from serving.handoff.playbook.sections.routing import AwayPeriod
from serving.handoff.playbook.sections.sla import WEEKDAYS, Calendar

MINUTE = timedelta(minutes=1)

# Moments near changes of the clock, midnights skipped among them, and near holidays.
NEAR = {
    "Europe/Berlin": ("2026-03-28", "2026-10-24", "2026-12-23"),
    "America/New_York": ("2026-03-07", "2026-10-31", "2026-07-02"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-10-03"),
    "Asia/Beirut": ("2026-03-28", "2026-10-24"),
    "Asia/Kathmandu": ("2026-05-01",),
}
COUNTRIES = {"Europe/Berlin": "DE", "America/New_York": "US", "Australia/Lord_Howe": "AU"}


@st.composite
def calendars(draw, zone):
    lines = []
    for day in WEEKDAYS:
        if draw(st.booleans()):
            edges = sorted(draw(st.sets(st.integers(0, 96), min_size=2, max_size=2)))
            times = [f"{edge // 4:02d}:{edge % 4 * 15:02d}" for edge in edges]
            lines.append(f"{day} {times[0]}-{times[1]}")
    country = draw(st.sampled_from([None, COUNTRIES.get(zone)]))
    return Calendar(
        time_zone=zone, hours=tuple(lines) or ("sat-sun 00:00-24:00",), country=country
    )


@st.composite
def cases(draw):
    zone = draw(st.sampled_from(sorted(NEAR)))
    day = datetime.fromisoformat(draw(st.sampled_from(NEAR[zone]))).replace(tzinfo=UTC)
    start = day + draw(st.integers(-1440, 2880)) * MINUTE
    away = draw(st.sampled_from([(), (AwayPeriod(first=day.date(), last=day.date()),)]))
    return WorkingHours(draw(calendars(zone)), away), start, draw(st.integers(0, 4000))


def is_worked(hours: WorkingHours, minute: datetime) -> bool:
    """Say whether the wall clock stands within the hours: the meaning, one minute at a time."""
    wall = minute.astimezone(hours.zone)
    if any(span.first <= wall.date() <= span.last for span in hours.away):
        return False
    calendar = hours.calendar
    if calendar.country and wall.date() in list_holidays(calendar.country, None, wall.year):
        return False
    for line in calendar.hours:
        days, times = line.split(" ")
        first, _, last = days.partition("-")
        begin, end = times.split("-")
        in_days = WEEKDAYS.index(first) <= wall.weekday() <= WEEKDAYS.index(last or first)
        if in_days and begin <= f"{wall:%H:%M}" < end:
            return True
    return False


@settings(max_examples=60)
@given(cases())
def test_working_time_is_the_number_of_minutes_worked(case):
    hours, start, minutes = case

    counted = sum(is_worked(hours, start + n * MINUTE) for n in range(minutes))

    assert hours.worked(start, start + minutes * MINUTE) == counted * MINUTE


@settings(max_examples=40)
@given(cases(), st.integers(1, 600))
def test_what_is_due_after_some_minutes_is_due_when_they_have_been_counted(case, length):
    hours, start, _ = case

    due = add_worked(hours, start, length * MINUTE)

    assert is_worked(hours, due - MINUTE)
    assert hours.worked(start, due) == length * MINUTE
    if due - start < timedelta(days=3):
        counted = sum(is_worked(hours, start + n * MINUTE) for n in range((due - start) // MINUTE))
        assert counted == length


@pytest.mark.parametrize("zone", sorted(NEAR))
def test_a_whole_year_round_the_clock_is_as_long_as_the_year(zone):
    hours = WorkingHours(Calendar(time_zone=zone, hours=("mon-sun 00:00-24:00",)))
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

    assert hours.worked(start, end) == end - start
