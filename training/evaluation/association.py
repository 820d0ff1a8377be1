"""How closely one column goes with the outcome, or with itself at another time.

Plain measures without verdicts; `training.leaks.audit` judges them. Missing is never guessed.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.evaluation.resampling import Floats, Integers

BINS = 20
Booleans = NDArray[np.bool_]


def measure_plain_auc(values: Floats, positive: Booleans) -> float:
    """Measure the AUC of a column as it stands, ties one half; NaN where a class is absent.

    Mann-Whitney's U over the number of pairs.
    """
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    if n1 == 0 or n0 == 0:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def find_null_spread(n1: int, n0: int) -> float:
    """Find the standard deviation of an AUC when there is no signal, ``n1`` and ``n0`` leads.

    ``sqrt((n1 + n0 + 1) / (12 n1 n0))``, Mann, Whitney 1947. NaN where a class is absent.
    """
    return float(np.sqrt((n1 + n0 + 1) / (12 * n1 * n0))) if n1 and n0 else float("nan")


def cut_into_groups(values: Floats, *, is_category: bool, bins: int = BINS) -> Integers:
    """Cut a column into groups: categories as they are, numbers by quantile, missing apart.

    Returns
    -------
    ndarray of shape (n,), int64
        0 is missing, even if nothing is; groups are numbered from 1.
    """
    known = ~np.isnan(values)
    groups = np.zeros(len(values), dtype=np.int64)
    inside = values[known]
    if len(inside) == 0:
        return groups
    if is_category:
        groups[known] = np.unique(inside, return_inverse=True)[1] + 1
        return groups
    # Edges are values that occur, so that a heavy tie (0, or a filler like 999) is one group.
    edges = np.unique(
        np.quantile(inside, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf")
    )
    lower = np.searchsorted(edges, inside, side="left")
    tied = (lower < len(edges)) & (edges[np.minimum(lower, len(edges) - 1)] == inside)
    groups[known] = 2 * lower + tied + 1
    return groups


def measure_grouped_auc(
    groups: Integers, positive: Booleans, folds: Booleans, *, prior_rows: float = 20.0
) -> float:
    """Measure the AUC of a column through the outcome rate of its groups, cross-fitted.

    It sees what a plain AUC misses: middle values, categories, missing against known. Each half
    of the leads is ranked by the rates of the other half, drawn towards the base rate as if by
    ``prior_rows`` rows, so a column of mere ids gets one half, not one.

    Parameters
    ----------
    groups : ndarray of shape (n,), int64
    positive : ndarray of shape (n,), bool
    folds : ndarray of shape (n,), bool
        The half of each row; all rows of a lead in the same half.

    Returns
    -------
    float
        Mean over the halves; NaN where a half lacks one outcome.
    """
    found = []
    size = int(groups.max()) + 1
    for half in (folds, ~folds):
        taught, tested = ~half, half
        if not taught.any() or not tested.any():
            return float("nan")
        base = positive[taught].mean()
        seen = np.bincount(groups[taught], minlength=size)
        positives = np.bincount(groups[taught], positive[taught], size)
        rates = (positives + prior_rows * base) / (seen + prior_rows)
        found.append(measure_plain_auc(rates[groups[tested]], positive[tested]))
    return float(np.mean(found))


def measure_cramers_v(groups: Integers, positive: Booleans) -> float:
    """Measure Cramér's V between groups and the outcome, corrected for bias.

    Bergsma, Journal of the Korean Statistical Society 42 (2013) 323. 0 where nothing varies.
    """
    occupied = np.unique(groups, return_inverse=True)[1]
    rows = len(groups)
    size = int(occupied.max()) + 1
    seen = np.bincount(occupied, minlength=size)
    positives = np.bincount(occupied, positive, size)
    base = float(positive.mean())
    if base in (0, 1) or size < 2 or rows < 2:
        return 0.0
    # For a table of two columns chi-square needs only the rates of one of them.
    phi2 = float((seen * (positives / seen - base) ** 2).sum() / (rows * base * (1 - base)))
    corrected = max(0.0, phi2 - (size - 1) / (rows - 1))
    levels = size - (size - 1) ** 2 / (rows - 1)
    smaller = min(levels, 2 - 1 / (rows - 1))
    return float(np.sqrt(corrected / (smaller - 1))) if smaller > 1 else 0.0


def measure_divergence(earlier: Integers, later: Integers) -> float:
    """Measure the Jensen-Shannon divergence of two samples of groups, in bits, from 0 to 1.

    Lin, IEEE Transactions on Information Theory 37 (1991) 145; logarithm to base 2.

    Examples
    --------
    >>> measure_divergence(np.array([1, 1]), np.array([2, 2]))
    1.0
    """
    size = int(max(earlier.max(), later.max())) + 1
    a = np.bincount(earlier, minlength=size) / len(earlier)
    b = np.bincount(later, minlength=size) / len(later)
    middle = (a + b) / 2
    return float((sum_relative(a, middle) + sum_relative(b, middle)) / 2)


def sum_relative(share: Floats, middle: Floats) -> float:
    """Sum the Kullback-Leibler divergence in bits; a share of 0 adds nothing."""
    inside = share > 0
    return float((share[inside] * np.log2(share[inside] / middle[inside])).sum())


def measure_phi(first: Booleans, second: Booleans) -> float:
    """Measure the correlation of two yes-or-no columns, from -1 to 1; 0 where one is constant."""
    a, b = float(first.mean()), float(second.mean())
    if a in (0, 1) or b in (0, 1):
        return 0.0
    both = float((first & second).mean())
    return float((both - a * b) / np.sqrt(a * (1 - a) * b * (1 - b)))
