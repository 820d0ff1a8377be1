"""Two models on the same later leads: what the challenger gains, and how sure that is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.evaluation.bins import assign_bins
from training.evaluation.calibration import (
    CalibrationError,
    CalibrationLine,
    compute_log_loss,
    list_log_losses,
    measure_ece,
    measure_line,
)
from training.evaluation.ranking import Auc, measure_auc
from training.evaluation.resampling import (
    RESAMPLES,
    Floats,
    Integers,
    Interval,
    check_labels,
    check_probabilities,
    draw_totals,
    number_leads,
)
from training.evaluation.segments import (
    FEWEST_ROWS,
    MOST_SEGMENTS,
    SegmentColumn,
    fold_small,
)

FEWEST_SEGMENT_LEADS = 50
"""Leads under which a segment is not judged on its own."""

SMALLEST_SPREAD = 1e-12
"""Of a mean log loss: below this, differences are rounding."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What the challenger gains on the champion in one measure: above 0 it is better."""

    value: float
    interval: Interval

    @property
    def is_better(self) -> bool:
        """Whether the challenger is better beyond noise."""
        return self.interval.low > 0

    @property
    def is_worse(self) -> bool:
        """Whether it is worse beyond noise."""
        return self.interval.high < 0


@dataclass(frozen=True, slots=True)
class ModelMeasures:
    """How one of the two fared."""

    log_loss: float
    auc: Auc
    calibration_error: CalibrationError
    line: CalibrationLine


@dataclass(frozen=True, slots=True)
class SegmentGain:
    """Log loss of both within one segment; the interval holds for all segments at once."""

    field: str
    segment: str
    rows: int
    leads: int
    positives: int
    champion: float
    challenger: float
    gain: Gain


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion and challenger on the same rows."""

    rows: int
    leads: int
    converted_leads: int
    """Leads with at least one row whose outcome came."""
    other_leads: int
    base_rate: float
    base_rate_loss: float
    """Log loss of the base rate that was known when the challenger was trained."""
    champion: ModelMeasures
    challenger: ModelMeasures
    log_loss: Gain
    auc: Gain
    calibration_error: Gain
    segments: tuple[SegmentGain, ...]
    """The one that loses most first, in units of its own noise."""

    @property
    def worst_segment(self) -> SegmentGain | None:
        """The segment in which the challenger fares worst against the champion."""
        return self.segments[0] if self.segments else None


def compare(
    y: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    lead_index: ArrayLike,
    *,
    base_rate_train: float,
    segments: Sequence[SegmentColumn] = (),
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two models on the same leads by a paired bootstrap.

    Every resample draws whole leads with replacement and measures both models on the same draw,
    so that what both find hard cancels out (Efron, Tibshirani, *An Introduction to the Bootstrap*,
    1993, ch. 16).

    Parameters
    ----------
    y : array of shape (n,)
        1 where the event came within the horizon, else 0. Matured rows only, of leads that
        neither model was fitted or calibrated on.
    champion, challenger : array of shape (n,)
        Calibrated chances in [0, 1].
    lead_index : array of shape (n,)
        Which lead each row shows.
    base_rate_train : float
        Share of positives the challenger was trained on: the rival that knows no lead.
    segments
        Fields to slice by.
    """
    labels = check_labels(y, "compare models on")
    chances = [check_probabilities(p, len(labels)) for p in (champion, challenger)]
    leads, n_leads = number_leads(lead_index, len(labels))
    sides = [measure_side(labels, p, leads, rng=rng, resamples=resamples) for p in chances]
    loss, by_segment = gain_losses(labels, chances, leads, segments, rng=rng, resamples=resamples)
    n_converted = len(np.unique(leads[labels == 1]))
    return Comparison(
        rows=len(labels),
        leads=n_leads,
        converted_leads=n_converted,
        other_leads=n_leads - n_converted,
        base_rate=float(labels.mean()),
        base_rate_loss=compute_log_loss(labels, base_rate_train),
        champion=sides[0],
        challenger=sides[1],
        log_loss=loss,
        auc=gain_auc(labels, chances, leads, sides, rng=rng, resamples=resamples),
        calibration_error=gain_ece(labels, chances, leads, sides, rng=rng, resamples=resamples),
        segments=by_segment,
    )


def measure_side(
    labels: Floats, p: Floats, leads: Integers, *, rng: np.random.Generator, resamples: int
) -> ModelMeasures:
    """Measure one model on its own."""
    return ModelMeasures(
        log_loss=compute_log_loss(labels, p),
        auc=measure_auc(labels, p, leads),
        calibration_error=measure_ece(labels, p, leads, rng=rng, resamples=resamples),
        line=measure_line(labels, p, leads),
    )


def build_gain(value: float, drawn: Floats, leads: Integers) -> Gain:
    """Build a gain with the 95 % percentile interval of its draws."""
    kept = drawn[np.isfinite(drawn)]
    method = f"paired bootstrap of {int(leads.max()) + 1} leads, {len(kept)} times"
    if not len(kept):
        return Gain(value, Interval(float("nan"), float("nan"), method))
    low, high = np.quantile(kept, [0.025, 0.975])
    return Gain(value, Interval(float(low), float(high), method))


def gain_losses(
    labels: Floats,
    chances: Sequence[Floats],
    leads: Integers,
    segments: Sequence[SegmentColumn],
    *,
    rng: np.random.Generator,
    resamples: int,
) -> tuple[Gain, tuple[SegmentGain, ...]]:
    """Measure the gain in log loss of everyone and of each segment, from one set of draws."""
    losses = np.stack([list_log_losses(labels, p) for p in chances], axis=1)
    cells, names = number_segments(segments, len(labels))
    times = len(cells) // len(labels)
    values = np.column_stack([losses[:, 0] - losses[:, 1], np.ones(len(labels))])
    drawn = draw_totals(
        np.tile(values, (times, 1)), cells, np.tile(leads, times), rng=rng, resamples=resamples
    )
    with np.errstate(invalid="ignore"):
        gains = drawn[:, :, 0] / drawn[:, :, 1]
    overall = build_gain(float(values[:, 0].mean()), gains[:, 0], leads)
    rows_of = [np.flatnonzero(cells == cell) % len(labels) for cell in range(1, len(names))]
    judged = [
        cell
        for cell, rows in enumerate(rows_of, start=1)
        if len(np.unique(leads[rows])) >= FEWEST_SEGMENT_LEADS
    ]
    found = [
        describe_segment(names[cell], rows_of[cell - 1], labels, losses, leads) for cell in judged
    ]
    return overall, bound_together(found, gains[:, judged])


def number_segments(
    segments: Sequence[SegmentColumn], rows: int
) -> tuple[Integers, list[tuple[str, str]]]:
    """Give everyone the number 0, and the segments of every field those from 1 on.

    Returns
    -------
    cells : ndarray of shape ((1 + fields) * rows,), int64
        Every row once for everyone, and once for each field.
    names : list of (field, segment)
    """
    cells, names = [np.zeros(rows, np.int64)], [("", "everyone")]
    for column in segments:
        codes, own = fold_small(column, rows, MOST_SEGMENTS, FEWEST_ROWS)
        cells.append(codes + len(names))
        names.extend((column.field, name) for name in own)
    return np.concatenate(cells), names[: int(max(c.max() for c in cells)) + 1]


def describe_segment(
    label: tuple[str, str], rows: Integers, labels: Floats, losses: Floats, leads: Integers
) -> SegmentGain:
    """Describe one segment; its interval is still to come."""
    champion, challenger = (float(value) for value in losses[rows].mean(axis=0))
    unknown = Interval(float("nan"), float("nan"), "")
    return SegmentGain(
        field=label[0],
        segment=label[1],
        rows=len(rows),
        leads=len(np.unique(leads[rows])),
        positives=int(labels[rows].sum()),
        champion=champion,
        challenger=challenger,
        gain=Gain(champion - challenger, unknown),
    )


def bound_together(found: Sequence[SegmentGain], drawn: Floats) -> tuple[SegmentGain, ...]:
    """Give all segments intervals that hold together with 95 %; worst first.

    One of forty segments would look worse by chance alone. The width is therefore the 95 %
    quantile of the largest studentised deviation over all segments, from the same draws, which
    keeps what the segments share (Westfall, Young, *Resampling-Based Multiple Testing*, 1993).

    Parameters
    ----------
    drawn : ndarray of shape (resamples, len(found))
    """
    if not found:
        return ()
    # Where both models say the same of everyone there is no spread, but also nothing to divide.
    spread = np.maximum(np.nanstd(drawn, axis=0), SMALLEST_SPREAD)
    centre = np.array([row.gain.value for row in found])
    deviations = np.nan_to_num(np.abs(drawn - centre) / spread)
    width = float(np.quantile(deviations.max(axis=1), 0.95))
    method = f"all {len(found)} segments at once, {len(drawn)} resamples"
    half = width * spread
    bounded = [
        SegmentGain(
            row.field,
            row.segment,
            row.rows,
            row.leads,
            row.positives,
            row.champion,
            row.challenger,
            Gain(row.gain.value, Interval(row.gain.value - h, row.gain.value + h, method)),
        )
        for row, h in zip(found, half.tolist(), strict=True)
    ]
    order = np.argsort(centre / spread, kind="stable")
    return tuple(bounded[position] for position in order)


def gain_auc(
    labels: Floats,
    chances: Sequence[Floats],
    leads: Integers,
    sides: Sequence[ModelMeasures],
    *,
    rng: np.random.Generator,
    resamples: int,
) -> Gain:
    """Measure the gain in AUC."""
    ranks = [Ranks(labels, p) for p in chances]
    n_leads = int(leads.max()) + 1
    drawn = np.empty(resamples)
    for resample in range(resamples):
        weights = np.bincount(rng.integers(0, n_leads, n_leads), minlength=n_leads)[leads]
        drawn[resample] = ranks[1].weigh(weights) - ranks[0].weigh(weights)
    return build_gain(sides[1].auc.value - sides[0].auc.value, drawn, leads)


class Ranks:
    """Rows sorted by one model once, so that a resample only counts."""

    def __init__(self, labels: Floats, p: Floats) -> None:
        self.order = np.argsort(p, kind="stable")
        self.positive = labels[self.order]
        self.starts = np.flatnonzero(np.append([True], np.diff(p[self.order]) != 0))

    def weigh(self, weights: Integers) -> float:
        """Compute the AUC in which each row counts so many times; NaN without both outcomes."""
        own = weights[self.order]
        converted = np.add.reduceat(own * self.positive, self.starts)
        others = np.add.reduceat(own * (1 - self.positive), self.starts)
        pairs = converted.sum() * others.sum()
        if pairs == 0:
            return float("nan")
        outranked = np.cumsum(others) - others / 2
        return float(converted @ outranked / pairs)


def gain_ece(
    labels: Floats,
    chances: Sequence[Floats],
    leads: Integers,
    sides: Sequence[ModelMeasures],
    *,
    rng: np.random.Generator,
    resamples: int,
) -> Gain:
    """Measure the gain in calibration error; the draws are moved by the bootstrap's own bias."""
    cells = [assign_bins(p) for p in chances]
    n_first = int(cells[0].max()) + 1
    gaps = np.concatenate([labels - p for p in chances])[:, None]
    both = np.concatenate([cells[0], cells[1] + n_first])
    totals = draw_totals(gaps, both, np.tile(leads, 2), rng=rng, resamples=resamples)[:, :, 0]
    drawn = np.abs(totals[:, :n_first]).sum(axis=1) - np.abs(totals[:, n_first:]).sum(axis=1)
    value = sides[0].calibration_error.value - sides[1].calibration_error.value
    # Leads differ in rows, so the rows of a draw vary a little; their mean is the true number.
    drawn = drawn / len(labels)
    return build_gain(value, drawn - (drawn.mean() - value), leads)
