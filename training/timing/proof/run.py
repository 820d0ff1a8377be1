"""Put the timing policy to the proof: learn it on half the leads, judge it on the other, and back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.clock import to_us
from features.contracts.history import History
from features.lifecycle.prices import Prices
from training.evaluation.logistic import compute_covariance, finite_logit, fit_logistic
from training.evaluation.resampling import NORMAL_975, Floats, number_leads
from training.timing.dataset import TimingDataset
from training.timing.labels import Logged
from training.timing.models.log_value import Log
from training.timing.models.model import TimingModel, add_columns, fill_delay, pay
from training.timing.proof.confounding import (
    check_hidden_picks,
    list_warnings,
    read_signals,
)
from training.timing.proof.off_policy import EvaluatedPaths
from training.timing.proof.paths import (
    ALONE,
    GOES_ON,
    RAISED,
    Flags,
    LoggedPaths,
    lay_out,
    worth_of_outcomes,
)
from training.timing.proof.policies import (
    POINTS,
    THRESHOLD,
    TIMING,
    Fold,
    Proof,
    compare_policies,
    decide_served,
)
from training.timing.proof.propensity import find_lot, predict_delay, predict_handoffs

Learner = Callable[[TimingDataset], TimingModel]
"""Fits a model on some leads."""

Progress = Callable[[str, float], None]

UNIT = "hours of a seller"
"""Of the usual prices."""


@dataclass(frozen=True)
class Predictions:
    """What a model says of decision days and of handoffs that were made."""

    now: Floats  # (n_decisions,)
    p_sql: Floats
    comes: Flags
    """Whether the policy would hand over."""
    made: Floats  # (n_handoffs,) as it was made
    made_now: Floats
    """Had it been answered as promised."""
    made_sql: Floats


def predict(model: TimingModel, dataset: TimingDataset) -> Predictions:
    """Ask a model about all decision days and handoffs."""
    advice, handoffs = model.advise(dataset.rows), dataset.handoffs
    made_accept, made_sql = ask_as_made(model, dataset, handoffs.delay_days, handoffs.load)
    accept, sql = ask_as_made(model, dataset, model.prices.promised_delay_days, model.usual_load)
    return Predictions(
        advice.value_now,
        advice.p_sql,
        model.has_come(advice),
        pay(model.prices, made_accept, made_sql, model.second_chance),
        pay(model.prices, accept, sql, model.second_chance),
        made_sql,
    )


def ask_as_made(
    model: TimingModel,
    dataset: TimingDataset,
    delay: NDArray[np.generic] | float,
    load: NDArray[np.generic] | float,
) -> tuple[Floats, Floats]:
    """Ask the chances of the handoffs that were made, with an answer after ``delay`` days."""
    own = np.ascontiguousarray(dataset.handoff_rows[:, list(model.columns)])
    delay = fill_delay(delay, model.prices.promised_delay_days)
    full = add_columns(own, dataset.handoffs.raised, delay, load)
    accept = [expit(family.accept.margins(full)) for family in model.families]
    sql = [expit(family.sql.margins(full)) for family in model.families]
    return np.mean(accept, axis=0), np.mean(sql, axis=0)


def judge(
    dataset: TimingDataset,
    paths: LoggedPaths,
    predictions: Predictions,
    learn_on: Flags,
    prices: Prices,
    until: int,
    *,
    second_chances: bool = True,
    seed: int = 7,
) -> EvaluatedPaths:
    """Put together what is predicted and what was seen on each step.

    Parameters
    ----------
    learn_on : ndarray of shape (n_paths,), bool
        Paths from which the log's own handoffs are predicted; judge the others only.
    until
        End of the log, microseconds.
    second_chances
        Whether what a returned lead brings later counts, as it does in ``predictions``.
    """
    propensity, stays = predict_handoffs(
        dataset.catalog, dataset.rows, paths, learn_on, lot=find_lot(dataset.handoffs), seed=seed
    )
    logged = Logged(dataset.decisions, dataset.handoffs)
    outcome, weight = worth_of_outcomes(logged, prices, until, second_chances=second_chances)
    now = predictions.now[paths.row]
    made_now = _of_handoff(paths, predictions.made_now)
    reached = np.select(
        [paths.followed_by == GOES_ON, paths.followed_by == RAISED, paths.followed_by == ALONE],
        [np.append(now[1:], 0.0), made_now, np.full(len(now), prices.sql)],
        0.0,
    )
    discounted = prices.discount_by_day**paths.gap_days * reached
    return EvaluatedPaths(
        paths=paths,
        now=now,
        following=predict_delay(
            dataset.catalog, dataset.rows, paths, learn_on, discounted, stays, seed=seed
        ),
        propensity=propensity,
        stays=stays,
        outcome=_of_handoff(paths, outcome),
        outcome_weight=_of_handoff(paths, weight),
        made=_of_handoff(paths, predictions.made),
        made_now=made_now,
        sql_worth=prices.sql,
        discount_by_day=prices.discount_by_day,
        worst=-prices.touch - prices.work,
        best=prices.sql - prices.touch - prices.work,
    )


def _of_handoff(paths: LoggedPaths, of_each: Floats) -> Floats:
    """Give each step what belongs to the handoff that followed; 0 where none did."""
    given = np.zeros(len(paths.handoff))
    has = paths.handoff >= 0
    given[has] = of_each[paths.handoff[has]]
    return given


def find_points_threshold(
    dataset: TimingDataset, predictions: Predictions, points: Floats, chosen: Flags, prices: Prices
) -> float:
    """Find the points from which handing over brought most along the log of some leads."""
    own = chosen[dataset.decisions.lead]
    part = dataset.take_leads(chosen)
    made = predictions.made_now[chosen[dataset.handoffs.lead]]
    log = Log(part.decisions, predictions.now[own], made, prices)
    return log.score(points[own]).best_threshold()


def prove_timing(
    history: History,
    dataset: TimingDataset,
    learn: Learner,
    prices: Prices,
    points: Floats,
    *,
    unit: str = UNIT,
    seed: int = 7,
    progress: Progress = lambda _station, _share: None,
) -> Proof:
    """Prove, or refuse, the timing policy on logged handoffs.

    Parameters
    ----------
    learn
        Fits a model of the best moment on some leads; called once for each half.
    points : ndarray of shape (n_decisions,)
        Points of the company's table, the rule to beat.
    unit
        Of the prices, in words.
    """
    paths = lay_out(history, Logged(dataset.decisions, dataset.handoffs))
    half = np.random.default_rng([seed, 20_260]).permutation(len(list_leads(dataset))) % 2
    until = to_us(history.about.observed_until)
    folds, made_sql = [], np.zeros(len(dataset.handoffs))
    for k in (0, 1):
        others = half != k
        model = learn(dataset.take_leads(others))
        predictions = predict(model, dataset)
        level = find_points_threshold(dataset, predictions, points, others, prices)
        mine = half[paths.lead] == k
        judged = judge(dataset, paths, predictions, ~mine, prices, until, seed=seed).take(mine)
        row = judged.paths.row
        stops = {
            TIMING: predictions.comes[row],
            THRESHOLD: predictions.p_sql[row] >= model.threshold,
            POINTS: points[row] >= level,
        }
        folds.append(Fold(judged, stops))
        own = half[dataset.handoffs.lead] == k
        made_sql[own] = predictions.made_sql[own]
        progress("judging the best moment", (k + 1) / 2)
    return conclude(history, dataset, folds, made_sql, unit)


def list_leads(dataset: TimingDataset) -> NDArray[np.int64]:
    """List the numbers of leads, up to the last with a decision day or a handoff."""
    return np.arange(int(max(dataset.decisions.lead.max(), dataset.handoffs.lead.max())) + 1)


def conclude(
    history: History, dataset: TimingDataset, folds: list[Fold], made_sql: Floats, unit: str
) -> Proof:
    """Draw the conclusion from both folds."""
    rows, gains, propensities = compare_policies(folds)
    timing = next(row for row in rows if row.name == TIMING)
    known = dataset.handoffs.is_resolved
    confounding_checks = check_hidden_picks(
        read_signals(history, dataset.handoffs), dataset.handoffs, made_sql
    )
    return Proof(
        leads=sum(len(fold.judged.paths) for fold in folds),
        handoffs=len(dataset.handoffs),
        horizon_days=folds[0].judged.paths.horizon_days,
        rows=rows,
        gains=gains,
        served=decide_served(gains[THRESHOLD], timing.overlap, unit),
        confounding_checks=confounding_checks,
        warnings=tuple(list_warnings(confounding_checks)),
        chances=made_sql[known],
        sqls=dataset.handoffs.sql[known].astype(np.float64),
        calibration=measure_slope(
            made_sql[known], dataset.handoffs.sql[known], dataset.handoffs.lead[known]
        ),
        propensities=propensities,
    )


def measure_slope(
    predictions: Floats, observed: NDArray[np.generic], lead: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Measure the slope of outcomes on predicted log-odds, with its 95 % interval over leads."""
    design = np.stack([np.ones(len(predictions)), finite_logit(predictions)], axis=1)
    targets = observed.astype(np.float64)
    fit = fit_logistic(design, targets)
    if not fit.settled:
        return float("nan"), float("nan"), float("nan")
    leads, _ = number_leads(lead, len(predictions))
    slope = float(fit.coefficients[1])
    error = float(np.sqrt(compute_covariance(fit, design, targets, leads)[1, 1]))
    return slope, slope - NORMAL_975 * error, slope + NORMAL_975 * error
