"""Rows on their way into the store: encoded without loss, bounded, kept while the database is away."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest
from structlog.testing import capture_logs

from serving.scoring.row_buffer import RowBuffer
from serving.scoring.scored_rows import ScoredRows, decode_rows, encode_row
from serving.store.errors import StoreUnavailableError
from serving.store.session import Store
from tests.unit.serving.factories import NOW


class FakeStore:
    """Runs what it is given, or fails."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.seen: list[ScoredRows] = []

    def run(self, action: Callable[[Any], Any]) -> None:
        if self.error is not None:
            raise self.error
        action(self)


def write(work: FakeStore, blocks: Any) -> None:
    work.seen += blocks


def make_buffer(store: FakeStore, most_rows: int = 10) -> RowBuffer[ScoredRows]:
    return RowBuffer(cast(Store, store), cast(Any, write), most_rows=most_rows)


def make_rows(n_rows: int, at: datetime = NOW) -> ScoredRows:
    return ScoredRows("v1", at, np.zeros((n_rows, 2), np.float32), np.ones(n_rows, np.bool_))


def test_rows_come_back_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(20, 7)).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.3] = np.nan
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = np.inf, -np.inf, -0.0

    back = decode_rows([encode_row(row) for row in matrix], 7)

    assert back.dtype == np.float32
    assert back.tobytes() == matrix.tobytes()
    assert decode_rows([], 7).shape == (0, 7)


def test_what_was_added_is_written_once() -> None:
    store = FakeStore()
    buffer = make_buffer(store)
    buffer.add(make_rows(3))
    buffer.add(make_rows(2, NOW + timedelta(seconds=1)))
    assert (buffer.count_waiting(), buffer.find_oldest_waiting()) == (5, NOW)

    buffer.flush()
    buffer.flush()

    assert [len(block) for block in store.seen] == [3, 2]
    assert (buffer.count_waiting(), buffer.find_oldest_waiting(), buffer.written) == (0, None, 5)


def test_more_than_memory_may_hold_is_dropped_and_counted() -> None:
    buffer = make_buffer(FakeStore(), most_rows=4)

    with capture_logs() as logged:
        for _ in range(3):
            buffer.add(make_rows(2))

    assert (buffer.count_waiting(), buffer.dropped) == (4, 2)
    assert [one["event"] for one in logged] == ["scored_rows_dropped"]


def test_while_the_database_is_away_rows_wait() -> None:
    store = FakeStore()
    store.error = StoreUnavailableError()
    buffer = make_buffer(store)
    buffer.add(make_rows(3))

    with pytest.raises(StoreUnavailableError):
        buffer.flush()
    buffer.flush_safely()
    assert (buffer.count_waiting(), buffer.failures, buffer.dropped) == (3, 1, 0)

    store.error = None
    buffer.flush()
    assert (buffer.count_waiting(), buffer.written) == (0, 3)


def test_rows_that_cannot_be_written_do_not_hold_up_those_after_them() -> None:
    store = FakeStore()
    store.error = ZeroDivisionError("ann@example.com")
    buffer = make_buffer(store)
    buffer.add(make_rows(3))

    with capture_logs() as logged:
        buffer.flush_safely()

    assert (buffer.count_waiting(), buffer.failures, buffer.dropped) == (0, 1, 3)
    assert logged[0]["error"] == "ZeroDivisionError"
    assert logged[0]["where"][-1].endswith(" FakeStore.run")
    assert "example.com" not in str(logged)
