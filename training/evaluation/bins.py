"""Groups of rows, each with its promise and its outcome: equal-mass bins and bands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.evaluation.resampling import (
    Floats,
    Integers,
    check_labels,
    check_length,
    check_probabilities,
    number_leads,
    wilson,
)

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of the reliability plot, or any other group of rows."""

    predicted: float
    observed: float
    observed_low: float
    observed_high: float
    rows: int
    leads: int


@dataclass(frozen=True, slots=True)
class BandRow:
    """What one band promised and what came; NaN where no row fell in it."""

    name: str
    points_from: float
    predicted: float
    observed: float
    observed_low: float
    observed_high: float
    rows: int
    leads: int
    calibration_error: float
    """|observed - predicted|, in chances."""


def assign_bins(p: Floats, bins: int = BINS) -> Integers:
    """Put rows into bins of about equal size by their chance; equal chances share a bin.

    Returns
    -------
    ndarray of shape (n,), int64
        Numbered from 0 without gaps, lowest chances first; many ties make fewer bins.
    """
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    cells = np.unique(np.searchsorted(edges, p, side="right"), return_inverse=True)[1]
    return np.asarray(cells, dtype=np.int64)


def find_bins(
    y: ArrayLike, p: ArrayLike, lead_index: ArrayLike | None = None, *, bins: int = BINS
) -> tuple[Bin, ...]:
    """Find mean predicted chance and observed rate in equal-mass bins, lowest first.

    The Wilson interval counts leads, not rows: snapshots of one lead share their outcome.
    """
    labels = check_labels(y, "bin")
    chances = check_probabilities(p, len(labels))
    leads, _ = number_leads(lead_index, len(labels))
    cells = assign_bins(chances, bins)
    return tuple(
        summarise(labels[cells == cell], chances[cells == cell], leads[cells == cell])
        for cell in range(int(cells.max()) + 1)
    )


def summarise(labels: Floats, chances: Floats, leads: Integers) -> Bin:
    """Summarise one group of rows; NaN for an empty one."""
    rows = len(labels)
    n_leads = len(np.unique(leads))
    if rows == 0:
        nan = float("nan")
        return Bin(nan, nan, nan, nan, 0, 0)
    observed = float(labels.mean())
    low, high = wilson(observed * n_leads, n_leads)
    return Bin(float(chances.mean()), observed, low, high, rows, n_leads)


def measure_bands(
    y: ArrayLike,
    p: ArrayLike,
    band: ArrayLike,
    names: Sequence[str],
    points_from: Sequence[float],
    lead_index: ArrayLike | None = None,
) -> tuple[BandRow, ...]:
    """Measure each band's promise against its outcome, in the order of ``names``.

    Parameters
    ----------
    band : array of shape (n,), integers
        Position of each row's band in ``names``.
    names : sequence of str
        Best band first.
    points_from : sequence of float
        Lower edge of each band, in points; ``-inf`` for the last.
    """
    labels = check_labels(y, "measure bands on")
    chances = check_probabilities(p, len(labels))
    codes = np.asarray(band)
    check_length("band", codes, len(labels))
    leads, _ = number_leads(lead_index, len(labels))
    rows = []
    for code, (name, edge) in enumerate(zip(names, points_from, strict=True)):
        inside = codes == code
        found = summarise(labels[inside], chances[inside], leads[inside])
        rows.append(
            BandRow(
                name=name,
                points_from=float(edge),
                predicted=found.predicted,
                observed=found.observed,
                observed_low=found.observed_low,
                observed_high=found.observed_high,
                rows=found.rows,
                leads=found.leads,
                calibration_error=abs(found.observed - found.predicted),
            )
        )
    return tuple(rows)
