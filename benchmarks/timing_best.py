"""The best that can be achieved from events alone: a policy taught by the truth, blind to it.

The exact yardstick is a filter: the belief about a lead's hidden interest given its events, and
the best stopping rule on that belief. The belief has no closed form here, so it is learned: on a
large sample of the same world, apart from all logs, trees regress the *true* payoff of a handoff
(from the hidden chances, not from draws) and then the *true* gain of waiting on what events show.
The regression of a truth on what was seen is the mean of that truth under the belief. The policy
sees features only, so what it brings is attainable; it is a lower bound of the best there is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.laboratory.counterfactual import LIVED_DAYS, Nurtured, simulate_nurtured
from benchmarks.laboratory.policies import Worth, first_days, value_of_days, value_of_waiting
from features.catalog.manifest import Catalog
from features.clock import DAY_US, to_us
from features.compute.offline import Snapshots, compute_matrix
from features.simulation.world import World
from training.models.tree_growth import regress
from training.timing.labels import read_timing
from training.timing.models.handoff_chances import build_trees_data, take_features

Floats = NDArray[np.float64]

TRUTH: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
PAYOFF_ROUNDS, GAIN_ROUNDS, PASSES = 80, 70, 2
COLUMNS, MOST_ROWS, LEVELS = 50, 80_000, 20


@dataclass(frozen=True)
class Watched:
    """Leads that nobody hands over, on their decision days; (n_rows,) but for the market."""

    market: Nurtured
    snapshots: Snapshots
    lead: NDArray[np.int64]
    day: NDArray[np.int64]
    """Of the lead's life."""

    def grid(self, scores: Floats) -> Floats:
        """Lay scores out by lead and day; days that are no decision days never reach a threshold."""
        laid: Floats = np.full(self.market.intent.shape, -np.inf)
        laid[self.lead, self.day] = scores
        return laid

    def worth(self, scores: Floats, threshold: float) -> Worth:
        """Value a threshold on a score, exactly."""
        return value_of_days(self.market, first_days(self.market, self.grid(scores), threshold))

    def look(self, catalog: Catalog) -> NDArray[np.float32]:
        """Compute the features of all decision days."""
        return compute_matrix(catalog, self.market.history, self.snapshots)


def watch(world: World, *, n_leads: int, seed: int) -> Watched:
    """Let leads live under marketing, and find their decision days."""
    market = simulate_nurtured(world, n_leads=n_leads, seed=seed)
    snapshots = read_timing(market.history).decisions.snapshots
    place = np.full(n_leads, -1)
    place[market.lead] = np.arange(len(market.lead))
    lead = place[snapshots.lead_index]
    begins = to_us(world.arrivals.starts_at) // DAY_US
    day = snapshots.as_of // DAY_US - begins - market.first_day[np.maximum(lead, 0)]
    kept = (lead >= 0) & (day >= 0) & (day < LIVED_DAYS)
    return Watched(market, snapshots.take(kept), lead[kept], day[kept])


@dataclass(frozen=True)
class Taught:
    """The policy that the truth taught."""

    columns: NDArray[np.int64]
    gains: tuple[Any, Any]

    def advantage(self, rows: NDArray[np.float32]) -> Floats:
        """Say what a handoff is worth above waiting, by what events show."""
        own = rows[:, self.columns]
        return np.asarray(-np.mean([trees.predict(own) for trees in self.gains], axis=0))


def teach(watched: Watched, catalog: Catalog, rows: NDArray[np.float32]) -> Taught:
    """Learn the achievable best: payoffs first, then the gain of waiting, halves judging each other."""
    market, at = watched.market, (watched.lead, watched.day)
    half = np.random.default_rng(0).permutation(len(market.lead)) % 2
    sides = [np.flatnonzero(half[watched.lead] == side) for side in (0, 1)]
    payoff = market.payoff[at]
    laid_out = build_trees_data(catalog, rows, np.zeros(len(rows))).construct()
    regressions = [regress(laid_out, payoff, _draw(side), TRUTH, PAYOFF_ROUNDS) for side in sides]
    gain = sum(trees.feature_importance("gain") for trees in regressions)
    columns = np.sort(np.argsort(-gain)[:COLUMNS])
    expected = np.mean([trees.predict(rows) for trees in regressions], axis=0)
    stops = [expected >= _best_level(watched, expected)] * 2
    own = np.ascontiguousarray(rows[:, columns])
    laid_out = build_trees_data(take_features(catalog, columns), own, payoff).construct()
    gains: list[Any] = []
    for _ in range(PASSES):
        gains = []
        for number, side in enumerate(sides):
            marked = watched.grid(np.where(stops[1 - number], 1.0, 0.0)) > 0
            target = value_of_waiting(market, marked)[at] - payoff
            gains.append(regress(laid_out, target, _draw(side), TRUTH, GAIN_ROUNDS))
        stops = [trees.predict(own) <= 0.0 for trees in gains]
    return Taught(columns, (gains[0], gains[1]))


def _draw(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    drawn = np.random.default_rng(1).permutation(len(rows))[:MOST_ROWS]
    return np.asarray(rows[np.sort(drawn)], np.int64)


def _best_level(watched: Watched, scores: Floats) -> float:
    levels = np.quantile(scores, np.linspace(0.5, 0.99, LEVELS))
    return float(max(levels, key=lambda level: watched.worth(scores, level).value.mean()))


def best_points(watched: Watched, capacity: float | None = None) -> float:
    """Find the points threshold that brings most in truth: better than any log could tune it."""
    best, found = -np.inf, np.inf
    for level in np.quantile(watched.market.points, 1.0 - np.geomspace(0.001, 0.6, 2 * LEVELS)):
        worth = value_of_days(
            watched.market, first_days(watched.market, watched.market.points, float(level))
        )
        fits = capacity is None or worth.handoffs.mean() <= capacity
        if fits and worth.value.mean() > best:
            best, found = float(worth.value.mean()), float(level)
    return found
