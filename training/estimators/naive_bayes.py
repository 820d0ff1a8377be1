"""Categorical naive Bayes on a few well-chosen features: the model that needs the least data."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit, rel_entr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.naive_bayes import CategoricalNB
from sklearn.utils.validation import check_is_fitted, validate_data

from features.catalog.feature import Feature
from training.estimators.classifier import (
    HELD,
    LeadClassifier,
    Progress,
    TrainingRows,
    describe_columns,
)
from training.evaluation.calibration import compute_log_loss, fit_affine
from training.models.linear import LinearModel, Term, measure_from_mean

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

Counts = NDArray[np.float64]
"""Weighted rows, of shape (2, n_codes): those whose outcome did not come, those whose did."""


class Steps(NamedTuple):
    """How one feature's values become codes."""

    column: int
    edges: tuple[float, ...]
    n_codes: int
    """Steps or categories; one code more stands for "not known"."""

    def list_codes(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """List the code of each row's value; a category that nobody knows is "not known"."""
        values = rows[:, self.column].astype(np.float64)
        known = ~np.isnan(values)
        if self.edges:
            codes = np.searchsorted(np.array(self.edges), values, side="right")
        else:
            known &= (values >= 0) & (values < self.n_codes)
            codes = np.where(known, values, 0.0).astype(np.int64)
        return np.where(known, codes, self.n_codes).astype(np.int64)

    def build_term(self, weights: NDArray[np.float64]) -> Term:
        """Build a term of log-odds per code, "not known" the last."""
        given = tuple(float(weight) for weight in weights)
        return Term(0.0, 1.0, 0.0, given[-1], given[:-1], 0.0, self.edges)


class StepEncoder(TransformerMixin, BaseEstimator):
    """Turn features into codes: steps of a number, categories, and one code for "not known".

    `sklearn.preprocessing.KBinsDiscretizer` takes no unknown values, and where nine leads in ten
    have a count of 0 it puts all of them into one bin.

    Parameters
    ----------
    features : sequence of Feature, optional
        One per column; without them every column is a number.

    Attributes
    ----------
    steps_ : list of Steps
        Of the columns that take more than one value.
    """

    def __init__(self, features: Sequence[Feature] | None = None) -> None:
        self.features = features

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's contract
        """Learn where the steps lie."""
        rows = validate_data(self, X, **HELD)
        features = describe_columns(self.features, rows.shape[1])
        found = (_cut(i, feature, rows[:, i]) for i, feature in enumerate(features))
        self.steps_ = [steps for steps in found if steps is not None]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.int64]:
        """Give the codes, of shape (n_rows, n_steps)."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, **HELD)
        codes = np.empty((len(rows), len(self.steps_)), np.int64)
        for place, steps in enumerate(self.steps_):
            codes[:, place] = steps.list_codes(rows)
        return codes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _cut(column: int, feature: Feature, values: NDArray[np.float32]) -> Steps | None:
    if feature.categories:
        return Steps(column, (), len(feature.categories))
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
    return Steps(column, edges, len(edges) + 1)


class StepNaiveBayesClassifier(LeadClassifier):
    """Scikit-learn's categorical naive Bayes on the steps of a few features.

    Of each business field the feature with the highest mutual information is considered: its
    siblings say the same again, and naive Bayes would count it twice. Of these, one by one, the
    feature is taken that lowers the log loss of the tuning rows most. What dependence is left
    makes it too sure of itself; the calibration that every candidate gets takes that back.

    Parameters
    ----------
    features : sequence of Feature, optional
        One per column; without them every column is a number and a field of its own.
    chosen : sequence of str, optional
        Names of the features to be used as they are, nothing being chosen.
    prior_rows : float
        See `weigh_codes`.

    Attributes
    ----------
    chosen_ : list of str
        Names of the features that are used.
    """

    model_: LinearModel

    def __init__(
        self,
        features: Sequence[Feature] | None = None,
        chosen: Sequence[str] | None = None,
        prior_rows: float = PRIOR_ROWS,
    ) -> None:
        self.features = features
        self.chosen = chosen
        self.prior_rows = prior_rows

    def _learn(
        self, learned_from: TrainingRows, tuning: NDArray[np.bool_] | None, progress: Progress
    ) -> LinearModel:
        rows, features = learned_from.rows, learned_from.features
        encoder = StepEncoder(self.features).fit(rows)
        steps, codes = encoder.steps_, encoder.transform(rows)
        used = [i for i, own in enumerate(steps) if self._is_named(features[own.column])]
        if self.chosen is None:
            used = self._choose(learned_from, steps, codes, tuning, progress)
        self.chosen_ = [features[steps[i].column].name for i in used]
        counts = count_codes([steps[i] for i in used], codes[:, used], learned_from)
        terms = {
            steps[i].column: steps[i].build_term(weigh_codes(own, self.prior_rows))
            for i, own in zip(used, counts, strict=True)
        }
        terms = measure_from_mean(terms, rows)
        share = np.average(learned_from.converted, weights=learned_from.weights)
        bias = float(logit(share)) + sum(term.mean for term in terms.values())
        progress(1.0)
        return LinearModel(bias, rows.shape[1], terms)

    def _is_named(self, feature: Feature) -> bool:
        return self.chosen is not None and feature.name in self.chosen

    def _choose(
        self,
        learned_from: TrainingRows,
        steps: list[Steps],
        codes: NDArray[np.int64],
        tuning: NDArray[np.bool_] | None,
        progress: Progress,
    ) -> list[int]:
        """Take features one by one while the tuning rows are predicted better by them."""
        older = np.ones(len(codes), np.bool_) if tuning is None else ~tuning
        counts = count_codes(steps, codes[older], learned_from.take(older))
        best_of: dict[str, tuple[float, int]] = {}
        for i, own in enumerate(counts):
            information = measure_information(own)
            field = learned_from.features[steps[i].column].field
            if field not in best_of or information > best_of[field][0]:
                best_of[field] = (information, i)
        ranked = sorted(best_of.values(), key=lambda pair: -pair[0])
        candidates = [i for _, i in ranked[:CANDIDATES]]
        progress(0.3)
        if tuning is None:
            return candidates[:WITHOUT_TUNING]
        adds = [weigh_codes(counts[i], self.prior_rows)[codes[tuning, i]] for i in candidates]
        return [candidates[at] for at in choose_adds(adds, learned_from.take(tuning), progress)]

    def get_found_params(self) -> dict[str, Any]:
        """Name the features that were chosen."""
        return {"chosen": self.chosen_}


def count_codes(
    steps: Sequence[Steps], codes: NDArray[np.int64], learned_from: TrainingRows
) -> list[Counts]:
    """Count weighted rows per code of each feature, by scikit-learn's naive Bayes."""
    if not steps:
        return []
    counted = CategoricalNB(min_categories=[own.n_codes + 1 for own in steps])
    counted.fit(codes, learned_from.converted, sample_weight=learned_from.weights)
    return list(counted.category_count_)


def weigh_codes(counts: Counts, prior_rows: float) -> NDArray[np.float64]:
    """Say what each code does to the log-odds.

    The conversion rate of a code is an m-estimate about that of all rows (Cestnik, *Estimating
    probabilities: a crucial task in machine learning*, ECAI 1990), so that a value never seen says
    nothing. What `CategoricalNB` adds is alike for all codes and classes: where few leads convert
    a value never seen would speak for conversion.
    """
    negative, positive = counts
    share = float(positive.sum() / counts.sum())
    odds = (positive + prior_rows * share) / (negative + prior_rows * (1.0 - share))
    return np.asarray(np.log(odds) - logit(share), np.float64)


def measure_information(counts: Counts) -> float:
    """Measure the mutual information of a feature and the outcome, nats."""
    expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
    return float(rel_entr(counts, expected).sum() / counts.sum())


def choose_adds(
    adds: list[NDArray[np.float64]], judged: TrainingRows, progress: Progress
) -> list[int]:
    """Choose, one by one, what lowers the log loss of the judged rows when added and calibrated."""

    def judge(margin: NDArray[np.float64]) -> float:
        calibrated = fit_affine(margin, judged.converted, judged.weights)
        return compute_log_loss(judged.converted, calibrated.apply(margin), judged.weights)

    margin = np.zeros(len(judged.converted))
    best, taken = judge(margin), list[int]()
    while len(taken) < min(MOST_FEATURES, len(adds)):
        found = {at: judge(margin + adds[at]) for at in range(len(adds)) if at not in taken}
        winner = min(found, key=lambda at: found[at])
        if found[winner] > best - LEAST_GAIN / len(margin):
            break
        taken.append(winner)
        best, margin = found[winner], margin + adds[winner]
        progress(0.3 + 0.7 * len(taken) / MOST_FEATURES)
    return taken
