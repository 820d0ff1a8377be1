"""How features enter a linear model: squeezed, standardised, one column per category."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.models.fit_data import FitData
from training.models.linear import LinearModel, Term, standardise, transform


@dataclass(frozen=True)
class DesignColumn:
    """How one feature enters the design matrix."""

    position: int
    n_codes: int
    center: float
    scale: float
    has_missing: bool

    @property
    def width(self) -> int:
        """Columns of the design it takes."""
        return (self.n_codes or 1) + self.has_missing

    def blocks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lay out a feature's values in the design."""
        known = ~np.isnan(values)
        if self.n_codes:
            block = (values[:, None] == np.arange(self.n_codes)).astype(np.float64)
        else:
            block = np.where(known, standardise(values, self.center, self.scale), 0.0)[:, None]
        if self.has_missing:
            block = np.hstack([block, (~known)[:, None].astype(np.float64)])
        return np.asarray(block, np.float64)


def list_columns(train: FitData) -> list[DesignColumn]:
    """List the features that say something on these rows, and how each enters."""
    columns = []
    for position, feature in enumerate(train.catalog.features):
        values = train.rows[:, position].astype(np.float64)
        known = ~np.isnan(values)
        missing_share = 1.0 - known.mean()
        has_missing = bool(0.001 < missing_share < 0.999)
        n_codes = len(feature.categories)
        squeezed = transform(values[known])
        scale = float(squeezed.std()) if known.any() else 0.0
        if not n_codes and scale < 1e-9:
            if not has_missing:
                continue  # a constant column says nothing
            scale = 1.0
        center = float(squeezed.mean()) if known.any() else 0.0
        columns.append(DesignColumn(position, n_codes, center, scale, has_missing))
    return columns


def build_design(columns: list[DesignColumn], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Build the design matrix, one block of columns per feature."""
    return np.hstack([c.blocks(rows[:, c.position].astype(np.float64)) for c in columns])


def build_terms(
    columns: list[DesignColumn], weights: NDArray[np.float64], rows: NDArray[np.float32]
) -> dict[int, Term]:
    """Turn weights of a design's columns into a term per feature, measured from its mean."""
    terms: dict[int, Term] = {}
    at = 0
    for column in columns:
        own = weights[at : at + column.width]
        at += column.width
        missing = float(own[-1]) if column.has_missing else 0.0
        codes = tuple(float(w) for w in own[: column.n_codes])
        weight = 0.0 if codes else float(own[0])
        terms[column.position] = Term(column.center, column.scale, weight, missing, codes, 0.0)
    return measure_from_mean(terms, rows)


def measure_from_mean(terms: Mapping[int, Term], rows: NDArray[np.float32]) -> dict[int, Term]:
    """Let each term count from its mean over some rows."""
    bare = LinearModel(0.0, rows.shape[1], terms)
    means = bare.contributions(rows).mean(axis=0)
    return {at: replace(term, mean=float(means[at])) for at, term in terms.items()}
