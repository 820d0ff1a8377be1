"""Logistic regression with a ridge penalty, carried away as one term per feature."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.models.fit_data import FitData, Progress
from training.models.linear import LinearModel, Term, standardise, transform


@dataclass(frozen=True)
class _Column:
    """How one feature enters the design matrix."""

    position: int
    n_codes: int
    center: float
    scale: float
    has_missing: bool

    @property
    def width(self) -> int:
        return (self.n_codes or 1) + self.has_missing

    def blocks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        known = ~np.isnan(values)
        if self.n_codes:
            block = (values[:, None] == np.arange(self.n_codes)).astype(np.float64)
        else:
            block = np.where(known, standardise(values, self.center, self.scale), 0.0)[:, None]
        if self.has_missing:
            block = np.hstack([block, (~known)[:, None].astype(np.float64)])
        return np.asarray(block, np.float64)


def _columns(train: FitData) -> list[_Column]:
    columns = []
    for position, feature in enumerate(train.catalog.features):
        values = train.rows[:, position].astype(np.float64)
        known = ~np.isnan(values)
        missing_share = 1.0 - known.mean()
        has_missing = bool(0.001 < missing_share < 0.999)
        n_codes = len(feature.categories)
        squeezed = transform(values[known])
        scale = float(squeezed.std()) if known.any() else 0.0
        if not n_codes and scale < 1e-9:
            if not has_missing:
                continue  # a constant column says nothing
            scale = 1.0
        center = float(squeezed.mean()) if known.any() else 0.0
        columns.append(_Column(position, n_codes, center, scale, has_missing))
    return columns


def _design(columns: list[_Column], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.hstack([c.blocks(rows[:, c.position].astype(np.float64)) for c in columns])


def _terms(
    columns: list[_Column], weights: NDArray[np.float64], rows: NDArray[np.float32]
) -> dict[int, Term]:
    terms: dict[int, Term] = {}
    at = 0
    for column in columns:
        own = weights[at : at + column.width]
        at += column.width
        missing = float(own[-1]) if column.has_missing else 0.0
        codes = tuple(float(w) for w in own[: column.n_codes])
        weight = 0.0 if codes else float(own[0])
        terms[column.position] = Term(column.center, column.scale, weight, missing, codes, 0.0)
    bare = LinearModel(0.0, rows.shape[1], terms)
    means = bare.contributions(rows).mean(axis=0)
    return {at: replace(term, mean=float(means[at])) for at, term in terms.items()}


USUAL_PENALTY = 0.03
PENALTIES = (0.003, 0.03, 0.3, 1.0)
"""Inverse strengths of the ridge penalty that are tried, strongest first."""

MOST_ROWS = 60_000
"""More rows than this do not change some two hundred weights; the newest ones are kept."""


def _build_solver(penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    # Many more rows than weights: the exact Newton step beats thousands of gradient steps. No
    # class is weighed up: a chance that was balanced is no chance any more.
    return LogisticRegression(
        C=penalty, solver="newton-cholesky", max_iter=100, tol=1e-6, warm_start=True
    )


def _log_loss(
    y: NDArray[np.int8], margin: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    return float(np.average(np.logaddexp(0.0, margin) - y * margin, weights=weights))


def _choose_penalty(
    design: NDArray[np.float64], train: FitData, tuning: NDArray[np.bool_], progress: Progress
) -> float:
    fitted, judged = design[~tuning], design[tuning]
    losses = {}
    # One solver for all: each weaker penalty starts from where the stronger one ended.
    solver = _build_solver(PENALTIES[0])
    for done, penalty in enumerate(PENALTIES):
        solver.set_params(C=penalty)
        solver.fit(fitted, train.converted[~tuning], train.weights[~tuning])
        margin = solver.decision_function(judged)
        losses[penalty] = _log_loss(train.converted[tuning], margin, train.weights[tuning])
        progress((done + 1) / (len(PENALTIES) + 1))
    return min(losses, key=lambda penalty: losses[penalty])


def fit_logistic(train: FitData, progress: Progress) -> tuple[LinearModel, dict[str, Any]]:
    """Fit a ridge logistic regression; the newest quarter of the leads chooses the penalty."""
    newest = np.argsort(train.created_at, kind="stable")[-MOST_ROWS:]
    own = train.take(np.sort(newest))
    columns = _columns(train)
    design = _design(columns, own.rows)
    tuning = own.tuning_mask()
    best = USUAL_PENALTY
    if tuning is not None:
        best = _choose_penalty(design, own, tuning, progress)
    fitted = _build_solver(best).fit(design, own.converted, own.weights)
    terms = _terms(columns, fitted.coef_[0], own.rows)
    bias = float(fitted.intercept_[0]) + sum(term.mean for term in terms.values())
    progress(1.0)
    return LinearModel(bias, own.rows.shape[1], terms), {"penalty_C": best, "rows": len(own.rows)}
