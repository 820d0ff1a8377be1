"""The worth of waiting, by double-regression Monte Carlo along logged paths.

Nurturing goes on unchanged until a handoff, so a logged path says what waiting brings up to the day
it was cut. Two halves of the leads each get a family of models: chances of a handoff now, and the
worth of waiting. One family decides when to stop, the other says what that is worth, so that the
maximum over noisy estimates does not flatter itself (after Longstaff, Schwartz 2001, *Review of
Financial Studies* 14; Egloff, Kohler, Todorovic 2007, *Annals of Applied Probability* 17).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.clock import DAY_US
from features.lifecycle.prices import Prices
from training.models.tree_growth import draw_rows, regress
from training.timing.labels import ALONE, ENDED, GOES_ON, RAISED, Decisions, Handoffs
from training.timing.models.handoff_chances import TREES
from training.timing.models.model import Floats

WAIT: dict[str, Any] = {
    **TREES,
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 20,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
}
WAIT_ROUNDS = 60

MOST_WAIT_ROWS = 120_000
"""Rows that one regression of the worth of waiting learns from."""

MATURE_DAYS = 60.0
"""Handoffs this long before the end of the log tell of second chances."""

FEWEST_FAILED, RIDGE = 100, 0.2
"""Of them, for a line instead of a mean; and how strongly its slope is drawn to none."""
"""Handoffs this long before the end of the log tell of second chances."""


@dataclass(frozen=True)
class HalfValues:
    """What one half of the leads says; (n_decisions,) but for ``logged``."""

    handoff: Floats
    """Value of a handoff now, the lead's second chance included."""
    logged: Floats
    """Value of each logged handoff, as it was made; (n_handoffs,)."""
    gain: Floats
    """Value of waiting, less that of a handoff now."""
    p_sql: Floats
    logged_sql: Floats
    """P(SQL) of each logged handoff; (n_handoffs,)."""
    second_chance: tuple[float, float]
    """Worth, at the handoff, of a lead that comes to nothing: at P(SQL) 0, and more by P(SQL)."""


def value_second_chances(
    decisions: Decisions, handoffs: Handoffs, payoff: Floats, prices: Prices
) -> tuple[NDArray[np.int64], Floats]:
    """Work out what handoffs that came to nothing brought later: another one, or an SQL by itself.

    Parameters
    ----------
    payoff : ndarray of shape (n_handoffs,)
        Of each handoff by itself.

    Returns
    -------
    failed : ndarray of shape (n_failed,)
        Handoffs that came to nothing long enough before the end of the log.
    brought : ndarray of shape (n_failed,)
        As worth at the handoff.
    """
    end = int(handoffs.resolved_at.max()) if len(handoffs) else 0
    old = handoffs.at < end - int(MATURE_DAYS * DAY_US)
    failed = np.flatnonzero(handoffs.is_resolved & ~handoffs.sql & old)
    alone = decisions.followed_by == ALONE
    ends = decisions.snapshots.as_of[alone] + decisions.gap_days[alone] * DAY_US
    lead = np.concatenate([handoffs.lead, decisions.lead[alone]])
    at = np.concatenate([handoffs.at, ends.astype(np.int64)])
    worth = np.concatenate([payoff, np.full(len(ends), prices.sql)])
    order = np.lexsort((at, lead))
    lead, at, worth = lead[order], at[order], worth[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    following = np.minimum(place[failed] + 1, len(lead) - 1)
    again = (place[failed] + 1 < len(lead)) & (lead[following] == handoffs.lead[failed])
    days = (at[following] - handoffs.at[failed]) / DAY_US
    return failed, np.where(again, worth[following] * prices.discount_by_day**days, 0.0)


def fit_second_chance(p_sql: Floats, brought: Floats) -> tuple[float, float]:
    """Fit a straight line: what came later by the chance that the handoff had; drawn to its mean."""
    if len(brought) < FEWEST_FAILED:
        return (float(brought.mean()) if len(brought) else 0.0), 0.0
    away = p_sql - p_sql.mean()
    slope = float(away @ brought / (away @ away + RIDGE * len(away) * away.var() + 1e-9))
    return float(brought.mean() - slope * p_sql.mean()), slope


def follow_paths(
    decisions: Decisions,
    side: HalfValues,
    stops: NDArray[np.bool_],
    prices: Prices,
    shadow_price: float = 0.0,
) -> Floats:
    """Work out what waiting on each decision day brought, handing over where ``stops`` says.

    Returns
    -------
    ndarray of shape (n_decisions,)
        NaN where the log was cut on that very day: nothing was seen of waiting there.
    """
    end: Floats = np.full(len(decisions), np.nan)
    kind, index = decisions.followed_by, decisions.handoff
    discount = prices.discount_by_day**decisions.gap_days
    end[kind == ENDED] = 0.0
    end[kind == ALONE] = (discount * prices.sql)[kind == ALONE]
    raised = kind == RAISED
    end[raised] = discount[raised] * (side.logged[index[raised]] - shadow_price)
    return np.asarray(
        walk_back(
            kind == GOES_ON,
            discount,
            end,
            side.handoff - shadow_price,
            side.handoff + side.gain,
            stops,
        )
    )


@njit(cache=True, nogil=True)
def walk_back(
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


def improve(
    laid_out: Any,
    decisions: Decisions,
    sides: tuple[HalfValues, HalfValues],
    stops: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    half: NDArray[np.int64],
    prices: Prices,
    *,
    shadow_price: float,
    seed: int,
) -> tuple[tuple[HalfValues, HalfValues], tuple[Any, Any]]:
    """Regress, for each half of the leads, what waiting brought when the other half decided.

    Parameters
    ----------
    laid_out
        The decisions' features, as `build_trees_data` lays them out.
    stops
        Where each side would hand over; a side's paths are stopped by the other.
    half : ndarray of shape (n_decisions,)
        0 or 1, by lead.

    Returns
    -------
    The sides with their new gain of waiting, and the trees that say it.
    """
    better, grown = [], []
    for number, own in enumerate(sides):
        brought = follow_paths(decisions, own, stops[1 - number], prices, shadow_price)
        chosen = np.flatnonzero(np.isfinite(brought) & (half == number))
        # The difference is learned, not both values: it varies far less than either.
        booster = regress(
            laid_out,
            brought - own.handoff,
            draw_rows(chosen, MOST_WAIT_ROWS, seed + number),
            WAIT,
            WAIT_ROUNDS,
        )
        better.append(replace(own, gain=booster.predict(laid_out.get_data())))
        grown.append(booster)
    return (better[0], better[1]), (grown[0], grown[1])
