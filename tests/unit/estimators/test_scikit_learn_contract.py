"""Every candidate, and what it is built from, is a scikit-learn estimator by scikit-learn's own checks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from tests.unit.estimators.test_candidates import CATALOG, TEAM, draw_data
from training.estimators.boosting import BoostedTreesClassifier
from training.estimators.candidates import BAYES, LINEAR, TREES
from training.estimators.design import LeadDesign
from training.estimators.logistic import RidgeLogisticClassifier
from training.estimators.naive_bayes import StepEncoder, StepNaiveBayesClassifier
from training.estimators.points import PointsTableClassifier

ESTIMATORS = (
    LeadDesign(),
    StepEncoder(),
    PointsTableClassifier(),
    StepNaiveBayesClassifier(),
    RidgeLogisticClassifier(),
    # The checks fit some twenty rows: with the usual leaves of sixty no tree would ever split.
    BoostedTreesClassifier(min_data_in_leaf=1),
)

WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
EXPECTED_FAILURES = {
    StepNaiveBayesClassifier: {
        WEIGHTS: "Steps are cut at quantiles of the rows. Weights make looks at one lead count "
        "less; they do not say that a row is there several times."
    },
    RidgeLogisticClassifier: {
        WEIGHTS: "Numbers are standardised over the rows, for the same reason, so the ridge "
        "penalty bears on other columns where rows are repeated."
    },
    BoostedTreesClassifier: {
        WEIGHTS: "LightGBM bins its columns, draws its rows and fills its leaves by the number of "
        "rows, whatever they weigh."
    },
}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of checks that scikit-learn skips
def test_it_passes_the_checks_of_scikit_learn(estimator):
    expected = EXPECTED_FAILURES.get(type(estimator), {})
    found = check_estimator(estimator, expected_failed_checks=expected, on_skip=None)
    assert {one["check_name"] for one in found if one["status"] == "xfail"} == set(expected)
    skipped = {one["check_name"] for one in found if one["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # asks for an environment variable of SciPy


@pytest.mark.parametrize("name", [BAYES, LINEAR, TREES])
def test_a_clone_with_what_was_found_fits_the_same_model_on_rows_of_a_catalogue(name):
    data = draw_data(n=800)
    first = TEAM[name].build(data.features, 7)
    first.fit(data.rows, data.converted, data.weights, tuning=data.tuning_mask())
    again = clone(first).set_params(**first.get_found_params())
    again.fit(data.rows, data.converted, data.weights)
    later = draw_data(seed=9, n=200).rows
    # To the solver's tolerance: the search began the last fit where the one before had ended.
    chances = first.predict_proba(later)
    np.testing.assert_allclose(again.predict_proba(later), chances, rtol=0, atol=1e-5)
    assert set(again.predict(later)) <= {0, 1}


def test_a_linear_model_predicts_as_its_own_scikit_learn_parts_do():
    data, later = draw_data(), draw_data(seed=9, n=500).rows
    line = RidgeLogisticClassifier(CATALOG.features)
    line.fit(data.rows, data.converted, data.weights, tuning=data.tuning_mask())
    parts = line.solver_.decision_function(line.design_.transform(later))
    np.testing.assert_allclose(line.decision_function(later), parts, rtol=0, atol=1e-5)


def test_features_must_describe_every_column():
    with pytest.raises(ValueError, match="3 columns, but 2 features"):
        LeadDesign(CATALOG.features[:2]).fit(np.zeros((5, 3)))
