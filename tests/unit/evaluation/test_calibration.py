import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from training.evaluation.bins import assign_bins, find_bins, measure_bands
from training.evaluation.calibration import (
    SMALLEST_SLOPE,
    fit_affine,
    measure_ece,
    measure_line,
    measure_losses,
)
from training.evaluation.errors import MarginError, ProbabilityError
from training.evaluation.resampling import draw_totals, wilson


def draw_calibrated(seed, n=20_000, snapshots=1):
    rng = np.random.default_rng(seed)
    leads = n // snapshots
    p = expit(rng.normal(-1.5, 1.0, leads))
    y = (rng.random(leads) < p).astype(float)
    lead = np.repeat(np.arange(leads), snapshots)
    return y[lead], p[lead], lead


def test_losses_by_hand():
    # given two rows
    losses = measure_losses([1, 0], [0.8, 0.4], base_rate_train=0.25)

    # then each is the mean over rows
    assert losses.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert losses.log_loss_of_training_rate == pytest.approx(-(np.log(0.25) + np.log(0.75)) / 2)
    assert losses.log_loss_of_own_rate == pytest.approx(np.log(2))
    assert losses.brier == pytest.approx((0.04 + 0.16) / 2)
    assert losses.brier_of_training_rate == pytest.approx((0.5625 + 0.0625) / 2)


def test_losses_agree_with_scikit_learn():
    y, p, _ = draw_calibrated(1, 500)

    losses = measure_losses(y, p, 0.2)

    assert losses.log_loss == pytest.approx(log_loss(y, p))
    assert losses.brier == pytest.approx(brier_score_loss(y, p))


def test_a_sure_miss_costs_much_but_not_infinitely():
    losses = measure_losses([1, 0], [0.0, 1.0], 0.0)

    assert 30 < losses.log_loss < 40
    assert np.isfinite(losses.log_loss_of_training_rate)


def test_ece_by_hand():
    # given two bins of five: promises .1 and .5, outcomes 1/5 and 2/5
    p = np.repeat([0.1, 0.5], 5)
    y = np.array([1, 0, 0, 0, 0, 1, 1, 0, 0, 0])

    # when measured in two bins
    error = measure_ece(y, p, rng=np.random.default_rng(0), bins=2)

    # then .5 * |.2 - .1| + .5 * |.4 - .5|
    assert error.value == pytest.approx(0.1)
    assert error.bins == 2
    # and the noise floor is sqrt(2/pi) * (sqrt(.8) + sqrt(1.2)) / 10
    assert error.noise_floor == pytest.approx(
        np.sqrt(2 / np.pi) * (np.sqrt(0.8) + np.sqrt(1.2)) / 10
    )


@pytest.mark.parametrize("snapshots", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_perfect_calibration_shows_no_more_error_than_its_noise_floor(seed, snapshots):
    # given outcomes drawn from the very chances
    y, p, lead = draw_calibrated(seed, snapshots=snapshots)

    # when measured
    error = measure_ece(y, p, lead, rng=np.random.default_rng(seed))

    # then the error and its noise floor lie within the interval, near each other
    assert error.interval.low <= error.value <= error.interval.high
    assert error.interval.low <= error.noise_floor <= error.interval.high
    assert error.value < 2 * error.noise_floor
    assert error.value < 0.02


def test_a_bias_of_ten_points_is_found():
    y, p, lead = draw_calibrated(2)

    error = measure_ece(y, np.clip(p + 0.1, 0, 1), lead, rng=np.random.default_rng(0))

    assert error.value == pytest.approx(0.1, abs=0.01)
    assert error.interval.covers(0.1)
    assert error.interval.low > 5 * error.noise_floor


def test_the_same_generator_state_gives_the_same_interval():
    y, p, lead = draw_calibrated(2, 2000)

    first, second = (
        measure_ece(y, p, lead, rng=np.random.default_rng(9)).interval for _ in range(2)
    )

    assert first == second


def test_drawn_totals_count_whole_leads():
    # given lead 0 with two rows of 1, lead 1 with one row of 10
    totals = draw_totals(
        np.array([[1.0], [1.0], [10.0]]),
        np.zeros(3, dtype=np.int64),
        np.array([0, 0, 1]),
        rng=np.random.default_rng(0),
        resamples=50,
    )

    # then only sums of two whole leads occur
    assert set(totals.ravel()) <= {4.0, 12.0, 20.0}


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.5, 0.3), (2.0, -0.4)])
def test_slope_and_intercept_are_recovered(slope, shift):
    # given promises whose log-odds must be stretched and moved to be true
    rng = np.random.default_rng(4)
    margin = rng.normal(-1, 1, 40_000)
    y = rng.random(40_000) < expit(slope * margin + shift)

    # when measured
    line = measure_line(y, expit(margin))

    # then they are found, within their interval
    assert line.slope == pytest.approx(slope, abs=0.06)
    assert line.intercept == pytest.approx(shift, abs=0.06)
    assert line.slope_interval.covers(slope)
    assert line.because == ""


def test_line_agrees_with_scikit_learn():
    y, p, _ = draw_calibrated(3, 1500)

    line = measure_line(y, p)
    rival = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], y)

    assert line.slope == pytest.approx(rival.coef_[0, 0], abs=1e-4)
    assert line.intercept == pytest.approx(rival.intercept_[0], abs=1e-4)


def test_intercept_in_the_large_makes_the_total_right():
    # given promises that are too low
    y, p, _ = draw_calibrated(5)
    low = expit(logit(p) - 0.7)

    line = measure_line(y, low)

    # then moving every log-odds by it makes the promised total the one that came
    assert expit(logit(low) + line.intercept_in_the_large).mean() == pytest.approx(y.mean())
    assert not line.in_the_large_interval.covers(0)


def test_copies_of_leads_do_not_narrow_the_slope():
    y, p, lead = draw_calibrated(6, 1000)

    once = measure_line(y, p, lead).slope_interval
    copied = measure_line(np.tile(y, 5), np.tile(p, 5), np.tile(lead, 5)).slope_interval

    assert copied.low == pytest.approx(once.low, abs=1e-6)


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3]),
        ([0, 1, 0], [0.2, 0.2, 0.2]),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
    ],
    ids=["one outcome", "one chance", "separated"],
)
def test_where_there_is_no_slope_it_states_why(y, p):
    line = measure_line(y, p)

    assert np.isnan(line.slope)
    assert line.because


def test_equal_chances_share_a_bin():
    cells = assign_bins(np.array([0.1] * 7 + [0.2, 0.3, 0.4]), bins=5)

    assert len(set(cells[:7])) == 1
    assert list(np.unique(cells)) == list(range(cells.max() + 1))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_bins_hold_every_row_in_order(chances):
    p = np.array(chances)
    y = np.zeros(len(p))

    bins = find_bins(y, p)

    assert sum(row.rows for row in bins) == len(p)
    means = [row.predicted for row in bins]
    assert means == sorted(means)


def test_bin_interval_counts_leads_not_rows():
    y, p, lead = np.ones(100), np.full(100, 0.5), np.repeat([1, 2, 3, 4, 5], 20)

    (only,) = find_bins(y, p, lead)

    assert only.observed_low == pytest.approx(wilson(5, 5)[0])
    assert (only.rows, only.leads) == (100, 5)


def test_wilson_interval_by_hand_and_at_the_ends():
    # given Newcombe's example, 81 of 263: .2553 to .3662
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 10)[0] == 0
    assert np.isnan(wilson(0, 0)[0])


def test_bands_state_promise_outcome_and_gap():
    # given four rows in band A and B, none in C
    bands = measure_bands(
        [1, 0, 0, 0], [0.5, 0.3, 0.1, 0.2], [0, 0, 1, 1], ["A", "B", "C"], [65, 50, -np.inf]
    )

    best, middle, empty = bands
    assert (best.predicted, best.observed) == pytest.approx((0.4, 0.5))
    assert best.calibration_error == pytest.approx(0.1)
    assert (middle.rows, middle.observed) == (2, 0)
    assert empty.rows == 0
    assert np.isnan(empty.calibration_error)


def test_affine_fit_recovers_slope_and_intercept():
    rng = np.random.default_rng(8)
    margin = rng.normal(0, 2, 30_000)
    y = rng.random(30_000) < expit(0.6 * margin - 1.2)

    fit = fit_affine(margin, y)

    assert fit.method == "platt"
    assert (fit.slope, fit.intercept) == pytest.approx((0.6, -1.2), abs=0.05)
    assert fit.apply(margin).mean() == pytest.approx(y.mean(), abs=1e-3)


def test_affine_fit_of_separated_margins_is_finite():
    margin = np.concatenate([np.full(50, -3.0), np.full(50, 3.0)])

    fit = fit_affine(margin, margin > 0)

    assert fit.method == "platt"
    # Platt's targets 1/52 and 51/52 are met exactly.
    assert fit.apply([3.0])[0] == pytest.approx(51 / 52)


def test_affine_fit_does_not_depend_on_the_unit_of_the_margin():
    rng = np.random.default_rng(8)
    margin = rng.normal(0, 1, 2000)
    y = rng.random(2000) < expit(margin)

    plain, huge = fit_affine(margin, y), fit_affine(margin * 50 + 1000, y)

    assert huge.slope * 50 == pytest.approx(plain.slope)
    assert plain.apply(margin) == pytest.approx(huge.apply(margin * 50 + 1000))


def test_too_few_conversions_move_only_the_level():
    # given 5 conversions in 100 rows, with margins that promise one half
    y = np.zeros(100)
    y[:5] = 1

    fit = fit_affine(np.linspace(-1, 1, 100), y)

    assert (fit.method, fit.slope) == ("shift", 1.0)
    assert fit.apply(np.linspace(-1, 1, 100)).mean() == pytest.approx(0.06, abs=0.02)
    assert "5 of 100" in fit.because


def test_no_conversion_at_all_still_gives_a_finite_level():
    fit = fit_affine(np.zeros(30), np.zeros(30))

    assert fit.method == "shift"
    assert 0 < fit.apply([0.0])[0] < 0.1


def test_a_reversed_model_keeps_a_slope_above_zero_and_states_so():
    # given margins that rank the slice upside down
    rng = np.random.default_rng(2)
    margin = rng.normal(0, 1, 5000)
    y = rng.random(5000) < expit(-margin - 1)

    fit = fit_affine(margin, y)

    assert (fit.method, fit.slope) == ("floor", SMALLEST_SLOPE)
    assert fit.apply(margin).mean() == pytest.approx(y.mean(), abs=1e-3)
    assert "base rate" in fit.because


def test_weights_count_rows():
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 1, 300)
    y = (rng.random(300) < expit(margin)).astype(float)

    doubled = fit_affine(np.repeat(margin, 2), np.repeat(y, 2))
    weighted = fit_affine(margin, y, np.full(300, 2.0))

    assert weighted.slope == pytest.approx(doubled.slope)


def test_broken_numbers_are_refused():
    with pytest.raises(MarginError, match="row 1"):
        fit_affine([0.0, np.nan], [0, 1])
    with pytest.raises(ProbabilityError, match="row 0"):
        measure_losses([0, 1], [1.2, 0.5], 0.1)
