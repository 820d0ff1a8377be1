"""Naive Bayes: weights counted by hand, few features, and siblings never counted twice."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.naive_bayes import CategoricalNB

from tests.unit.estimators.test_candidates import CATALOG, INDUSTRY, SIGNAL, draw_data
from training.estimators import naive_bayes
from training.estimators.naive_bayes import StepNaiveBayesClassifier
from training.models.fit_data import FitData, margins


def fit(data: FitData, **params) -> StepNaiveBayesClassifier:
    model = StepNaiveBayesClassifier(data.features, **params)
    return model.fit(data.rows, data.converted, data.weights, tuning=data.tuning_mask())


def test_it_takes_what_tells_and_leaves_the_noise():
    names = fit(draw_data()).chosen_
    assert {CATALOG.names[SIGNAL], "industry"} <= set(names)
    assert len(names) <= naive_bayes.MOST_FEATURES
    fields = [f.field for f in CATALOG.features if f.name in names]
    assert len(set(fields)) == len(fields)


def test_a_copy_of_the_signal_is_not_counted_twice():
    data = draw_data()
    rows = data.rows.copy()
    rows[:, CATALOG.names.index("pricing_view_count_30d")] = rows[:, SIGNAL]
    rows[:, CATALOG.names.index("web_count_7d")] = rows[:, SIGNAL]
    copied = fit(replace(data, rows=rows))
    of_copies = {"pricing_view_count_7d", "pricing_view_count_30d", "web_count_7d"}
    assert len(of_copies & set(copied.chosen_)) == 1


def test_weights_agree_with_scikit_learn_where_nothing_is_smoothed():
    data = draw_data()
    rows = data.rows.copy()
    rows[np.isnan(rows[:, INDUSTRY]), INDUSTRY] = 0
    data = replace(data, rows=rows)
    model = fit(data, chosen=["industry"], prior_rows=1e-9).model_
    peer = CategoricalNB(alpha=1e-9, force_alpha=True).fit(
        rows[:, [INDUSTRY]].astype(int), data.converted, sample_weight=data.weights
    )
    joint = peer.predict_joint_log_proba(rows[:, [INDUSTRY]].astype(int))
    np.testing.assert_allclose(margins(model, rows), joint[:, 1] - joint[:, 0], atol=1e-6)


def test_a_value_that_was_never_seen_states_nothing_and_a_rare_one_little():
    data = draw_data()
    rows = data.rows.copy()
    rows[:, INDUSTRY] = 0
    rows[0, INDUSTRY] = 1
    converted = data.converted.copy()
    converted[0] = 1
    model = fit(replace(data, rows=rows, converted=converted), chosen=["industry"]).model_
    term = model.terms[INDUSTRY]
    assert term.by_code[2] == pytest.approx(0.0, abs=1e-12)
    assert term.missing == pytest.approx(0.0, abs=1e-12)
    assert 0.0 < term.by_code[1] < 0.5


def test_a_feature_that_takes_one_value_tells_by_being_known():
    data = draw_data()
    rows = data.rows.copy()
    employees = CATALOG.names.index("employees")
    rows[:, employees] = np.where(data.converted == 1, 50.0, np.nan)
    model = fit(replace(data, rows=rows), chosen=["employees"]).model_
    term = model.terms[employees]
    assert term.edges == (50.0,)
    assert term.by_code[1] > 1.0 > -1.0 > term.missing


def test_named_features_are_used_as_they_are():
    fitted = fit(draw_data(), chosen=["industry", "employees"])
    assert set(fitted.chosen_) == {"industry", "employees"}
    assert set(fitted.model_.terms) == {INDUSTRY, CATALOG.names.index("employees")}
