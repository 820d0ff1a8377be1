"""What one feature column looks like beside the outcome: the figures that leak rules judge."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.evaluation.association import (
    Booleans,
    cut_into_groups,
    find_null_spread,
    measure_cramers_v,
    measure_divergence,
    measure_grouped_auc,
    measure_phi,
    measure_plain_auc,
)
from training.evaluation.resampling import Floats, Integers, check_labels, number_leads

MOST_ROWS = 50_000
"""Rows that ranking is measured on; missingness is counted on all rows."""
SAMPLE_SEED = 20_260_101


@dataclass(frozen=True)
class LabelledRows:
    """The outcome side of an audit, prepared once for all columns."""

    positive: Booleans
    sample: Integers
    """Rows that ranking is measured on: all, or `MOST_ROWS` drawn with a fixed seed."""
    folds: Booleans
    """The half of each sampled row; a lead is in one half only."""
    leads_per_row: float
    """Turns rows into independent leads: 1 with one snapshot each, 1/5 with five."""
    base_rate: float


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Figures of one column; rates and shares are in [0, 1], NaN where there are no rows.

    Counts called ``leads`` are rows times leads per row.
    """

    filled: float
    populated_lift: float
    """Conversion rate of rows with a value over the base rate."""
    empty_lift: float
    populated_leads: float
    empty_leads: float
    null_phi: float
    """Correlation of "is missing" with the outcome, -1 to 1."""
    alone_auc: float
    """What the column alone ranks: the better of plain (either direction) and grouped."""
    alone_spreads: float
    """``alone_auc`` less one half, in standard deviations of no signal."""
    cramers_v: float
    """Of categories, missing being one; NaN for numbers."""
    distinct: int
    """Categories seen; 0 for numbers."""
    commonest: float
    """Share of the commonest value, missing being one."""
    purest_rate: float
    """Highest conversion rate of a group that holds 5 % of conversions and 30 leads, or NaN."""
    purest_group: str
    """Of what: ``it missing``, ``any value``, a category, or a stretch of values."""


def prepare_rows(y: ArrayLike, lead_index: ArrayLike | None) -> LabelledRows:
    """Prepare labels, the sample of rows and the halves of leads.

    Raises
    ------
    EmptySliceError, LabelError, UnequalLengthError
        If the slice cannot be audited.
    """
    labels = check_labels(y, "audit")
    leads, n_leads = number_leads(lead_index, len(labels))
    rng = np.random.default_rng(SAMPLE_SEED)
    sample = np.arange(len(labels))
    if len(labels) > MOST_ROWS:
        sample = np.sort(rng.choice(len(labels), MOST_ROWS, replace=False))
    halves = rng.permutation(n_leads) % 2 == 0
    return LabelledRows(
        positive=labels == 1,
        sample=sample,
        folds=halves[leads[sample]],
        leads_per_row=n_leads / len(labels),
        base_rate=float(labels.mean()),
    )


def measure_column(
    values: NDArray[np.floating], categories: tuple[str, ...] | None, rows: LabelledRows
) -> ColumnFacts:
    """Measure one column beside the outcome.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        NaN is missing. For a category, codes.
    categories : tuple of str or None
        Names of the codes; None for a number.
    """
    known = ~np.isnan(values)
    filled = float(known.mean())
    both = float((known & rows.positive).mean())
    positive = rows.positive[rows.sample]
    sampled = np.asarray(values[rows.sample], dtype=np.float64)
    groups = cut_into_groups(sampled, is_category=categories is not None)
    seen = np.bincount(groups)
    alone, spreads = measure_alone(sampled, groups, positive, rows, categories is None)
    purest_rate, purest_group = find_purest(sampled, groups, positive, rows, categories)
    is_category = categories is not None
    return ColumnFacts(
        filled=filled,
        populated_lift=divide(both, filled * rows.base_rate),
        empty_lift=divide(rows.base_rate - both, (1 - filled) * rows.base_rate),
        populated_leads=filled * len(values) * rows.leads_per_row,
        empty_leads=(1 - filled) * len(values) * rows.leads_per_row,
        null_phi=measure_phi(~known, rows.positive),
        alone_auc=alone,
        alone_spreads=spreads,
        cramers_v=measure_cramers_v(groups, positive) if is_category else float("nan"),
        distinct=int((seen[1:] > 0).sum()) if is_category else 0,
        commonest=float(seen.max() / len(groups)),
        purest_rate=purest_rate,
        purest_group=purest_group,
    )


def measure_alone(
    values: Floats, groups: Integers, positive: Booleans, rows: LabelledRows, is_number: bool
) -> tuple[float, float]:
    """Measure what the column alone ranks, and how far beyond chance that is."""
    grouped = measure_grouped_auc(groups, positive, rows.folds)
    candidates = [(grouped, count_spreads(grouped, positive, rows.leads_per_row))]
    known = ~np.isnan(values)
    if is_number and known.any():
        plain = measure_plain_auc(values[known], positive[known])
        either = max(plain, 1 - plain)
        candidates.append((either, count_spreads(either, positive[known], rows.leads_per_row)))
    certain = [pair for pair in candidates if not np.isnan(pair[1])]
    return max(certain, default=(float("nan"), float("nan")))


def count_spreads(auc: float, positive: Booleans, leads_per_row: float) -> float:
    """Count how many standard deviations of no signal an AUC lies above one half."""
    n1 = round(positive.sum() * leads_per_row)
    n0 = round((~positive).sum() * leads_per_row)
    return (auc - 0.5) / find_null_spread(n1, n0)


def find_purest(
    values: Floats,
    groups: Integers,
    positive: Booleans,
    rows: LabelledRows,
    categories: tuple[str, ...] | None,
) -> tuple[float, str]:
    """Find the group that converts most often, among those that matter.

    All rows with a value are a group too: a field back-filled for winners has many values.
    """
    known = groups > 0
    seen = np.append(np.bincount(groups), known.sum())
    positives = np.append(np.bincount(groups, positive), (known & positive).sum())
    matters = (seen * rows.leads_per_row >= 30) & (positives >= 0.05 * max(1, positive.sum()))
    if not matters.any():
        return float("nan"), ""
    rates = np.where(matters, positives / np.maximum(seen, 1), -1.0)
    purest = int(np.argmax(rates))
    name = "any value" if purest == len(rates) - 1 else name_group(values, groups, purest)
    if categories is not None and 0 < purest < len(rates) - 1:
        code = int(values[groups == purest][0])
        name = categories[code] if code < len(categories) else f"code {code}"
    return float(rates[purest]), name


def name_group(values: Floats, groups: Integers, group: int) -> str:
    """Name a group of numbers by its ends."""
    if group == 0:
        return "it missing"
    inside = values[groups == group]
    low, high = float(inside.min()), float(inside.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def measure_shift(
    values: NDArray[np.floating], later: NDArray[np.floating], *, is_category: bool
) -> tuple[float, float, float]:
    """Measure how a column moved: Jensen-Shannon bits of its known values, and both fill rates.

    At most `MOST_ROWS` rows of each side, drawn with a fixed seed. The divergence is NaN where a
    side has fewer than 100 known values: it would be noise.
    """
    rng = np.random.default_rng(SAMPLE_SEED)
    sides = [take_sample(side, rng) for side in (values, later)]
    known = [side[~np.isnan(side)] for side in sides]
    fill_before, fill_after = (
        divide(len(kept), len(side)) for kept, side in zip(known, sides, strict=True)
    )
    if min(len(kept) for kept in known) < 100:
        return float("nan"), fill_before, fill_after
    # Both sides are cut by the same edges, else every shift would look like none.
    groups = cut_into_groups(np.concatenate(known), is_category=is_category)
    earlier = len(known[0])
    return measure_divergence(groups[:earlier], groups[earlier:]), fill_before, fill_after


def take_sample(values: NDArray[np.floating], rng: np.random.Generator) -> Floats:
    """Take at most `MOST_ROWS` values."""
    if len(values) > MOST_ROWS:
        values = values[np.sort(rng.choice(len(values), MOST_ROWS, replace=False))]
    return np.asarray(values, dtype=np.float64)


def divide(numerator: float, denominator: float) -> float:
    """Divide; NaN where there is nothing to divide by."""
    return numerator / denominator if denominator else float("nan")
