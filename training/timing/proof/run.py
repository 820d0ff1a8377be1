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
from training.timing.proof.off_policy import Judged
from training.timing.proof.paths import (
    ALONE,
    GOES_ON,
    RAISED,
    Flags,
    Paths,
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
from training.timing.proof.propensity import find_lot, foretell_delay, foretell_handoffs

Learner = Callable[[TimingDataset], TimingModel]
"""Fits a model on some leads."""

Progress = Callable[[str, float], None]

UNIT = "hours of a seller"
"""Of the usual prices."""


@dataclass(frozen=True)
class Foretold:
    """What a model says of decision days and of handoffs that were made."""

    now: Floats  # (n_decisions,)
    p_sql: Floats
    comes: Flags
    """Whether the policy would hand over."""
    made: Floats  # (n_handoffs,) as it was made
    made_now: Floats
    """Had it been answered as promised."""
    made_sql: Floats


def foretell(model: TimingModel, told: TimingDataset) -> Foretold:
    """Ask a model about all decision days and handoffs."""
    said, handoffs = model.advise(told.rows), told.handoffs
    made_accept, made_sql = ask_as_made(model, told, handoffs.delay_days, handoffs.load)
    accept, sql = ask_as_made(model, told, model.prices.promised_delay_days, model.usual_load)
    return Foretold(
        said.value_now,
        said.p_sql,
        model.has_come(said),
        pay(model.prices, made_accept, made_sql, model.second_chance),
        pay(model.prices, accept, sql, model.second_chance),
        made_sql,
    )


def ask_as_made(
    model: TimingModel,
    told: TimingDataset,
    delay: NDArray[np.generic] | float,
    load: NDArray[np.generic] | float,
) -> tuple[Floats, Floats]:
    """Ask the chances of the handoffs that were made, with an answer after ``delay`` days."""
    own = np.ascontiguousarray(told.handoff_rows[:, list(model.columns)])
    delay = fill_delay(delay, model.prices.promised_delay_days)
    full = add_columns(own, told.handoffs.raised, delay, load)
    accept = [expit(family.accept.margins(full)) for family in model.families]
    sql = [expit(family.sql.margins(full)) for family in model.families]
    return np.mean(accept, axis=0), np.mean(sql, axis=0)


def judge(
    told: TimingDataset,
    paths: Paths,
    foretold: Foretold,
    learn_on: Flags,
    prices: Prices,
    until: int,
    *,
    second_chances: bool = True,
    seed: int = 7,
) -> Judged:
    """Put together what is foretold and what was seen on each step.

    Parameters
    ----------
    learn_on : ndarray of shape (n_paths,), bool
        Paths from which the log's own handoffs are foretold; judge the others only.
    until
        End of the log, microseconds.
    second_chances
        Whether what a returned lead brings later counts, as it does in ``foretold``.
    """
    propensity, stays = foretell_handoffs(
        told.catalog, told.rows, paths, learn_on, lot=find_lot(told.handoffs), seed=seed
    )
    logged = Logged(told.decisions, told.handoffs)
    outcome, weight = worth_of_outcomes(logged, prices, until, second_chances=second_chances)
    now = foretold.now[paths.row]
    made_now = _of_handoff(paths, foretold.made_now)
    reached = np.select(
        [paths.followed_by == GOES_ON, paths.followed_by == RAISED, paths.followed_by == ALONE],
        [np.append(now[1:], 0.0), made_now, np.full(len(now), prices.sql)],
        0.0,
    )
    discounted = prices.discount_by_day**paths.gap_days * reached
    return Judged(
        paths=paths,
        now=now,
        following=foretell_delay(
            told.catalog, told.rows, paths, learn_on, discounted, stays, seed=seed
        ),
        propensity=propensity,
        stays=stays,
        outcome=_of_handoff(paths, outcome),
        outcome_weight=_of_handoff(paths, weight),
        made=_of_handoff(paths, foretold.made),
        made_now=made_now,
        sql_worth=prices.sql,
        discount_by_day=prices.discount_by_day,
        worst=-prices.touch - prices.work,
        best=prices.sql - prices.touch - prices.work,
    )


def _of_handoff(paths: Paths, of_each: Floats) -> Floats:
    """Give each step what belongs to the handoff that followed; 0 where none did."""
    given = np.zeros(len(paths.handoff))
    has = paths.handoff >= 0
    given[has] = of_each[paths.handoff[has]]
    return given


def find_points_threshold(
    told: TimingDataset, foretold: Foretold, points: Floats, chosen: Flags, prices: Prices
) -> float:
    """Find the points from which handing over brought most along the log of some leads."""
    own = chosen[told.decisions.lead]
    part = told.take_leads(chosen)
    made = foretold.made_now[chosen[told.handoffs.lead]]
    log = Log(part.decisions, foretold.now[own], made, prices)
    return log.score(points[own]).best_threshold()


def prove_timing(
    history: History,
    told: TimingDataset,
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
    paths = lay_out(history, Logged(told.decisions, told.handoffs))
    half = np.random.default_rng([seed, 20_260]).permutation(len(list_leads(told))) % 2
    until = to_us(history.about.observed_until)
    folds, made_sql = [], np.zeros(len(told.handoffs))
    for k in (0, 1):
        others = half != k
        model = learn(told.take_leads(others))
        foretold = foretell(model, told)
        level = find_points_threshold(told, foretold, points, others, prices)
        mine = half[paths.lead] == k
        judged = judge(told, paths, foretold, ~mine, prices, until, seed=seed).take(mine)
        row = judged.paths.row
        stops = {
            TIMING: foretold.comes[row],
            THRESHOLD: foretold.p_sql[row] >= model.threshold,
            POINTS: points[row] >= level,
        }
        folds.append(Fold(judged, stops))
        own = half[told.handoffs.lead] == k
        made_sql[own] = foretold.made_sql[own]
        progress("judging the best moment", (k + 1) / 2)
    return conclude(history, told, folds, made_sql, unit)


def list_leads(told: TimingDataset) -> NDArray[np.int64]:
    """List the numbers of leads, up to the last with a decision day or a handoff."""
    return np.arange(int(max(told.decisions.lead.max(), told.handoffs.lead.max())) + 1)


def conclude(
    history: History, told: TimingDataset, folds: list[Fold], made_sql: Floats, unit: str
) -> Proof:
    """Draw the conclusion from both folds."""
    rows, gains, propensities = compare_policies(folds)
    timing = next(row for row in rows if row.name == TIMING)
    known = told.handoffs.is_resolved
    surprises = check_hidden_picks(read_signals(history, told.handoffs), told.handoffs, made_sql)
    return Proof(
        leads=sum(len(fold.judged.paths) for fold in folds),
        handoffs=len(told.handoffs),
        horizon_days=folds[0].judged.paths.horizon_days,
        rows=rows,
        gains=gains,
        served=decide_served(gains[THRESHOLD], timing.overlap, unit),
        surprises=surprises,
        warnings=tuple(list_warnings(surprises)),
        chances=made_sql[known],
        sqls=told.handoffs.sql[known].astype(np.float64),
        calibration=measure_slope(
            made_sql[known], told.handoffs.sql[known], told.handoffs.lead[known]
        ),
        propensities=propensities,
    )


def measure_slope(
    foretold: Floats, came: NDArray[np.generic], lead: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Measure the slope of outcomes on foretold log-odds, with its 95 % interval over leads."""
    design = np.stack([np.ones(len(foretold)), finite_logit(foretold)], axis=1)
    targets = came.astype(np.float64)
    fit = fit_logistic(design, targets)
    if not fit.settled:
        return float("nan"), float("nan"), float("nan")
    leads, _ = number_leads(lead, len(foretold))
    slope = float(fit.coefficients[1])
    error = float(np.sqrt(compute_covariance(fit, design, targets, leads)[1, 1]))
    return slope, slope - NORMAL_975 * error, slope + NORMAL_975 * error
