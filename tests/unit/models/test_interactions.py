"""Interaction values: shap's own where shap is right, and the definition where it is not."""

from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest

from tests.unit.models.test_trees import draw_rows, fit
from training.card.shap_plots import import_shap
from training.models.interactions import compute_interactions, has_interactions, measure_strength
from training.models.linear import LinearModel, Term
from training.models.segmented import SegmentedModel, SegmentPart
from training.models.trees import TreeModel, goes_left, in_bits

N_FEW = 5


def expect(model: TreeModel, row: np.ndarray, known: frozenset[int]) -> float:
    """The expected margin if only some features are known: follow them, average over the others.

    Path-dependent, as Lundberg et al. 2020 define it; by recursion over the nodes, no quadrature.
    """
    forest = model.forest

    def share(node: int) -> float:
        above = forest.above[node]
        return forest.cover[node] / (forest.cover[above] if above >= 0 else 1.0)

    def below(node: int) -> float:
        if forest.feature[node] < 0:
            return float(forest.leaf_value[node])
        left, right = forest.left[node], forest.right[node]
        if forest.feature[node] not in known:
            return share(left) * below(left) + share(right) * below(right)
        x = float(row[forest.feature[node]])
        if forest.categorical[node]:
            words = (forest.cat_words, forest.cat_start[node], forest.cat_end[node])
            goes = in_bits(*words, x)
        else:
            rule = (forest.threshold[node], forest.missing[node], forest.default_left[node])
            goes = goes_left(x, *rule)
        return below(left if goes else right)

    return sum(below(int(root)) for root in forest.tree_start[:-1])


def interact(model: TreeModel, row: np.ndarray, i: int, j: int) -> float:
    """The Shapley interaction index, halved, by its definition: over all sets of the others."""
    others = [k for k in range(N_FEW) if k not in {i, j}]
    total = 0.0
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(N_FEW - size - 2) / (2.0 * factorial(N_FEW - 1))
        for chosen in combinations(others, size):
            s = frozenset(chosen)
            total += weight * (
                expect(model, row, s | {i, j})
                - expect(model, row, s | {i})
                - expect(model, row, s | {j})
                + expect(model, row, s)
            )
    return total


def draw_few(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, N_FEW)).astype(np.float32)
    rows[:, 2] = np.floor(rng.random(n) * 40)  # a category beyond one 32-bit word
    rows[:, 4] = np.floor(rng.random(n) * 4)
    rows[rng.random(rows.shape) < 0.15] = np.nan
    return rows


def test_interactions_with_categories_and_missing_values_are_those_of_the_definition():
    rows = draw_few(0, 1500)
    odds = np.nan_to_num(rows[:, 0]) * np.nan_to_num(rows[:, 1]) + (rows[:, 2] % 7 == 2)
    odds = odds + np.nan_to_num(rows[:, 3]) * (rows[:, 4] == 1)
    settings = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 1}
    data = lgb.Dataset(rows, odds > 0.3, categorical_feature=[2, 4])
    model = TreeModel(lgb.train(settings, data, 6).model_to_string())
    later = draw_few(1, 4)
    later[0], later[1, 2] = np.nan, 77.0  # nothing known; a category nobody has seen

    ours = compute_interactions(model, later)

    meant = np.zeros_like(ours)
    for at, row in enumerate(later):
        for i, j in combinations(range(N_FEW), 2):
            meant[at, i, j] = meant[at, j, i] = interact(model, row, i, j)
    apart = ~np.eye(N_FEW, dtype=bool)
    np.testing.assert_allclose(ours[:, apart], meant[:, apart], atol=1e-12)
    assert np.abs(meant[:, 2, :]).max() > 0.01  # the category does take part


def test_without_categories_interactions_are_those_of_shap():
    rows = draw_rows(0, 3000)
    y = np.nan_to_num(rows[:, 0]) * np.nan_to_num(rows[:, 1], nan=1.0) + (rows[:, 3] > 30) > 0.6
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1}
    booster = lgb.train(settings, lgb.Dataset(rows, y), 40)
    later = draw_rows(2, 100)

    ours = compute_interactions(TreeModel(booster.model_to_string()), later)

    explainer = import_shap().TreeExplainer(booster)
    theirs = explainer.shap_interaction_values(later.astype(np.float64))
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert np.abs(theirs[:, 0, 1]).max() > 0.1


def test_rows_of_the_matrix_sum_to_lightgbms_own_values():
    booster = fit(draw_rows(0, 3000))
    later = draw_rows(2, 100)
    phi = compute_interactions(TreeModel(booster.model_to_string()), later)
    values = booster.predict(later, pred_contrib=True)[:, :-1]
    np.testing.assert_allclose(phi.sum(axis=2), values, atol=1e-9)
    np.testing.assert_allclose(phi, phi.transpose(0, 2, 1), atol=1e-12)


def test_each_row_has_the_interactions_of_its_own_segments_model():
    everyone = TreeModel(fit(draw_rows(0, 2000)).model_to_string())
    own = TreeModel(fit(draw_rows(5, 2000)).model_to_string())
    flat = LinearModel(0.0, 12, {0: Term(0.0, 1.0, 1.0, 0.0, (), 0.0)})
    parts = (
        SegmentPart("one", 3, tuple(range(20)), 0.5, 0.2, own),
        SegmentPart("two", 3, tuple(range(10, 40)), 2.0, -0.1, flat),
    )
    model = SegmentedModel(everyone, parts)
    later = draw_rows(2, 90)
    first, second = later[:, 3] < 20, (later[:, 3] >= 20) & (later[:, 3] < 40)

    phi = compute_interactions(model, later)

    np.testing.assert_allclose(phi.sum(axis=2), model.contributions(later), atol=1e-9)
    apart = ~np.eye(12, dtype=bool)
    meant = 0.5 * compute_interactions(own, later[first])
    np.testing.assert_allclose(phi[first][:, apart], meant[:, apart], atol=1e-12)
    assert not phi[second][:, apart].any()
    rest = ~first & ~second
    meant = compute_interactions(everyone, later[rest])
    np.testing.assert_allclose(phi[rest], meant, atol=1e-12)
    assert has_interactions(SegmentedModel(flat, parts))
    assert not has_interactions(SegmentedModel(flat, parts[1:]))


def test_strength_by_group_sums_signed_points_before_it_takes_their_size():
    model = TreeModel(fit(draw_rows(0, 2000)).model_to_string())
    later = draw_rows(2, 70)  # more than one piece
    owner = np.array([0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    by_feature, by_group = measure_strength(model, later, owner)
    phi = compute_interactions(model, later)
    assert by_feature[0, 1] == pytest.approx(2 * np.abs(phi[:, 0, 1]).mean())
    assert by_group[0, 1] == pytest.approx(by_feature[0, 1])
    rest = 2 * np.abs(phi[:, 0, 2:].sum(axis=1)).mean()
    assert by_group[0, 2] == pytest.approx(rest)
    assert by_group[0, 2] < by_feature[0, 2:].sum()
