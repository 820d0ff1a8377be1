"""Optimal stopping learned from logged handoffs, by double-regression Monte Carlo.

Nurturing goes on unchanged until a handoff, so a logged path says what waiting brings up to the day
it was cut. Two half-samples of leads each get a family of models: chances of a handoff now, and the
worth of waiting. One family decides when to stop, the other says what that is worth, so that the
maximum over noisy estimates does not flatter itself (after Longstaff, Schwartz 2001, *Review of
Financial Studies* 14; the two halves as in Glasserman 2004, *Monte Carlo Methods in Financial
Engineering*, §8.7).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.labels.timing import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    RAISED,
    Decisions,
    Handoffs,
)
from training.models.boosting import import_lightgbm

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
Progress = Callable[[str, float], None]

PASSES = 4
"""Of the iteration: the worth of waiting settles in three."""

MOST_WAIT_ROWS = 200_000
"""Rows that one regression of the worth of waiting learns from."""

LARGEST_WEIGHT = 5.0
"""Of a handoff whose outcome is known, for those that are not resolved yet."""

CHANCE: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.04,
    "num_leaves": 6,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.25,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "cat_smooth": 30.0,
    "cat_l2": 20.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbose": -1,
}
"""Handoffs are few: small trees, strong shrinkage."""

WAIT: dict[str, Any] = {
    **CHANCE,
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 20,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.4,
}
WAIT_ROUNDS = 60
MOST_ROUNDS, PATIENCE, FOLDS = 400, 30, 4


@dataclass(frozen=True)
class Prices:
    """What a handoff costs and brings, in one unit of the company's own; here hours of a seller."""

    touch: float = 1.0
    """First contact of one handed-over lead."""
    work: float = 2.0
    """Working an accepted one."""
    sql: float = 10.0
    """Worth of an SQL."""
    discount_by_day: float = 0.9975
    """Worth tomorrow of one today: an SQL in 90 days is worth 80 % of one now."""
    promised_delay_days: float = 1.0
    """From handoff to answer, as sales has promised."""


@dataclass(frozen=True)
class Family:
    """What one half-sample says, of every row."""

    handoff: Floats
    """Worth of a handoff now, decision rows."""
    logged: Floats
    """Worth of each logged handoff, as it was made."""
    p_sql: Floats
    wait: Floats
    """Worth of waiting."""


@dataclass(frozen=True)
class Learned:
    """What both halves say, and together. Arrays of shape (n_rows,), in the unit of the prices."""

    families: tuple[Family, Family]
    second_chance: float
    """Worth of a lead that comes back, at the handoff."""

    def mean(self, name: str) -> Floats:
        """Average over both halves."""
        return np.asarray((getattr(self.families[0], name) + getattr(self.families[1], name)) / 2)

    @property
    def advantage(self) -> Floats:
        """Worth of a handoff now above that of waiting."""
        return self.mean("handoff") - self.mean("wait")


def fit_trees(
    settings: dict[str, Any],
    catalog: Catalog,
    rows: Rows,
    y: NDArray[Any],
    rounds: int,
    *,
    weight: Floats | None = None,
    extra: int = 0,
    seed: int = 7,
) -> Any:
    """Grow trees on rows of features, with so many further numeric columns at the end."""
    lgb = import_lightgbm()
    data = _data(catalog, rows, y, weight, extra, settings)
    return lgb.train({**settings, "seed": seed}, data, rounds)


def _data(
    catalog: Catalog,
    rows: Rows,
    y: NDArray[Any],
    weight: Floats | None,
    extra: int,
    settings: dict[str, Any],
) -> Any:
    names = [*catalog.names, *(f"extra_{i}" for i in range(extra))]
    return import_lightgbm().Dataset(
        rows,
        y,
        weight=weight,
        feature_name=names,
        categorical_feature=[f.name for f in catalog.features if f.categories],
        params={"max_bin": settings["max_bin"], "verbose": -1},
        free_raw_data=False,
    )


EXTRAS = 3
"""Columns after the features: whether the hand was raised, days until the answer, handoffs waiting."""


def add_extras(rows: Rows, raised: Any, delay: Any, load: Any) -> Rows:
    """Add what is known only of a handoff: columns that are set, not observed, when we ask."""
    further = np.empty((len(rows), EXTRAS), np.float32)
    further[:, 0], further[:, 1], further[:, 2] = raised, np.minimum(delay, 14.0), load
    return np.concatenate([rows, further], axis=1)


def weigh_resolved(handoffs: Handoffs) -> Floats:
    """Weigh resolved handoffs for those still open: by the inverse chance of being followed so long.

    Follow-up ends with the log for all, so the chance that a handoff is followed for as long as it
    took is the share of handoffs made early enough (inverse probability of censoring).
    """
    end = int(handoffs.resolved_at.max()) if len(handoffs) else 0
    follow_up = np.sort(end - handoffs.at)
    took = handoffs.resolved_at - handoffs.at
    share = 1.0 - np.searchsorted(follow_up, took, side="left") / max(1, len(handoffs))
    weight = 1.0 / np.maximum(share, 1.0 / LARGEST_WEIGHT)
    return np.where(handoffs.is_resolved, weight, 0.0)


def find_rounds(
    catalog: Catalog, rows: Rows, y: NDArray[Any], weight: Floats, lead: NDArray[np.int64], seed: int
) -> int:
    """Find how many trees foretell other leads' handoffs best, over folds by lead."""
    lgb = import_lightgbm()
    fold = np.random.default_rng(seed).integers(0, FOLDS, int(lead.max()) + 1)[lead]
    curves = []
    for k in range(FOLDS):
        train = _data(catalog, rows[fold != k], y[fold != k], weight[fold != k], EXTRAS, CHANCE)
        valid = train.create_valid(rows[fold == k], y[fold == k], weight=weight[fold == k])
        told: dict[str, Any] = {}
        lgb.train(
            {**CHANCE, "seed": seed},
            train,
            MOST_ROUNDS,
            valid_sets=[valid],
            callbacks=[
                lgb.early_stopping(PATIENCE, verbose=False),
                lgb.record_evaluation(told),
            ],
        )
        curve = np.array(told["valid_0"]["binary_logloss"])
        curves.append(np.pad(curve, (0, MOST_ROUNDS - len(curve)), constant_values=curve[-1]))
    return int(np.mean(curves, axis=0).argmin()) + 1


@dataclass(frozen=True)
class Chances:
    """Chances of a handoff, learned on some leads."""

    accept: Any
    sql: Any
    load: float
    """Handoffs waiting at which we ask."""

    def ask(self, rows: Rows, prices: Prices, raised: Any) -> tuple[Floats, Floats]:
        """Foretell acceptance and SQL if handed over now, answered as promised."""
        full = add_extras(rows, raised, prices.promised_delay_days, self.load)
        return self.accept.predict(full), self.sql.predict(full)


def fit_chances(
    catalog: Catalog,
    rows: Rows,
    handoffs: Handoffs,
    seed: int,
    rounds: tuple[int, int] | None = None,
) -> tuple[Chances, tuple[int, int]]:
    """Learn acceptance and SQL from resolved handoffs."""
    known = handoffs.is_resolved
    weight = weigh_resolved(handoffs)[known]
    own = handoffs.take(known)
    full = add_extras(rows[known], own.raised, own.delay_days, own.load)
    accepted, sql = own.accepted.astype(np.int8), own.sql.astype(np.int8)
    if rounds is None:
        rounds = (
            find_rounds(catalog, full, accepted, weight, own.lead, seed),
            find_rounds(catalog, full, sql, weight, own.lead, seed),
        )
    models = [
        fit_trees(CHANCE, catalog, full, y, n, weight=weight, extra=EXTRAS, seed=seed)
        for y, n in zip((accepted, sql), rounds, strict=True)
    ]
    return Chances(models[0], models[1], float(np.median(own.load))), rounds


def learn(
    catalog: Catalog,
    rows: Rows,
    decisions: Decisions,
    handoff_rows: Rows,
    handoffs: Handoffs,
    prices: Prices,
    *,
    seed: int = 7,
    shadow_price: float = 0.0,
    progress: Progress = lambda _what, _share: None,
) -> Learned:
    """Learn what a handoff now and waiting are worth, on two half-samples of the leads.

    Parameters
    ----------
    rows : ndarray of shape (n_decisions, n_features), float32
    handoff_rows : ndarray of shape (n_handoffs, n_features), float32
        As of each handoff.
    shadow_price
        What a handoff takes from others where sellers are few, in the unit of the prices.
    """
    n_leads = int(max(decisions.lead.max(), handoffs.lead.max())) + 1
    half = np.random.default_rng(seed).integers(0, 2, n_leads)
    _, rounds = fit_chances(catalog, handoff_rows, handoffs, seed)
    families: list[Family] = []
    second = 0.0
    for side in (0, 1):
        own = half[handoffs.lead] == side
        chances, _ = fit_chances(
            catalog, handoff_rows[own], handoffs.take(own), seed + side, rounds
        )
        accept, sql = chances.ask(rows, prices, 0.0)
        made_accept, made_sql = chances.ask(handoff_rows, prices, handoffs.raised)
        made = pay(prices, made_accept, made_sql)
        second = worth_of_second_chance(handoffs, made, prices)
        families.append(
            Family(
                handoff=pay(prices, accept, sql) + (1.0 - sql) * second - shadow_price,
                logged=made + (1.0 - made_sql) * second,
                p_sql=sql,
                wait=np.zeros(len(rows)),
            )
        )
    for _ in range(PASSES):
        families = _improve(catalog, rows, decisions, families, half, prices, seed)
    return Learned((families[0], families[1]), second)


def pay(prices: Prices, accept: Floats, sql: Floats) -> Floats:
    """Give what a handoff pays by itself."""
    return np.asarray(-prices.touch - prices.work * accept + prices.sql * sql)


def worth_of_second_chance(handoffs: Handoffs, payoff: Floats, prices: Prices) -> float:
    """Average what handoffs that came to nothing brought later, each by its lead's next handoff."""
    order = np.lexsort((handoffs.at, handoffs.lead))
    lead, at = handoffs.lead[order], handoffs.at[order]
    again = np.zeros(len(lead))
    if len(lead) > 1:
        same = np.flatnonzero(lead[1:] == lead[:-1])
        wait = (at[same + 1] - at[same]) / 86_400e6
        again[same] = payoff[order][same + 1] * prices.discount_by_day**wait
    failed = handoffs.is_resolved[order] & ~handoffs.sql[order]
    return float(again[failed].mean()) if failed.any() else 0.0


def _improve(
    catalog: Catalog,
    rows: Rows,
    decisions: Decisions,
    families: list[Family],
    half: NDArray[np.int64],
    prices: Prices,
    seed: int,
) -> list[Family]:
    """Regress, for each half, what waiting brought when the other half decided."""
    better = []
    for side in (0, 1):
        own, other = families[side], families[1 - side]
        brought = follow_paths(decisions, own, other.handoff >= other.wait, prices)
        use = np.isfinite(brought) & (half[decisions.lead] == side)
        chosen = np.flatnonzero(use)
        if len(chosen) > MOST_WAIT_ROWS:
            chosen = np.sort(
                np.random.default_rng(seed).choice(chosen, MOST_WAIT_ROWS, replace=False)
            )
        model = fit_trees(WAIT, catalog, rows[chosen], brought[chosen], WAIT_ROUNDS, seed=seed)
        better.append(replace(own, wait=model.predict(rows)))
    return better


def follow_paths(
    decisions: Decisions, family: Family, stops: NDArray[np.bool_], prices: Prices
) -> Floats:
    """Work out what waiting on each decision day brought, handing over where ``stops`` says.

    Returns
    -------
    ndarray of shape (n_rows,)
        NaN where the log was cut on that very day: nothing was seen of waiting there.
    """
    end = np.full(len(decisions), np.nan)
    kind, index = decisions.followed_by, decisions.handoff
    discount = prices.discount_by_day**decisions.gap_days
    end[kind == ENDED] = 0.0
    end[kind == ALONE] = (discount * prices.sql)[kind == ALONE]
    raised = kind == RAISED
    end[raised] = discount[raised] * family.logged[index[raised]]
    return _walk_back(
        kind == GOES_ON, discount, end, family.handoff, family.wait, stops.astype(np.bool_)
    )


@njit(cache=True, nogil=True)
def _walk_back(
    goes_on: NDArray[np.bool_],
    discount: Floats,
    end: Floats,
    handoff: Floats,
    wait: Floats,
    stops: NDArray[np.bool_],
) -> Floats:
    """Go from each path's end to its begin; where the log was cut, the model's own worth goes on."""
    brought = np.empty(len(end))
    for row in range(len(end) - 1, -1, -1):
        if not goes_on[row]:
            brought[row] = end[row]
            continue
        after = row + 1
        if stops[after]:
            worth = handoff[after]
        elif np.isnan(brought[after]):
            worth = wait[after]
        else:
            worth = brought[after]
        brought[row] = discount[row] * worth
    return brought
