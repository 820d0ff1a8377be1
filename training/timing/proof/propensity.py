"""Chances of what a log did, and the worth of one step's delay: learned on other leads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.catalog.manifest import Catalog
from training.evaluation.logistic import finite_logit, fit_logistic
from training.evaluation.resampling import Floats
from training.models.tree_growth import draw_rows, import_lightgbm
from training.timing.labels import Handoffs
from training.timing.models.handoff_chances import build_trees_data
from training.timing.models.overlap_penalty import HANDED_OVER, MOST_ROWS, ROUNDS
from training.timing.proof.paths import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    RAISED,
    Flags,
    LoggedPaths,
)

RATE: dict[str, Any] = {**HANDED_OVER, "objective": "poisson", "poisson_max_delta_step": 0.7}
WORTH: dict[str, Any] = {**HANDED_OVER, "objective": "regression", "num_leaves": 20}


def grow(
    settings: dict[str, Any],
    catalog: Catalog,
    rows: NDArray[np.float32],
    y: Floats,
    *,
    weight: Floats | None = None,
    seed: int,
) -> Any:
    """Grow trees on rows of a catalogue's features."""
    laid_out = build_trees_data(catalog, rows, y, weight)
    return import_lightgbm().train({**settings, "seed": seed}, laid_out, ROUNDS)


def find_lot(handoffs: Handoffs) -> float:
    """Find the chance by working day with which leads were handed over by lot; 0 if never."""
    known = handoffs.propensity[np.isfinite(handoffs.propensity)]
    return float(np.median(known)) if len(known) else 0.0


def predict_handoffs(
    catalog: Catalog,
    rows: NDArray[np.float32],
    paths: LoggedPaths,
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
    chosen = draw_rows(np.flatnonzero(steps), MOST_ROWS, seed)
    handed = (paths.followed_by == HANDED).astype(np.float64)
    own, days = rows[paths.row[chosen]], paths.working_days[chosen]
    chance = grow(HANDED_OVER, catalog, own, handed[chosen], seed=seed)
    rate = grow(RATE, catalog, own, handed[chosen] / days, weight=days, seed=seed)
    here = rows[paths.row]
    judged = ~np.repeat(learn_on, np.diff(paths.offsets)) & (paths.followed_by != CUT)
    propensity = set_level(finite_logit(chance.predict(here)), 0.0, handed, judged)
    log_rate = np.log(np.maximum(rate.predict(here), 1e-7))
    leaves = set_level(log_rate, np.log(paths.working_days), handed, judged)
    known = 1.0 - (1.0 - lot) ** paths.working_days
    return np.maximum(propensity, lot), 1.0 - np.maximum(leaves, known)


def set_level(margin: Floats, offset: Floats | float, observed: Floats, judged: Flags) -> Floats:
    """Give chances whose level and spread are those of the steps they are used on.

    Strong shrinkage leaves rare handoffs predicted too often and frequent ones too rarely; over the
    dozens of steps of a path that adds up. Two numbers, fitted on the judged steps, mend it.
    """
    columns = np.stack([np.ones(len(margin)), margin], axis=1)
    shift = np.broadcast_to(offset, margin.shape)
    fit = fit_logistic(columns[judged], observed[judged], offset=shift[judged])
    level, slope = fit.coefficients if fit.settled else (0.0, 1.0)
    return np.asarray(expit(level + slope * margin + shift))


def predict_delay(
    catalog: Catalog,
    rows: NDArray[np.float32],
    paths: LoggedPaths,
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
    chosen = draw_rows(np.flatnonzero(steps), MOST_ROWS, seed)
    weight = 1.0 / np.maximum(stays[chosen], 0.1)
    own = rows[paths.row[chosen]]
    trees = grow(WORTH, catalog, own, reached[chosen], weight=weight, seed=seed)
    return np.asarray(trees.predict(rows[paths.row]))
