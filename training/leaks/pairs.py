"""Two columns that tell the outcome together though neither does alone."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.evaluation.association import cut_into_groups, measure_grouped_auc
from training.evaluation.resampling import Integers
from training.leaks.column_facts import LabelledRows, count_spreads
from training.leaks.rules import (
    ALONE_LEAK,
    BEYOND_CHANCE,
    DATE_IT,
    LeakFinding,
    LeakVerdict,
    Names,
)

BINS = 5
"""Numbers are cut coarsely: a pair has the product of both counts of groups."""

MOST_COLUMNS = 40
"""Each with each: more would take longer than the rest of the audit. The first ones are judged."""

PAIR = "AUC of two fields together"


def judge_pairs(
    columns: Sequence[tuple[Names, NDArray[np.floating], bool]], rows: LabelledRows
) -> Iterator[LeakFinding]:
    """Judge each pair of columns of different fields; tell only of leaks, once for each field.

    Parameters
    ----------
    columns : sequence of (names, values of shape (n,), is_category)
    rows
        Judged on its sample, cross-fitted by halves of the leads.
    """
    positive = rows.positive[rows.sample]
    cut = [
        (names, _cut(np.asarray(values[rows.sample], np.float64), is_category=is_category))
        for names, values, is_category in columns[:MOST_COLUMNS]
    ]
    for (first, own), (second, other) in combinations(cut, 2):
        if first[1] == second[1]:
            continue
        groups = own * (int(other.max()) + 1) + other
        auc = measure_grouped_auc(groups, positive, rows.folds)
        if not (
            auc > ALONE_LEAK and count_spreads(auc, positive, rows.leads_per_row) >= BEYOND_CHANCE
        ):
            continue
        for names, partner in ((first, second), (second, first)):
            yield LeakFinding(
                *names,
                f"{PAIR} ({partner[1]})",
                auc,
                f"> {ALONE_LEAK:g} leak",
                LeakVerdict.LEAK,
                f"With {partner[1]} it nearly determines the outcome. {DATE_IT}.",
            )


def _cut(values: NDArray[np.float64], *, is_category: bool) -> Integers:
    groups = cut_into_groups(values, is_category=is_category, bins=BINS)
    return np.asarray(np.unique(groups, return_inverse=True)[1], np.int64)
