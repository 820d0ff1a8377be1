"""How far the chances can be believed: losses, calibration error, slope; and Platt to mend them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.metrics import log_loss

from training.evaluation.bins import BINS, assign_bins
from training.evaluation.logistic import (
    compute_covariance,
    compute_row_losses,
    finite_logit,
    fit_logistic,
)
from training.evaluation.resampling import (
    NORMAL_975,
    RESAMPLES,
    Floats,
    Integers,
    Interval,
    check_labels,
    check_length,
    check_margins,
    check_probabilities,
    draw_totals,
    number_leads,
)

FEWEST_OF_A_KIND = 20
SMALLEST_SLOPE = 0.01
UNKNOWN = Interval(float("nan"), float("nan"), "none")


@dataclass(frozen=True, slots=True)
class Losses:
    """Mean losses per row, natural logarithm, beside what knowing only a base rate gets."""

    log_loss: float
    log_loss_of_training_rate: float
    """Of the base rate known at training: the fair rival."""
    log_loss_of_own_rate: float
    """Of this slice's own base rate, which nobody knew in advance: the hard rival."""
    brier: float
    brier_of_training_rate: float


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error over equal-mass bins."""

    value: float
    interval: Interval
    noise_floor: float
    """The error a perfectly calibrated model would show on this many leads."""
    bins: int


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """Logistic regression of outcomes on predicted log-odds; 1 and 0 are perfect.

    A slope under 1 means overconfident (too extreme), over 1 underconfident. The intercept in the
    large has the slope held at 1: above 0 means more came than was predicted.
    """

    slope: float
    slope_interval: Interval
    intercept: float
    intercept_in_the_large: float
    in_the_large_interval: Interval
    because: str
    """Empty, or why there is no line."""


@dataclass(frozen=True, slots=True)
class AffineFit:
    """``log-odds = slope * margin + intercept`` and how it came about."""

    slope: float
    intercept: float
    method: str
    """``platt``, ``shift`` (slope 1, too little to fit it) or ``floor`` (slope held above 0)."""
    rows: int
    positives: int
    because: str
    """A sentence for the card; empty for ``platt``."""

    def apply(self, margin: ArrayLike) -> Floats:
        """Turn margins into probabilities."""
        return np.asarray(expit(self.slope * np.asarray(margin, np.float64) + self.intercept))


def compute_log_loss(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Compute the mean negative log likelihood per row; ``p`` may be one chance for all rows.

    Examples
    --------
    >>> round(compute_log_loss([1, 1], 0.5), 4)
    0.6931
    """
    labels = np.asarray(y)
    chances = np.broadcast_to(np.asarray(p, np.float64), labels.shape)
    # A slice may hold one outcome only: the labels are not to be guessed from it.
    return float(log_loss(labels, chances, sample_weight=weights, labels=[0, 1]))


def list_log_losses(y: ArrayLike, p: ArrayLike) -> Floats:
    """List the log loss of each row, for whoever compares two models row by row."""
    return compute_row_losses(finite_logit(p), np.asarray(y, np.float64))


def measure_losses(y: ArrayLike, p: ArrayLike, base_rate_train: float) -> Losses:
    """Measure log loss and Brier score next to those of the base rate.

    Parameters
    ----------
    y, p : array of shape (n,)
        Outcomes 0 or 1 and predicted chances.
    base_rate_train : float
        Share of positives in the training slice, in [0, 1].
    """
    labels = check_labels(y, "measure losses on")
    chances = check_probabilities(p, len(labels))
    return Losses(
        log_loss=compute_log_loss(labels, chances),
        log_loss_of_training_rate=compute_log_loss(labels, base_rate_train),
        log_loss_of_own_rate=compute_log_loss(labels, labels.mean()),
        brier=float(((chances - labels) ** 2).mean()),
        brier_of_training_rate=float(((base_rate_train - labels) ** 2).mean()),
    )


def measure_ece(
    y: ArrayLike,
    p: ArrayLike,
    lead_index: ArrayLike | None = None,
    *,
    rng: np.random.Generator,
    bins: int = BINS,
    resamples: int = RESAMPLES,
) -> CalibrationError:
    """Measure the expected calibration error: the mean gap between promise and outcome.

    Bins are of equal mass, made from ``p`` alone, and stay fixed in the bootstrap. The gap of
    each bin counts by its share of rows (Naeini, Cooper, Hauskrecht, AAAI 2015).

    The estimate is biased upwards on small samples, since noise never cancels in a sum of
    absolute values: ``noise_floor`` is what a perfectly calibrated model would be expected to
    show here (half-normal mean of each bin's noise). The 95 % interval draws whole leads with
    replacement; its percentiles are moved by the bootstrap's own bias and cut at 0.
    """
    labels = check_labels(y, "measure calibration on")
    chances = check_probabilities(p, len(labels))
    leads, n_leads = number_leads(lead_index, len(labels))
    cells = assign_bins(chances, bins)
    gaps = labels - chances
    n_bins = int(cells.max()) + 1
    value = float(np.abs(np.bincount(cells, gaps, n_bins)).sum() / len(labels))
    totals = draw_totals(
        np.stack([gaps, np.ones_like(gaps)], axis=1), cells, leads, rng=rng, resamples=resamples
    )
    drawn = np.abs(totals[:, :, 0]).sum(axis=1) / totals[:, :, 1].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975]) - (drawn.mean() - value)
    interval = Interval(
        max(0.0, float(low)), float(high), f"bootstrap of {n_leads} leads, {resamples} times"
    )
    return CalibrationError(value, interval, find_noise_floor(gaps, cells, leads), n_bins)


def find_noise_floor(gaps: Floats, cells: Integers, leads: Integers) -> float:
    """Find the calibration error that chance alone would make, leads being independent."""
    pairs, pair = np.unique(np.stack([cells, leads], axis=1), axis=0, return_inverse=True)
    means = np.bincount(cells, gaps) / np.bincount(cells)
    by_lead = np.bincount(pair.ravel(), gaps - means[cells], len(pairs))
    spread = np.sqrt(np.bincount(pairs[:, 0], by_lead**2))
    return float(np.sqrt(2 / np.pi) * spread.sum() / len(gaps))


def measure_line(
    y: ArrayLike, p: ArrayLike, lead_index: ArrayLike | None = None
) -> CalibrationLine:
    """Measure calibration slope and intercept by unpenalised logistic regression on logit(p).

    Cox, Biometrika 45 (1958) 562; names after Van Calster et al., BMC Medicine 17 (2019) 230.
    Intervals are 95 %, with a sandwich variance over leads.
    """
    labels = check_labels(y, "measure calibration on")
    log_odds = finite_logit(check_probabilities(p, len(labels)))
    leads, _ = number_leads(lead_index, len(labels))
    nan = float("nan")
    if labels.min() == labels.max():
        because = "Only one outcome is present, so there is no line."
        return CalibrationLine(nan, UNKNOWN, nan, nan, UNKNOWN, because)
    ones = np.ones((len(labels), 1))
    large = fit_logistic(ones, labels, offset=log_odds)
    large_variance = compute_covariance(large, ones, labels, leads, offset=log_odds)
    in_the_large = float(large.coefficients[0])
    large_interval = build_interval(in_the_large, float(large_variance[0, 0]))
    design = np.column_stack([log_odds, ones])
    fit = fit_logistic(design, labels)
    if not fit.settled:
        because = "The chances do not vary, or separate the outcomes perfectly: no slope."
        return CalibrationLine(nan, UNKNOWN, nan, in_the_large, large_interval, because)
    covariance = compute_covariance(fit, design, labels, leads)
    slope, intercept = (float(value) for value in fit.coefficients)
    slope_interval = build_interval(slope, float(covariance[0, 0]))
    return CalibrationLine(slope, slope_interval, intercept, in_the_large, large_interval, "")


def build_interval(value: float, variance: float) -> Interval:
    """Build a 95 % normal interval around an estimate."""
    half = NORMAL_975 * float(np.sqrt(variance))
    return Interval(value - half, value + half, "sandwich over leads")


def fit_affine(margin: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> AffineFit:
    """Fit ``P(y) = sigmoid(slope * margin + intercept)`` with a slope above 0.

    Platt scaling in log-odds by Newton's method, with Platt's smoothed targets
    ``(n1 + 1) / (n1 + 2)`` and ``1 / (n0 + 2)`` (Platt 1999; Lin, Lin, Weng, Machine Learning 68
    (2007) 267), so that the fit exists even where the margins separate the outcomes.

    Three cases. At least 20 rows of each outcome: both are fitted (``platt``). Fewer: the slope
    stays 1 and only the level is moved (``shift``). A best slope under 0.01, which means that
    the margins do not rank these rows: the slope stays at 0.01 and the level is fitted, which is
    the constrained maximum, the likelihood being concave (``floor``); chances then lie close to
    the base rate.

    Parameters
    ----------
    margin : array of shape (n,)
        Raw log-odds of a model, on a slice later than the one it was fitted on.
    y : array of shape (n,)
        1 where the event came, else 0.
    weights : array of shape (n,), optional
        How much each row counts, e.g. 1 / snapshots of its lead.

    Raises
    ------
    EmptySliceError, LabelError, MarginError, UnequalLengthError
        If the slice cannot be used.
    """
    labels = check_labels(y, "calibrate on")
    margins = check_margins(margin, len(labels))
    w = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    check_length("weights", w, len(labels))
    targets = smooth_targets(labels, w)
    positives = int(labels.sum())
    if min(positives, len(labels) - positives) < FEWEST_OF_A_KIND:
        because = (
            f"Only {positives} of {len(labels)} rows converted, fewer than {FEWEST_OF_A_KIND} "
            "of one outcome: the level was calibrated, the slope was left at 1."
        )
        return fix_slope(1.0, margins, targets, w, ("shift", positives, because))
    centre, spread = float(margins.mean()), float(margins.std()) or 1.0
    design = np.column_stack([(margins - centre) / spread, np.ones_like(margins)])
    fit = fit_logistic(design, targets, weights=w)
    slope = float(fit.coefficients[0]) / spread
    if fit.settled and slope >= SMALLEST_SLOPE:
        intercept = float(fit.coefficients[1]) - slope * centre
        return AffineFit(slope, intercept, "platt", len(labels), positives, "")
    because = (
        "The model does not rank the calibration slice, so the slope was held at "
        f"{SMALLEST_SLOPE}: its chances lie close to the base rate."
    )
    return fix_slope(SMALLEST_SLOPE, margins, targets, w, ("floor", positives, because))


def smooth_targets(labels: Floats, weights: Floats) -> Floats:
    """Compute Platt's targets: a little inside 0 and 1, the less the more rows there are."""
    ones = float((labels * weights).sum())
    zeros = float(((1 - labels) * weights).sum())
    return np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))


def fix_slope(
    slope: float,
    margins: Floats,
    targets: Floats,
    weights: Floats,
    account: tuple[str, int, str],
) -> AffineFit:
    """Fit the level only; ``account`` is method, positives and reason."""
    ones = np.ones((len(margins), 1))
    fit = fit_logistic(ones, targets, offset=slope * margins, weights=weights)
    method, positives, because = account
    return AffineFit(slope, float(fit.coefficients[0]), method, len(margins), positives, because)
