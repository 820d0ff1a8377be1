"""A logistic regression as plain numbers: scores and exact reasons without scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numba import njit
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
    """Log-odds per category code, or per step of a number with ``edges``; else empty."""
    mean: float
    """Mean contribution over the rows it was fitted on: reasons are measured from there."""
    edges: tuple[float, ...] = ()
    """Lower edges of a number's steps from the second on, rising; with them the number counts by
    its step, ``by_code`` holding one weight more than there are edges."""


class Terms(NamedTuple):
    """All terms as arrays, one entry per used feature: what the hot path reads."""

    column: NDArray[np.int64]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64]
    missing: NDArray[np.float64]
    mean: NDArray[np.float64]
    code_start: NDArray[np.int64]  # (n_terms + 1,): weights of categories and steps
    code_weight: NDArray[np.float64]
    edge_start: NDArray[np.int64]  # (n_terms + 1,): lower edges of steps; none for the others
    edge: NDArray[np.float64]


@dataclass(frozen=True)
class LinearModel:
    """Log-odds as a sum of one term per used feature, measured from the typical lead."""

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
        add_terms(self._compiled, np.ascontiguousarray(rows, np.float32), phi)
        return phi

    def margins(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the margins alone."""
        return np.asarray(self.bias + self.contributions(rows).sum(axis=1))

    @cached_property
    def _compiled(self) -> Terms:
        terms = list(self.terms.values())
        codes = [np.array(term.by_code, np.float64) for term in terms]
        edges = [np.array(term.edges, np.float64) for term in terms]

        def column(values: list[float]) -> NDArray[np.float64]:
            return np.array(values, np.float64)

        return Terms(
            np.array(list(self.terms), np.int64),
            column([t.center for t in terms]),
            column([t.scale for t in terms]),
            column([t.weight for t in terms]),
            column([t.missing for t in terms]),
            column([t.mean for t in terms]),
            _starts(codes),
            np.concatenate([*codes, np.zeros(1)]),
            _starts(edges),
            np.concatenate([*edges, np.zeros(1)]),
        )

    def to_json(self) -> dict[str, Any]:
        """Shape the model for its file."""
        return {
            "bias": self.bias,
            "n_features": self.n_features,
            "terms": {
                str(column): [
                    *(t.center, t.scale, t.weight, t.missing, list(t.by_code), t.mean),
                    *([list(t.edges)] if t.edges else []),
                ]
                for column, t in self.terms.items()
            },
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> "LinearModel":
        """Read the model back from its file."""
        terms = {
            int(column): Term(
                center, scale, weight, missing, tuple(by_code), mean, *map(tuple, edges)
            )
            for column, (center, scale, weight, missing, by_code, mean, *edges) in entry[
                "terms"
            ].items()
        }
        return LinearModel(entry["bias"], entry["n_features"], terms)


def measure_from_mean(terms: Mapping[int, Term], rows: NDArray[np.float32]) -> dict[int, Term]:
    """Let each term count from its mean over some rows."""
    bare = LinearModel(0.0, rows.shape[1], terms)
    means = bare.contributions(rows).mean(axis=0)
    return {at: replace(term, mean=float(means[at])) for at, term in terms.items()}


def _starts(own: list[NDArray[np.float64]]) -> NDArray[np.int64]:
    """Tell where each term's part begins, and where the last one ends."""
    return np.cumsum([0, *(len(part) for part in own)]).astype(np.int64)


def transform(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compress long tails: ``sign(x) log(1 + |x|)``; counts and days are far from normal."""
    squeezed: NDArray[np.float64] = np.sign(values) * np.log1p(np.abs(values))
    return squeezed


@njit(cache=True, nogil=True)
def add_terms(terms: Terms, rows: NDArray[np.float32], phi: NDArray[np.float64]) -> None:
    """Add each row's terms, measured from their means, to ``phi``; see `LinearModel`."""
    for r in range(rows.shape[0]):
        for t in range(terms.column.shape[0]):
            x = np.float64(rows[r, terms.column[t]])
            first, end = terms.code_start[t], terms.code_start[t + 1]
            if np.isnan(x):
                y = terms.missing[t]
            elif terms.edge_start[t + 1] > terms.edge_start[t]:
                step = 0
                for e in range(terms.edge_start[t], terms.edge_start[t + 1]):
                    step += x >= terms.edge[e]
                y = terms.code_weight[first + step]
            elif end > first:
                inside = 0.0 <= x < end - first  # a code beyond the table adds nothing
                y = terms.code_weight[first + int(x)] if inside else 0.0
            else:
                z = (np.sign(x) * np.log1p(abs(x)) - terms.center[t]) / terms.scale[t]
                y = terms.weight[t] * min(max(z, -FAR), FAR)
            phi[r, terms.column[t]] += y - terms.mean[t]
