"""What every candidate is: a scikit-learn classifier of two outcomes whose model serving can read."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from features.catalog.feature import Feature, Op
from training.models.fit_data import Model, margins

Progress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""

HELD = {"dtype": np.float32, "ensure_all_finite": "allow-nan"}
"""How rows are held: as serving computes them, with NaN where a value is not known."""


def ignore_progress(_share: float) -> None:
    """Take no notice of how far a fit is."""


def describe_columns(features: Sequence[Feature] | None, width: int) -> tuple[Feature, ...]:
    """Describe the columns of a matrix; without features each is a number of a field of its own.

    Raises
    ------
    ValueError
        If there is not a feature for each column.
    """
    if features is None:
        return tuple(_name_column(f"x{i}") for i in range(width))
    if len(features) != width:
        raise ValueError(f"X has {width} columns, but {len(features)} features describe them.")
    return tuple(features)


def _name_column(name: str) -> Feature:
    return Feature(name, "fit", Op.ATTRIBUTE, name, name, "fit", "as given", name, name)


@dataclass(frozen=True)
class TrainingRows:
    """Rows of described columns, with their outcomes."""

    features: tuple[Feature, ...]
    rows: NDArray[np.float32]
    converted: NDArray[np.int64]
    """1 where the outcome happened, else 0."""
    weights: NDArray[np.float64]

    def take(self, chosen: NDArray[np.bool_]) -> "TrainingRows":
        """Keep the rows of a mask."""
        return TrainingRows(
            self.features, self.rows[chosen], self.converted[chosen], self.weights[chosen]
        )


class LeadClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of two outcomes that learns a model of plain numbers.

    Predictions are those of ``model_``, which is what serving reads: what is judged is what is
    served.

    Attributes
    ----------
    model_ : LinearModel or TreeModel
    classes_ : ndarray of shape (2,)
        The second is the outcome that happened.
    n_features_in_ : int
    """

    features: Sequence[Feature] | None
    model_: Model

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        tuning: NDArray[np.bool_] | None = None,
        progress: Progress = ignore_progress,
    ) -> Self:
        """Learn from rows of features.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            NaN where a value is not known, codes for categories.
        y : array-like of shape (n_rows,)
            Two outcomes.
        sample_weight : array-like of shape (n_rows,), optional
        tuning : ndarray of shape (n_rows,), bool, optional
            Rows that judge what has to be chosen, by a fit on the others; all rows are learned
            from in the end. Without them the usual settings are taken.
        progress
            Called with the share that is done.
        """
        rows, outcomes = validate_data(self, X, y, **HELD)
        check_classification_targets(outcomes)
        self.classes_, converted = np.unique(outcomes, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(outcomes)}."
            )
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64)
        if np.count_nonzero(np.bincount(converted, weights)) < 2:
            raise ValueError("y holds one class only, of the rows that have a weight: two needed.")
        features = describe_columns(self.features, rows.shape[1])
        learned_from = TrainingRows(features, rows, converted.astype(np.int64), weights)
        self.model_ = self._learn(learned_from, tuning, progress)
        return self

    @abstractmethod
    def _learn(
        self, learned_from: TrainingRows, tuning: NDArray[np.bool_] | None, progress: Progress
    ) -> Model:
        """Learn the model, and what else ends in an underscore."""

    def get_found_params(self) -> dict[str, Any]:
        """Give what ``fit`` has chosen, as parameters with which it need not choose again."""
        return {}

    def export_model(self) -> Model:
        """Give the model that serving reads."""
        check_is_fitted(self)
        return self.model_

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute log-odds, of shape (n_rows,)."""
        check_is_fitted(self)
        return margins(self.model_, validate_data(self, X, reset=False, **HELD))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the chances of both classes, of shape (n_rows, 2)."""
        chances = expit(self.decision_function(X))
        return np.stack([1.0 - chances, chances], axis=1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Name the likelier class of each row."""
        is_second = self.decision_function(X) > 0.0
        return np.asarray(self.classes_[is_second.astype(np.int64)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags
