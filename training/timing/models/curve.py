"""What comes of committing to a handoff in k days: learned along logged paths, for the curve.

Each draw looks k days ahead from a decision day. If the lead is still with marketing then, the
handoff is worth what the model says of it on the last decision day before; if it raised its hand,
became an SQL or was closed before, that counts. Where the log was cut before, the model's own
predicting for the days that are left goes on, in a second pass.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import expit

from features.catalog.manifest import Catalog
from features.clock import DAY_US
from features.lifecycle.prices import Prices
from training.models.tree_growth import import_lightgbm
from training.models.trees import TreeModel
from training.timing.labels import ALONE, ENDED, GOES_ON, RAISED, Decisions
from training.timing.models.handoff_chances import TREES, build_trees_data
from training.timing.models.model import CURVE_DAYS, CurveModels, Floats, Rows, add_columns

MOST_DRAWS = 60_000
PASSES, CURVE_ROUNDS = 2, 50
AHEAD: dict[str, Any] = {
    **TREES,
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 20,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.6,
}


@dataclass(frozen=True)
class CurvePaths:
    """What the curve is learned from: values at decision days and where logged paths end."""

    decisions: Decisions
    value: Floats
    """Of a handoff now; (n_decisions,)."""
    p_sql: Floats
    comes: NDArray[np.bool_]
    """Whether the policy would hand over on that day."""
    logged: Floats
    """Value of each logged handoff; (n_handoffs,)."""
    logged_sql: Floats
    prices: Prices


@dataclass(frozen=True)
class _Ahead:
    """Draws of a decision day and days ahead, and how each came out; (n_draws,)."""

    row: NDArray[np.int64]
    days: NDArray[np.int64]
    reached: NDArray[np.int64]
    """Last decision day of the path before the days are over."""
    is_over: NDArray[np.bool_]
    """Whether the path had ended by then."""
    arrived: NDArray[np.bool_]
    """Whether the policy's moment came after the first day and by then."""


def fit_curves(catalog: Catalog, rows: Rows, paths: CurvePaths, seed: int) -> CurveModels:
    """Learn the curves.

    Parameters
    ----------
    catalog
        Of the columns of ``rows``.
    rows : ndarray of shape (n_decisions, n_columns), float32
    """
    ahead = _look_ahead(paths.decisions, paths.comes, seed)
    full = add_columns(rows[ahead.row], ahead.days)
    left = add_columns(rows[ahead.reached], _days_left(paths.decisions, ahead))
    with_days = _with_days(catalog)
    base = build_trees_data(with_days, full, np.zeros(len(full)))
    value, sql, moment = (_Regression(base, full, left, kind) for kind in _SETTINGS)
    for _ in range(PASSES):
        _pass_values(paths, ahead, value, sql)
        _pass_moment(paths, ahead, moment)
    return CurveModels(*(TreeModel(r.trees.model_to_string()) for r in (value, sql, moment)))


def _with_days(catalog: Catalog) -> Catalog:
    from training.timing.models.handoff_chances import extend_catalog

    extended = extend_catalog(catalog)
    kept = (*catalog.features, extended.features[-1])
    return Catalog(catalog.taxonomy, catalog.attributes, kept)


def _look_ahead(decisions: Decisions, comes: NDArray[np.bool_], seed: int) -> _Ahead:
    rng = np.random.default_rng(seed)
    row = np.sort(rng.integers(0, len(decisions), min(MOST_DRAWS, 2 * len(decisions))))
    days = rng.integers(1, CURVE_DAYS + 1, len(row))
    as_of = decisions.snapshots.as_of
    reached, is_over, arrived = walk_ahead(
        decisions.followed_by == GOES_ON,
        as_of,
        as_of + (decisions.gap_days * DAY_US).astype(np.int64),
        comes,
        row.astype(np.int64),
        days.astype(np.int64) * DAY_US,
    )
    return _Ahead(row, days, reached, is_over, arrived)


@njit(cache=True, nogil=True)
def walk_ahead(
    goes_on: NDArray[np.bool_],
    as_of: NDArray[np.int64],
    ends: NDArray[np.int64],
    comes: NDArray[np.bool_],
    row: NDArray[np.int64],
    ahead_us: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Walk each path to the last decision day within so many days."""
    reached = row.copy()
    is_over = np.zeros(len(row), np.bool_)
    arrived = np.zeros(len(row), np.bool_)
    for i in range(len(row)):
        at, until = row[i], as_of[row[i]] + ahead_us[i]
        while goes_on[at] and as_of[at + 1] <= until:
            at += 1
            arrived[i] = arrived[i] or comes[at]
        reached[i] = at
        is_over[i] = not goes_on[at] and ends[at] <= until
    return reached, is_over, arrived


def _days_left(decisions: Decisions, ahead: _Ahead) -> Floats:
    as_of = decisions.snapshots.as_of
    return np.asarray(ahead.days - (as_of[ahead.reached] - as_of[ahead.row]) / DAY_US)


_SETTINGS = (AHEAD, AHEAD, {**AHEAD, "objective": "cross_entropy"})


class _Regression:
    """Trees on draws, fitted anew in each pass; before the first they say nothing."""

    def __init__(self, base: Any, full: Rows, left: Rows, settings: dict[str, Any]) -> None:
        self._base, self._full, self._left = base, full, left
        monotone = [0] * (full.shape[1] - 1) + [1]
        if settings["objective"] == "cross_entropy":
            settings = {**settings, "monotone_constraints": monotone}
        self._settings = settings
        self.trees: Any = None

    def fit(self, y: Floats) -> None:
        """Fit on the draws whose outcome is given."""
        known = np.flatnonzero(np.isfinite(y))
        if not len(known):  # the moment has come everywhere: nothing is ever asked of these trees
            y, known = np.ones(len(y)), np.arange(len(y))
        part = self._base.subset(known).construct()
        part.set_label(y[known])
        self.trees = import_lightgbm().train({**self._settings, "seed": 7}, part, CURVE_ROUNDS)

    def goes_on(self) -> Floats:
        """Say what the rest of each draw brings, from the last decision day it reached."""
        if self.trees is None:
            return np.full(len(self._left), np.nan)
        return np.asarray(self.trees.predict(self._left, raw_score=True))


def _pass_values(paths: CurvePaths, ahead: _Ahead, value: _Regression, sql: _Regression) -> None:
    """Fit both curves of a committed handoff, as what changes against one now."""
    decisions, at, prices = paths.decisions, ahead.reached, paths.prices
    left = _days_left(decisions, ahead)
    waited = prices.discount_by_day ** (ahead.days - left)
    to_end = waited * prices.discount_by_day ** np.minimum(decisions.gap_days[at], left)
    kind, made = decisions.followed_by[at], np.maximum(decisions.handoff[at], 0)
    over = ahead.is_over
    worth = prices.discount_by_day**ahead.days * paths.value[at]
    chance = paths.p_sql[at].copy()
    cut = over & ~np.isin(kind, (ENDED, ALONE, RAISED))
    worth[cut] = (waited * (paths.value[at] + value.goes_on()))[cut]
    chance[cut] = np.clip(paths.p_sql[at] + sql.goes_on(), 0.0, 1.0)[cut]
    for ending, brings, wins in (
        (ENDED, np.zeros(len(at)), np.zeros(len(at))),
        (ALONE, np.full(len(at), prices.sql), np.ones(len(at))),
        (RAISED, paths.logged[made], paths.logged_sql[made]),
    ):
        own = over & (kind == ending)
        worth[own], chance[own] = (to_end * brings)[own], wins[own]
    value.fit(worth - paths.value[ahead.row])
    sql.fit(chance - paths.p_sql[ahead.row])


def _pass_moment(paths: CurvePaths, ahead: _Ahead, moment: _Regression) -> None:
    """Fit when the moment comes, where it has not; a raised hand is one."""
    kind = paths.decisions.followed_by[ahead.reached]
    y = np.where(ahead.arrived | (ahead.is_over & (kind == RAISED)), 1.0, 0.0)
    cut = ahead.is_over & ~ahead.arrived & ~np.isin(kind, (ENDED, ALONE, RAISED))
    y[cut] = expit(moment.goes_on())[cut]
    y[paths.comes[ahead.row]] = np.nan
    moment.fit(y)
