"""Recent scored rows, read back from the store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.scoring.scored_rows import decode_rows
from serving.store.session import UnitOfWork
from training.bundle import Bundle

NEWEST = """
SELECT scored_at, features FROM scored_row WHERE model_version = %(version)s AND is_scored
ORDER BY scored_at DESC LIMIT %(most)s
"""
UNKNOWN = """
SELECT count(*) FROM scored_row
WHERE model_version = %(version)s AND NOT is_scored AND scored_at >= %(since)s
"""


@dataclass(frozen=True)
class RecentRows:
    """The newest scored rows of one model, of stored leads and of requests."""

    matrix: NDArray[np.float32]
    """Of shape (n_rows, n_features), in the order of the model's catalogue."""
    points: NDArray[np.float64]
    """Before the cut."""
    probability: NDArray[np.float64]
    first: datetime | None
    """When the oldest of them was scored."""
    last: datetime | None
    not_enough_known: int
    """Further leads in the same time that had no score; their rows are left out."""

    def __len__(self) -> int:
        return len(self.points)


def read_recent(work: UnitOfWork, bundle: Bundle, most_rows: int) -> RecentRows:
    """Read the newest scored rows of a model, and score them anew: the model is the same.

    Parameters
    ----------
    work
        To read with.
    bundle
        The model.
    most_rows
        Most rows with a score to read.

    Returns
    -------
    RecentRows
        Only leads that had a score: the reference holds no others.
    """
    asked: dict[str, Any] = {"version": bundle.version, "most": most_rows}
    found = work.execute(NEWEST, asked).all()
    last, first = (found[0][0], found[-1][0]) if found else (None, None)
    unknown = work.execute(UNKNOWN, {**asked, "since": first}).scalar() if found else 0
    matrix = decode_rows([row[1] for row in found], len(bundle.catalog.features))
    scores = bundle.score(matrix)
    return RecentRows(matrix, scores.points, scores.probability, first, last, int(unknown))
