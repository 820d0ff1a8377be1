from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from serving.handoff.clocks.working_hours import NoWorkingTimeError, WorkingHours, add_worked
from serving.handoff.playbook.sections.routing import AwayPeriod
from serving.handoff.playbook.sections.sla import Calendar, read_span

# Vectors of LeadAngel's manual "Escalation and automatic re-assignment": 10:00-18:00, Mon-Fri.
TEN_TO_SIX = WorkingHours(Calendar(time_zone="UTC", hours=("mon-fri 10:00-18:00",)))


def may(day: int, hour: int, minute: int = 0) -> datetime:
    """2026-05-04 is a Monday."""
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "span", "due"),
    [
        (may(6, 15), "10h", may(7, 17)),
        (may(6, 20), "10h", may(8, 12)),
        (may(6, 15), "1d 10h", may(8, 17)),
        (may(6, 20), "1d 10h", may(11, 12)),
        (may(8, 17, 50), "15m", may(11, 10, 5)),
        (may(9, 12), "30d", may(11, 10) + timedelta(days=6 * 7 - 3, hours=8)),
    ],
    ids=[
        "wednesday three, ten hours",
        "wednesday eight, ten hours",
        "wednesday three, a day and ten hours",
        "wednesday eight, a day and ten hours",
        "over a week end",
        "thirty working days",
    ],
)
def test_something_is_due_after_so_much_working_time(start, span, due):
    assert add_worked(TEN_TO_SIX, start, TEN_TO_SIX.length_of(read_span(span))) == due


def test_the_hour_that_spring_skips_is_not_worked_and_autumns_second_one_is():
    night = WorkingHours(Calendar(time_zone="Europe/Berlin", hours=("sun 00:00-06:00",)))

    def worked_on(day):
        return sum((end - start for start, end in night.intervals_on(day)), timedelta())

    assert worked_on(date(2026, 3, 22)) == timedelta(hours=6)
    assert worked_on(date(2026, 3, 29)) == timedelta(hours=5)
    assert worked_on(date(2026, 10, 25)) == timedelta(hours=7)


def test_hours_that_begin_within_the_skipped_hour_begin_when_the_clock_goes_on():
    night = WorkingHours(Calendar(time_zone="Europe/Berlin", hours=("sun 02:30-04:00",)))

    [(start, end)] = night.intervals_on(date(2026, 3, 29))

    assert start == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert end == datetime(2026, 3, 29, 2, tzinfo=UTC)


def test_hours_that_end_within_the_doubled_hour_are_worked_in_both_of_its_passes():
    night = WorkingHours(Calendar(time_zone="Europe/Berlin", hours=("sun 01:00-02:30",)))

    worked = night.intervals_on(date(2026, 10, 25))

    assert [end - start for start, end in worked] == [
        timedelta(minutes=90),
        timedelta(minutes=30),
    ]


def test_a_day_whose_midnight_is_skipped_begins_an_hour_later():
    # Beirut's clocks go from 00:00 to 01:00.
    round_the_clock = WorkingHours(
        Calendar(time_zone="Asia/Beirut", hours=("mon-sun 00:00-24:00",))
    )

    [(start, end)] = round_the_clock.intervals_on(date(2026, 3, 29))

    assert end - start == timedelta(hours=23)
    assert start == datetime(2026, 3, 28, 22, tzinfo=UTC)


def test_public_holidays_are_free_by_part_of_the_country_unless_they_are_worked():
    bavaria = Calendar(country="DE", subdivision="BY")
    epiphany, unity = date(2026, 1, 6), date(2026, 10, 3)

    assert WorkingHours(bavaria).is_free_day(epiphany)
    assert not WorkingHours(Calendar(country="DE")).is_free_day(epiphany)
    assert WorkingHours(Calendar(country="DE")).is_free_day(unity)
    assert not WorkingHours(Calendar(country="DE", open_holidays=(unity,))).is_free_day(unity)


def test_closed_days_and_absences_are_free_on_their_first_and_last_day():
    holiday = AwayPeriod(first=date(2026, 5, 5), last=date(2026, 5, 6))
    hours = WorkingHours(Calendar(closed=(date(2026, 5, 8),)), (holiday,))

    free = [day for day in range(4, 9) if hours.is_free_day(date(2026, 5, day))]

    assert free == [5, 6, 8]


def test_the_next_working_moment_is_now_or_the_next_opening():
    assert TEN_TO_SIX.next_working(may(6, 15)) == may(6, 15)
    assert TEN_TO_SIX.next_working(may(6, 18)) == may(7, 10)
    assert TEN_TO_SIX.next_working(may(9, 3)) == may(11, 10)


def test_a_moment_is_worked_from_opening_on_and_no_more_at_closing():
    assert TEN_TO_SIX.next_working(may(6, 10)) == may(6, 10)
    assert TEN_TO_SIX.next_working(may(6, 18)) > may(6, 18)


def test_hours_are_those_of_the_wall_where_the_calendar_hangs():
    tokyo = WorkingHours(Calendar(time_zone="Asia/Tokyo", hours=("mon 09:00-17:00",)))

    opened = datetime(2026, 5, 4, 9, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert tokyo.next_working(opened) == opened
    assert tokyo.local_day(may(3, 20)) == date(2026, 5, 4)


def test_an_average_day_is_what_a_day_of_a_promise_means():
    hours = WorkingHours(Calendar(hours=("mon-thu 09:00-17:00", "fri 09:00-13:00")))

    assert hours.average_day == timedelta(hours=(4 * 8 + 4) / 5)


def test_somebody_who_is_away_for_years_makes_the_search_end_with_words():
    away = AwayPeriod(first=date(2026, 1, 1), last=date(2036, 1, 1))

    with pytest.raises(NoWorkingTimeError, match="Shorten the absence"):
        WorkingHours(Calendar(), (away,)).next_working(may(4, 9))
