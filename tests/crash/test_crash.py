"""Killed under load, nothing that was confirmed is lost, and nothing is done twice."""

import pytest

from serving import crash_points
from tests.crash.run import Plan, run_control, run_crashes


@pytest.mark.slow
def test_nothing_confirmed_is_lost_or_done_twice_when_processes_are_killed_under_load() -> None:
    report = run_crashes(Plan(kills=5, most_seconds=90, database_every=5, threads=2, workers=1))

    assert sum(report.kills.values()) >= 3, report.kills
    assert report.found.acked > 0
    assert report.found.breaches == {}, (report.found, report.kills)


@pytest.mark.slow
def test_a_database_that_confirms_what_it_has_not_written_is_caught() -> None:
    report = run_control(Plan(kills=1, most_seconds=5, pause=2.0, threads=2, drain_seconds=5))

    assert report.found.lost > 0


def test_a_process_ends_at_no_point_unless_one_was_named() -> None:
    for point in crash_points.POINTS:
        crash_points.reach(point)

    with pytest.raises(ValueError, match="intake-before-commit"):
        crash_points.arm("nowhere")
    assert crash_points._asked is None
