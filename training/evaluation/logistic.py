"""Unpenalised logistic regression of one column by Newton's method, with an offset."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from training.evaluation.resampling import Floats, Integers

MOST_STEPS = 100
TOLERANCE = 1e-10
MOST_CURVED = 1e12


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """Coefficients in the order of the design's columns.

    ``settled`` is False where the likelihood has no maximum (the classes are separated) or the
    columns cannot be told apart; the coefficients then mean nothing.
    """

    coefficients: Floats
    settled: bool


def fit_logistic(
    design: Floats, targets: Floats, *, offset: Floats | float = 0.0, weights: Floats | None = None
) -> LogisticFit:
    """Fit the log-odds of ``targets`` as ``design @ coefficients + offset``.

    Parameters
    ----------
    design : ndarray of shape (n, k)
    targets : ndarray of shape (n,)
        Each in [0, 1]; Platt's smoothed targets are welcome.
    offset : ndarray of shape (n,) or float
        Added to the log-odds as it stands.
    weights : ndarray of shape (n,), optional
    """
    w = np.ones(len(targets)) if weights is None else weights
    beta = np.zeros(design.shape[1])
    loss = compute_loss(design @ beta + offset, targets, w)
    for _ in range(MOST_STEPS):
        expected = expit(design @ beta + offset)
        gradient = design.T @ (w * (expected - targets))
        hessian = (design * (w * expected * (1 - expected))[:, None]).T @ design
        # Separated classes flatten the likelihood for ever: the curvature tells before it ends.
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > MOST_CURVED:
            return LogisticFit(beta, settled=False)
        step: Floats = np.asarray(np.linalg.solve(hessian, gradient), dtype=np.float64)
        beta, loss, gained = walk(design, targets, offset, w, beta, step, loss)
        if gained <= TOLERANCE * (1 + abs(loss)):
            return LogisticFit(beta, settled=bool(np.abs(step).max() < 1e-3))
    return LogisticFit(beta, settled=False)


def walk(
    design: Floats,
    targets: Floats,
    offset: Floats | float,
    weights: Floats,
    beta: Floats,
    step: Floats,
    loss: float,
) -> tuple[Floats, float, float]:
    """Take Newton's step, halved until the loss falls; return where it ends and the gain."""
    for halving in range(30):
        tried = beta - step / 2**halving
        tried_loss = compute_loss(design @ tried + offset, targets, weights)
        if tried_loss <= loss:
            return tried, tried_loss, loss - tried_loss
    return beta, loss, 0.0


def compute_loss(log_odds: Floats, targets: Floats, weights: Floats) -> float:
    """Sum the weighted negative log likelihood."""
    return float((weights * compute_row_losses(log_odds, targets)).sum())


def compute_row_losses(log_odds: Floats, targets: Floats) -> Floats:
    """Compute the negative log likelihood of each row, whose target may lie between 0 and 1.

    Examples
    --------
    >>> compute_row_losses(np.array([0.0, 800.0]), np.array([1.0, 0.0])).round(3).tolist()
    [0.693, 800.0]
    """
    return np.asarray(np.logaddexp(0, log_odds) - targets * log_odds)


def compute_covariance(
    fit: LogisticFit,
    design: Floats,
    targets: Floats,
    leads: Integers,
    *,
    offset: Floats | float = 0.0,
) -> Floats:
    """Compute the sandwich covariance of the coefficients, with rows of one lead as one cluster.

    Liang, Zeger, Biometrika 73 (1986) 13, times leads / (leads - 1).
    """
    expected = expit(design @ fit.coefficients + offset)
    bread = np.linalg.inv((design * (expected * (1 - expected))[:, None]).T @ design)
    n_leads = int(leads.max()) + 1
    scores = design * (targets - expected)[:, None]
    by_lead = np.stack([np.bincount(leads, column, n_leads) for column in scores.T], axis=1)
    correction = n_leads / max(1, n_leads - 1)
    return np.asarray(correction * bread @ (by_lead.T @ by_lead) @ bread)


def finite_logit(p: ArrayLike) -> Floats:
    """Turn chances into log-odds; 0 and 1 are moved in by 1e-12 so that they stay finite.

    Examples
    --------
    >>> finite_logit([0.0, 0.5, 1.0]).round(1).tolist()
    [-27.6, 0.0, 27.6]
    """
    return np.asarray(logit(np.clip(p, 1e-12, 1 - 1e-12)))
