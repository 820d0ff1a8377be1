"""Rows on their way into the store: no answer waits for the database, and none fails with it."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import structlog

from serving.faults import describe_fault
from serving.store.errors import StoreUnavailableError
from serving.store.session import Store, UnitOfWork

log = structlog.get_logger(__name__)


class Block(Protocol):
    """Some rows, of one moment."""

    @property
    def scored_at(self) -> datetime:
        """When they were scored."""

    def __len__(self) -> int: ...


Rows = TypeVar("Rows", bound=Block)


class RowBuffer(Generic[Rows]):
    """Collects rows in memory and writes them from time to time. Safe to call from several threads."""

    def __init__(
        self, store: Store, write: Callable[[UnitOfWork, Sequence[Rows]], None], *, most_rows: int
    ) -> None:
        self.store = store
        self.most_rows = most_rows
        self.written = 0
        """Rows in the store since the start."""
        self.dropped = 0
        """Rows lost, because the memory for them was full or they could not be written."""
        self.failures = 0
        """Times they could not be written."""
        self._write = write
        self._waiting: list[Rows] = []
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()

    def add(self, rows: Rows) -> None:
        """Take rows in, to be written at the next flush; drop them if memory is full."""
        with self._lock:
            if self._n_waiting + len(rows) <= self.most_rows:
                self._waiting.append(rows)
                self._n_waiting += len(rows)
                return
            is_first, self.dropped = not self.dropped, self.dropped + len(rows)
        if is_first:
            log.warning("scored_rows_dropped", most_rows=self.most_rows)

    def count_waiting(self) -> int:
        """Count the rows that are not in the store yet."""
        return self._n_waiting

    def find_oldest_waiting(self) -> datetime | None:
        """Find when the oldest row that is not in the store was scored; None if all are."""
        with self._lock:
            return min((rows.scored_at for rows in self._waiting), default=None)

    def flush(self) -> None:
        """Write what waits. While the database is away it goes on waiting.

        Raises
        ------
        StoreUnavailableError
            If the database is away.
        Exception
            Whatever keeps the rows from being written; they are dropped, or they would be for ever.
        """
        with self._flush_lock:
            with self._lock:
                waiting = list(self._waiting)
            if not waiting:
                return
            try:
                self.store.run(lambda work: self._write(work, waiting))
            except StoreUnavailableError:
                raise
            except Exception:
                self.dropped += self._take(waiting)
                raise
            self.written += self._take(waiting)

    def _take(self, blocks: Sequence[Rows]) -> int:
        """Take away the oldest blocks; give how many rows they had."""
        n_rows = sum(map(len, blocks))
        with self._lock:
            del self._waiting[: len(blocks)]
            self._n_waiting -= n_rows
        return n_rows

    def flush_safely(self) -> None:
        """Flush; log and count a failure instead of raising it."""
        try:
            self.flush()
        except Exception as error:  # noqa: BLE001 - edge of a job: rows for drift must not end the server
            self.failures += 1
            log.error("scored_rows_not_written", **describe_fault(error))  # noqa: TRY400 - a traceback may hold values

    async def keep_flushing(self, every_seconds: float) -> None:
        """Flush again and again, until cancelled."""
        while True:
            await asyncio.to_thread(self.flush_safely)
            await asyncio.sleep(every_seconds)
