"""Chances of what a log did, and the worth of one step's delay: learned on other leads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.evaluation.resampling import Floats
from training.evaluation.timing_paths import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    RAISED,
    Flags,
    Paths,
)
from training.labels.timing import Handoffs
from training.models.timing import WAIT, fit_trees

MOST_STEPS = 200_000
"""Steps that one regression learns from."""

CHANCE_OF_HANDOFF: dict[str, Any] = {
    **WAIT,
    "objective": "binary",
    "learning_rate": 0.08,
    "num_leaves": 12,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
}
RATE_OF_HANDOFF = {**CHANCE_OF_HANDOFF, "objective": "poisson", "poisson_max_delta_step": 0.7}
ROUNDS = 120


def find_lot(handoffs: Handoffs) -> float:
    """Find the chance by working day with which leads were handed over by lot; 0 if never."""
    known = handoffs.propensity[np.isfinite(handoffs.propensity)]
    return float(np.median(known)) if len(known) else 0.0


def foretell_handoffs(
    catalog: Catalog,
    rows: NDArray[np.float32],
    paths: Paths,
    learn_on: Flags,
    *,
    lot: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """Foretell the log's own handoffs.

    Parameters
    ----------
    rows : ndarray of shape (n_decision_rows, n_features), float32
    learn_on : ndarray of shape (n_paths,), bool
        Paths whose log is learned from.
    lot
        Known chance by working day of a handoff by lot: no step's chance is less.

    Returns
    -------
    propensity : ndarray of shape (n_steps,)
        Chance of a handoff before the next step.
    stays : ndarray of shape (n_steps,)
        Chance of none, given how many working days the step lasted.
    """
    steps = np.repeat(learn_on, np.diff(paths.offsets)) & (paths.followed_by != CUT)
    chosen = thin(np.flatnonzero(steps), seed)
    handed = (paths.followed_by == HANDED).astype(np.float64)
    own, days = rows[paths.row[chosen]], paths.working_days[chosen]
    chance = fit_trees(CHANCE_OF_HANDOFF, catalog, own, handed[chosen], ROUNDS, seed=seed)
    rate = fit_trees(
        RATE_OF_HANDOFF, catalog, own, handed[chosen] / days, ROUNDS, weight=days, seed=seed
    )
    here = rows[paths.row]
    by_day = np.maximum(np.minimum(rate.predict(here), 3.0), -np.log1p(-lot))
    return np.maximum(chance.predict(here), lot), np.exp(-by_day * paths.working_days)


def foretell_delay(
    catalog: Catalog,
    rows: NDArray[np.float32],
    paths: Paths,
    learn_on: Flags,
    reached: Floats,
    stays: Floats,
    *,
    seed: int,
) -> Floats:
    """Foretell what a handoff at the next step is worth, as of each step.

    Parameters
    ----------
    reached : ndarray of shape (n_steps,)
        Worth, as of the step, of what was reached at its end: a handoff at the next step, a raised
        hand, an SQL. Steps that the log ended early, by a handoff or the end of the log, are not
        learned from; long quiet ones are handed over more often, so each counts one over its chance
        of not having been.
    """
    seen = np.isin(paths.followed_by, (GOES_ON, RAISED, ALONE, ENDED))
    steps = seen & np.repeat(learn_on, np.diff(paths.offsets))
    chosen = thin(np.flatnonzero(steps), seed)
    weight = 1.0 / np.maximum(stays[chosen], 0.1)
    trees = fit_trees(
        WAIT, catalog, rows[paths.row[chosen]], reached[chosen], ROUNDS, weight=weight, seed=seed
    )
    return np.asarray(trees.predict(rows[paths.row]))


def thin(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Choose some of too many rows at random."""
    if len(rows) <= MOST_STEPS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_STEPS, replace=False))
