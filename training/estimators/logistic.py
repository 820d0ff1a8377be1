"""Logistic regression with a ridge penalty, carried away as one term per feature."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

from features.catalog.feature import Feature
from training.estimators.classifier import LeadClassifier, Progress, TrainingRows
from training.estimators.design import LeadDesign, build_linear_model
from training.models.linear import LinearModel

USUAL_PENALTY = 0.03
PENALTIES = (0.003, 0.03, 0.3, 1.0)
"""Inverse strengths of the ridge penalty that are tried, strongest first."""

SOLVER: dict[str, Any] = {"solver": "newton-cholesky", "max_iter": 100, "tol": 1e-6}
"""Many more rows than weights: the exact Newton step beats thousands of gradient steps. No class
is weighed up: a chance that was balanced is no chance any more."""


class RidgeLogisticClassifier(LeadClassifier):
    """Scikit-learn's logistic regression on a `LeadDesign`.

    Parameters
    ----------
    features : sequence of Feature, optional
        One per column; without them every column is a number.
    C : float, optional
        Inverse strength of the ridge penalty. None: of `PENALTIES` the one that predicts the
        tuning rows best, or `USUAL_PENALTY` where there are none.

    Attributes
    ----------
    C_ : float
    design_ : LeadDesign
    solver_ : LogisticRegression or LogisticRegressionCV
    """

    model_: LinearModel

    def __init__(self, features: Sequence[Feature] | None = None, C: float | None = None) -> None:
        self.features = features
        self.C = C

    def _learn(
        self, learned_from: TrainingRows, tuning: NDArray[np.bool_] | None, progress: Progress
    ) -> LinearModel:
        rows = learned_from.rows
        self.design_ = LeadDesign(self.features)
        laid_out = self.design_.fit_transform(rows)
        progress(0.1)
        self.solver_ = self._choose_solver(tuning)
        self.solver_.fit(laid_out, learned_from.converted, sample_weight=learned_from.weights)
        progress(1.0)
        is_chosen = isinstance(self.solver_, LogisticRegressionCV)
        self.C_ = float(self.solver_.C_ if is_chosen else self.solver_.C)
        return build_linear_model(
            self.design_, self.solver_.coef_[0], float(self.solver_.intercept_[0]), rows
        )

    def _choose_solver(self, tuning: NDArray[np.bool_] | None) -> Any:
        if self.C is not None or tuning is None:
            return LogisticRegression(C=USUAL_PENALTY if self.C is None else self.C, **SOLVER)
        return LogisticRegressionCV(
            Cs=PENALTIES,
            l1_ratios=(0.0,),
            cv=[(np.flatnonzero(~tuning), np.flatnonzero(tuning))],
            scoring="neg_log_loss",
            use_legacy_attributes=False,
            **SOLVER,
        )

    def get_found_params(self) -> dict[str, Any]:
        """Give the penalty that was chosen."""
        return {"C": self.C_}
