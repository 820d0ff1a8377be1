from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.evaluation.errors import EmptySliceError, LabelError, UnequalLengthError
from training.evaluation.ranking import (
    CLUSTERED,
    DELONG,
    find_gains,
    measure_auc,
    measure_average_precision,
    measure_lift,
)

COARSE = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=60)


def draw_slice(seed, n=400, strength=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(strength * x - 1)))).astype(float)
    return y, x


def test_auc_counts_pairs_in_order_and_ties_one_half():
    # given two positives and two negatives: pairs .8>.4, .8>.4, .4=.4, .4=.4
    y, scores = [1, 1, 0, 0], [0.8, 0.4, 0.4, 0.4]

    # when measured
    auc = measure_auc(y, scores)

    # then two pairs count one and two count one half, of four
    assert auc.value == pytest.approx(0.75)


@settings(deadline=None, max_examples=80)
@given(COARSE)
def test_auc_and_average_precision_agree_with_scikit_learn_on_tied_scores(rows):
    # given coarse scores with many ties
    y, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if len(set(y)) < 2:
        return

    # when measured both ways, then they agree
    assert measure_auc(y, scores).value == pytest.approx(roc_auc_score(y, scores))
    assert measure_average_precision(y, scores) == pytest.approx(
        average_precision_score(y, scores)
    )


def test_variance_is_that_of_delong_by_hand():
    # given three positives (4, 3, 1) and two negatives (2, 0)
    auc = measure_auc([1, 1, 1, 0, 0], [4, 3, 1, 2, 0])

    # when V10 = (1, 1, .5), V01 = (2/3, 1), AUC = 5/6
    s10, s01 = np.var([1, 1, 0.5], ddof=1), np.var([2 / 3, 1], ddof=1)
    spread = np.sqrt(s10 / 3 + s01 / 2)
    half = 1.959964 * spread / (5 / 6 * 1 / 6)
    logit = np.log(5)

    # then the interval is that variance on the logit scale
    assert auc.interval.method == DELONG
    assert auc.interval.low == pytest.approx(1 / (1 + np.exp(-(logit - half))), abs=1e-6)
    assert auc.interval.high == pytest.approx(1 / (1 + np.exp(-(logit + half))), abs=1e-6)


def test_ten_copies_of_each_lead_do_not_narrow_the_interval():
    # given a slice, and the same slice with every lead shown ten times
    y, x = draw_slice(3)
    lead = np.arange(len(y))

    # when measured with the lead known and unknown
    once = measure_auc(y, x, lead)
    copied = measure_auc(np.repeat(y, 10), np.repeat(x, 10), np.repeat(lead, 10))
    blind = measure_auc(np.repeat(y, 10), np.repeat(x, 10))

    # then only the one that knows leads keeps the width
    assert copied.interval.method == CLUSTERED
    assert copied.interval.low == pytest.approx(once.interval.low, abs=1e-9)
    assert copied.leads == len(y)
    assert blind.interval.high - blind.interval.low < 0.4 * (
        once.interval.high - once.interval.low
    )


def test_clustered_interval_agrees_with_a_bootstrap_of_leads():
    # given leads with one to five snapshots that share an outcome and most of their score
    rng = np.random.default_rng(5)
    y, x = draw_slice(6, n=250)
    lead = np.repeat(np.arange(250), rng.integers(1, 6, 250))
    y, x = y[lead], x[lead] + 0.3 * rng.normal(size=len(lead))
    of_lead = [np.flatnonzero(lead == one) for one in range(250)]

    # when leads are drawn with replacement
    drawn = []
    for _ in range(300):
        rows = np.concatenate([of_lead[one] for one in rng.integers(0, 250, 250)])
        drawn.append(roc_auc_score(y[rows], x[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])

    # then the closed form is as wide
    interval = measure_auc(y, x, lead).interval
    assert interval.high - interval.low == pytest.approx(high - low, rel=0.2)


def test_interval_covers_the_truth_about_as_often_as_it_states():
    # given 200 slices without signal
    rng = np.random.default_rng(11)

    # when each is measured
    covered = [
        measure_auc(rng.random(150) < 0.3, rng.normal(size=150)).interval.covers(0.5)
        for _ in range(200)
    ]

    # then about 95 % cover one half
    assert 0.90 <= np.mean(covered) <= 0.99


def test_a_perfect_order_of_few_leads_is_not_called_certain():
    # given three positives above three negatives
    auc = measure_auc([1, 1, 1, 0, 0, 0], [6, 5, 4, 3, 2, 1])

    # then the interval is that of three trials without a miss
    assert auc.value == 1
    assert auc.interval.low == pytest.approx(0.025 ** (1 / 3))


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_one_outcome_only_gives_nan_and_an_interval_that_rules_out_nothing(y):
    auc = measure_auc(y, [1, 2, 3])

    assert np.isnan(auc.value)
    assert auc.interval.covers(0.5)


def test_a_single_converting_lead_has_an_interval_of_everything():
    auc = measure_auc([1, 1, 0, 0, 0], [5, 4, 3, 2, 1], [7, 7, 1, 2, 3])

    assert (auc.interval.low, auc.interval.high) == (0, 1)


@settings(deadline=None, max_examples=40)
@given(COARSE, st.randoms(use_true_random=False))
def test_row_order_never_changes_lift_or_gains(rows, random):
    # given tied scores in two row orders
    shuffled = list(rows)
    random.shuffle(shuffled)
    y, s = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    y2, s2 = (np.array(c, dtype=float) for c in zip(*shuffled, strict=True))

    # then the figures are the same
    assert measure_lift(y, s) == pytest.approx(measure_lift(y2, s2), nan_ok=True)
    first, second = find_gains(y, s), find_gains(y2, s2)
    assert [point.found for point in first] == pytest.approx(
        [point.found for point in second], nan_ok=True
    )


def test_lift_takes_the_expected_value_over_ties():
    # given ten rows, the best three tied, one of them converting, two conversions in all
    y = [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    scores = [9, 9, 9, 5, 4, 3, 2, 1, 0, -1]

    # when one row is contacted, then it converts with chance 1/3 against a base rate of 1/5
    assert measure_lift(y, scores, 0.1) == pytest.approx((1 / 3) / (2 / 10))


def test_a_constant_score_has_lift_one_and_gains_on_the_diagonal():
    y = [1, 0, 0, 1, 0, 0, 0, 0]

    assert measure_lift(y, np.zeros(8)) == pytest.approx(1)
    assert all(point.found == pytest.approx(point.share) for point in find_gains(y, np.zeros(8)))


def test_gains_run_from_nothing_to_everything():
    y, x = draw_slice(1)

    gains = find_gains(y, x)

    assert (gains[0].found, gains[-1].found) == (0, 1)
    assert all(b.found >= a.found for a, b in pairwise(gains))


def test_without_a_conversion_lift_and_precision_are_unknown():
    assert np.isnan(measure_lift([0, 0], [1, 2]))
    assert np.isnan(measure_average_precision([0, 0], [1, 2]))
    assert all(np.isnan(point.found) for point in find_gains([0, 0], [1, 2]))


def test_unusable_rows_are_refused_with_what_to_do():
    with pytest.raises(EmptySliceError, match="longer history"):
        measure_auc([], [])
    with pytest.raises(LabelError, match="row 1"):
        measure_auc([0, np.nan], [1, 2])
    with pytest.raises(UnequalLengthError, match="same mask"):
        measure_auc([0, 1], [1, 2, 3])
    with pytest.raises(UnequalLengthError, match="lead_index"):
        measure_auc([0, 1], [1, 2], [1])
