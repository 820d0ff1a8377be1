"""What a data scientist hands in is served, or refused with what to do about it."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.plugin_example.example_plugin.estimators import build_elastic_net
from tests.unit.estimators.test_candidates import CATALOG, draw_data
from training.errors import EstimatorNotInstalledError, EstimatorRefusedError
from training.estimators import plugins
from training.estimators.candidates import CANDIDATES, LINEAR, Candidate
from training.estimators.design import LeadDesign
from training.models.fit_data import margins
from training.models.linear import LinearModel
from training.models.trees import TreeModel


def bring(build) -> Candidate:
    return Candidate("theirs", build, package="their-package 1.0")


def test_a_pipeline_of_a_linear_classifier_is_served_as_terms_that_add_up():
    data, later = draw_data(), draw_data(seed=9, n=300).rows
    learned = bring(build_elastic_net).fit(data)
    assert isinstance(learned.model, LinearModel)
    assert learned.settings["logisticregression__l1_ratio"] == 0.5
    theirs = build_elastic_net(data.features, 3)
    theirs.fit(data.rows, data.converted, logisticregression__sample_weight=data.weights)
    chances = theirs.predict_proba(later)[:, 1]
    served = 1.0 / (1.0 + np.exp(-margins(learned.model, later)))
    np.testing.assert_allclose(served, chances, rtol=0, atol=1e-6)
    added = learned.model.bias + learned.model.contributions(later).sum(axis=1)
    np.testing.assert_allclose(added, margins(learned.model, later))


def test_a_lightgbm_classifier_is_served_as_its_trees():
    data, later = draw_data(), draw_data(seed=9, n=300).rows
    trees = LGBMClassifier(n_estimators=20, verbose=-1)
    learned = bring(lambda _features, _seed: trees).fit(data)
    assert isinstance(learned.model, TreeModel)
    np.testing.assert_allclose(
        margins(learned.model, later), trees.predict(later, raw_score=True), rtol=0, atol=1e-9
    )


class Sneaky(LogisticRegression):
    """Exports another model than the one it predicts with."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(np.nan_to_num(X), y, sample_weight)

    def predict_proba(self, X):
        return super().predict_proba(np.nan_to_num(X))

    def export_model(self):
        return LinearModel(0.0, self.n_features_in_, {})


class Odd(Sneaky):
    def export_model(self):
        return "a string"


def imputed(_features, _seed):
    return make_pipeline(LeadDesign(CATALOG.features), RandomForestClassifier(5))


@pytest.mark.parametrize(
    ("build", "refusal"),
    [
        (lambda _f, _s: RandomForestClassifier(5), r"RandomForestClassifier.*export_model\(\)"),
        (imputed, r"is a Pipeline, which cannot be served.*LightGBM on its chances"),
        (lambda _f, _s: Sneaky(max_iter=2000), "predicts otherwise than what it exports"),
        (lambda _f, _s: Odd(max_iter=2000), "exports a str, which cannot be served"),
        (lambda _f, _s: LogisticRegression(), "cannot be fitted: Input X contains NaN"),
        (lambda _f, _s: 1 / 0, "cannot be fitted: division by zero"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_do(build, refusal):
    with pytest.raises(EstimatorRefusedError, match=refusal) as refusal:
        bring(build).fit(draw_data(n=300))
    assert "'theirs'" in str(refusal.value)


class Entry:
    """As `importlib.metadata` describes an installed package's entry point."""

    class dist:  # noqa: N801 - as it is called there
        name, version = "their-package", "1.0"

    def __init__(self, name, factory):
        self.name, self._factory = name, factory

    def load(self):
        if isinstance(self._factory, Exception):
            raise self._factory
        return self._factory


def install(monkeypatch, *entries: Entry) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda **_asked: entries)


def test_installed_estimators_are_found_by_name_with_their_package(monkeypatch):
    install(monkeypatch, Entry("b", build_elastic_net), Entry("a", build_elastic_net))
    found = plugins.find_candidates()
    assert [one.name for one in found] == ["a", "b"]
    assert {one.package for one in found} == {"their-package 1.0"}
    assert [one.name for one in plugins.find_candidates(["b"])] == ["b"]
    assert plugins.find_candidates([]) == ()
    with pytest.raises(EstimatorNotInstalledError, match="'c' competed in the run"):
        plugins.find_candidates(["b", "c"])


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ([Entry(LINEAR, build_elastic_net)], "has a name that another candidate has"),
        ([Entry("a", build_elastic_net)] * 2, "has a name that another candidate has"),
        ([Entry("a", ImportError("no module"))], "cannot be imported: no module"),
    ],
)
def test_an_entry_point_that_is_no_good_is_refused(monkeypatch, entries, refusal):
    install(monkeypatch, *entries)
    with pytest.raises(EstimatorRefusedError, match=refusal):
        plugins.find_candidates()


def test_candidates_of_baton_come_from_no_other_package():
    assert not any(one.package for one in CANDIDATES.values())
