"""What a model as a whole relies on, and which features speak only together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.bundle import Scale
from training.card import shap_plots as plots
from training.card.business_fields import BusinessFields, find_fields, format_column, name_columns
from training.card.stability import STABILITY_PICTURE, Stability, write_stability_plot
from training.models.fit_data import Model
from training.models.interactions import (
    AT_ONCE,
    compute_interactions,
    has_interactions,
    measure_strength,
)
from training.models.odds import POINTS_PER_LOGIT
from training.reference_profile import sample_evenly

INTERACTION_ROWS = 500
"""A mean over so many moments is close enough to rank pairs."""

PICTURE_ROWS = 2_000
"""More points hide one another."""

PAIRS = 6

NO_INTERACTIONS = (
    "This model adds up one term per feature: what a fact is worth does not depend on the others, "
    "so there are no interactions to draw."
)


@dataclass(frozen=True)
class FeaturePair:
    """Two features that say together what neither says alone."""

    first: int
    second: int
    """Columns of the matrix."""
    strength: float
    """Mean absolute points."""
    points: NDArray[np.float64]
    """Of each row of `Interactions.rows`."""


@dataclass(frozen=True)
class Interactions:
    """SHAP interaction values in points, folded where folding helps the reader."""

    rows: NDArray[np.float32]  # (n, n_features)
    by_field: NDArray[np.float64]  # (n_fields, n_fields) mean absolute points
    between: NDArray[np.float64]  # (n_features, n_features) the same; nothing on the diagonal
    pairs: tuple[FeaturePair, ...]
    """Strongest first."""


@dataclass(frozen=True)
class ModelExplanation:
    """The reasons of many moments, and what is drawn of them."""

    catalog: Catalog
    rows: NDArray[np.float32]  # (n, n_features)
    reasons: NDArray[np.float64]  # (n, n_features) points; 50 + their sum = points
    fields: BusinessFields
    interactions: Interactions | None
    """None where the model has none by construction."""

    @property
    def by_field(self) -> NDArray[np.float64]:
        """Reasons summed by business field, (n, n_fields)."""
        return self.fields.fold(self.reasons)

    @property
    def sentence(self) -> str:
        """Say in one line what speaks together."""
        if self.interactions is None:
            return NO_INTERACTIONS
        if not self.interactions.pairs:
            return "No two features of this model say anything together that neither says alone."
        pair = self.interactions.pairs[0]
        first, second = (
            format_column(self.catalog.features[at]) for at in (pair.first, pair.second)
        )
        return (
            f"The strongest interactions are between “{first}” and “{second}”: {pair.strength:.2f} points, up "
            f"or down, beyond what each says alone ({len(self.interactions.rows):,} moments)."
        )

    def describe(self) -> dict[str, Any]:
        """Shape it for the card."""
        names = self.catalog.names
        pairs = self.interactions.pairs if self.interactions else ()
        return {
            "rows": len(self.rows),
            "interactions": self.sentence,
            "pairs": [
                {"first": names[p.first], "second": names[p.second], "points": p.strength}
                for p in pairs
            ],
        }


def explain_model(
    catalog: Catalog, model: Model, scale: Scale, rows: NDArray[np.float32]
) -> ModelExplanation:
    """Explain the scores of many moments, best those the model was not fitted on.

    Parameters
    ----------
    rows : ndarray of shape (n, n_features), float32
        As a rule ``bundle.profile.matrix``.
    """
    fields = find_fields(catalog)
    reasons = scale.scores(model.contributions(rows)).reasons
    found = None
    if has_interactions(model):
        few = rows[sample_evenly(len(rows), INTERACTION_ROWS)]
        found = find_interactions(model, few, fields, POINTS_PER_LOGIT * scale.slope)
    return ModelExplanation(catalog, rows, reasons, fields, found)


def find_interactions(
    model: Model, rows: NDArray[np.float32], fields: BusinessFields, points_per_margin: float
) -> Interactions:
    """Find which fields and which features of trees speak together, strongest first."""
    points = abs(points_per_margin)
    between, by_field = (points * m for m in measure_strength(model, rows, fields.owner))
    np.fill_diagonal(between, 0.0)
    first, second = np.triu_indices(len(between), k=1)
    order = np.argsort(-between[first, second], kind="stable")[:PAIRS]
    chosen = [
        (int(first[at]), int(second[at])) for at in order if between[first[at], second[at]] > 0
    ]
    values = points_per_margin * _values_of(model, rows, chosen)
    return Interactions(
        rows,
        by_field,
        between,
        tuple(
            FeaturePair(one, other, float(between[one, other]), values[:, at])
            for at, (one, other) in enumerate(chosen)
        ),
    )


def _values_of(
    model: Model, rows: NDArray[np.float32], pairs: list[tuple[int, int]]
) -> NDArray[np.float64]:
    """Compute the interaction values of a few pairs, both orders of each together."""
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    pieces = [
        2.0 * compute_interactions(model, rows[start : start + AT_ONCE])[:, first, second]
        for start in range(0, len(rows), AT_ONCE)
    ]
    return np.concatenate(pieces) if pieces else np.empty((0, len(pairs)))


def write_explanation_plots(
    folder: Path, explanation: ModelExplanation, stability: Stability | None = None
) -> tuple[str, ...]:
    """Write the pictures, and return their names: those that have something to show."""
    few = sample_evenly(len(explanation.rows), PICTURE_ROWS)
    columns = _column_of(explanation.catalog, explanation.rows[few], explanation.reasons[few])
    order = np.argsort(-np.abs(explanation.reasons).mean(axis=0), kind="stable")
    plots.write_summary_plot(folder / plots.SUMMARY_PICTURE, columns)
    written = [plots.SUMMARY_PICTURE]
    panels = [
        plots.Panel(columns[at], _colour(explanation, columns, int(at)))
        for at in order
        if columns[at].has_something
    ][: plots.MOST_PANELS]
    if panels:
        plots.write_panels(folder / plots.DEPENDENCE_PICTURE, panels, "points, up or down")
        written.append(plots.DEPENDENCE_PICTURE)
    written.extend(_write_interactions(folder, explanation))
    if stability is not None:
        write_stability_plot(folder / STABILITY_PICTURE, stability)
        written.append(STABILITY_PICTURE)
    return tuple(written)


def _write_interactions(folder: Path, explanation: ModelExplanation) -> list[str]:
    found = explanation.interactions
    if found is None or not found.pairs:
        return []
    plots.write_heat_map(
        folder / plots.INTERACTIONS_PICTURE, explanation.fields.words, found.by_field
    )
    drawn = [_pair_panel(explanation.catalog, found.rows, pair) for pair in found.pairs]
    panels = [panel for panel in drawn if panel is not None]
    if not panels:
        return [plots.INTERACTIONS_PICTURE]
    plots.write_panels(folder / plots.PAIRS_PICTURE, panels, "points of the pair")
    return [plots.INTERACTIONS_PICTURE, plots.PAIRS_PICTURE]


def _column_of(
    catalog: Catalog, rows: NDArray[np.float32], points: NDArray[np.float64]
) -> list[plots.PlottedColumn]:
    kinds = {kind.name: kind.one for kind in catalog.taxonomy.kinds}
    values = rows.astype(np.float64)
    return [
        plots.PlottedColumn(
            words,
            values[:, at],
            points[:, at],
            # Only kinds of activity are keys of ours; a company's own values are said as they are.
            tuple(kinds.get(name, name) if feature.group else name for name in feature.categories),
        )
        for at, (words, feature) in enumerate(
            zip(name_columns(catalog.features), catalog.features, strict=True)
        )
    ]


def _colour(
    explanation: ModelExplanation, columns: list[plots.PlottedColumn], at: int
) -> plots.PlottedColumn | None:
    """Find the number a feature speaks together with most: categories have no scale of colours."""
    if explanation.interactions is None:
        return None
    between = explanation.interactions.between[at]
    others = [columns[other] for other in np.argsort(-between, kind="stable") if between[other]]
    numbers = (other for other in others if not other.categories and other.has_something)
    return next(numbers, None)


def _pair_panel(
    catalog: Catalog, rows: NDArray[np.float32], pair: FeaturePair
) -> plots.Panel | None:
    """Lay the category along the axis, where names fit; the number colours."""
    points = np.broadcast_to(pair.points[:, None], rows.shape)
    columns = _column_of(catalog, rows, points)
    along, colour = columns[pair.first], columns[pair.second]
    if colour.categories:
        along, colour = colour, along
    if colour.categories or not (along.has_something and colour.has_something):
        return None
    return plots.Panel(along, colour)
