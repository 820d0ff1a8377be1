"""What a threshold on a score would have brought along the log: value and handoffs per lead.

Logged paths are followed until the score reaches the threshold. A path that the old rule, or the
end of the log, cut before goes on as others of about the same score went on: their average is
found by going over all paths a few times. It serves to choose one number (a threshold, the price
of the sellers' time), not to judge a policy: that is `training.evaluation`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.lifecycle.prices import Prices
from training.timing.labels import ALONE, CUT, GOES_ON, HANDED, RAISED, Decisions
from training.timing.models.model import Floats

BINS, ROUNDS = 24, 5
"""Of the score, and how often all paths are gone over: paths are cut once, so three would do."""

THRESHOLDS, HALVINGS = 32, 14
"""How many quantiles of a score are tried, and how often an interval is halved."""


@dataclass(frozen=True)
class Followed:
    """What a threshold brings per lead of the log, from its first decision day on."""

    value: float
    handoffs: float
    """Raised hands among them."""


@dataclass(frozen=True)
class Log:
    """Paths of the log with what handoffs on them pay."""

    decisions: Decisions
    handoff: Floats
    """Value of a handoff, (n_decisions,)."""
    logged: Floats
    """Value of each logged handoff, (n_handoffs,)."""
    prices: Prices

    def score(self, scores: Floats) -> "ScoredLog":
        """Look at the decision days by a score; (n_decisions,)."""
        edges = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
        return ScoredLog(self, scores, np.searchsorted(edges, scores).astype(np.int64))

    def find_price(self, scores: Floats, threshold: float) -> float:
        """Find what each handoff must cost for no lower threshold on a score to bring more.

        Where the threshold's handoffs fit what sales can take, that is the shadow price of the
        sellers' time: what one more handoff takes from others (Everett 1963, *Operations Research*
        11(3), 399-417).
        """

        def lower(price: float) -> float:
            priced = replace(self, handoff=self.handoff - price, logged=self.logged - price)
            return -priced.score(scores).best_threshold()

        return find_lowest(lower, -threshold, 0.0, self.prices.sql)


@dataclass(frozen=True)
class ScoredLog:
    """Paths of the log, and a score on which a threshold is to be chosen."""

    log: Log
    scores: Floats
    place: NDArray[np.int64]
    """Which days have about the same score."""

    def follow(self, threshold: float) -> Followed:
        """Hand each lead over on its first decision day with a score at or above a threshold."""
        decisions, lead = self.log.decisions, self.log.decisions.lead
        kind = decisions.followed_by
        end: Floats = np.zeros(len(kind))
        end[kind == ALONE] = self.log.prices.sql
        raised = kind == RAISED
        end[raised] = self.log.logged[decisions.handoff[raised]]
        value, handoffs = walk_scored(
            kind == GOES_ON,
            raised,
            (kind == HANDED) | (kind == CUT),
            self.log.prices.discount_by_day**decisions.gap_days,
            end,
            self.log.handoff,
            self.scores >= threshold,
            self.place,
            BINS,
        )
        first = np.flatnonzero(np.r_[True, lead[1:] != lead[:-1]])
        return Followed(float(value[first].mean()), float(handoffs[first].mean()))

    def best_threshold(self, capacity: float | None = None) -> float:
        """Find the threshold that brings most, of those whose handoffs per lead sales can take."""
        shares = np.geomspace(1e-3, 0.9, THRESHOLDS)
        levels = np.unique(np.quantile(self.scores, 1.0 - shares))
        levels_followed = [(self.follow(float(level)), float(level)) for level in levels]
        fits = [
            (f, level)
            for f, level in levels_followed
            if capacity is None or f.handoffs <= capacity
        ]
        if not fits:
            return float(levels[-1])
        return max(fits, key=lambda pair: pair[0].value)[1]

    def fitting_threshold(self, capacity: float) -> float:
        """Find the lowest threshold whose handoffs per lead sales can take."""
        low, high = float(self.scores.min()), float(self.scores.max()) + 1e-9
        return find_lowest(lambda level: self.follow(level).handoffs, capacity, low, high)


def find_lowest(count: Callable[[float], float], most: float, low: float, high: float) -> float:
    """Find the lowest level at which a falling count is at most so much, by halving."""
    if count(low) <= most:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if count(middle) <= most:
            high = middle
        else:
            low = middle
    return high


@njit(cache=True, nogil=True)
def walk_scored(
    goes_on: NDArray[np.bool_],
    raised: NDArray[np.bool_],
    open_end: NDArray[np.bool_],
    discount: Floats,
    end: Floats,
    handoff: Floats,
    stops: NDArray[np.bool_],
    place: NDArray[np.int64],
    n_places: int,
) -> tuple[Floats, Floats]:
    """Add up value and handoffs from each row on, the row's own decision included."""
    n = len(end)
    value, handoffs = np.empty(n), np.empty(n)
    usual_value, usual_handoffs = np.zeros(n_places), np.zeros(n_places)
    for _ in range(ROUNDS):
        sum_value, sum_handoffs = np.zeros(n_places), np.zeros(n_places)
        counted = np.zeros(n_places)
        for row in range(n - 1, -1, -1):
            if goes_on[row]:
                waits, later = discount[row] * value[row + 1], handoffs[row + 1]
            elif open_end[row]:
                waits, later = usual_value[place[row]], usual_handoffs[place[row]]
            else:
                waits, later = discount[row] * end[row], 1.0 if raised[row] else 0.0
            if not open_end[row]:
                sum_value[place[row]] += waits
                sum_handoffs[place[row]] += later
                counted[place[row]] += 1.0
            value[row] = handoff[row] if stops[row] else waits
            handoffs[row] = 1.0 if stops[row] else later
        for at in range(n_places):
            usual_value[at] = sum_value[at] / max(counted[at], 1.0)
            usual_handoffs[at] = sum_handoffs[at] / max(counted[at], 1.0)
    return value, handoffs
