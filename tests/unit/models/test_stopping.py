"""What waiting brings along hand-made paths, and what thresholds bring along a log."""

import numpy as np
import pytest

from features.clock import DAY_US
from features.compute.offline import Snapshots
from features.lifecycle.prices import Prices
from training.timing.labels import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    RAISED,
    Decisions,
    Handoffs,
)
from training.timing.models.handoff_chances import calibrate, weigh_resolved
from training.timing.models.log_value import Log, find_lowest
from training.timing.models.stopping import (
    HalfValues,
    fit_second_chance,
    follow_paths,
    value_second_chances,
)

HALF_A_DAY = Prices(discount_by_day=0.5)
"""Whatever comes a day later is worth half."""


def decisions(kinds, *, lead=None, handoff=None) -> Decisions:
    """Decision days, a day apart."""
    n = len(kinds)
    lead = np.zeros(n, np.int64) if lead is None else np.array(lead)
    return Decisions(
        Snapshots(lead, np.arange(n) * DAY_US),
        np.array(kinds, np.int8),
        np.full(n, -1) if handoff is None else np.array(handoff),
        np.ones(n),
    )


def side(handoff, *, gain=0.0, logged=()) -> HalfValues:
    handoff = np.array(handoff, np.float64)
    none = np.zeros(len(handoff))
    return HalfValues(
        handoff, np.array(logged, np.float64), none + gain, none, none[: len(logged)], (0.0, 0.0)
    )


def handoffs(at_days, *, lead=None, sql=None, took=1.0, resolved=None) -> Handoffs:
    n = len(at_days)
    at = (np.array(at_days) * DAY_US).astype(np.int64)
    known = np.ones(n, np.bool_) if resolved is None else np.array(resolved)
    won = np.zeros(n, np.bool_) if sql is None else np.array(sql)
    done = at + (np.broadcast_to(took, n) * DAY_US).astype(np.int64)
    return Handoffs(
        lead=np.arange(n) if lead is None else np.array(lead),
        at=at,
        raised=np.zeros(n, np.bool_),
        propensity=np.full(n, np.nan),
        answered_at=done,
        is_answered=known,
        accepted=won,
        sql=won,
        resolved_at=done,
        is_resolved=known,
        load=np.zeros(n, np.int64),
    )


def test_waiting_brings_the_handoff_on_the_first_day_that_stops():
    # given
    own = decisions([GOES_ON, GOES_ON, GOES_ON, ENDED])

    # when
    brought = follow_paths(
        own, side([1.0, 2.0, 8.0, 0.0]), np.array([False, False, True, False]), HALF_A_DAY
    )

    # then: two days to the third day's 8, one day to it, and nothing after
    assert brought.tolist() == [2.0, 4.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("last", "brought"),
    [
        pytest.param(ENDED, 0.0, id="closed"),
        pytest.param(ALONE, 5.0, id="an SQL by itself is worth an SQL, a day later"),
        pytest.param(RAISED, 3.0, id="a raised hand is worth what that handoff was worth"),
    ],
)
def test_a_path_brings_what_ends_it(last, brought):
    # given
    own = decisions([GOES_ON, last], handoff=[-1, 0 if last == RAISED else -1])

    # when
    result = follow_paths(own, side([9.0, 9.0], logged=[6.0]), np.zeros(2, np.bool_), HALF_A_DAY)

    # then
    assert result.tolist() == [brought / 2, brought]


@pytest.mark.parametrize("cut", [HANDED, CUT])
def test_where_the_log_cuts_a_path_the_models_own_worth_goes_on(cut):
    # when
    result = follow_paths(
        decisions([GOES_ON, cut]), side([1.0, 3.0], gain=1.0), np.zeros(2, np.bool_), HALF_A_DAY
    )

    # then: worth 3 now and 1 more for waiting, a day later; nothing was seen of the last day
    assert result[0] == 2.0
    assert np.isnan(result[1])


def test_a_later_handoff_pays_the_price_of_the_sellers_time():
    # when
    result = follow_paths(
        decisions([GOES_ON, ENDED]),
        side([0.0, 6.0]),
        np.array([False, True]),
        HALF_A_DAY,
        shadow_price=2.0,
    )

    # then
    assert result[0] == 2.0


def test_an_open_handoff_is_was_for_by_those_that_were_followed_long_enough():
    # given: of four handoffs, a day apart, those that took two days were followed only if early
    made = handoffs([0, 1, 2, 3], took=[1.0, 2.0, 1.0, 0.0], resolved=[True, True, True, False])

    # when
    weight = weigh_resolved(made)

    # then
    assert weight.tolist() == [pytest.approx(4 / 3), 2.0, pytest.approx(4 / 3), 0.0]


def test_a_failed_handoff_is_credited_with_what_the_lead_brought_later():
    # given: ann fails on day 0 and is handed over again on day 2; bob fails for good; a late one
    made = handoffs([0, 2, 0, 200], lead=[0, 0, 1, 2], sql=[False, True, False, False])

    # when
    failed, brought = value_second_chances(
        decisions([ENDED], lead=[5]), made, np.array([0.0, 8.0, 0.0, 0.0]), HALF_A_DAY
    )

    # then
    assert failed.tolist() == [0, 2]
    assert brought.tolist() == [2.0, 0.0]


def test_few_second_chances_have_one_mean_and_many_a_line():
    # given
    p_sql = np.linspace(0.0, 1.0, 400)

    # when
    few, many = (fit_second_chance(own, own) for own in (p_sql[:50], p_sql))

    # then
    assert few == (pytest.approx(p_sql[:50].mean()), 0.0)
    assert 0.5 < many[1] < 1.0
    assert many[0] + many[1] * 0.5 == pytest.approx(0.5)


def test_a_threshold_on_the_log_is_valued_by_hand():
    # given: two leads of two days; the score reaches 2 on ann's second day only
    own = decisions([GOES_ON, ENDED, GOES_ON, ALONE], lead=[0, 0, 1, 1])
    log = Log(own, np.array([1.0, 4.0, 1.0, 1.0]), np.zeros(0), HALF_A_DAY)
    scored = log.score(np.array([0.0, 2.0, 0.5, 1.0]))

    # when
    result = scored.follow(2.0)

    # then: ann a day later, bob's SQL two days later
    assert result.value == (4.0 / 2 + 10.0 / 4) / 2
    assert result.handoffs == 0.5
    assert scored.follow(9.0).handoffs == 0.0


def test_a_path_cut_by_the_old_rule_goes_on_as_others_of_its_score():
    # given: many leads whose second day is worth 4; a few are cut on the first
    kinds = [GOES_ON, ENDED] * 50 + [HANDED] * 5
    lead = [i // 2 for i in range(100)] + list(range(50, 55))
    scores = np.array([0.0, 2.0] * 50 + [0.0] * 5)
    log = Log(decisions(kinds, lead=lead), 2.0 * scores, np.zeros(0), HALF_A_DAY)

    # when
    result = log.score(scores).follow(2.0)

    # then
    assert result.value == pytest.approx(2.0)
    assert result.handoffs == pytest.approx(1.0)


def test_the_shadow_price_is_what_the_last_handoff_that_fits_brings():
    # given a hundred leads of one day each, whose handoff brings their score: from 0.01 to 1
    scores = np.arange(1, 101) / 100.0
    log = Log(decisions([ENDED] * 100, lead=range(100)), scores, np.zeros(0), Prices())

    # when sales can take a fifth of them
    threshold = log.score(scores).best_threshold(0.2)
    price = log.find_price(scores, threshold)

    # then at that price the next handoff below no longer pays, and without limits there is none
    assert 0.8 <= threshold <= 0.85
    assert 0.7 < price <= threshold
    assert log.find_price(scores, log.score(scores).best_threshold()) == 0.0


def test_the_lowest_level_is_found_at_which_handoffs_fit():
    assert find_lowest(lambda level: 1.0 - level, 0.25, 0.0, 1.0) == pytest.approx(0.75, abs=1e-3)
    assert find_lowest(lambda _: 0.1, 0.25, 0.0, 1.0) == 0.0


def test_a_calibration_finds_the_line_that_made_the_outcomes():
    # given
    rng = np.random.default_rng(0)
    margin = rng.normal(0.0, 2.0, 40_000)
    days = rng.exponential(2.0, len(margin))
    truth = -0.5 + 0.8 * margin - 0.1 * days
    y = (rng.random(len(margin)) < 1.0 / (1.0 + np.exp(-truth))).astype(np.int8)

    # when
    slope, offset, by_day = calibrate(margin, y, np.ones(len(y)), days)

    # then
    assert slope == pytest.approx(0.8, abs=0.05)
    assert offset == pytest.approx(-0.5, abs=0.05)
    assert by_day == pytest.approx(-0.1, abs=0.02)


def test_a_late_answer_is_never_taken_to_help():
    # given outcomes that happen to be better after a long wait
    rng = np.random.default_rng(0)
    margin, days = rng.normal(0.0, 2.0, 5_000), rng.exponential(2.0, 5_000)
    y = (rng.random(5_000) < 1.0 / (1.0 + np.exp(-margin - 0.2 * days))).astype(np.int8)

    # when
    _, offset, by_day = calibrate(margin, y, np.ones(len(y)), days)

    # then the calibration leaves the days alone, and keeps the level
    chance = 1.0 / (1.0 + np.exp(-margin - offset))
    assert by_day == 0.0
    assert chance.mean() == pytest.approx(y.mean(), abs=0.02)
