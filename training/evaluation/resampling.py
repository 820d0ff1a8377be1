"""Row checks, intervals and the bootstrap by lead that the other modules share.

Several snapshots of one lead are not independent observations. Every interval here therefore
counts leads: either by a sandwich over leads, or by drawing whole leads with replacement.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.stats import norm

from training.evaluation.errors import (
    EmptySliceError,
    LabelError,
    MarginError,
    ProbabilityError,
    UnequalLengthError,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESAMPLES = 500
NORMAL_975 = float(norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval and how it was made; both ends are NaN where nothing can be said."""

    low: float
    high: float
    method: str

    def covers(self, value: float) -> bool:
        """Say whether ``value`` cannot be ruled out. An unknown interval rules out nothing."""
        return not (value < self.low or value > self.high)


def check_labels(y: ArrayLike, purpose: str) -> Floats:
    """Return labels as float64 of 0 and 1.

    Raises
    ------
    EmptySliceError
        If there are none; ``purpose`` completes "There are no rows to ...".
    LabelError
        If one is neither 0 nor 1.
    """
    labels = np.asarray(y, dtype=np.float64)
    if labels.size == 0:
        raise EmptySliceError(purpose)
    wrong = ~((labels == 0) | (labels == 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LabelError(row, float(labels[row]))
    return labels


def check_probabilities(p: ArrayLike, rows: int) -> Floats:
    """Return probabilities as float64, each in [0, 1].

    Raises
    ------
    UnequalLengthError
        If there are not ``rows`` of them.
    ProbabilityError
        If one is missing or outside [0, 1].
    """
    probabilities = np.asarray(p, dtype=np.float64)
    check_length("p", probabilities, rows)
    wrong = ~((probabilities >= 0) & (probabilities <= 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ProbabilityError(row, float(probabilities[row]))
    return probabilities


def check_margins(margin: ArrayLike, rows: int) -> Floats:
    """Return margins as float64, each finite.

    Raises
    ------
    UnequalLengthError
        If there are not ``rows`` of them.
    MarginError
        If one is missing or infinite.
    """
    margins = np.asarray(margin, dtype=np.float64)
    check_length("margin", margins, rows)
    wrong = ~np.isfinite(margins)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise MarginError(row, float(margins[row]))
    return margins


def check_length(name: str, column: NDArray[Any], rows: int) -> None:
    """Refuse a column that does not describe ``rows`` rows."""
    if len(column) != rows:
        raise UnequalLengthError(name, len(column), rows)


def number_leads(lead_index: ArrayLike | None, rows: int) -> tuple[Integers, int]:
    """Give leads the numbers 0, 1, 2, ... whatever ids they carry.

    Parameters
    ----------
    lead_index : array of shape (rows,) or None
        Which lead each row shows; None means that every row is a lead of its own.

    Returns
    -------
    tuple of (ndarray of shape (rows,), int64) and the number of leads
    """
    if lead_index is None:
        return np.arange(rows, dtype=np.int64), rows
    index = np.asarray(lead_index)
    check_length("lead_index", index, rows)
    leads, numbered = np.unique(index, return_inverse=True)
    return numbered.astype(np.int64), len(leads)


def draw_totals(
    values: Floats,
    cells: Integers,
    leads: Integers,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Floats:
    """Draw whole leads with replacement and total the values per cell, many times.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        What is summed.
    cells : ndarray of shape (n,), int64
        The bin or segment of each row, numbered from 0.
    leads : ndarray of shape (n,), int64
        The lead of each row, numbered from 0 (see `number_leads`).

    Returns
    -------
    ndarray of shape (resamples, n_cells, k)
    """
    k = values.shape[1]
    n_cells, n_leads = int(cells.max()) + 1, int(leads.max()) + 1
    # Adding up within a lead first makes one resample a product with a small sparse matrix.
    columns = (cells[:, None] * k + np.arange(k)).ravel()
    by_lead = coo_array(
        (values.ravel(), (columns, np.repeat(leads, k))), shape=(n_cells * k, n_leads)
    ).tocsr()
    totals = np.empty((resamples, n_cells * k))
    for resample in range(resamples):
        drawn = np.bincount(rng.integers(0, n_leads, n_leads), minlength=n_leads)
        totals[resample] = by_lead @ drawn
    return totals.reshape(resamples, n_cells, k)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Compute the 95 % Wilson score interval of a share (Wilson, JASA 22, 1927).

    Both ends are NaN without a trial.

    Examples
    --------
    >>> low, high = wilson(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if trials <= 0:
        return float("nan"), float("nan")
    z2 = NORMAL_975**2
    share = successes / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = (
        NORMAL_975
        / (1 + z2 / trials)
        * float(np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)))
    )
    return max(0.0, centre - half), min(1.0, centre + half)
