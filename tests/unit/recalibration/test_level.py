"""The level follows labels that were known before the moment, and no others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from features.clock import DAY_US
from training.recalibration.level import PRIOR, fit_level, follow_level, newest_labels

EASY = {"memories": (50, 400), "prior": 1.0}


def draw_labels(rng, n=400, *, shift=1.0, days=100):
    """Draw labels of chances that are off by a shift; each known ten days after it was looked at."""
    log_odds = rng.normal(-1.0, 1.0, n)
    y = (rng.random(n) < expit(log_odds + shift)).astype(np.int8)
    as_of = np.sort(rng.integers(0, days * DAY_US, n))
    return log_odds, y, as_of, as_of + 10 * DAY_US, np.arange(n)


def ask_at(moment, log_odds, y, as_of, known_at, leads, **more):
    """Tell the shift and memory of a row that is looked at now, and whose label never comes."""
    followed = follow_level(
        np.append(log_odds, 0.0),
        np.append(y, 0),
        np.append(as_of, moment),
        np.append(known_at, np.iinfo(np.int64).max),
        np.append(leads, -1),
        **{**EASY, **more},
    )
    return float(followed.shift[-1]), int(followed.lookback[-1])


@given(seed=st.integers(0, 50), day=st.integers(11, 120))
def test_a_label_known_at_the_moment_or_later_changes_nothing(seed, day):
    rng = np.random.default_rng(seed)
    log_odds, y, as_of, known_at, leads = draw_labels(rng, n=120)
    moment = day * DAY_US
    # Some labels come at the very moment: they are not known before it.
    known_at[rng.random(len(y)) < 0.1] = moment
    later = known_at >= moment

    as_it_was = ask_at(moment, log_odds, y, as_of, known_at, leads)
    otherwise = ask_at(moment, log_odds, np.where(later, 1 - y, y), as_of, known_at, leads)
    without = ask_at(
        moment, log_odds[~later], y[~later], as_of[~later], known_at[~later], leads[~later]
    )

    assert as_it_was == otherwise
    assert as_it_was == pytest.approx(without)


def test_a_label_known_just_before_the_moment_counts_and_one_at_the_moment_does_not():
    log_odds, leads = np.zeros(300), np.arange(300)
    y, moment = np.ones(300, np.int8), 10 * DAY_US
    # The first hundred give a shift, the next hundred show that it pays, the last add to it.
    as_of = np.repeat([0, 5 * DAY_US, 7 * DAY_US], 100)
    known_at = np.repeat([4 * DAY_US, 8 * DAY_US, moment - 1], 100)
    sooner = ask_at(moment, log_odds, y, as_of, known_at, leads)
    known_at[200:] = moment
    at_once = ask_at(moment, log_odds, y, as_of, known_at, leads)

    assert sooner[0] > at_once[0] > 1.0
    assert sooner[1] == at_once[1] > 0


def test_a_level_that_is_off_is_found_and_one_that_is_not_is_left_alone():
    rng = np.random.default_rng(5)
    off = fit_level(*draw_labels(rng, n=3000)[:2], np.arange(3000))
    right = fit_level(*draw_labels(rng, n=3000, shift=0.0)[:2], np.arange(3000))

    assert off.shift == pytest.approx(1.0, abs=4 * off.standard_error)
    assert not off.is_noise
    assert right.is_noise


@pytest.mark.parametrize("seed", range(6))
def test_a_memory_that_is_better_by_chance_moves_nothing(seed):
    labels = draw_labels(np.random.default_rng(seed), shift=0.0)

    assert ask_at(200 * DAY_US, *labels) == (0.0, 0)


def test_the_made_up_outcomes_pull_towards_no_shift():
    y, leads = np.ones(30, np.int8), np.arange(30)

    shifts = [fit_level(np.zeros(30), y, leads, prior=p).shift for p in (1.0, PRIOR, 1000.0)]

    assert shifts[0] > shifts[1] > shifts[2] > 0.0


def test_the_newest_labels_are_those_that_matured_last_not_those_looked_at_last():
    known_at = np.array([5, 1, 4, 2, 3]) * DAY_US
    leads = np.array([7, 8, 7, 9, 8])

    assert newest_labels(known_at, leads, 1).tolist() == [2, 0]
    assert newest_labels(known_at, leads, 2).tolist() == [4, 2, 0]
