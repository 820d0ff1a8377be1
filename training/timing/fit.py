"""Fit the best moment to hand off from logged decision days and handoffs.

Several random divisions of the leads into two halves are learned from side by side. The shadow
price of the sellers' time is set so that the handoffs which are worth it along the log, raised
hands among them, fit what sales can take.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.lifecycle.prices import Prices
from training.errors import TooFewHandoffsError
from training.models.trees import TreeModel
from training.timing.columns import ask_side, choose_columns, count_leads
from training.timing.dataset import TimingDataset
from training.timing.labels import CUT, HANDED, Handoffs
from training.timing.models.curve import CurvePaths, fit_curves
from training.timing.models.handoff_chances import (
    ChanceSettings,
    build_samples,
    build_trees_data,
    choose_chance_settings,
    fit_chance,
    take_features,
)
from training.timing.models.log_value import Log
from training.timing.models.model import (
    NORMAL_QUANTILE,
    Chance,
    Family,
    Floats,
    TimingModel,
    spread_over,
)
from training.timing.models.overlap_penalty import (
    compute_overlap_penalty,
    fit_handed,
    scale_overlap_penalty,
)
from training.timing.models.stopping import (
    HalfValues,
    improve,
)

FEWEST_OUTCOMES = 20
"""SQLs, and handoffs that came to nothing, without which nothing can be learned at all."""

ENOUGH_HANDOFFS, ENOUGH_SQLS = 600, 150
"""Resolved handoffs and SQLs from which timing is learned; below, the threshold is the answer."""

PASSES = 4
SPREAD_BINS = 10

Spread = tuple[tuple[float, ...], tuple[float, ...]]
"""Errors of the advantage by tenths of P(SQL), and P(SQL) between them; see `TimingModel.spread`."""


@dataclass
class _Division:
    """One division of the leads into halves."""

    half: NDArray[np.int64]
    """0 or 1 by decision day."""
    chances: tuple[tuple[Chance, Chance], ...]
    """P(accept), P(SQL) of each half."""
    sides: tuple[HalfValues, HalfValues]
    grown: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class _Setting:
    """What all divisions share."""

    dataset: TimingDataset
    """With the chosen columns."""
    n_features: int
    """Of the whole catalogue."""
    laid_out: Any
    handed: TreeModel
    """Log-odds of a logged handoff on a decision day."""
    overlap_penalty: float
    chance_settings: tuple[ChanceSettings, ChanceSettings]
    usual_load: float
    prices: Prices
    seed: int


def fit_timing(
    dataset: TimingDataset,
    prices: Prices,
    *,
    capacity: float | None = None,
    seed: int = 7,
    divisions: int = 2,
) -> TimingModel:
    """Fit a model of the best moment.

    Parameters
    ----------
    capacity
        Handoffs that sales can take, per lead that comes in; None for as many as come.
    divisions
        Of the leads into halves: more steady the mean, and cost time alike.

    Raises
    ------
    TooFewHandoffsError
        If not even a chance of SQL can be learned.
    """
    return fit_for_capacities(dataset, prices, (capacity,), seed=seed, divisions=divisions)[0]


def fit_for_capacities(
    dataset: TimingDataset,
    prices: Prices,
    capacities: Sequence[float | None],
    *,
    seed: int = 7,
    divisions: int = 2,
) -> list[TimingModel]:
    """Fit a model for each of several capacities; what a handoff brings is learned only once.

    See `fit_timing`.
    """
    _check_outcomes(dataset.handoffs)
    columns = choose_columns(dataset, prices, seed)
    setting = _set_up(dataset, columns, prices, seed)
    parts = [_divide(setting, number) for number in range(divisions)]
    return [
        _fit_gains(setting, [replace(part) for part in parts], columns, capacity)
        for capacity in capacities
    ]


def _fit_gains(
    setting: _Setting,
    parts: list[_Division],
    columns: NDArray[np.int64],
    capacity: float | None,
) -> TimingModel:
    """Learn the gain of waiting in some passes, each begun where the last would have stopped."""
    log = _build_log(setting, parts)
    p_sql = _mean(parts, "p_sql")
    floor = log.score(p_sql).best_threshold(capacity)
    shadow_price = 0.0 if capacity is None else log.find_price(p_sql, floor)
    stops = [tuple(side.p_sql >= floor for side in part.sides) for part in parts]
    for _ in range(PASSES):
        _improve_all(setting, parts, stops, shadow_price)
        spread = _measure_spread(parts, p_sql)
        stops = [
            tuple(scores >= shadow_price for scores in _score_sides(part, spread, floor))
            for part in parts
        ]
    return _build_model(setting, parts, log, columns, floor, shadow_price, capacity)


def _score(p_sql: Floats, gain: Floats, error: Floats, floor: float) -> Floats:
    """Score days so that the moment has come from the shadow price on.

    That is the upper end of the advantage's interval, where P(SQL) is at or above the floor: nobody
    waits unless waiting is surely better. Elsewhere it is below any shadow price.
    """
    most = -gain + NORMAL_QUANTILE * error
    return np.where(p_sql >= floor, most, min(float(most.min()), 0.0) - 1.0)


def _score_sides(part: _Division, spread: Spread, floor: float) -> tuple[Floats, Floats]:
    """Score days by each half alone, whose error is that of the mean by the root of two."""
    first, second = (
        _score(side.p_sql, side.gain, np.sqrt(2.0) * spread_over(side.p_sql, *spread), floor)
        for side in part.sides
    )
    return first, second


def _improve_all(
    setting: _Setting,
    parts: list[_Division],
    stops: list[tuple[NDArray[np.bool_], ...]],
    shadow_price: float,
) -> None:
    """Improve what each half says of waiting, when the other one stops."""
    for part, (first, second) in zip(parts, stops, strict=True):
        part.sides, part.grown = improve(
            setting.laid_out,
            setting.dataset.decisions,
            part.sides,
            (first, second),
            part.half,
            setting.prices,
            shadow_price=shadow_price,
            seed=setting.seed,
        )


def _judge(
    setting: _Setting, parts: list[_Division], spread: Spread, floor: float, shadow_price: float
) -> tuple[float, float]:
    """Work out what timing and the threshold, which is the floor, bring along the log, per lead.

    One half decides, the other says what that brings.
    """
    timing = by_threshold = 0.0
    for part in parts:
        scores = _score_sides(part, spread, floor)
        for number, other in enumerate(part.sides[::-1]):
            log = Log(
                setting.dataset.decisions,
                other.handoff - shadow_price,
                other.logged - shadow_price,
                setting.prices,
            )
            timing += log.score(scores[number]).follow(shadow_price).value
            by_threshold += log.score(part.sides[number].p_sql).follow(floor).value
    return timing / (2 * len(parts)), by_threshold / (2 * len(parts))


def _check_outcomes(handoffs: Handoffs) -> None:
    known = handoffs.is_resolved
    for y in (handoffs.sql[known], handoffs.accepted[known]):
        if min(int(y.sum()), int((~y).sum())) < FEWEST_OUTCOMES:
            raise TooFewHandoffsError(int(known.sum()), int(handoffs.sql.sum()), FEWEST_OUTCOMES)


def _set_up(
    dataset: TimingDataset,
    columns: NDArray[np.int64],
    prices: Prices,
    seed: int,
) -> _Setting:
    own = TimingDataset(
        take_features(dataset.catalog, columns),
        dataset.decisions,
        np.ascontiguousarray(dataset.rows[:, columns]),
        dataset.handoffs,
        np.ascontiguousarray(dataset.handoff_rows[:, columns]),
    )
    samples = build_samples(
        own.catalog, own.handoff_rows, own.handoffs, prices.promised_delay_days, seed
    )
    chance_settings = (choose_chance_settings(samples[0]), choose_chance_settings(samples[1]))
    laid_out = build_trees_data(own.catalog, own.rows, np.zeros(len(own.rows))).construct()
    kind = own.decisions.followed_by
    handed = fit_handed(laid_out, kind == HANDED, kind != CUT, seed)
    load = float(np.median(own.handoffs.load))
    return _Setting(
        dataset=own,
        n_features=len(dataset.catalog.features),
        laid_out=laid_out,
        handed=handed,
        overlap_penalty=scale_overlap_penalty(int(own.handoffs.is_resolved.sum())),
        chance_settings=chance_settings,
        usual_load=load,
        prices=prices,
        seed=seed,
    )


def _divide(setting: _Setting, number: int) -> _Division:
    """Divide the leads into halves, and learn each half's chances."""
    dataset = setting.dataset
    rng = np.random.default_rng([setting.seed, number])
    half = rng.permutation(count_leads(dataset)) % 2
    less = compute_overlap_penalty(setting.overlap_penalty, setting.handed.margins(dataset.rows))
    chances, sides = [], []
    for side in (0, 1):
        own = half[dataset.handoffs.lead] == side
        samples = build_samples(
            dataset.catalog,
            dataset.handoff_rows[own],
            dataset.handoffs.take(own),
            setting.prices.promised_delay_days,
            setting.seed,
        )
        pair = (
            fit_chance(samples[0], setting.chance_settings[0]),
            fit_chance(samples[1], setting.chance_settings[1]),
        )
        chances.append(pair)
        sides.append(ask_side(dataset, pair, setting.prices, setting.usual_load, less))
    return _Division(half[dataset.decisions.lead], tuple(chances), (sides[0], sides[1]))


def _mean(parts: list[_Division], name: str) -> Floats:
    """Average over all halves."""
    return np.asarray(np.mean([getattr(s, name) for p in parts for s in p.sides], axis=0))


def _build_log(setting: _Setting, parts: list[_Division]) -> Log:
    return Log(
        setting.dataset.decisions, _mean(parts, "handoff"), _mean(parts, "logged"), setting.prices
    )


def _build_model(
    setting: _Setting,
    parts: list[_Division],
    log: Log,
    columns: NDArray[np.int64],
    floor: float,
    shadow_price: float,
    capacity: float | None,
) -> TimingModel:
    p_sql = _mean(parts, "p_sql")
    learned, because = decide_enough(setting.dataset.handoffs)
    threshold = floor if learned else fall_back(log, p_sql, capacity)
    spread = _measure_spread(parts, p_sql)
    policy, by_threshold = _judge(setting, parts, spread, floor, shadow_price)
    families = tuple(
        Family(accept, sql, booster.model_to_string())
        for part in parts
        for (accept, sql), booster in zip(part.chances, part.grown or (), strict=True)
    )
    paths = CurvePaths(
        log.decisions,
        log.handoff,
        p_sql,
        _score(p_sql, _mean(parts, "gain"), spread_over(p_sql, *spread), floor) >= shadow_price,
        log.logged,
        _mean(parts, "logged_sql"),
        setting.prices,
    )
    if learned:
        because = word_judged(policy, by_threshold)
    return TimingModel(
        families=families,
        curves=fit_curves(setting.dataset.catalog, setting.dataset.rows, paths, setting.seed),
        columns=tuple(columns.tolist()),
        n_features=setting.n_features,
        prices=setting.prices,
        shadow_price=shadow_price,
        second_chance=_mean_second_chance(parts),
        usual_load=setting.usual_load,
        spread=spread[0],
        spread_edges=spread[1],
        threshold=threshold,
        floor=floor,
        enough=learned and policy > by_threshold,
        because=because,
        handed=setting.handed,
        overlap_penalty=setting.overlap_penalty,
    )


def _mean_second_chance(parts: list[_Division]) -> tuple[float, float]:
    least, more = np.mean([s.second_chance for p in parts for s in p.sides], axis=0)
    return float(least), float(more)


def _measure_spread(parts: list[_Division], p_sql: Floats) -> Spread:
    """Measure how far halves of the leads disagree: half their difference is the mean's error."""
    edges = np.quantile(p_sql, np.linspace(0.0, 1.0, SPREAD_BINS + 1)[1:-1])
    variance = np.mean([((p.sides[0].gain - p.sides[1].gain) / 2.0) ** 2 for p in parts], axis=0)
    place = np.searchsorted(edges, p_sql)
    counted = np.maximum(np.bincount(place, minlength=SPREAD_BINS), 1)
    error = np.sqrt(np.bincount(place, variance, minlength=SPREAD_BINS) / counted)
    return tuple(error.tolist()), tuple(edges.tolist())


def decide_enough(handoffs: Handoffs) -> tuple[bool, str]:
    """Decide whether there are enough handoffs to learn timing from, and say why."""
    resolved, sqls = int(handoffs.is_resolved.sum()), int(handoffs.sql.sum())
    seen = f"{resolved:,} handoffs have come to an end, {sqls:,} as an SQL"
    wanted = f"{ENOUGH_HANDOFFS:,} and {ENOUGH_SQLS:,}"
    if resolved >= ENOUGH_HANDOFFS and sqls >= ENOUGH_SQLS:
        return True, f"Timing is learned: {seen}; {wanted} are needed."
    return False, (
        f"Too little to learn timing from: {seen}; {wanted} are needed. Until then a lead is "
        "handed off when its chance of SQL reaches the threshold that fits what sales can take."
    )


def word_judged(policy: float, threshold: float) -> str:
    """Say whether timing or the threshold decides, by what each brings along the log."""
    if policy > threshold:
        return (
            f"Timing decides: along the log it brings {policy:.3f} per lead, a threshold of "
            f"P(SQL) {threshold:.3f}, each decided on one half of the leads and valued by the other."
        )
    return (
        f"A threshold of P(SQL) decides: along the log it brings {threshold:.3f} per lead, timing "
        f"{policy:.3f}; more handoffs are needed before timing is the better guide."
    )


def fall_back(log: Log, p_sql: Floats, capacity: float | None) -> float:
    """Choose the threshold of P(SQL) where there is too little to choose it by value on the log.

    It is the one that fits what sales can take, or, without a capacity, where a handoff pays.
    """
    if capacity is not None:
        return log.score(p_sql).fitting_threshold(capacity)
    paying = p_sql[log.handoff >= 0.0]
    return float(paying.min()) if len(paying) else float(p_sql.max())
