"""When digests come: by the calendar's wall clock, on working days, once for each day, week, month."""

from datetime import UTC, date, datetime, timedelta

import pytest

from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.playbook.sections.notifications import Digest
from serving.handoff.playbook.sections.sla import Calendar
from serving.notify.digest_times import find_due_day, find_span

OFFICE = WorkingHours(Calendar(time_zone="Europe/Amsterdam", closed=(date(2026, 3, 2),)))


def make_digest(every: str) -> Digest:
    return Digest.model_validate(
        {"name": "d", "to": "seller", "holds": ["queue"], "every": every, "at": "08:30"}
    )


def list_due(every: str, first: datetime, days: int) -> list[date]:
    """List the days that are due, looking every quarter of an hour."""
    looks = (first + timedelta(minutes=15 * n) for n in range(days * 96))
    found = (find_due_day(make_digest(every), OFFICE, at) for at in looks)
    return sorted({day for day in found if day is not None})


@pytest.mark.parametrize(
    ("every", "days"),
    [
        ("working_day", [*(date(2026, 3, n) for n in (3, 4, 5, 6, 9, 10))]),
        ("week", [date(2026, 3, 3), date(2026, 3, 9)]),
        ("month", [date(2026, 3, 3)]),
    ],
)
def test_digests_come_on_working_days_and_after_a_closed_monday_on_tuesday(
    every: str, days: list[date]
) -> None:
    assert list_due(every, datetime(2026, 2, 28, tzinfo=UTC), 11) == days


def test_the_time_of_day_is_that_on_the_wall_also_after_the_clocks_change() -> None:
    daily = make_digest("working_day")

    for at, due in (
        (datetime(2026, 3, 27, 7, 29, tzinfo=UTC), None),
        (datetime(2026, 3, 27, 7, 30, tzinfo=UTC), date(2026, 3, 27)),
        (datetime(2026, 3, 30, 6, 29, tzinfo=UTC), None),
        (datetime(2026, 3, 30, 6, 30, tzinfo=UTC), date(2026, 3, 30)),
    ):
        assert find_due_day(daily, OFFICE, at) == due


def test_weekly_numbers_are_those_of_the_week_before() -> None:
    start, end = find_span(make_digest("week"), OFFICE, date(2026, 3, 3))

    assert (start, end) == (
        datetime(2026, 2, 22, 23, tzinfo=UTC),
        datetime(2026, 3, 1, 23, tzinfo=UTC),
    )
    assert find_span(make_digest("month"), OFFICE, date(2026, 3, 3))[0] == datetime(
        2026, 1, 31, 23, tzinfo=UTC
    )
