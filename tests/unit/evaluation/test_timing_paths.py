"""Logged paths as steps that nobody chose with hindsight, and what their handoffs brought."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.clock import to_us
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.prices import Prices
from features.taxonomy import default_taxonomy
from training.timing.labels import read_timing
from training.timing.proof.paths import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    LoggedPaths,
    lay_out,
    worth_of_outcomes,
)

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
PLAIN = Prices(discount_by_day=1.0)


def at(day: float) -> datetime:
    return MONDAY + timedelta(days=day)


def make_history(moves, events=(), until_day=28) -> History:
    """One lead, born on Monday at noon: moves as (day, stage), events as days."""
    stages = [
        {"lead_id": "ann", "at": at(day), "known_at": at(day), "stage": stage, "signal": "x"}
        for day, stage in moves
    ]
    seen = [
        {
            "event_id": f"e{n}",
            "lead_id": "ann",
            "occurred_at": at(day),
            "known_at": at(day),
            "kind": "page_view",
            "name": "page_view",
        }
        for n, day in enumerate(events)
    ]
    lead = {"lead_id": "ann", "known_at": at(0.5), "created_at": at(0.5)}
    return History(
        pa.Table.from_pylist([lead], LEAD_SCHEMA),
        pa.Table.from_pylist(seen, EVENT_SCHEMA),
        pa.Table.from_pylist(stages, STAGE_SCHEMA),
        ATTEMPT_SCHEMA.empty_table(),
        HistoryManifest("test", default_taxonomy(), at(until_day)),
    )


def lay(moves, events=(), until_day=28, **given) -> LoggedPaths:
    history = make_history(moves, events, until_day)
    return lay_out(history, read_timing(history), **given)


def bring(history: History, **given):
    until = to_us(history.about.observed_until)
    return worth_of_outcomes(read_timing(history), PLAIN, until, **given)


def test_a_handoff_on_a_quiet_day_belongs_to_the_step_before_it():
    paths = lay([(4.4, "mql")], events=[2.5])

    # Tuesday is the first day, Thursday follows the news; that Friday is a row is hindsight.
    assert paths.day.tolist() == [0.0, 2.0]
    assert paths.followed_by.tolist() == [GOES_ON, HANDED]
    assert paths.gap_days.tolist() == pytest.approx([2.0, 1.4])
    assert paths.working_days.tolist() == [2.0, 2.0]
    assert paths.handoff.tolist() == [-1, 0]


def test_a_handoff_on_the_day_after_news_is_a_step_of_its_own():
    paths = lay([(4.4, "mql")], events=[3.5])

    assert paths.day.tolist() == [0.0, 3.0]
    assert paths.gap_days.tolist() == pytest.approx([3.0, 0.4])


def test_only_the_first_time_with_marketing_is_a_path():
    paths = lay([(4.4, "mql"), (6.0, "returned"), (20.0, "mql")])

    assert len(paths) == 1
    assert paths.followed_by[-1] == HANDED
    assert paths.day.max() < 4.0


def test_what_comes_after_the_horizon_counts_nothing():
    paths = lay([(20.5, "sql")], most_days=10.0)

    assert paths.day.tolist() == [0.0, 7.0]
    assert paths.followed_by.tolist() == [GOES_ON, ENDED]
    assert paths.gap_days[-1] == pytest.approx(3.0)


def test_a_closed_lead_may_still_raise_its_hand_until_the_horizon():
    assert lay([(3.0, "lost")], most_days=40.0).followed_by[-1] in {CUT, ENDED}
    assert lay([(3.0, "lost")], until_day=90, most_days=40.0).followed_by[-1] == ENDED


def test_a_handoff_brings_what_it_costs_its_sql_and_what_comes_after_a_return():
    history = make_history(
        [
            (2.4, "mql"),
            (3.0, "sal"),
            (5.0, "returned"),
            (9.4, "mql"),
            (10.0, "sal"),
            (12.0, "sql"),
        ],
        until_day=200,
    )

    worth, weight = bring(history)
    alone, _ = bring(history, second_chances=False)

    assert alone.tolist() == [-3.0, 7.0]
    assert worth.tolist() == [4.0, 7.0]
    assert (weight >= 1.0).all()


def test_a_returned_lead_that_becomes_an_sql_by_itself_is_a_second_chance():
    history = make_history([(2.4, "mql"), (3.0, "returned"), (9.4, "sql")], until_day=200)

    worth, _ = bring(history)

    assert worth.tolist() == [-1.0 + 10.0]


def test_a_handoff_still_open_weighs_nothing():
    history = make_history([(2.4, "mql")])

    assert bring(history)[1].tolist() == [0.0]


def test_taking_paths_takes_their_steps():
    paths = lay([(4.4, "mql")], events=[2.5])

    assert len(paths.take(np.array([False])).row) == 0
    assert ALONE not in paths.take(np.array([True])).followed_by
