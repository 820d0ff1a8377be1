"""How far distributions have moved: by hand, at the edges, and by chance."""

import math

import numpy as np
import pytest

from features.catalog.fit import LeadAttribute
from features.catalog.manifest import build_catalog
from features.taxonomy import default_taxonomy
from serving.monitoring.drift import (
    ColumnDrift,
    count_psi,
    decide_drift,
    decide_verdict,
    measure_column,
    summarise_drift,
)


def column(psi: float, weight: float = 1.0) -> ColumnDrift:
    verdict = decide_verdict(psi, 0.0)
    return ColumnDrift("x", "X", psi, 0.0, verdict, 0.0, 0.0, None, None, weight)


def test_the_index_is_the_one_computed_by_hand() -> None:
    then = np.repeat([0, 1], [500, 500])
    now = np.repeat([0, 1], [800, 200])

    psi, _ = count_psi(then, now)

    assert psi == pytest.approx(0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5))


def test_an_empty_bin_counts_as_half_a_row() -> None:
    then = np.repeat([0, 1], [100, 100])
    now = np.zeros(100, np.int64)

    psi, _ = count_psi(then, now)

    assert psi == pytest.approx(0.5 * math.log(2.0) + (0.005 - 0.5) * math.log(0.005 / 0.5))


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_a_constant_that_changes_is_seen_in_both_directions(value: float) -> None:
    then = np.full(1000, value)

    for now in (value - 1.0, value + 1.0):
        assert measure_column("x", "X", then, np.full(500, now)).verdict == "drifted"
    assert measure_column("x", "X", then, np.full(500, value)).psi == 0.0


def test_cells_that_become_empty_are_drift() -> None:
    then = np.random.default_rng(1).normal(size=1000)

    measured = measure_column("x", "X", then, np.where(np.arange(1000) < 600, np.nan, then))

    assert measured.verdict == "drifted"
    assert (measured.missing_then, measured.missing_now) == (0.0, 0.6)


def test_a_column_that_was_always_empty_and_still_is_has_not_moved() -> None:
    empty = np.full(300, np.nan)

    assert measure_column("x", "X", empty, empty).psi == 0.0


def test_a_column_that_was_always_empty_and_fills_up_has_drifted() -> None:
    assert measure_column("x", "X", np.full(300, np.nan), np.ones(300)).verdict == "drifted"


def test_equal_distributions_are_stable_however_small_the_sample() -> None:
    rng = np.random.default_rng(7)

    for _ in range(200):
        measured = measure_column("x", "X", rng.normal(size=2000), rng.normal(size=200))
        assert measured.verdict == "stable"
        assert measured.psi < measured.by_chance


def test_a_shift_of_a_standard_deviation_is_drift() -> None:
    rng = np.random.default_rng(7)

    measured = measure_column("x", "X", rng.normal(size=2000), rng.normal(1.0, size=1000))

    assert measured.verdict == "drifted"
    assert measured.mean_now == pytest.approx(1.0, abs=0.1)


def test_a_column_without_weight_may_drift_alone() -> None:
    verdict, because = decide_drift(column(0.01), [column(0.9, weight=0.0), column(0.0)])

    assert (verdict, because) == (
        "stable",
        "Neither the scores nor the columns that carry them have moved.",
    )


def test_columns_that_carry_the_score_make_drift() -> None:
    verdict, because = decide_drift(
        column(0.01), [column(0.9, weight=3.0), column(0.0, weight=7.0)]
    )

    assert verdict == "drifted"
    assert because == "Columns that carry 30% of the score have drifted, 'X' most."


def test_empty_and_unseen_are_reported_by_ourselves() -> None:
    attributes = (
        LeadAttribute("industry", "category", ("a", "b", "(other)")),
        LeadAttribute("employees", "number"),
        LeadAttribute("budget", "number"),
    )
    features = build_catalog(default_taxonomy(), attributes).features
    features = tuple(f for f in features if f.attribute)
    then = np.tile(np.array([[0.0, 5.0, 7.0]], np.float32), (300, 1))
    now = np.column_stack(
        [np.repeat([1.0, 2.0], 150), np.full(300, np.nan), np.full(300, 7.0)]
    ).astype(np.float32)
    points = np.linspace(40, 60, 300)

    summary = summarise_drift(features, then, now, points, points, np.ones(3))

    assert summary.empty_columns == ["employees"]
    assert summary.unseen_categories == {"industry": ["b", "(other)"]}
    assert summary.other_categories == {"industry": 0.5}
    assert summary.score.verdict == "stable"
    assert summary.verdict == "drifted"


def test_infinite_cells_count_as_empty_ones() -> None:
    attributes = (
        LeadAttribute("size", "number"),
        LeadAttribute("industry", "category", ("a", "(other)")),
    )
    features = [f for f in build_catalog(default_taxonomy(), attributes).features if f.attribute]
    then = np.tile(np.array([[1.0, 0.0]], np.float32), (400, 1))
    now = then.copy()
    now[:200] = np.inf
    points = np.full(400, 50.0)
    odd = np.where(np.arange(400) < 10, np.inf, points)

    found = summarise_drift(features, then, now, points, odd, np.ones(2))

    assert [one.missing_now for one in found.features] == [0.5, 0.5]
    assert found.score.missing_now == 10 / 400
    assert found.unseen_categories == {}
