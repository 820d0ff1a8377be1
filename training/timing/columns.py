"""Which features timing is learned from, and what the chances of a handoff say of each day."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.lifecycle.prices import Prices
from training.models.tree_growth import import_lightgbm, regress
from training.models.trees import TreeModel
from training.timing.dataset import TimingDataset
from training.timing.models.handoff_chances import (
    ChanceSettings,
    build_samples,
    build_trees_data,
    fit_chance,
)
from training.timing.models.model import Chance, Floats, add_columns, pay
from training.timing.models.stopping import (
    WAIT,
    HalfValues,
    fit_second_chance,
    follow_paths,
    value_second_chances,
)

COLUMNS_BY_CHANCE, COLUMNS_BY_GAIN = 40, 40
"""Features that are kept: those that say most of handoffs, and of waiting."""

SCOUT_ROWS, SCOUT_ROUNDS = 60_000, 40


def choose_columns(dataset: TimingDataset, prices: Prices, seed: int) -> NDArray[np.int64]:
    """Choose the features that say most of handoffs, and of what waiting brings; ascending."""
    samples = build_samples(
        dataset.catalog, dataset.handoff_rows, dataset.handoffs, prices.promised_delay_days, seed
    )
    n = len(dataset.catalog.features)
    by_chance, boosters = np.zeros(n), []
    for sample in samples:
        settings = ChanceSettings(SCOUT_ROUNDS * 2, 0.0, 1.0, 1.0, 0.0, 0.0)
        chance = fit_chance(sample, settings)
        boosters.append(chance)
        by_chance += _gain_of(chance.trees, n)
    rng = np.random.default_rng(seed)
    drawn = rng.random(int(dataset.decisions.lead.max()) + 1) < SCOUT_ROWS / len(dataset.decisions)
    part = dataset.take_leads(np.resize(drawn, count_leads(dataset)))
    by_gain = _scout_gain(part, boosters, prices, seed)
    kept = [np.argsort(-by_chance)[:COLUMNS_BY_CHANCE], np.argsort(-by_gain)[:COLUMNS_BY_GAIN]]
    return np.unique(np.concatenate(kept))


def count_leads(dataset: TimingDataset) -> int:
    """Count the leads up to the last that was looked at."""
    return int(max(dataset.decisions.lead.max(), dataset.handoffs.lead.max())) + 1


def _gain_of(trees: TreeModel, n: int) -> Floats:
    gain = import_lightgbm().Booster(model_str=trees.text).feature_importance("gain")[:n]
    return np.asarray(gain / max(gain.sum(), 1e-12))


def _scout_gain(part: TimingDataset, chances: list[Chance], prices: Prices, seed: int) -> Floats:
    """Ask which features predict whether waiting pays, by a first, coarse regression."""
    del seed
    load = float(np.median(part.handoffs.load)) if len(part.handoffs) else 0.0
    side = ask_side(part, (chances[0], chances[1]), prices, load)
    stops = side.handoff >= np.quantile(side.handoff, 0.95)
    brought = follow_paths(part.decisions, side, stops, prices)
    rows = np.flatnonzero(np.isfinite(brought))
    laid_out = build_trees_data(part.catalog, part.rows, np.zeros(len(part.rows))).construct()
    booster = regress(laid_out, brought - side.handoff, rows, WAIT, SCOUT_ROUNDS)
    return np.asarray(booster.feature_importance("gain"), np.float64)


def ask_side(
    dataset: TimingDataset,
    chances: tuple[Chance, Chance],
    prices: Prices,
    load: float,
    less: Floats | float = 0.0,
) -> HalfValues:
    """Ask the chances of each decision day and of each handoff that was made.

    Parameters
    ----------
    less : ndarray of shape (n_decisions,) or float
        Taken off the log-odds of an SQL on a decision day; of a handoff that was made, nothing is.
    """
    full = add_columns(dataset.rows, 0.0, prices.promised_delay_days, load)
    made = add_columns(
        dataset.handoff_rows, dataset.handoffs.raised, prices.promised_delay_days, load
    )
    accept, sql = expit(chances[0].margins(full)), expit(chances[1].margins(full) - less)
    made_accept, made_sql = (expit(chance.margins(made)) for chance in chances)
    bare = pay(prices, made_accept, made_sql)
    failed, brought = value_second_chances(dataset.decisions, dataset.handoffs, bare, prices)
    second = fit_second_chance(made_sql[failed], brought)
    return HalfValues(
        handoff=pay(prices, accept, sql, second),
        logged=pay(prices, made_accept, made_sql, second),
        gain=np.zeros(len(full)),
        p_sql=sql,
        logged_sql=made_sql,
        second_chance=second,
    )
