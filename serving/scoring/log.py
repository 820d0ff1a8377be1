"""The log of scored inputs that drift is measured on: feature rows and scores, nothing personal.

Rows hold the catalogue's columns (numbers and codes), never an id, a name or a text of a lead.
They lie as Parquet parts in ``<folder>/<model version>/<day>/``.
"""

import asyncio
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog
from numpy.typing import NDArray

from features import clock
from serving.faults import describe_fault

if TYPE_CHECKING:
    import pyarrow as pa

PART_ROWS = 5_000
"""A part grows to this size, rewritten at each flush, before the next one is begun: thousands of
one-row files would make reading slow."""

STATUSES = ("scored", "not_enough_known")
PLAIN_COLUMNS = ("_as_of_us", "_scored_at_us", "_status", "_band", "_probability", "_points")
"""Columns beside the features; the underscore keeps them apart from any feature's name."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ScoredRows:
    """Some scored leads, in columns."""

    version: str
    """Version of the model."""
    names: tuple[str, ...]
    """Names of the features, in column order."""
    bands: tuple[str, ...]
    """Names of the model's bands, best first."""
    scored_at: datetime
    matrix: NDArray[np.float32]  # (n_rows, n_features)
    as_of_us: NDArray[np.int64]
    status: NDArray[np.int8]  # index into STATUSES
    band: NDArray[np.int8]  # index into the model's bands; -1 for none
    probability: NDArray[np.float64]  # NaN for none
    points: NDArray[np.float64]  # uncut; NaN for none

    def __len__(self) -> int:
        return len(self.status)


@dataclass
class _PartFile:
    """A part file that may still grow."""

    path: Path
    blocks: list[ScoredRows] = field(default_factory=list)
    n_written: int = 0
    """Blocks that are on disk."""

    @property
    def unwritten(self) -> list[ScoredRows]:
        return self.blocks[self.n_written :]


def _column(values: NDArray[np.generic], arrow_type: "pa.DataType") -> "pa.Array":
    # Array.from_buffers, because pa.array() imports pandas to ask whether it was given a Series.
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(arrow_type, len(values), [None, pa.py_buffer(values)])


def build_part_table(blocks: Sequence[ScoredRows]) -> "pa.Table":
    """Build the table of one part from blocks of one model."""
    import pyarrow as pa

    matrix = np.concatenate([block.matrix for block in blocks])
    scored_at = np.concatenate(
        [np.full(len(block), clock.to_us(block.scored_at), np.int64) for block in blocks]
    )
    plain = [
        _column(np.concatenate([block.as_of_us for block in blocks]), pa.int64()),
        _column(scored_at, pa.int64()),
        _column(np.concatenate([block.status for block in blocks]), pa.int8()),
        _column(np.concatenate([block.band for block in blocks]), pa.int8()),
        _column(np.concatenate([block.probability for block in blocks]), pa.float64()),
        _column(np.concatenate([block.points for block in blocks]), pa.float64()),
    ]
    features = [_column(matrix[:, i], pa.float32()) for i in range(matrix.shape[1])]
    return pa.Table.from_arrays([*plain, *features], names=[*PLAIN_COLUMNS, *blocks[0].names])


class ScoredLog:
    """Collects scored rows in memory and writes them to disk from time to time.

    `add` never waits for the disk. Safe to call from several threads.
    """

    def __init__(self, folder: Path, *, most_rows: int, keep_days: int) -> None:
        self.folder = folder
        self.most_rows = most_rows
        self.keep_days = keep_days
        self.written = 0
        """Rows on disk since the start."""
        self.dropped = 0
        """Rows lost because the memory for them was full."""
        self.failures = 0
        """Flushes that failed."""
        self.problem: str | None = None
        """Why the last flush failed; None if it did not."""
        self.tally: Counter[tuple[str, str]] = Counter()
        """Leads by status and band since the start."""
        self._waiting: list[ScoredRows] = []
        self._n_unwritten = 0
        self._parts: dict[tuple[str, str], _PartFile] = {}
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()

    def add(self, rows: ScoredRows) -> None:
        """Take rows in, to be written at the next flush; drop them if memory is full."""
        names = (*rows.bands, "")
        counts = Counter(zip(rows.status.tolist(), rows.band.tolist(), strict=True))
        with self._lock:
            for (status, band), n in counts.items():
                self.tally[STATUSES[status], names[band]] += n
            if self._n_unwritten + len(rows) > self.most_rows:
                if not self.dropped:
                    log.warning("scored_log_full", most_rows=self.most_rows)
                self.dropped += len(rows)
                return
            self._waiting.append(rows)
            self._n_unwritten += len(rows)

    def count_unwritten(self) -> int:
        """Count the rows that are not on disk yet."""
        return self._n_unwritten

    def find_oldest_unwritten(self) -> datetime | None:
        """Find when the oldest row that is not on disk was scored; None if all are."""
        with self._lock:
            blocks = [b for part in self._parts.values() for b in part.unwritten] + self._waiting
        return min((block.scored_at for block in blocks), default=None)

    def check_writable(self) -> None:
        """Check that rows can be written.

        Raises
        ------
        OSError
            If not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()

    def flush(self) -> None:
        """Write what waits. Rows whose writing fails stay in memory for the next flush.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        with self._flush_lock:
            for key, part in self._take_waiting().items():
                self._write(part)
                with self._lock:
                    n_new = sum(len(block) for block in part.unwritten)
                    self.written += n_new
                    self._n_unwritten -= n_new
                    part.n_written = len(part.blocks)
                    if sum(len(block) for block in part.blocks) >= PART_ROWS:
                        del self._parts[key]

    def _take_waiting(self) -> dict[tuple[str, str], _PartFile]:
        """Sort what waits into parts; give those with something to write."""
        with self._lock:
            for block in self._waiting:
                day = block.scored_at.strftime("%Y-%m-%d")
                key = (block.version, day)
                if key not in self._parts:
                    # A new day or model: parts that are wholly on disk are done with.
                    self._parts = {k: p for k, p in self._parts.items() if p.unwritten}
                    self._parts[key] = self._begin(block, day)
                self._parts[key].blocks.append(block)
            self._waiting = []
            return {key: part for key, part in self._parts.items() if part.unwritten}

    def _begin(self, block: ScoredRows, day: str) -> _PartFile:
        stamp = block.scored_at.strftime("%H%M%S")
        name = f"part-{stamp}-{secrets.token_hex(4)}.parquet"
        return _PartFile(self.folder / block.version / day / name)

    def _write(self, part: _PartFile) -> None:
        import pyarrow.parquet as pq

        part.path.parent.mkdir(parents=True, exist_ok=True)
        aside = part.path.with_suffix(".tmp")
        pq.write_table(build_part_table(part.blocks), aside, compression="zstd")
        aside.replace(part.path)

    def forget_old_days(self, today: datetime) -> int:
        """Delete the days that are kept no longer; count them."""
        oldest = (today - timedelta(days=self.keep_days)).strftime("%Y-%m-%d")
        found = [day for day in self.folder.glob("*/????-??-??") if day.name < oldest]
        for day in found:
            shutil.rmtree(day, ignore_errors=True)
        return len(found)

    def flush_safely(self) -> None:
        """Flush; note a failure instead of raising it. Readiness and metrics report it."""
        try:
            self.flush()
            self.problem = None
        except OSError as error:
            self.failures += 1
            self.problem = f"{type(error).__name__}: {error.strerror or 'cannot write'}"
            log.error("scored_log_not_written", **describe_fault(error))  # noqa: TRY400 - a full disk needs no traceback

    async def keep_flushing(
        self, every_seconds: float, now: Callable[[], datetime] = clock.now
    ) -> None:
        """Flush again and again, and forget old days once a day, until cancelled."""
        forgot_on = ""
        while True:
            await asyncio.to_thread(self.flush_safely)
            today = now()
            if today.strftime("%Y-%m-%d") != forgot_on:
                forgot_on = today.strftime("%Y-%m-%d")
                await asyncio.to_thread(self.forget_old_days, today)
            await asyncio.sleep(every_seconds)
