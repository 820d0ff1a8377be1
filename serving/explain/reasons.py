"""Contributions of features to ranked reasons by business field. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature, SubScore
from features.catalog.manifest import Catalog
from serving.explain.wording import Direction, describe_fact, describe_reason, format_rest

BASE_POINTS = 50.0
"""The typical lead's points: reasons count from here."""

LEAST_POINTS = 0.05
"""A field that moves the score by less is not worth a line of its own: it joins the rest."""

REST = "rest"
SUB_SCORES: tuple[SubScore, ...] = ("fit", "engagement", "account", "journey")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the score is what it is, in one line."""

    field: str
    """Business field, or ``rest`` for everything not listed."""
    label: str
    """The field as people call it."""
    sub_score: SubScore | None
    """The part of the score it belongs to; null for the rest, which belongs to several."""
    points: float
    """Points it adds to, or takes from, the typical lead's 50."""
    direction: Direction
    words: str
    """The fact and its direction, as a sentence."""


@dataclass(frozen=True)
class FieldColumns:
    """The columns of the matrix that make up one business field."""

    field: str
    label: str
    sub_score: SubScore
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Explainer:
    """A catalogue, prepared for explaining."""

    features: tuple[Feature, ...]
    fields: tuple[FieldColumns, ...]
    category_words: Mapping[str, str]

    @cached_property
    def field_of(self) -> NDArray[np.int64]:
        """Number of the business field that each column belongs to; of shape (n_features,)."""
        numbers = np.empty(len(self.features), np.int64)
        for number, field in enumerate(self.fields):
            numbers[list(field.columns)] = number
        return numbers

    def total(self, shares: NDArray[np.float64] | Sequence[float]) -> NDArray[np.float64]:
        """Add up what the columns of each business field add; of shape (n_fields,)."""
        return np.asarray(np.bincount(self.field_of, shares, len(self.fields)), np.float64)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score taken apart."""

    sub_scores: dict[SubScore, float]
    """Points of each part; with the base they add up to the uncut score."""
    reasons: list[Reason]
    """Ranked by size, the rest last; with the base they add up to the uncut score."""


def build_explainer(catalog: Catalog) -> Explainer:
    """Prepare a catalogue for explaining: which columns belong to which business field."""
    columns: dict[tuple[str, SubScore], list[int]] = {}
    for position, feature in enumerate(catalog.features):
        columns.setdefault((feature.field, feature.sub_score), []).append(position)
    fields = tuple(
        FieldColumns(field, catalog.features[at[0]].field_words, sub_score, tuple(at))
        for (field, sub_score), at in columns.items()
    )
    words = {kind.name: kind.one for kind in catalog.taxonomy.kinds}
    return Explainer(catalog.features, fields, words)


def find_direction(points: float) -> Direction:
    """Tell which way points move the chance."""
    if points == 0:
        return "none"
    return "raises" if points > 0 else "lowers"


def _reason_for(
    explainer: Explainer,
    field: FieldColumns,
    total: float,
    values: Sequence[float],
    points: Sequence[float],
) -> Reason:
    """Tell a field's reason in the words of the feature that moves it most its way."""
    direction = find_direction(total)
    sign = 1.0 if total > 0 else -1.0
    spoken = max(field.columns, key=lambda column: sign * points[column])
    fact = describe_fact(explainer.features[spoken], values[spoken], explainer.category_words)
    return Reason(
        field=field.field,
        label=field.label,
        sub_score=field.sub_score,
        points=total,
        direction=direction,
        words=describe_reason(direction, fact),
    )


def explain(
    explainer: Explainer,
    values: Sequence[float],
    points: Sequence[float],
    points_uncut: float,
    top: int,
) -> Explanation:
    """Take a score apart into sub-scores and ranked reasons.

    Parameters
    ----------
    explainer
        The catalogue, prepared.
    values
        The lead's feature row: numbers, codes, NaN for unknown.
    points
        Points of each feature; with the base they add up to ``points_uncut``.
    points_uncut
        The score before the cut to 0-100.
    top
        Most reasons to list; the rest is one closing reason.

    Returns
    -------
    Explanation
        ``50 + sum(reasons) == 50 + sum(sub_scores) == points_uncut``, to rounding of floats.
    """
    totals = explainer.total(points).tolist()
    sub_scores = dict.fromkeys(SUB_SCORES, 0.0)
    for field, total in zip(explainer.fields, totals, strict=True):
        sub_scores[field.sub_score] += total
    order = sorted(range(len(totals)), key=lambda i: -abs(totals[i]))
    shown = [i for i in order[:top] if abs(totals[i]) >= LEAST_POINTS]
    reasons = [
        _reason_for(explainer, explainer.fields[i], totals[i], values, points) for i in shown
    ]
    left = points_uncut - BASE_POINTS - sum(reason.points for reason in reasons)
    # What is left of a full list is only the rounding of floats: not a direction.
    direction = find_direction(left if abs(left) > 1e-9 else 0.0)
    reasons.append(
        Reason(
            field=REST,
            label="Everything else",
            sub_score=None,
            points=left,
            direction=direction,
            words=format_rest(direction, len(totals) - len(shown)),
        )
    )
    return Explanation(sub_scores, reasons)
