"""How well the scores put leads in order: AUC, average precision, lift, gains.

Tied scores never gain or lose by the order they happen to lie in: AUC counts a tie as one half,
lift and gains take the expected number of conversions over all orders of the tied leads.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import rankdata

from training.evaluation.resampling import (
    NORMAL_975,
    Floats,
    Integers,
    Interval,
    check_labels,
    check_length,
    number_leads,
)

DELONG = "DeLong"
CLUSTERED = "DeLong, clustered by lead (Obuchowski 1997)"
GAINS_SHARES = tuple(step / 20 for step in range(21))


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the ROC curve; NaN, with an unknown interval, where one class is absent."""

    value: float
    interval: Interval
    positives: int
    negatives: int
    leads: int

    @property
    def spreads(self) -> float:
        """Tell how many standard errors the AUC lies above one half, on the logit scale.

        NaN where it is unknown; where every pair is ordered alike, by the exact interval.
        """
        low = self.interval.low
        if np.isnan(self.value) or not 0.0 < low < 1.0:
            return float("nan")
        if self.value >= 1.0:
            return float(logit(low)) + NORMAL_975
        error = (logit(self.value) - logit(low)) / NORMAL_975
        return float(logit(self.value) / error) if error > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class GainsPoint:
    """What contacting the best ``share`` of leads finds of all conversions."""

    share: float
    found: float


def measure_auc(y: ArrayLike, scores: ArrayLike, lead_index: ArrayLike | None = None) -> Auc:
    """Measure the chance that a converting row outranks another, ties counted one half.

    The 95 % interval is DeLong's [1]_, computed as in [2]_, on the logit scale so that it stays
    in [0, 1]. With ``lead_index`` its variance is summed over leads [3]_: ten snapshots of one
    lead do not count as ten leads. No resampling, no seed. Where every pair is ordered alike
    (AUC 0 or 1) the variance vanishes, and the interval is the exact one of an event never seen
    in as many trials as there are leads in the smaller class.

    Parameters
    ----------
    y : array of shape (n,)
        1 where the event came, else 0.
    scores : array of shape (n,)
        Higher means more likely; only the order counts.
    lead_index : array of shape (n,), optional
        Which lead each row shows.

    References
    ----------
    .. [1] DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837.
    .. [2] Sun, Xu, IEEE Signal Processing Letters 21 (2014) 1389.
    .. [3] Obuchowski, Biometrics 53 (1997) 567.

    Examples
    --------
    >>> measure_auc([0, 0, 1, 1], [.1, .4, .35, .8]).value
    0.75
    """
    labels = check_labels(y, "rank")
    ranked = np.asarray(scores, dtype=np.float64)
    check_length("scores", ranked, len(labels))
    leads, n_leads = number_leads(lead_index, len(labels))
    method = DELONG if n_leads == len(labels) else CLUSTERED
    positive = labels == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if positives == 0 or negatives == 0:
        unknown = Interval(float("nan"), float("nan"), "none: only one outcome is present")
        return Auc(float("nan"), unknown, positives, negatives, n_leads)
    placement = compute_placements(ranked, positive)
    value = float(placement[positive].mean())
    sides = (len(np.unique(leads[positive])), len(np.unique(leads[~positive])))
    interval = build_auc_interval(
        value, find_auc_variance(placement, positive, leads, value), min(sides), method
    )
    return Auc(value, interval, positives, negatives, n_leads)


def compute_placements(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Compute for each row the share of the other class that it is ordered rightly against.

    Returns
    -------
    ndarray of shape (n,)
        DeLong's V10 at positive rows, V01 at negative rows.
    """
    overall = rankdata(scores)
    placement = np.empty(len(scores))
    below = overall[positive] - rankdata(scores[positive])
    placement[positive] = below / (~positive).sum()
    below = overall[~positive] - rankdata(scores[~positive])
    placement[~positive] = 1 - below / positive.sum()
    return placement


def find_auc_variance(
    placement: Floats, positive: NDArray[np.bool_], leads: Integers, value: float
) -> float | None:
    """Find Obuchowski's variance of the AUC; with one row per lead it is DeLong's.

    None where a class holds a single lead: there is no spread to see.
    """
    n_leads = int(leads.max()) + 1
    excess = placement - value
    of_positives = np.bincount(leads, np.where(positive, excess, 0.0), n_leads)
    of_negatives = np.bincount(leads, np.where(positive, 0.0, excess), n_leads)
    i10 = len(np.unique(leads[positive]))
    i01 = len(np.unique(leads[~positive]))
    if i10 < 2 or i01 < 2:
        return None
    m, n = positive.sum(), (~positive).sum()
    variance = (
        i10 / (i10 - 1) * (of_positives**2).sum() / m**2
        + i01 / (i01 - 1) * (of_negatives**2).sum() / n**2
        + 2 * n_leads / (n_leads - 1) * (of_positives * of_negatives).sum() / (m * n)
    )
    return max(0.0, float(variance))


def build_auc_interval(
    value: float, variance: float | None, smaller_class: int, method: str
) -> Interval:
    """Build the 95 % interval of an AUC from its variance, on the logit scale."""
    if variance is None:
        return Interval(0.0, 1.0, "none: an outcome was seen in a single lead")
    if value <= 0 or value >= 1:
        never_seen = 0.025 ** (1 / smaller_class)
        low, high = (never_seen, 1.0) if value >= 1 else (0.0, 1 - never_seen)
        return Interval(low, high, "exact, no pair out of order")
    middle = logit(value)
    half = NORMAL_975 * np.sqrt(variance) / (value * (1 - value))
    low, high = expit(np.array([middle - half, middle + half]))
    return Interval(float(low), float(high), method)


def measure_average_precision(y: ArrayLike, scores: ArrayLike) -> float:
    """Measure the area under the precision-recall curve as a sum over distinct scores.

    NaN without a positive. The base rate is what a random order gets. No interpolation between
    points: that would flatter (Davis, Goadrich, ICML 2006).
    """
    labels = check_labels(y, "rank")
    contacted, found = sum_from_the_top(labels, np.asarray(scores, dtype=np.float64))
    if found[-1] == 0:
        return float("nan")
    precision = found[1:] / contacted[1:]
    return float((np.diff(found) * precision).sum() / found[-1])


def sum_from_the_top(labels: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Sum rows and conversions from the best score down, tied rows taken together.

    Returns
    -------
    tuple of two ndarray of shape (distinct scores + 1,)
        Rows contacted and conversions found, both from 0. Between two points a straight line
        is the expected value over every order of the tied rows.
    """
    check_length("scores", scores, len(labels))
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, [True]))
    contacted = np.concatenate([[0.0], ends + 1.0])
    found = np.concatenate([[0.0], np.cumsum(labels[order])[ends]])
    return contacted, found


def measure_lift(y: ArrayLike, scores: ArrayLike, share: float = 0.10) -> float:
    """Measure how many times the base rate the best ``share`` of rows converts at.

    NaN without a positive; 1 for a constant score. A share that ends within a row counts that
    row in part.

    Examples
    --------
    >>> measure_lift([1, 0, 0, 0, 1, 0, 0, 0, 0, 0], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    5.0
    """
    found = find_gains(y, scores, (share,))[0].found
    return found / share


def find_gains(
    y: ArrayLike, scores: ArrayLike, shares: tuple[float, ...] = GAINS_SHARES
) -> tuple[GainsPoint, ...]:
    """Find the share of all conversions among the best ``share`` of rows, for each share.

    Without a positive every ``found`` is NaN.
    """
    labels = check_labels(y, "rank")
    contacted, found = sum_from_the_top(labels, np.asarray(scores, dtype=np.float64))
    if found[-1] == 0:
        return tuple(GainsPoint(share, float("nan")) for share in shares)
    reached = np.interp(np.array(shares) * len(labels), contacted, found / found[-1])
    return tuple(
        GainsPoint(share, float(value)) for share, value in zip(shares, reached, strict=True)
    )
