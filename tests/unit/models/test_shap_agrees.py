"""Ours, shap's and LightGBM's reasons are the same numbers, to 1e-9."""

import lightgbm as lgb
import numpy as np
import pytest

from tests.unit.estimators.test_candidates import CATALOG, INDUSTRY, draw_data
from training.card.shap_plots import import_shap
from training.estimators.candidates import CANDIDATES, LINEAR, TREES
from training.models.linear import FAR, transform

EXACT = 1e-9


@pytest.fixture(scope="module")
def later() -> np.ndarray:
    """Rows no model saw: missing values, all missing, a category nobody has seen."""
    rows = draw_data(seed=9, n=400).rows
    rows[0] = np.nan
    rows[1, INDUSTRY] = 77.0
    return rows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:LightGBM binary classifier with TreeExplainer:UserWarning")
def test_reasons_of_trees_are_those_of_shap_and_of_lightgbm_itself(later):
    data = draw_data()
    model = CANDIDATES[TREES].fit(data).model
    booster = lgb.Booster(model_str=model.text)
    features = [int(at) for at in set(model.forest.feature) if at >= 0]
    assert any(CATALOG.features[at].categories for at in features)
    assert np.isnan(later[:, features]).any()

    ours = model.contributions(later)

    lightgbms = booster.predict(later, pred_contrib=True)
    explainer = import_shap().TreeExplainer(booster)
    np.testing.assert_allclose(ours, lightgbms[:, :-1], rtol=0, atol=EXACT)
    np.testing.assert_allclose(ours, explainer.shap_values(later), rtol=0, atol=EXACT)
    assert model.bias == pytest.approx(lightgbms[0, -1], abs=EXACT)
    assert model.bias == pytest.approx(explainer.expected_value, abs=EXACT)
    raw = booster.predict(later, raw_score=True)
    np.testing.assert_allclose(model.bias + ours.sum(axis=1), raw, rtol=0, atol=EXACT)


def design(model, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spell a linear model out: one column per weight, its weights, and whose column it is."""
    columns, weights, owner = [], [], []
    for at, term in model.terms.items():
        values = rows[:, at].astype(np.float64)
        known = ~np.isnan(values)
        own = [((~known).astype(float), term.missing)]
        if term.by_code:
            own += [((values == code) * 1.0, w) for code, w in enumerate(term.by_code)]
        else:
            z = np.where(
                known, np.clip((transform(values) - term.center) / term.scale, -FAR, FAR), 0.0
            )
            own.append((z, term.weight))
        for column, weight in own:
            columns.append(column)
            weights.append(weight)
            owner.append(at)
    return np.stack(columns, axis=1), np.array(weights), np.array(owner)


def test_reasons_of_the_linear_model_are_those_of_shap(later):
    data = draw_data()
    model = CANDIDATES[LINEAR].fit(data).model
    fitted, weights, owner = design(model, data.rows)
    asked, _, _ = design(model, later)
    # The expected value does not depend on the intercept's split between bias and means.
    intercept = model.bias - float(fitted.mean(axis=0) @ weights)
    shap = import_shap()
    background = shap.maskers.Independent(fitted, max_samples=len(fitted))

    explainer = shap.LinearExplainer((weights, intercept), background)

    theirs = np.zeros(later.shape)
    np.add.at(theirs.T, owner, explainer.shap_values(asked).T)
    np.testing.assert_allclose(model.contributions(later), theirs, rtol=0, atol=EXACT)
    assert model.bias == pytest.approx(explainer.expected_value, abs=EXACT)
    assert np.abs(theirs).max() > 0.1
