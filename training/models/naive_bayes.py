"""Categorical naive Bayes on a few well-chosen features: the model that needs the least data."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.catalog.feature import Feature
from training.evaluation.calibration import compute_log_loss, fit_affine
from training.models.design import measure_from_mean
from training.models.fit_data import FitData, Progress
from training.models.linear import LinearModel, Term
from training.models.logistic import MOST_ROWS

MOST_FEATURES = 10
CANDIDATES = 16
"""The fields that tell most each by itself; from these features are taken."""

WITHOUT_TUNING = 5
"""Features taken where nothing can judge how many are best."""

SHARES = (0.2, 0.4, 0.6, 0.8)
"""A number falls into one of at most five steps, cut at these quantiles."""

PRIOR_ROWS = 10.0
"""Rows' worth of "this value says nothing" put to each value: what was seen twice proves little."""

LEAST_GAIN = 2.0
"""Log loss, summed over the tuning rows, that a further feature must save."""


class Steps(NamedTuple):
    """How one feature's values are told apart."""

    position: int
    edges: tuple[float, ...]
    n_codes: int
    """Steps or categories; one code more stands for "not known"."""

    def codes(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Tell the code of each row's value; what the categories do not know is "not known"."""
        values = rows[:, self.position].astype(np.float64)
        known = ~np.isnan(values)
        if self.edges:
            codes = np.searchsorted(np.array(self.edges), values, side="right")
        else:
            codes = np.where(known, values, 0.0).astype(np.int64)
            known &= codes < self.n_codes
        return np.where(known, codes, self.n_codes).astype(np.int64)

    def term(self, weights: NDArray[np.float64]) -> Term:
        """Shape log-odds per code, "not known" the last."""
        values = tuple(float(weight) for weight in weights)
        return Term(0.0, 1.0, 0.0, values[-1], values[:-1], 0.0, self.edges)


def fit_naive_bayes(
    train: FitData, progress: Progress, features: Sequence[str] | None = None
) -> tuple[LinearModel, dict[str, Any]]:
    """Fit naive Bayes on the features that lower the log loss of the newest quarter, one by one.

    Of each business field the feature with the highest mutual information is a candidate: its
    siblings say the same again, and naive Bayes would count it twice. A value's weight is what it
    does to the log-odds, its conversion rate being an m-estimate about that of all rows (Cestnik,
    *Estimating probabilities: a crucial task in machine learning*, ECAI 1990), so that a value
    never seen says nothing. What dependence is left makes it too sure of itself; the calibration
    that every candidate gets takes that back.

    Parameters
    ----------
    features
        Names to be used as they are, nothing being chosen.
    """
    own = train.take(np.sort(np.argsort(train.created_at, kind="stable")[-MOST_ROWS:]))
    steps = _list_steps(own, features)
    chosen = steps if features is not None else _choose(own, steps, progress)
    terms = {
        one.position: one.term(_weigh(one, one.codes(own.rows), own, slice(None)))
        for one in chosen
    }
    share = float(np.average(own.converted, weights=own.weights))
    prior = logit(share) if 0.0 < share < 1.0 else 0.0
    terms = measure_from_mean(terms, own.rows)
    bias = float(prior) + sum(term.mean for term in terms.values())
    progress(1.0)
    names = [own.catalog.features[one.position].name for one in chosen]
    settings = {"naive_bayes_features": names, "rows": len(own.rows)}
    return LinearModel(bias, own.rows.shape[1], terms), settings


def _list_steps(own: FitData, names: Sequence[str] | None) -> list[Steps]:
    """Cut the features, or those named, into steps; what takes one value only is left out."""
    wanted = None if names is None else set(names)
    found = []
    for position, feature in enumerate(own.catalog.features):
        if wanted is not None and feature.name not in wanted:
            continue
        one = _cut(position, feature, own.rows[:, position])
        if one is not None:
            found.append(one)
    return found


def _cut(position: int, feature: Feature, values: NDArray[np.float32]) -> Steps | None:
    if feature.categories:
        return Steps(position, (), len(feature.categories))
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return None
    # A quantile that is a value: "at least so many", never a figure between two.
    cuts = np.unique(np.quantile(known, SHARES, method="higher"))
    edges = tuple(float(cut) for cut in cuts if cut > known.min())
    if not edges and known.max() > known.min():
        edges = (float(known[known > known.min()].min()),)
    if not edges and len(known) == len(values):
        return None
    edges = edges or (float(known.min()),)  # one value: that it is known is all it says
    return Steps(position, edges, len(edges) + 1)


def _count(
    one: Steps, codes: NDArray[np.int64], own: FitData, rows: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count weighted conversions, and others, per code."""
    weights, converted_ = own.weights[rows], own.converted[rows].astype(np.float64)
    size = one.n_codes + 1
    positive = np.bincount(codes[rows], weights * converted_, minlength=size)
    negative = np.bincount(codes[rows], weights * (1.0 - converted_), minlength=size)
    return positive.astype(np.float64), negative.astype(np.float64)


def _weigh(one: Steps, codes: NDArray[np.int64], own: FitData, rows: Any) -> NDArray[np.float64]:
    positive, negative = _count(one, codes, own, rows)
    share = float(positive.sum() / (positive.sum() + negative.sum()))
    if not 0.0 < share < 1.0:
        return np.zeros(len(positive))
    odds = (positive + PRIOR_ROWS * share) / (negative + PRIOR_ROWS * (1.0 - share))
    return np.asarray(np.log(odds) - logit(share), np.float64)


def _measure_information(one: Steps, codes: NDArray[np.int64], own: FitData, rows: Any) -> float:
    """Measure the mutual information of a feature and the outcome, nats."""
    positive, negative = _count(one, codes, own, rows)
    total = positive.sum() + negative.sum()
    information = 0.0
    for counts in (positive, negative):
        expected = (positive + negative) * counts.sum() / total
        seen = counts > 0
        information += float((counts[seen] * np.log(counts[seen] / expected[seen])).sum())
    return information / float(total)


def _choose(own: FitData, steps: list[Steps], progress: Progress) -> list[Steps]:
    """Take features one by one while the tuning rows are predicted better by them."""
    tuning = own.tuning_mask()
    older = np.ones(len(own.converted), np.bool_) if tuning is None else ~tuning
    best_of: dict[str, tuple[float, Steps]] = {}
    for one in steps:
        information = _measure_information(one, one.codes(own.rows), own, older)
        field = own.catalog.features[one.position].field
        if field not in best_of or information > best_of[field][0]:
            best_of[field] = (information, one)
    ranked = sorted(best_of.values(), key=lambda pair: -pair[0])
    candidates = [one for _, one in ranked[:CANDIDATES]]
    progress(0.3)
    if tuning is None:
        return candidates[:WITHOUT_TUNING]
    return _take_one_by_one(own, candidates, older, tuning, progress)


def _take_one_by_one(
    own: FitData,
    candidates: list[Steps],
    older: NDArray[np.bool_],
    tuning: NDArray[np.bool_],
    progress: Progress,
) -> list[Steps]:
    judged = own.rows[tuning]
    adds = [_weigh(one, one.codes(own.rows), own, older)[one.codes(judged)] for one in candidates]
    converted_, weights = own.converted[tuning], own.weights[tuning]

    def judge(margin: NDArray[np.float64]) -> float:
        calibrated = fit_affine(margin, converted_, weights)
        return compute_log_loss(converted_, calibrated.apply(margin), weights)

    margin = np.zeros(len(judged))
    best, taken = judge(margin), list[int]()
    while len(taken) < min(MOST_FEATURES, len(candidates)):
        left = [at for at in range(len(candidates)) if at not in taken]
        found = {at: judge(margin + adds[at]) for at in left}
        winner = min(found, key=lambda at: found[at])
        if found[winner] > best - LEAST_GAIN / len(judged):
            break
        taken.append(winner)
        best, margin = found[winner], margin + adds[winner]
        progress(0.3 + 0.7 * len(taken) / MOST_FEATURES)
    return [candidates[at] for at in taken]
