"""What handoff policies bring in a made-up market, exactly: from its hidden chances, not from draws."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.laboratory.counterfactual import LIVED_DAYS, Nurtured, pass_day, value_of_quiet
from features.simulation.behaviour.population import Flags, Floats


@dataclass(frozen=True)
class Worth:
    """What a policy brings, per lead."""

    value: Floats  # (n_leads,)
    handoffs: Floats
    """Expected first touches, raised hands among them."""
    sqls: Floats
    """Expected SQLs by first handoffs."""
    rejected: Floats
    """Expected rejections of first handoffs."""
    by_day: Floats
    """Expected first touches by day of life; (LIVED_DAYS,)."""

    @property
    def median_day(self) -> int:
        """Day of life by which half of the handoffs have been made."""
        so_far = np.cumsum(self.by_day)
        return int(np.searchsorted(so_far, so_far[-1] / 2.0))

    def mix(self, other: "Worth", share: float) -> "Worth":
        """Do this for a share of the leads, drawn by lot, and something else for the others."""
        return Worth(
            **{k: share * v + (1.0 - share) * vars(other)[k] for k, v in vars(self).items()}
        )


def value_of_days(market: Nurtured, day: npt.NDArray[np.int64]) -> Worth:
    """Value a policy that hands lead ``i`` over on its day ``day[i]``, or never where that is -1."""
    chosen = np.zeros(market.intent.shape)
    stops = day >= 0
    chosen[np.flatnonzero(stops), day[stops]] = 1.0
    return value_of_chances(market, chosen)


def value_of_chances(market: Nurtured, chance: Floats) -> Worth:
    """Value a policy that hands over by chance, such as the old rule; exact, by adding up days.

    Parameters
    ----------
    chance : ndarray of shape (n_leads, LIVED_DAYS)
        Of a handoff on each day, given that the lead is still with marketing.
    """
    prices = market.prices
    n = len(chance)
    nurtured, quiet = np.ones(n), np.zeros(n)
    value, handoffs, sqls, rejected = np.zeros((4, n))
    by_day = np.zeros(LIVED_DAYS)
    for day in range(LIVED_DAYS):
        worth = prices.discount_by_day**day
        asks = market.asks[:, day] * market.raiser_chance
        raised = (nurtured + quiet) * asks
        chosen = (nurtured - nurtured * asks) * chance[:, day]
        value += worth * (raised * market.raised_payoff[:, day] + chosen * market.payoff[:, day])
        handoffs += raised + chosen
        by_day[day] = (raised + chosen).sum()
        sqls += chosen * market.p_sql[:, day] + raised * market.p_sql[:, day]
        rejected += (chosen + raised) * (1.0 - market.p_accept[:, day])
        nurtured, quiet = nurtured * (1.0 - asks) - chosen, quiet * (1.0 - asks)
        alone = nurtured * market.alone[:, day]
        value += worth * alone * prices.sql
        nurtured = nurtured - alone
        closed = nurtured * market.silenced[:, day]
        nurtured, quiet = nurtured - closed, quiet + closed
    return Worth(value, handoffs, sqls, rejected, by_day)


def value_of_rule(market: Nurtured) -> Worth:
    """Value the old rule."""
    return value_of_chances(market, market.rule_chance)


def best_days(market: Nurtured, payoff: Floats) -> npt.NDArray[np.int64]:
    """Find each lead's best day by backward induction; -1 where it is best left to itself.

    With the true payoff this is the oracle: it knows the hidden interest of every coming day, and
    which hands will be raised.
    """
    n = len(payoff)
    after, quiet = np.zeros(n), value_of_quiet(market, market.raised_payoff)
    best = np.full(n, -1, np.int64)
    for day in reversed(range(LIVED_DAYS)):
        asks = market.asks[:, day] * market.raiser_chance
        waits = pass_day(market, day, after, quiet[:, day + 1])
        takes = market.working[:, day] & (payoff[:, day] > waits)
        best = np.where(takes, day, best)
        own = np.where(takes, payoff[:, day], waits)
        after = asks * market.raised_payoff[:, day] + (1.0 - asks) * own
    return best


def value_of_waiting(market: Nurtured, stops: Flags) -> Floats:
    """Value each day's waiting when leads are handed over on the days that ``stops`` marks.

    Parameters
    ----------
    stops : ndarray of shape (n_leads, LIVED_DAYS)
        Counts on working days only.

    Returns
    -------
    ndarray of shape (n_leads, LIVED_DAYS)
        Given the hidden interest, once the day has passed without a handoff.
    """
    waits, after = np.zeros(stops.shape), np.zeros(len(stops))
    hands, quiet = stops & market.working, value_of_quiet(market, market.raised_payoff)
    for day in reversed(range(LIVED_DAYS)):
        waits[:, day] = pass_day(market, day, after, quiet[:, day + 1])
        asks = market.asks[:, day] * market.raiser_chance
        own = np.where(hands[:, day], market.payoff[:, day], waits[:, day])
        after = asks * market.raised_payoff[:, day] + (1.0 - asks) * own
    return waits


def first_days(market: Nurtured, scores: Floats, threshold: float) -> npt.NDArray[np.int64]:
    """Find each lead's first working day with a score at or above a threshold; -1 if none."""
    reached = (scores >= threshold) & market.working
    return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)
