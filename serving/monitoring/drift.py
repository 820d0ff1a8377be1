"""How far recent inputs and scores have moved from the reference. Pure.

The population stability index of two distributions over the same bins is
``sum((now - then) * ln(now / then))`` (Siddiqi, *Credit Risk Scorecards*, 2006, ch. 9).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature
from features.catalog.fit import OTHER_CATEGORY

PSI_SHIFTED = 0.1
"""From here a distribution has shifted: worth a look."""

PSI_DRIFTED = 0.25
"""From here it has drifted: the model was not measured on such leads."""

BINS = 10
"""Bins of a number: the reference's deciles."""

TIED_SHARE = 0.05
"""A value held by this share of the reference gets a bin of its own."""

CHANCE_SIGMAS = 4.0
"""An index that chance alone would exceed once in 30,000 columns does not count as drift."""

Verdict = Literal["stable", "shifted", "drifted"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved."""

    name: str
    words: str
    """The business field, as people call it."""
    psi: float
    by_chance: float
    """Index that samples of these sizes from one distribution could show."""
    verdict: Verdict
    missing_then: float
    """Share of empty cells in the reference."""
    missing_now: float
    mean_then: float | None
    """Mean of the cells that hold a number; null for categories."""
    mean_now: float | None
    weight: float = 0.0
    """Average size of the column's points in the reference: how much it matters."""


@dataclass(frozen=True)
class DriftSummary:
    """All columns, the score first."""

    rows_then: int
    rows_now: int
    verdict: Verdict
    because: str
    score: ColumnDrift
    features: list[ColumnDrift]
    """Largest index first."""
    empty_columns: list[str]
    """Columns that hold nothing in the recent rows, but did in the reference."""
    unseen_categories: dict[str, list[str]] = field(default_factory=dict)
    """Categories by column that the reference does not hold."""
    other_categories: dict[str, float] = field(default_factory=dict)
    """Columns in which more values than before are too rare to be known, and their share now."""


def _finite(values: NDArray[np.floating]) -> Floats:
    """Take infinite cells as empty ones: rows logged before they were refused may hold some."""
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def _number_bins(
    reference: Floats, current: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut numbers at the reference's deciles; values many rows share stand alone."""
    known = np.sort(reference[np.isfinite(reference)])
    if not len(known):
        return np.zeros(len(reference), np.int64), np.isfinite(current).astype(np.int64)
    at = (np.arange(1, BINS) * len(known)) // BINS
    edges = np.unique(known[at])
    ties = np.searchsorted(known, edges, "right") - np.searchsorted(known, edges, "left")
    tied = edges[ties >= TIED_SHARE * len(known)]
    cuts = np.unique(np.concatenate([edges, np.nextafter(tied, -np.inf)]))
    missing = len(cuts) + 1

    def bin_of(values: Floats) -> NDArray[np.int64]:
        return np.where(np.isnan(values), missing, np.searchsorted(cuts, values, "left"))

    return bin_of(reference), bin_of(current)


def _category_bins(
    reference: Floats, current: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Take each code as a bin; empty cells are one more."""
    then, now = np.nan_to_num(reference, nan=-1.0), np.nan_to_num(current, nan=-1.0)
    return then.astype(np.int64), now.astype(np.int64)


def count_psi(reference: NDArray[np.int64], current: NDArray[np.int64]) -> tuple[float, float]:
    """Compute the index over bins, and the most that chance would make of it.

    An empty bin counts as half a row: the logarithm of nothing would be infinite.

    Returns
    -------
    tuple of float
        The index, and its upper bound if nothing had changed: for samples of ``n`` and ``m``
        rows it is about chi-squared with ``bins - 1`` degrees, divided by ``nm / (n + m)``.
    """
    bins = np.unique(np.concatenate([reference, current]))
    then = np.searchsorted(bins, reference)
    now = np.searchsorted(bins, current)
    share_then = np.maximum(np.bincount(then, minlength=len(bins)), 0.5) / len(reference)
    share_now = np.maximum(np.bincount(now, minlength=len(bins)), 0.5) / len(current)
    psi = float(np.sum((share_now - share_then) * np.log(share_now / share_then)))
    degrees = len(bins) - 1
    if not degrees:
        return psi, 0.0
    # Wilson and Hilferty's cube: the chi-squared quantile at CHANCE_SIGMAS, without tables.
    spread = 2.0 / (9.0 * degrees)
    quantile = degrees * (1.0 - spread + CHANCE_SIGMAS * math.sqrt(spread)) ** 3
    return psi, quantile * (1.0 / len(reference) + 1.0 / len(current))


def decide_verdict(psi: float, by_chance: float) -> Verdict:
    """Decide whether an index means anything."""
    if psi < max(PSI_SHIFTED, by_chance):
        return "stable"
    return "drifted" if psi >= PSI_DRIFTED else "shifted"


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def measure_column(
    name: str,
    words: str,
    reference: Floats,
    current: Floats,
    *,
    is_category: bool = False,
    weight: float = 0.0,
) -> ColumnDrift:
    """Measure how far one column has moved.

    Parameters
    ----------
    name, words
        The column, and its business field in words.
    reference, current : ndarray of shape (n_rows,), float64
        NaN for empty cells; codes for a category.
    is_category
        Whether the cells are codes.
    weight
        How much the column matters to the score.
    """
    cut = _category_bins if is_category else _number_bins
    psi, by_chance = count_psi(*cut(reference, current))
    return ColumnDrift(
        name=name,
        words=words,
        psi=psi,
        by_chance=by_chance,
        verdict=decide_verdict(psi, by_chance),
        missing_then=float(np.isnan(reference).mean()),
        missing_now=float(np.isnan(current).mean()),
        mean_then=None if is_category else _mean(reference),
        mean_now=None if is_category else _mean(current),
        weight=weight,
    )


def _find_unseen(feature: Feature, reference: Floats, current: Floats) -> list[str]:
    codes = set(np.unique(current[~np.isnan(current)])) - set(np.unique(reference))
    positions = sorted(int(code) for code in codes)
    return [feature.categories[p] for p in positions if 0 <= p < len(feature.categories)]


def _other_share(feature: Feature, values: Floats) -> float:
    code = feature.categories.index(OTHER_CATEGORY)
    known = values[~np.isnan(values)]
    return float((known == code).mean()) if len(known) else 0.0


def decide_drift(score: ColumnDrift, features: Sequence[ColumnDrift]) -> tuple[Verdict, str]:
    """Decide what to make of all columns together, and say why.

    The score decides, and the columns that carry it: a column the model hardly uses may move.
    """
    if score.verdict == "drifted":
        return "drifted", f"The scores themselves have moved (index {score.psi:.2f})."
    total = sum(column.weight for column in features) or 1.0
    moved = [column for column in features if column.verdict == "drifted"]
    share = sum(column.weight for column in moved) / total
    if share >= PSI_DRIFTED:
        return "drifted", (
            f"Columns that carry {share:.0%} of the score have drifted, {moved[0].words!r} most."
        )
    if score.verdict == "shifted" or share >= PSI_SHIFTED:
        return "shifted", (
            f"The scores have an index of {score.psi:.2f}; columns that carry {share:.0%} of the "
            "score have drifted."
        )
    return "stable", "Neither the scores nor the columns that carry them have moved."


def summarise_drift(
    features: Sequence[Feature],
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    reference_points: Floats,
    current_points: Floats,
    weights: Floats,
) -> DriftSummary:
    """Compare recent rows with the reference, column by column.

    Parameters
    ----------
    features
        The catalogue's entries, in the order of the reference's columns.
    reference : ndarray of shape (n_rows, n_features), float32
    current : ndarray of shape (n_rows, n_features), float32
        Recent rows.
    reference_points, current_points
        Scores before the cut; NaN where none was given.
    weights : ndarray of shape (n_features,)
        Average size of each column's points in the reference.
    """
    measured: list[ColumnDrift] = []
    empty = []
    unseen: dict[str, list[str]] = {}
    others: dict[str, float] = {}
    for position, feature in enumerate(features):
        then = _finite(reference[:, position])
        now = _finite(current[:, position])
        if np.isnan(now).all() and not np.isnan(then).all():
            empty.append(feature.name)
        if feature.categories:
            if strange := _find_unseen(feature, then, now):
                unseen[feature.name] = strange
            if OTHER_CATEGORY in feature.categories:
                share = _other_share(feature, now)
                if share > _other_share(feature, then) + PSI_SHIFTED:
                    others[feature.name] = share
        measured.append(
            measure_column(
                feature.name,
                feature.field_words,
                then,
                now,
                is_category=bool(feature.categories),
                weight=float(weights[position]),
            )
        )
    measured.sort(key=lambda column: -column.psi)
    score = measure_column("score", "Score", _finite(reference_points), _finite(current_points))
    verdict, because = decide_drift(score, measured)
    return DriftSummary(
        rows_then=len(reference),
        rows_now=len(current_points),
        verdict=verdict,
        because=because,
        score=score,
        features=measured,
        empty_columns=empty,
        unseen_categories=unseen,
        other_categories=others,
    )
