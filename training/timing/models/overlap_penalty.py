"""How much to doubt what is said of a handoff where the log hardly ever made one.

What a handoff brings is learned from handoffs that were made. Of days on which the old rule handed
over next to nobody, such as a lead's first ones, the models only guess, and whoever goes by the
highest guesses picks those that guess too high: on made-up markets, .46 was said of days with .39.
So a chance of SQL is taken the lower, the fewer handoffs were made on such days: pessimism in
proportion to what is not known, which falls as one over the root of what was seen (Jin, Yang, Wang
2021, *Is Pessimism Provably Efficient for Offline RL?*, ICML). Handoffs by lot count like others.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.models.odds import sigmoid
from training.models.tree_growth import draw_rows, regress
from training.models.trees import TreeModel

Floats = NDArray[np.float64]

DOUBT = 0.6
"""Standard error of log-odds, by one over the root of the handoffs made on such days. Chosen on
made-up markets from seed 100 on, with logs of 5,000 and of 20,000 leads; anything from 0.35 to 0.8
serves nearly as well."""

MOST_DOUBT = 1.5
"""In log-odds."""

MOST_ROWS, ROUNDS = 200_000, 120

HANDED_OVER: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.08,
    "num_leaves": 12,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "cat_smooth": 30.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # on a busy machine the threads of small trees wait for each other
    "verbose": -1,
}
"""Chances of what the log did; `training.timing.proof.propensity` judges policies with the same trees."""


def fit_handed(
    laid_out: Any, handed: NDArray[np.bool_], known: NDArray[np.bool_], seed: int
) -> TreeModel:
    """Learn the log-odds that a lead is handed over before its next decision day.

    Parameters
    ----------
    laid_out
        The decisions' features, as `build_trees_data` lays them out.
    handed : ndarray of shape (n_decisions,), bool
        Whether somebody at the company did so; a raised hand is not their doing.
    known : ndarray of shape (n_decisions,), bool
        Not where the log ended before.
    """
    rows = draw_rows(np.flatnonzero(known), MOST_ROWS, seed)
    y = handed.astype(np.float64)
    booster = regress(laid_out, y, rows, HANDED_OVER, ROUNDS, seed=seed)
    return TreeModel(booster.model_to_string())


def scale_overlap_penalty(handoffs: int) -> float:
    """Give the doubt of days on which every lead is handed over, with so many handoffs in the log."""
    return DOUBT / math.sqrt(max(1, handoffs))


def compute_overlap_penalty(scale: float, handed: Floats) -> Floats:
    """Say what is taken off the log-odds of an SQL, by the log-odds of a logged handoff.

    Parameters
    ----------
    scale
        From `scale_overlap_penalty`.
    handed : ndarray of shape (n_rows,)

    Examples
    --------
    >>> compute_overlap_penalty(scale_overlap_penalty(3_600), np.log([1.0, 0.01, 1e-9]) - np.log([1.0, 0.99, 1.0])).round(2)
    array([0.01, 0.1 , 1.5 ])
    """
    chance = sigmoid(handed)
    return np.asarray(np.minimum(scale / np.sqrt(chance), MOST_DOUBT))
