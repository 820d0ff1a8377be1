"""Our reading of LightGBM's trees gives LightGBM's own numbers."""

import lightgbm as lgb
import numpy as np
import pytest

from training.errors import UnsupportedTreeError
from training.models.trees import TreeModel

N_FEATURES = 12


def draw_rows(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.15] = np.nan
    rows[:, 3] = np.floor(rng.random(n) * 60)  # categories beyond one 32-bit word
    rows[:, 5] = np.where(rng.random(n) < 0.5, 0.0, rows[:, 5])
    rows[:, 7] = np.floor(np.abs(rows[:, 7]) * 3)  # a category with missing values
    return rows


def fit(rows: np.ndarray, **settings) -> lgb.Booster:
    rng = np.random.default_rng(1)
    odds = np.nan_to_num(rows[:, 0]) * np.nan_to_num(rows[:, 1], nan=1.0) + (rows[:, 3] % 7 == 2)
    y = odds + (np.nan_to_num(rows[:, 7], nan=5.0) % 3) + rng.normal(size=len(rows)) > 1.5
    wanted = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1, **settings}
    data = lgb.Dataset(rows, y.astype(int), categorical_feature=[3, 7])
    return lgb.train(wanted, data, 60)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.3},
        {"max_cat_to_onehot": 100},
    ],
    ids=["default", "zero is missing", "no missing", "sampled", "one category at a time"],
)
def test_contributions_and_margins_equal_those_of_lightgbm(settings):
    booster = fit(draw_rows(0, 4000), **settings)
    rows = draw_rows(2, 300)
    rows[0] = np.nan
    rows[1, 3], rows[2, 3], rows[3, 7] = 1000.0, -1.0, 999.0  # categories nobody has seen
    model = TreeModel(booster.model_to_string())

    ours = model.contributions(rows)

    theirs = booster.predict(rows, pred_contrib=True)
    np.testing.assert_allclose(ours, theirs[:, :-1], atol=1e-10)
    assert model.bias == pytest.approx(theirs[0, -1], abs=1e-10)
    raw = booster.predict(rows, raw_score=True)
    np.testing.assert_allclose(model.bias + ours.sum(axis=1), raw, atol=1e-10)
    np.testing.assert_allclose(model.margins(rows), raw, atol=1e-10)


def test_a_tree_that_never_split_only_moves_the_bias():
    rows = np.zeros((200, N_FEATURES), np.float32)
    booster = lgb.train(
        {"objective": "binary", "verbose": -1}, lgb.Dataset(rows, np.arange(200) % 4 == 0), 3
    )
    model = TreeModel(booster.model_to_string())
    assert not model.contributions(rows[:2]).any()
    assert model.margins(rows[:1])[0] == pytest.approx(model.bias, abs=1e-12)
    assert model.bias == pytest.approx(booster.predict(rows[:1], raw_score=True)[0], abs=1e-12)


def test_linear_leaves_are_refused_in_words():
    rows = np.nan_to_num(draw_rows(0, 2000))
    booster = lgb.train(
        {"objective": "binary", "linear_tree": True, "verbose": -1},
        lgb.Dataset(rows, rows[:, 0] > 0, params={"linear_tree": True}),
        3,
    )
    with pytest.raises(UnsupportedTreeError, match="linear leaves"):
        TreeModel(booster.model_to_string())
