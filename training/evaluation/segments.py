"""The same measures within each value of a business field: where the model can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.evaluation.calibration import compute_log_loss
from training.evaluation.ranking import measure_auc
from training.evaluation.resampling import (
    Floats,
    Integers,
    check_labels,
    check_length,
    check_probabilities,
    number_leads,
    wilson,
)

OTHER = "(other)"
UNKNOWN_VALUE = "(unknown)"
FEWEST_FOR_AUC = 10
FEWEST_ROWS = 50
MOST_SEGMENTS = 12


@dataclass(frozen=True)
class SegmentColumn:
    """One field to slice by."""

    field: str
    """What people call it, e.g. ``industry``."""
    codes: ArrayLike
    """Shape (n,): position of each row's value in ``names``; negative or NaN is unknown."""
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment; ``auc`` is NaN under 10 rows of either outcome."""

    field: str
    segment: str
    rows: int
    leads: int
    positives: int
    auc: float
    auc_low: float
    auc_high: float
    log_loss: float
    predicted: float
    observed: float
    observed_low: float
    observed_high: float


def measure_segments(
    y: ArrayLike,
    p: ArrayLike,
    column: SegmentColumn,
    lead_index: ArrayLike | None = None,
    *,
    most_segments: int = MOST_SEGMENTS,
    fewest_rows: int = FEWEST_ROWS,
) -> tuple[SegmentRow, ...]:
    """Measure ranking and calibration within each segment of one field, largest first.

    Segments under ``fewest_rows`` rows, and the smallest beyond ``most_segments``, are folded
    into ``(other)``, which comes last. Every row is in exactly one segment.

    Parameters
    ----------
    y, p : array of shape (n,)
        Outcomes 0 or 1 and predicted chances.
    """
    labels = check_labels(y, "slice")
    chances = check_probabilities(p, len(labels))
    leads, _ = number_leads(lead_index, len(labels))
    codes, names = fold_small(column, len(labels), most_segments, fewest_rows)
    rows = []
    for code, name in enumerate(names):
        inside = codes == code
        if inside.any():
            rows.append(
                measure_segment(
                    (column.field, name), labels[inside], chances[inside], leads[inside]
                )
            )
    return tuple(rows)


def fold_small(
    column: SegmentColumn, rows: int, most_segments: int, fewest_rows: int
) -> tuple[Integers, list[str]]:
    """Renumber segments by falling size, the small ones folded into the last code."""
    known = read_codes(column.codes, rows)
    names = [*column.names, UNKNOWN_VALUE]
    codes = np.where(known < 0, len(column.names), known)
    sizes = np.bincount(codes, minlength=len(names))
    # Equal sizes keep the order of the names, so that a table never depends on a sort's whim.
    by_size = np.argsort(-sizes, kind="stable")
    kept = [int(code) for code in by_size[:most_segments] if sizes[code] >= fewest_rows]
    renumbered = np.full(len(names), len(kept), dtype=np.int64)
    renumbered[kept] = np.arange(len(kept))
    return renumbered[codes], [*(names[code] for code in kept), OTHER]


def read_codes(codes: ArrayLike, rows: int) -> Integers:
    """Read category codes, also from a float column whose NaN means unknown; unknown is -1."""
    column: NDArray[np.float64] = np.asarray(codes, dtype=np.float64)
    check_length("codes", column, rows)
    return np.where(np.isnan(column) | (column < 0), -1, np.nan_to_num(column)).astype(np.int64)


def measure_segment(label: tuple[str, str], y: Floats, p: Floats, leads: Integers) -> SegmentRow:
    """Measure one segment, given as rows of its own."""
    positives = int(y.sum())
    nan = float("nan")
    auc, low, high = nan, nan, nan
    if min(positives, len(y) - positives) >= FEWEST_FOR_AUC:
        found = measure_auc(y, p, leads)
        auc, low, high = found.value, found.interval.low, found.interval.high
    n_leads = len(np.unique(leads))
    observed = float(y.mean())
    observed_low, observed_high = wilson(observed * n_leads, n_leads)
    return SegmentRow(
        field=label[0],
        segment=label[1],
        rows=len(y),
        leads=n_leads,
        positives=positives,
        auc=auc,
        auc_low=low,
        auc_high=high,
        log_loss=compute_log_loss(y, p),
        predicted=float(p.mean()),
        observed=observed,
        observed_low=observed_low,
        observed_high=observed_high,
    )
