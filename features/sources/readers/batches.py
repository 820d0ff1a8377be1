"""Rows of a file, many at a time, for the sources that can be read by columns."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.sources.readers.rows import RawRow

Lines = NDArray[np.int64]


class RowBatch(Protocol):
    """Rows that can be read by columns, and those between them that cannot."""

    @property
    def lines(self) -> Lines:
        """Line of each row that is in the columns."""

    @property
    def numbers(self) -> Lines:
        """How many rows of the file came before each of them."""

    @property
    def odd(self) -> Sequence[RawRow]:
        """Rows that are not in the columns; each is read on its own."""

    def column(self, key: int | str) -> pa.Array:
        """Give the cells of a column: its texts, or its numbers or times if it has a type."""

    def texts(self, key: int | str) -> pa.Array:
        """Give the cells of a column as the texts a row would have."""

    def rows_at(self, positions: Iterable[int]) -> Iterator[RawRow]:
        """Give some of the rows that are in the columns as rows."""
