"""From a fitted classifier to what serving reads: terms or trees, never an estimator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.pipeline import Pipeline

from training.errors import EstimatorRefusedError
from training.estimators.classifier import LeadClassifier
from training.estimators.design import LeadDesign, build_linear_model
from training.models.linear import LinearModel
from training.models.segmented import Plain
from training.models.trees import TreeModel

JUDGED_ROWS = 1000
"""On so many rows an estimator's chances are held beside those of what it exports."""

TOLERANCE = 1e-6
"""Between the two chances of a row: serving holds rows in single precision."""

WHAT_CAN_BE_SERVED = (
    "Serving reads terms or trees, whose reasons add up to the score. Offer `export_model()` that "
    "gives a LinearModel or a TreeModel, be a LightGBM classifier, or a scikit-learn pipeline of "
    "LeadDesign and a linear classifier. What is none of these can teach one that is: fit "
    "LightGBM on its chances, and export that"
)


def export_model(name: str, estimator: Any, rows: NDArray[np.float32]) -> Plain:
    """Export what a fitted classifier of 0 and 1 has learned.

    Parameters
    ----------
    name
        Of the candidate, for messages.
    estimator
        Fitted.
    rows : ndarray of shape (n_rows, n_features), float32
        What it was fitted on: terms are measured from their means.

    Raises
    ------
    EstimatorRefusedError
        If it exports nothing that can be served, or something that predicts otherwise.
    """
    model = _read_model(name, estimator, rows)
    if not isinstance(model, (LinearModel, TreeModel)):
        raise EstimatorRefusedError(
            name, f"exports a {type(model).__name__}, which cannot be served. {WHAT_CAN_BE_SERVED}"
        )
    if not isinstance(estimator, LeadClassifier):  # whose predictions are those of its model
        _check_agrees(name, estimator, model, rows[:: max(1, len(rows) // JUDGED_ROWS)])
    return model


def _read_model(name: str, estimator: Any, rows: NDArray[np.float32]) -> Any:
    if hasattr(estimator, "export_model"):
        return estimator.export_model()
    if hasattr(estimator, "booster_"):
        return TreeModel(str(estimator.booster_.model_to_string()))
    if isinstance(estimator, Pipeline) and len(estimator) == 2:
        design, last = estimator[0], estimator[1]
        if isinstance(design, LeadDesign) and hasattr(last, "coef_"):
            return build_linear_model(design, last.coef_[0], float(last.intercept_[0]), rows)
    raise EstimatorRefusedError(
        name, f"is a {type(estimator).__name__}, which cannot be served. {WHAT_CAN_BE_SERVED}"
    )


def _check_agrees(name: str, estimator: Any, model: Plain, rows: NDArray[np.float32]) -> None:
    """Check that what would be served predicts as the estimator does."""
    if not hasattr(estimator, "predict_proba"):
        raise EstimatorRefusedError(name, "has no predict_proba, so it tells no chances")
    own = np.asarray(estimator.predict_proba(rows))[:, 1]
    apart = float(np.abs(own - expit(model.margins(rows))).max())
    if not apart <= TOLERANCE:
        raise EstimatorRefusedError(
            name,
            f"predicts otherwise than what it exports: chances lie up to {apart:.2g} apart. "
            "What is judged must be what is served",
        )
