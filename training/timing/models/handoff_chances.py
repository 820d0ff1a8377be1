"""P(accept) and P(SQL) of a handoff, learned from handoffs that were made and have come to an end.

Handoffs are few and were not made at random: small trees and a ridge regression are mixed as other
leads' handoffs are predicted best, then calibrated on the same out-of-fold predictions. How long
sales took to answer and how many handoffs waited are adjusted for: they are columns of their own.
Shrinkage that suits faint features would leave next to nothing of the days until the answer, and a
handoff answered as promised would be valued like the average late one: what trees and line have
missed of them is a straight line, fitted without a penalty where the mix is calibrated.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from features.catalog.feature import Feature, Op
from features.catalog.manifest import Catalog
from training.estimators.boosting import list_directions
from training.estimators.design import LeadDesign, build_linear_model
from training.evaluation.calibration import compute_log_loss
from training.evaluation.logistic import fit_logistic
from training.models.linear import LinearModel
from training.models.tree_growth import import_lightgbm
from training.models.trees import TreeModel
from training.timing.labels import Handoffs
from training.timing.models.model import (
    ANSWER_DAYS,
    EXTRAS,
    Chance,
    Floats,
    Rows,
    add_columns,
    fill_delay,
)

LARGEST_WEIGHT = 5.0
"""Of a handoff whose outcome is known, for those that are still open."""

TREES: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "cat_smooth": 30.0,
    "cat_l2": 20.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # on a busy machine the threads of small trees wait for each other
    "verbose": -1,
}
"""Handoffs are few: small trees, strong shrinkage, and the directions the field agrees on."""

MOST_ROUNDS, PATIENCE, FOLDS = 300, 25, 4
PENALTIES = (0.003, 0.03)
"""Inverse strengths of the ridge penalty that are tried."""

MOST_LINE_ROWS = 20_000
"""More handoffs than this hardly change the line's weights."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the trees in the mix, as tried."""

LEAST_SLOPE, MOST_SLOPE = 0.5, 1.2
"""Within which a calibration may correct the mix."""


def extend_catalog(catalog: Catalog) -> Catalog:
    """Add the columns that are known only of a handoff that was made."""
    further = tuple(
        Feature(name, "journey", Op.AGE, name, name, "journey", "count", name, name)
        for name in EXTRAS
    )
    return replace(catalog, features=(*catalog.features, *further))


def take_features(catalog: Catalog, columns: NDArray[np.int64]) -> Catalog:
    """Keep some of a catalogue's features."""
    return replace(catalog, features=tuple(catalog.features[i] for i in columns))


def build_trees_data(catalog: Catalog, rows: Rows, y: Any, weight: Any = None) -> Any:
    """Lay rows out for LightGBM, whose own columns the catalogue names."""
    return import_lightgbm().Dataset(
        rows,
        y,
        weight=weight,
        feature_name=[f"f{i}" for i in range(len(catalog.features))],
        categorical_feature=[i for i, f in enumerate(catalog.features) if f.categories],
        params={"max_bin": TREES["max_bin"], "verbose": -1},
        free_raw_data=False,
    )


def weigh_resolved(handoffs: Handoffs) -> Floats:
    """Weigh resolved handoffs for those still open: by the inverse chance of being followed so long.

    Follow-up ends with the log for all, so the chance that a handoff is followed for as long as it
    took is the share of handoffs made early enough (inverse probability of censoring; here
    Kaplan and Meier's curve is plain counting).
    """
    end = int(handoffs.resolved_at.max()) if len(handoffs) else 0
    follow_up = np.sort(end - handoffs.at)
    took = handoffs.resolved_at - handoffs.at
    share = 1.0 - np.searchsorted(follow_up, took, side="left") / max(1, len(handoffs))
    weight = 1.0 / np.maximum(share, 1.0 / LARGEST_WEIGHT)
    return np.where(handoffs.is_resolved, weight, 0.0)


@dataclass(frozen=True)
class Sample:
    """Resolved handoffs, as one chance learns from them."""

    catalog: Catalog
    """With the extras."""
    full: Rows
    y: NDArray[np.int8]
    weight: Floats
    lead: NDArray[np.int64]
    seed: int

    def take(self, chosen: NDArray[np.generic]) -> "Sample":
        """Keep some."""
        return replace(
            self,
            full=self.full[chosen],
            y=self.y[chosen],
            weight=self.weight[chosen],
            lead=self.lead[chosen],
        )


@dataclass(frozen=True)
class ChanceSettings:
    """How one chance is learned; chosen once, on all handoffs."""

    rounds: int
    penalty: float
    share: float
    slope: float
    offset: float
    raised: float
    """What a raised hand adds to log-odds, all else alike; from a line on all handoffs.

    The trees begin from it. Left to themselves they would tell raised hands by the clicks that
    came with them, and then expect as much of such clicks without a request.
    """
    by_answer_day: float = 0.0
    """What each day until the answer adds to log-odds over what trees and line say of it."""


def build_samples(
    catalog: Catalog, rows: Rows, handoffs: Handoffs, promised_delay_days: float, seed: int
) -> tuple[Sample, Sample]:
    """Build what acceptance and SQL are learned from: handoffs that have come to an end.

    Parameters
    ----------
    rows : ndarray of shape (n_handoffs, n_features), float32
    promised_delay_days
        Taken for the days until an answer that nobody logged.
    """
    known = handoffs.is_resolved
    own, weight = handoffs.take(known), weigh_resolved(handoffs)[known]
    delay = fill_delay(own.delay_days, promised_delay_days)
    full = add_columns(rows[known], own.raised, delay, own.load)
    extended = extend_catalog(catalog)
    accept, sql = (
        Sample(extended, full, y.astype(np.int8), weight, own.lead, seed)
        for y in (own.accepted, own.sql)
    )
    return accept, sql


def choose_chance_settings(sample: Sample) -> ChanceSettings:
    """Choose trees, penalty, mix and calibration by how other leads' handoffs are predicted."""
    rng = np.random.default_rng(sample.seed)
    fold = rng.integers(0, FOLDS, int(sample.lead.max()) + 1)[sample.lead]
    curves: Floats = np.full((FOLDS, MOST_ROUNDS), np.nan)
    folds_: list[Any] = []
    raised = measure_raised(sample)
    for k in range(FOLDS):
        booster, curve = _boost_until(sample.take(fold != k), sample.take(fold == k), raised)
        curves[k, : len(curve)] = curve
        curves[k, len(curve) :] = curve[-1]
        folds_.append(booster)
    rounds = int(curves.mean(axis=0).argmin()) + 1
    trees, lines = np.empty(len(fold)), np.empty((len(PENALTIES), len(fold)))
    for k in range(FOLDS):
        own = fold == k
        trees[own] = folds_[k].predict(sample.full[own], num_iteration=rounds, raw_score=True)
        trees[own] += _begin(sample.take(~own), sample.full[own], raised)
        for place, penalty in enumerate(PENALTIES):
            line = fit_line(sample.take(~own), penalty)
            lines[place, own] = _margin_of_line(line, sample.full[own])
    return _choose_mix(sample, rounds, raised, trees, lines)


def _choose_mix(
    sample: Sample, rounds: int, raised: float, trees: Floats, lines: Floats
) -> ChanceSettings:
    best, settings = np.inf, ChanceSettings(rounds, PENALTIES[0], 1.0, 1.0, 0.0, raised)
    days = sample.full[:, ANSWER_DAYS].astype(np.float64)
    for place, penalty in enumerate(PENALTIES):
        for share in SHARES:
            mixed = share * trees + (1.0 - share) * lines[place]
            slope, offset, by_day = calibrate(mixed, sample.y, sample.weight, days)
            chance = expit(offset + slope * mixed + by_day * days)
            loss = compute_log_loss(sample.y, chance, sample.weight)
            if loss < best:
                best = loss
                settings = ChanceSettings(rounds, penalty, share, slope, offset, raised, by_day)
    return settings


def calibrate(
    margin: Floats, y: NDArray[np.int8], weight: Floats, answer_days: Floats
) -> tuple[float, float, float]:
    """Fit slope and offset of log-odds, and what a day until the answer adds, by Newton's method.

    After Platt 1999, *Advances in Large Margin Classifiers*. The slope stays within bounds, and
    waiting for sales never helps.

    Parameters
    ----------
    margin, y, weight, answer_days : ndarray of shape (n_handoffs,)

    Returns
    -------
    slope, offset, by_answer_day : float
    """
    design = np.stack([margin, np.ones_like(margin), answer_days], axis=1)
    varies = answer_days.min() < answer_days.max()
    came = y.astype(np.float64)
    fit = fit_logistic(design[:, : 2 + varies], came, weights=weight)
    by_day = min(float(fit.coefficients[2]), 0.0) if varies and fit.settled else 0.0
    if varies and by_day == 0.0:
        fit = fit_logistic(design[:, :2], came, weights=weight)
    # Where nothing tells a slope, the margin is taken as it is.
    found = float(fit.coefficients[0]) if fit.settled else 1.0
    slope = float(np.clip(found, LEAST_SLOPE, MOST_SLOPE))
    held = slope * margin + by_day * answer_days
    level = fit_logistic(design[:, 1:2], came, offset=held, weights=weight)
    return slope, float(level.coefficients[0]), by_day


def _settings(sample: Sample) -> dict[str, Any]:
    return {
        **TREES,
        "seed": sample.seed,
        "monotone_constraints": list_directions(sample.catalog.features),
    }


def measure_raised(sample: Sample) -> float:
    """Measure what a raised hand adds to log-odds, all else alike, by a line."""
    line = fit_line(sample, PENALTIES[-1])
    two = np.repeat(sample.full[:1], 2, axis=0)
    two[:, -len(EXTRAS)] = (0.0, 1.0)
    margin = _margin_of_line(line, two)
    return float(margin[1] - margin[0])


def _average(sample: Sample) -> float:
    """Compute the log-odds of the average handoff whose hand was not raised."""
    calm = sample.full[:, -len(EXTRAS)] == 0.0
    share = np.average(sample.y[calm], weights=sample.weight[calm]) if calm.any() else 0.5
    return float(np.log(share + 1e-3) - np.log(1.0 - share + 1e-3))


def _begin(train: Sample, full: Rows, raised: float) -> Floats:
    """Say where trees begin that are grown on a sample."""
    return np.asarray(_average(train) + raised * full[:, -len(EXTRAS)], np.float64)


def _boost_until(train: Sample, judge: Sample, raised: float) -> tuple[Any, Floats]:
    lgb = import_lightgbm()
    grown = build_trees_data(train.catalog, train.full, train.y, train.weight)
    grown.set_init_score(_begin(train, train.full, raised))
    valid = grown.create_valid(
        judge.full,
        judge.y,
        weight=judge.weight,
        init_score=_begin(train, judge.full, raised),
    )
    evaluation: dict[str, Any] = {}
    booster = lgb.train(
        _settings(train),
        grown,
        MOST_ROUNDS,
        valid_sets=[valid],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False), lgb.record_evaluation(evaluation)],
    )
    return booster, np.array(evaluation["valid_0"]["binary_logloss"])


def fit_line(sample: Sample, penalty: float) -> LinearModel:
    """Fit a ridge logistic regression on at most so many handoffs, drawn evenly."""
    if len(sample.y) > MOST_LINE_ROWS:
        sample = sample.take(np.linspace(0, len(sample.y) - 1, MOST_LINE_ROWS).astype(np.int64))
    design = LeadDesign(sample.catalog.features)
    laid_out = design.fit_transform(sample.full)
    solver = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=50, tol=1e-4)
    fitted = solver.fit(laid_out, sample.y, sample.weight)
    return build_linear_model(design, fitted.coef_[0], float(fitted.intercept_[0]), sample.full)


def _margin_of_line(line: LinearModel, full: Rows) -> Floats:
    return np.asarray(line.bias + line.contributions(full).sum(axis=1))


def fit_chance(sample: Sample, settings: ChanceSettings) -> Chance:
    """Learn a chance by a recipe."""
    grown = build_trees_data(sample.catalog, sample.full, sample.y, sample.weight)
    grown.set_init_score(_begin(sample, sample.full, settings.raised))
    booster = import_lightgbm().train(_settings(sample), grown, settings.rounds)
    line = fit_line(sample, settings.penalty) if settings.share < 1.0 else None
    # LightGBM's text does not hold where the trees began.
    offset = settings.offset + settings.slope * settings.share * _average(sample)
    trees = TreeModel(booster.model_to_string())
    return Chance(
        trees,
        line,
        settings.share,
        settings.slope,
        offset,
        settings.raised,
        settings.by_answer_day,
    )
