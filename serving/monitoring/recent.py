"""Recent scored rows, read back from the log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog
from numpy.typing import NDArray

from features import clock
from serving.faults import describe_fault
from serving.scoring.log import PLAIN_COLUMNS, STATUSES

if TYPE_CHECKING:
    import pyarrow as pa

_DTYPES = {"float": np.float32, "double": np.float64, "int64": np.int64, "int8": np.int8}
"""Arrow's names of the types the log writes."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RecentRows:
    """The newest scored rows of one model."""

    columns: dict[str, NDArray[np.float32]]
    """Feature columns by name."""
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


def _numbers(table: "pa.Table", name: str) -> NDArray[np.generic]:
    # From the buffers, because to_numpy() imports pandas. The log writes no nulls.
    column = table.column(name)
    dtype = _DTYPES[str(column.type)]
    chunks = [
        np.frombuffer(chunk.buffers()[1], dtype)[chunk.offset : chunk.offset + len(chunk)]
        for chunk in column.chunks
    ]
    return np.concatenate(chunks) if chunks else np.empty(0, dtype)


def _list_parts(folder: Path) -> Iterator[Path]:
    """List the parts of a model, newest day first, and the newest of a day first."""
    for day in sorted(folder.glob("????-??-??"), reverse=True):
        yield from sorted(day.glob("*.parquet"), reverse=True)


def _read_part(path: Path) -> "pa.Table | None":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as part:
            return part.read()
    except (OSError, pa.ArrowInvalid) as error:
        # Deleted by its age in this very moment, or cut off by a full disk: the others will do.
        log.warning("scored_part_unreadable", part=path.name, **describe_fault(error))
        return None


def _read_newest(folder: Path, most_rows: int) -> list[dict[str, NDArray[np.generic]]]:
    parts: list[dict[str, NDArray[np.generic]]] = []
    scored = 0
    for path in _list_parts(folder):
        table = _read_part(path)
        if table is None:
            continue
        part = {name: _numbers(table, name) for name in table.column_names}
        parts.append(part)
        scored += int((part["_status"] == STATUSES.index("scored")).sum())
        if scored >= most_rows:
            break
    return parts


def read_recent(folder: Path, version: str, most_rows: int) -> RecentRows:
    """Read the newest scored rows of one model's version.

    Parameters
    ----------
    folder
        The folder of the log.
    version
        Of the model.
    most_rows
        Most rows with a score to read.

    Returns
    -------
    RecentRows
        Only leads that had a score: the reference holds no others.
    """
    parts = _read_newest(folder / version, most_rows)
    if not parts:
        nothing = np.empty(0)
        return RecentRows({}, nothing, nothing, None, None, 0)
    names = [n for n in parts[0] if all(n in part for part in parts)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
    order = np.argsort(-joined["_scored_at_us"], kind="stable")
    is_scored = joined["_status"][order] == STATUSES.index("scored")
    chosen = order[is_scored][:most_rows]
    moments = joined["_scored_at_us"][chosen]
    since = moments.min() if len(moments) else 0
    unknown = (joined["_status"] != STATUSES.index("scored")) & (joined["_scored_at_us"] >= since)
    return RecentRows(
        columns={
            name: joined[name][chosen].astype(np.float32, copy=False)
            for name in names
            if name not in PLAIN_COLUMNS
        },
        points=joined["_points"][chosen].astype(np.float64),
        probability=joined["_probability"][chosen].astype(np.float64),
        first=clock.from_us(int(moments.min())) if len(moments) else None,
        last=clock.from_us(int(moments.max())) if len(moments) else None,
        not_enough_known=int(unknown.sum()),
    )
