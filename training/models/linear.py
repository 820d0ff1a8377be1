"""A logistic regression as plain numbers: scores and exact reasons without scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FAR = 6.0
"""Standardised values are cut at six standard deviations: one odd lead cannot shout down all."""


@dataclass(frozen=True)
class Term:
    """What one feature adds to the log-odds."""

    center: float
    """Mean of the transformed value where it is known; unused for a category."""
    scale: float
    weight: float
    missing: float
    """Log-odds when the feature is not known."""
    by_code: tuple[float, ...]
    """Log-odds per category code; empty for a number."""
    mean: float
    """Mean contribution over the rows it was fitted on: reasons are measured from there."""


@dataclass(frozen=True)
class LinearModel:
    """Log-odds as a sum of one term per used feature, measured from the average lead."""

    bias: float
    """Mean margin of the rows it was fitted on."""
    n_features: int
    terms: Mapping[int, Term]
    """By column of the feature matrix."""

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute what each feature adds to the margin: linear SHAP values.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features), float32

        Returns
        -------
        ndarray of shape (n_rows, n_features), float64
            ``bias + sum over features`` is the margin. With independent features these are the
            Shapley values of a linear model (Lundberg & Lee 2017, corollary 1).
        """
        phi = np.zeros((len(rows), self.n_features))
        for column, term in self.terms.items():
            phi[:, column] = evaluate_term(term, rows[:, column].astype(np.float64)) - term.mean
        return phi

    def to_json(self) -> dict[str, Any]:
        """Shape the model for its file."""
        return {
            "bias": self.bias,
            "n_features": self.n_features,
            "terms": {
                str(column): [t.center, t.scale, t.weight, t.missing, list(t.by_code), t.mean]
                for column, t in self.terms.items()
            },
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> "LinearModel":
        """Read the model back from its file."""
        terms = {
            int(column): Term(center, scale, weight, missing, tuple(by_code), mean)
            for column, (center, scale, weight, missing, by_code, mean) in entry["terms"].items()
        }
        return LinearModel(entry["bias"], entry["n_features"], terms)


def transform(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compress long tails: ``sign(x) log(1 + |x|)``; counts and days are far from normal."""
    squeezed: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return squeezed


def standardise(values: NDArray[np.float64], center: float, scale: float) -> NDArray[np.float64]:
    """Centre, scale and cut the transformed values; NaN stays NaN."""
    return np.clip((transform(values) - center) / scale, -FAR, FAR)


def evaluate_term(term: Term, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute a term's log-odds for a column."""
    known = ~np.isnan(values)
    if term.by_code:
        table = np.array([*term.by_code, 0.0])  # a code beyond the table adds nothing
        codes = np.where(known, values, 0.0).astype(np.int64)
        inside = (codes >= 0) & (codes < len(term.by_code))
        return np.where(known, table[np.where(inside, codes, len(term.by_code))], term.missing)
    scaled = standardise(np.where(known, values, 0.0), term.center, term.scale)
    return np.where(known, term.weight * scaled, term.missing)
