"""The candidates that compete for a run's model, simplest first: of equals the first is chosen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from features.catalog.feature import Feature
from training.errors import EstimatorRefusedError
from training.estimators.boosting import BoostedTreesClassifier
from training.estimators.classifier import Progress, ignore_progress
from training.estimators.export import export_model
from training.estimators.logistic import RidgeLogisticClassifier
from training.estimators.naive_bayes import StepNaiveBayesClassifier
from training.estimators.points import PointsTableClassifier
from training.models.fit_data import FitData
from training.models.segmented import Plain

POINTS = "points table"
BAYES = "naive Bayes"
LINEAR = "logistic regression"
TREES = "LightGBM"
TUNED = "LightGBM, tuned"
"""Competes beside `TREES` where settings were searched."""

MOST_ROWS = 60_000
"""More rows than this do not change some two hundred weights; the newest ones are taken."""

Build = Callable[[tuple[Feature, ...], int], Any]
"""Gives an estimator that is not fitted yet, for the columns of a catalogue and a seed."""


@dataclass(frozen=True)
class Candidate:
    """An estimator that may be chosen."""

    name: str
    build: Build
    most_rows: int | None = None
    """How many rows it learns from, the newest ones; None: all."""
    package: str = ""
    """Who brings it, and in which version; empty for those of Baton."""

    def with_params(self, **params: Any) -> "Candidate":
        """Hold it to some parameters."""
        return replace(self, build=partial(_build_with, self.build, params))

    def fit(self, train: FitData, progress: Progress = ignore_progress) -> "FittedModel":
        """Fit a new estimator, and take from it what serving reads.

        Raises
        ------
        EstimatorRefusedError
            If it learns nothing that can be served.
        """
        own = train if self.most_rows is None else train.take_newest(self.most_rows)
        estimator = self._fit_estimator(own, progress)
        model = export_model(self.name, estimator, own.rows)
        found: dict[str, Any] = getattr(estimator, "get_found_params", dict)()
        settings = {**_list_plain_params(estimator), **found, "rows": len(own.rows)}
        return FittedModel(self, model, found, settings)

    def _fit_estimator(self, own: FitData, progress: Progress) -> Any:
        try:
            estimator = self.build(own.features, own.seed)
            estimator.fit(own.rows, own.converted, **_choose_fit_params(estimator, own, progress))
        except Exception as problem:
            if not self.package:
                raise
            raise EstimatorRefusedError(self.name, f"cannot be fitted: {problem}") from problem
        return estimator


@dataclass(frozen=True)
class FittedModel:
    """What a candidate has learned."""

    candidate: Candidate
    model: Plain
    found: dict[str, Any]
    """What it has chosen, as parameters with which it need not choose again."""
    settings: dict[str, Any]
    """Its parameters, for the record."""

    def refit(self, train: FitData) -> Plain:
        """Learn from other leads, held to what the search had found."""
        return self.candidate.with_params(**self.found).fit(train).model


def _build_with(
    build: Build, params: dict[str, Any], features: tuple[Feature, ...], seed: int
) -> Any:
    return build(features, seed).set_params(**params)


def _choose_fit_params(estimator: Any, own: FitData, progress: Progress) -> dict[str, Any]:
    """Choose what ``fit`` is given beside rows and outcomes: whatever it asks for."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        weighs = has_fit_parameter(last, "sample_weight")
        return {f"{name}__sample_weight": own.weights} if weighs else {}
    offered = {"sample_weight": own.weights, "tuning": own.tuning_mask(), "progress": progress}
    return {name: one for name, one in offered.items() if has_fit_parameter(estimator, name)}


def _list_plain_params(estimator: Any) -> dict[str, Any]:
    """List the parameters that JSON can hold."""
    plain = (str, int, float, bool, type(None))
    params = estimator.get_params()
    return {name: one for name, one in sorted(params.items()) if isinstance(one, plain)}


CANDIDATES: MappingProxyType[str, Candidate] = MappingProxyType(
    {
        one.name: one
        for one in (
            Candidate(POINTS, lambda features, _seed: PointsTableClassifier(features)),
            Candidate(
                BAYES, lambda features, _seed: StepNaiveBayesClassifier(features), MOST_ROWS
            ),
            Candidate(
                LINEAR, lambda features, _seed: RidgeLogisticClassifier(features), MOST_ROWS
            ),
            Candidate(
                TREES,
                lambda features, seed: BoostedTreesClassifier(features, random_state=seed),
            ),
        )
    }
)
"""By name, in rising order of what they can learn."""
