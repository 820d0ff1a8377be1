"""Rows of features that models scored: drift is measured on them. They lie in the store, and nowhere else."""

import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from serving.scoring.schemas import LeadScore
from serving.store.session import UnitOfWork

KEEP = """
INSERT INTO scored_row (model_version, scored_at, is_scored, features)
SELECT * FROM unnest(
    %(model)s::text[], %(at)s::timestamptz[], %(is_scored)s::bool[], %(features)s::bytea[]
)
"""
# The oldest by their numbers, some at a time: an index on the moment would cost every score.
FORGET = """
DELETE FROM {table} WHERE {number} IN (
    SELECT {number} FROM {table} ORDER BY {number} LIMIT %(most)s
) AND scored_at < %(before)s
"""
FORGET_ROWS = FORGET.format(table="scored_row", number="row_number")
FORGET_SHADOWED = FORGET.format(table="shadow_score", number="shadow_number")
FORGOTTEN_AT_A_TIME = 20_000


@dataclass(frozen=True)
class ScoredRows:
    """Rows that one model scored for a request, with nothing of whom they are."""

    version: str
    """Version of the model."""
    scored_at: datetime
    matrix: NDArray[np.float32]  # (n_rows, n_features)
    is_scored: NDArray[np.bool_]  # (n_rows,), False where not enough was known

    def __len__(self) -> int:
        return len(self.matrix)


def encode_row(row: NDArray[np.float32]) -> bytes:
    """Encode a row of features for the store: a fifth of its bytes, in some microseconds."""
    return zlib.compress(row.astype("<f4").tobytes(), 1)


def decode_rows(encoded: Sequence[bytes], n_features: int) -> NDArray[np.float32]:
    """Decode rows that ``encode_row`` encoded.

    Returns
    -------
    ndarray of shape (n_rows, n_features), float32
    """
    joined = b"".join(zlib.decompress(row) for row in encoded)
    return np.frombuffer(joined, "<f4").reshape(len(encoded), n_features).astype(np.float32)


def keep_rows(work: UnitOfWork, blocks: Sequence[ScoredRows]) -> None:
    """Keep rows that were scored for requests; those of stored scores are kept with them."""
    work.execute(
        KEEP,
        {
            "model": [block.version for block in blocks for _ in block.matrix],
            "at": [block.scored_at for block in blocks for _ in block.matrix],
            "is_scored": [known for block in blocks for known in block.is_scored.tolist()],
            "features": [encode_row(row) for block in blocks for row in block.matrix],
        },
    )


def forget_rows(work: UnitOfWork, before: datetime) -> None:
    """Forget rows that were scored before a moment, of the shadow too; some at a time."""
    for statement in (FORGET_ROWS, FORGET_SHADOWED):
        work.execute(statement, {"most": FORGOTTEN_AT_A_TIME, "before": before})


class ScoreTally:
    """Counts the leads a process has scored, by status and band. Safe to call from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, scores: Iterable[LeadScore]) -> None:
        """Count scores."""
        found = [(s.status, "" if s.band is None else s.band.name) for s in scores]
        with self._lock:
            self._counts.update(found)

    def read(self) -> dict[tuple[str, str], int]:
        """Read the counts, by status and name of the band; an empty name for none."""
        with self._lock:
            return dict(self._counts)
