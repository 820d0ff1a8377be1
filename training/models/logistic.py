"""Logistic regression with a ridge penalty, carried away as one term per feature."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.calibration import compute_log_loss
from training.models.design import build_design, build_terms, list_columns
from training.models.fit_data import FitData, Progress
from training.models.linear import LinearModel

USUAL_PENALTY = 0.03
PENALTIES = (0.003, 0.03, 0.3, 1.0)
"""Inverse strengths of the ridge penalty that are tried, strongest first."""

MOST_ROWS = 60_000
"""More rows than this do not change some two hundred weights; the newest ones are kept."""


def _build_solver(penalty: float, tolerance: float = 1e-6) -> Any:
    from sklearn.linear_model import LogisticRegression

    # Many more rows than weights: the exact Newton step beats thousands of gradient steps. No
    # class is weighed up: a chance that was balanced is no chance any more.
    return LogisticRegression(
        C=penalty, solver="newton-cholesky", max_iter=100, tol=tolerance, warm_start=True
    )


def _choose_penalty(
    design: NDArray[np.float64], train: FitData, tuning: NDArray[np.bool_], progress: Progress
) -> float:
    fitted, judged = design[~tuning], design[tuning]
    losses = {}
    # One solver for all: each weaker penalty starts from where the stronger one ended.
    solver = _build_solver(PENALTIES[0], tolerance=1e-4)
    for done, penalty in enumerate(PENALTIES):
        solver.set_params(C=penalty)
        solver.fit(fitted, train.converted[~tuning], train.weights[~tuning])
        chances = solver.predict_proba(judged)[:, 1]
        losses[penalty] = compute_log_loss(train.converted[tuning], chances, train.weights[tuning])
        progress((done + 1) / (len(PENALTIES) + 1))
    return min(losses, key=lambda penalty: losses[penalty])


def fit_logistic(
    train: FitData, progress: Progress, penalty: float | None = None
) -> tuple[LinearModel, dict[str, Any]]:
    """Fit a ridge logistic regression; the newest quarter of the leads chooses the penalty.

    A ``penalty`` that is given is taken as it is.
    """
    newest = np.argsort(train.created_at, kind="stable")[-MOST_ROWS:]
    own = train.take(np.sort(newest))
    columns = list_columns(train)
    design = build_design(columns, own.rows)
    tuning = own.tuning_mask() if penalty is None else None
    best = USUAL_PENALTY if penalty is None else penalty
    if tuning is not None:
        best = _choose_penalty(design, own, tuning, progress)
    fitted = _build_solver(best).fit(design, own.converted, own.weights)
    terms = build_terms(columns, fitted.coef_[0], own.rows)
    bias = float(fitted.intercept_[0]) + sum(term.mean for term in terms.values())
    progress(1.0)
    return LinearModel(bias, own.rows.shape[1], terms), {"penalty_C": best, "rows": len(own.rows)}
