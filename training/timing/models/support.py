"""How many handoffs like this one were seen: what a word on the best moment rests on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from training.timing.models.model import Floats, Rows, TimingModel

COMPARED = 6
"""Features by which handoffs are compared: those that move the advantage most."""

NEAR = 0.12
"""Mean distance in ranks, from 0 to 1, within which two leads are alike."""

UNLIKE = 1.0
"""Distance between a known and an unknown value, or two categories."""

MOST_KEPT, EDGES = 2_000, 41


@dataclass(frozen=True)
class Neighbours:
    """Past handoffs, as ranks of the features by which they are compared."""

    columns: tuple[int, ...]  # of the catalogue
    is_category: tuple[bool, ...]
    edges: Floats
    """Quantiles of each feature over the decision days, (n_compared, n_edges); NaN-free."""
    ranks: NDArray[np.float32]
    """Handoffs that came to an end, (n_kept, n_compared); NaN where unknown."""
    handoffs: int
    """As many were made; ``ranks`` holds some of them."""

    def count_alike(self, rows: Rows) -> NDArray[np.int64]:
        """Count the past handoffs that were like each row; of shape (n_rows,).

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features), float32
        """
        share = self.handoffs / max(1, len(self.ranks))
        near = count_near(self.ranks, self.rank(rows), np.array(self.is_category, np.bool_))
        return np.asarray(np.rint(share * near), np.int64)

    def rank(self, rows: Rows) -> NDArray[np.float32]:
        """Give the compared features as ranks; a category stays its code."""
        own = np.ascontiguousarray(rows[:, list(self.columns)], np.float32)
        for place, is_category in enumerate(self.is_category):
            if not is_category:
                column = own[:, place]
                rank = np.searchsorted(self.edges[place], column) / self.edges.shape[1]
                own[:, place] = np.where(np.isnan(column), np.nan, rank)
        return own

    def to_json(self) -> dict[str, Any]:
        """Shape all but the ranks."""
        return {
            "columns": self.columns,
            "is_category": self.is_category,
            "edges": self.edges.tolist(),
            "handoffs": self.handoffs,
        }

    @staticmethod
    def from_json(entry: dict[str, Any], ranks: NDArray[np.float32]) -> "Neighbours":
        """Read them back."""
        return Neighbours(
            tuple(entry["columns"]),
            tuple(entry["is_category"]),
            np.array(entry["edges"], np.float64),
            ranks,
            entry["handoffs"],
        )


@njit(cache=True, nogil=True)
def count_near(
    kept: NDArray[np.float32], own: NDArray[np.float32], is_category: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Count the kept rows whose mean distance in ranks to each own row is at most `NEAR`."""
    near = np.zeros(len(own), np.int64)
    n_compared = kept.shape[1]
    most = NEAR * n_compared
    for row in range(len(own)):
        for other in range(len(kept)):
            apart = 0.0
            for place in range(n_compared):
                a, b = kept[other, place], own[row, place]
                if np.isnan(a) or np.isnan(b):
                    apart += 0.0 if np.isnan(a) and np.isnan(b) else UNLIKE
                elif is_category[place]:
                    apart += UNLIKE if a != b else 0.0
                else:
                    apart += abs(a - b)
                if apart > most:
                    break
            near[row] += apart <= most
    return near


def build_neighbours(
    model: TimingModel,
    rows: Rows,
    handoff_rows: Rows,
    categories: NDArray[np.bool_],
    seed: int,
) -> Neighbours:
    """Keep past handoffs by what moves the advantage most.

    Parameters
    ----------
    rows : ndarray of shape (n_decisions, n_features), float32
        Say which features matter, and how they spread.
    handoff_rows : ndarray of shape (n_handoffs, n_features), float32
        Of handoffs that have come to an end.
    categories : ndarray of shape (n_features,), bool
    """
    rng = np.random.default_rng(seed)
    some = rows[np.sort(rng.permutation(len(rows))[:MOST_KEPT])]
    strength = np.abs(model.reasons(some)[1]).mean(axis=0)
    columns = tuple(int(c) for c in np.argsort(-strength, kind="stable")[:COMPARED])
    edges = np.zeros((len(columns), EDGES))
    for place, column in enumerate(columns):
        values = some[:, column]
        values = values[~np.isnan(values)]
        if len(values):
            edges[place] = np.quantile(values, np.linspace(0.0, 1.0, EDGES))
    kept = handoff_rows[np.sort(rng.permutation(len(handoff_rows))[:MOST_KEPT])]
    bare = Neighbours(
        columns,
        tuple(bool(categories[c]) for c in columns),
        edges,
        np.zeros((0, len(columns)), np.float32),
        len(handoff_rows),
    )
    return Neighbours(bare.columns, bare.is_category, edges, bare.rank(kept), bare.handoffs)
