import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats.contingency import association

from training.evaluation.association import (
    cut_into_groups,
    find_null_spread,
    measure_cramers_v,
    measure_divergence,
    measure_grouped_auc,
    measure_phi,
    measure_plain_auc,
)


def test_phi_is_the_correlation_of_two_flags():
    rng = np.random.default_rng(0)
    a = rng.random(500) < 0.3
    b = a ^ (rng.random(500) < 0.2)

    assert measure_phi(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert measure_phi(a, a) == pytest.approx(1)
    assert measure_phi(a, np.ones(500, dtype=bool)) == 0


def test_cramers_v_is_near_scipys_on_many_rows_and_zero_on_noise():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 4, 20_000)
    y = rng.random(20_000) < np.array([0.05, 0.2, 0.5, 0.9])[groups]
    table = np.array([[(y[groups == g]).sum(), (~y[groups == g]).sum()] for g in range(4)])

    assert measure_cramers_v(groups, y) == pytest.approx(association(table), abs=0.005)
    # An id column would score about .7 without the correction for bias.
    assert measure_cramers_v(np.arange(200) // 2, rng.random(200) < 0.3) < 0.3
    assert measure_cramers_v(y.astype(np.int64), y) == pytest.approx(1, abs=1e-3)


def test_divergence_is_the_square_of_scipys_distance_in_bits():
    earlier, later = np.repeat([1, 2, 3], [5, 3, 2]), np.repeat([1, 2, 4], [2, 3, 5])

    assert measure_divergence(earlier, later) == pytest.approx(
        jensenshannon([0.5, 0.3, 0.2, 0], [0.2, 0.3, 0, 0.5], base=2) ** 2
    )


def test_null_spread_is_what_noise_shows():
    rng = np.random.default_rng(2)
    y = np.arange(120) < 30
    aucs = [measure_plain_auc(rng.random(120), y) for _ in range(1500)]

    assert np.std(aucs) == pytest.approx(find_null_spread(30, 90), rel=0.08)


def test_heavy_ties_and_missing_are_groups_of_their_own():
    values = np.array([np.nan] * 5 + [0.0] * 80 + list(np.arange(1.0, 16.0)))

    groups = cut_into_groups(values, is_category=False)

    assert set(groups[:5]) == {0}
    assert len(set(groups[5:85])) == 1
    assert not set(groups[5:85]) & set(groups[85:])


def test_grouped_auc_sees_the_middle_and_not_mere_ids():
    # given an outcome in the middle of the range, which no order finds
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 1, 4000)
    y = (x > 0.45) & (x < 0.55)
    halves = rng.random(4000) < 0.5

    # then groups find it, and ids find nothing
    assert measure_plain_auc(x, y) == pytest.approx(0.5, abs=0.05)
    assert measure_grouped_auc(cut_into_groups(x, is_category=False), y, halves) > 0.95
    assert measure_grouped_auc(np.arange(4000), y, halves) == pytest.approx(0.5, abs=0.05)
