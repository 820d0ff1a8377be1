"""Which days are decision days, and what followed each."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.clock import DAY_US
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.taxonomy import default_taxonomy
from training.timing.labels import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    RAISED,
    Handoffs,
    Logged,
    read_timing,
    trust_answers,
)

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = {
    GOES_ON: "goes on",
    HANDED: "handed",
    RAISED: "raised",
    ALONE: "alone",
    ENDED: "ended",
    CUT: "cut",
}


def log(moves, events=(), *, until_day=28) -> Logged:
    """One lead, born on Monday at noon: moves as (day, stage, signal), events as (day, kind)."""
    created_at = MONDAY + timedelta(hours=12)
    stages = []
    for day, stage, *more in moves:
        at = MONDAY + timedelta(days=day)
        row = {"lead_id": "ann", "at": at, "known_at": at, "stage": stage}
        row["signal"] = more[0] if more else None
        row["propensity"] = more[1] if len(more) > 1 else None
        stages.append(row)
    seen = [
        {
            "event_id": f"e{number}",
            "lead_id": "ann",
            "occurred_at": MONDAY + timedelta(days=day),
            "known_at": MONDAY + timedelta(days=day),
            "kind": kind,
            "name": kind,
        }
        for number, (day, kind) in enumerate(events)
    ]
    lead = {"lead_id": "ann", "known_at": created_at, "created_at": created_at}
    return read_timing(
        History(
            pa.Table.from_pylist([lead], LEAD_SCHEMA),
            pa.Table.from_pylist(seen, EVENT_SCHEMA),
            pa.Table.from_pylist(stages, STAGE_SCHEMA),
            pa.Table.from_pylist([], ATTEMPT_SCHEMA),
            HistoryManifest("test", default_taxonomy(), MONDAY + timedelta(days=until_day), None),
        )
    )


def days(logged: Logged) -> dict[int, str]:
    """What followed each decision day, by days since that Monday."""
    start = int(MONDAY.timestamp() * 1_000_000)
    decided = logged.decisions
    when = (decided.snapshots.as_of - start) // DAY_US
    return {
        int(day): NAMES[kind] for day, kind in zip(when, decided.followed_by.tolist(), strict=True)
    }


@pytest.mark.parametrize(
    ("moves", "last"),
    [
        pytest.param([(3.5, "mql", "threshold")], {3: "handed"}, id="handed over by the rule"),
        pytest.param([(3.5, "mql", "hand_raiser")], {3: "raised"}, id="the lead asked for it"),
        pytest.param([(3.5, "sql")], {3: "alone"}, id="an SQL with no handoff"),
        pytest.param([(3.5, "lost", "gone_quiet")], {3: "ended"}, id="closed by marketing"),
    ],
)
def test_the_last_decision_day_states_what_followed(moves, last):
    assert days(log(moves)) == {1: "goes on"} | last


def test_an_untouched_lead_is_looked_at_once_a_week_until_the_log_is_cut():
    assert days(log([], until_day=17)) == {
        1: "goes on",
        8: "goes on",
        15: "goes on",
        17: "cut",
    }


def test_news_are_read_the_next_working_day():
    # given: something on Wednesday, and on Saturday
    events = [(2.4, "page_view"), (5.4, "page_view")]

    # when
    found = days(log([], events, until_day=8))

    # then: they count on the next Thursday, and on the next Monday
    assert found == {1: "goes on", 3: "goes on", 7: "goes on", 8: "cut"}


def test_a_closed_lead_that_asks_later_is_a_raised_hand_after_a_long_wait():
    # when
    logged = log([(3.5, "lost", "gone_quiet"), (20.5, "mql", "hand_raiser")])

    # then
    assert days(logged) == {1: "goes on", 3: "raised"}
    assert logged.decisions.gap_days[-1] == pytest.approx(17.5)


def test_a_handoff_soon_after_a_request_is_a_raised_hand_whatever_the_log_calls_it():
    # when
    logged = log([(3.5, "mql", "threshold")], [(3.4, "demo_request")])

    # then
    assert logged.handoffs.raised.tolist() == [True]
    assert days(logged)[3] == "raised"


def test_a_returned_lead_is_with_marketing_again():
    # when
    logged = log([(2.5, "mql", "threshold"), (4.5, "sal"), (9.5, "returned")], until_day=11)

    # then
    assert days(logged) == {1: "goes on", 2: "handed", 10: "goes on", 11: "cut"}
    handoffs = logged.handoffs
    assert handoffs.accepted.tolist() == [True]
    assert handoffs.sql.tolist() == [False]
    assert handoffs.is_resolved.tolist() == [True]
    assert handoffs.delay_days.tolist() == [2.0]


def test_a_handoff_that_is_still_open_is_not_resolved():
    # when
    handoffs = log([(2.5, "mql", "threshold")]).handoffs

    # then
    assert not handoffs.is_resolved[0]
    assert np.isnan(handoffs.delay_days[0])


@pytest.mark.parametrize(
    ("moves", "delay_days"),
    [
        ([(3, "sal"), (9, "sql")], [2.0]),
        ([(3, "returned")], [2.0]),
        ([(9, "sql")], []),
        ([(9, "lost")], []),
        ([(9, "sal"), (9, "sql")], []),
        ([(9, "sal"), (9, "lost")], []),
        ([(9, "opportunity"), (12, "won")], []),
    ],
    ids=[
        "accepted",
        "refused",
        "straight SQL",
        "lost",
        "ticked with it",
        "too late",
        "opportunity",
    ],
)
def test_the_day_of_the_outcome_is_not_taken_for_that_of_the_answer(moves, delay_days):
    # given a lead handed over on day 1
    handoffs = log([(1, "mql"), *moves]).handoffs

    # then
    known = handoffs.delay_days[np.isfinite(handoffs.delay_days)]
    assert handoffs.is_resolved.tolist() == [True]
    assert known.tolist() == delay_days


def answered(days, *, accepted) -> Handoffs:
    """Handoffs of a hundred days each, answered after so many of them; NaN: never."""
    n = len(days)
    at, none = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    found = np.isfinite(days)
    return Handoffs(
        lead=np.arange(n),
        at=at,
        raised=none,
        propensity=np.full(n, np.nan),
        answered_at=(np.where(found, days, 100.0) * DAY_US).astype(np.int64),
        is_answered=found,
        accepted=np.broadcast_to(accepted, n).copy(),
        sql=none,
        resolved_at=np.full(n, 100 * DAY_US),
        is_resolved=~none,
        load=at,
    )


def test_answers_are_trusted_where_nearly_all_are_logged_and_returns_take_no_longer():
    # given a hundred handoffs, every other one accepted
    accepted = np.arange(100) % 2 == 0
    soon = np.full(100, 2.0)
    late_returns = np.where(accepted, 2.0, 12.0)
    some_unknown = np.where(np.arange(100) < 10, np.nan, 2.0)

    # then
    assert trust_answers(answered(soon, accepted=accepted))
    assert not trust_answers(answered(late_returns, accepted=accepted))
    assert not trust_answers(answered(some_unknown, accepted=accepted))
    assert trust_answers(answered(late_returns[:30], accepted=accepted[:30])), "too few to compare"


def test_a_handoff_that_ended_without_a_logged_answer_waits_for_none():
    # given a second lead's handoff after the first one's straight SQL, in the same log
    handoffs = log([(1, "mql"), (4, "sql"), (6, "returned"), (10, "mql"), (12, "sal")]).handoffs

    # then nobody waits for an answer any more when the second is made
    assert handoffs.load.tolist() == [0, 0]


def test_only_a_handoff_by_lot_has_a_logged_chance():
    # when
    by_lot, by_rule = (
        log([(2.5, "mql", signal, 0.01)]).handoffs.propensity[0]
        for signal in ("exploration", "threshold")
    )

    # then
    assert by_lot == pytest.approx(0.01)
    assert np.isnan(by_rule)
