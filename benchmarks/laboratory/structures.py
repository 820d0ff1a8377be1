"""Many made-up markets by seed: the same rules with other numbers, so that nothing is tuned to one."""

from dataclasses import replace
from typing import Any

import numpy as np

from features.simulation.world import World

HALF_TO_DOUBLE = 0.35
"""Spread of the log of a factor: two thirds of them lie between 0.7 and 1.4."""


def draw_structure(seed: int, *, insight: float = 0.0, exploration: float = 0.0) -> World:
    """Draw a market: how interest moves, who shows it, when marketing hands over, what sales does.

    Parameters
    ----------
    seed
        The same seed gives the same market.
    insight
        Above 0, sellers also pick by what the log does not hold.
    exploration
        Chance by working day of a handoff by lot.

    Returns
    -------
    World
        Every drawn number is the ordinary market's times a lognormal factor, or shifted in
        log-odds; the rest is the ordinary market's.
    """
    rng = np.random.default_rng([seed, 20_260])
    plain = World()

    def scale(part: Any, *names: str, spread: float = HALF_TO_DOUBLE) -> dict[str, Any]:
        return {name: getattr(part, name) * rng.lognormal(0.0, spread) for name in names}

    def shift(part: Any, *names: str, spread: float = 0.4) -> dict[str, Any]:
        return {name: getattr(part, name) + rng.normal(0.0, spread) for name in names}

    intent = replace(
        plain.intent,
        **scale(plain.intent, "later_peak_days", "rise_days", "cool_days", "height_spread"),
        **scale(plain.intent, "height", spread=0.15),
        **shift(plain.intent, "buyer_log_odds", "looker_log_odds", spread=0.3),
        hot_on_arrival=float(np.clip(rng.normal(0.45, 0.12), 0.15, 0.8)),
        second_bump_share=float(np.clip(rng.normal(0.45, 0.15), 0.1, 0.9)),
    )
    activity = replace(
        plain.activity,
        **scale(plain.activity, "looker_chattiness", "silent_chattiness", spread=0.25),
        **scale(plain.activity, "interest_sessions", "curious_sessions", "demo_rate"),
    )
    sales = replace(
        plain.sales,
        **scale(plain.sales, "qualify_intent", "qualify_fit", "qualify_need", spread=0.2),
        **shift(plain.sales, "qualify_log_odds", "accept_log_odds", spread=0.3),
    )
    handoffs = replace(
        plain.handoffs,
        **scale(plain.handoffs, "points_noise", "threshold_by_day", "discretion_by_day"),
        points_needed=float(rng.normal(36.0, 4.0)),
        insight=insight,
        exploration_by_day=exploration,
    )
    name = f"structure-{seed}"
    return replace(
        plain, name=name, intent=intent, activity=activity, sales=sales, handoffs=handoffs
    )
