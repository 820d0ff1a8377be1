"""Rows of a Parquet file, as text: the same mapping reads a CSV and its Parquet twin."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.sources.errors import SourceFileError
from features.sources.readers.rows import HUGE_FIELD, InputFile, RawRow
from features.sources.rejects import Reason

BATCH = 10_000
READ_AT_ONCE = 1 << 17
"""Rows of a batch that is read by columns."""

LONGEST_SECONDS = 1_000 * 365 * 86_400
"""Times up to a thousand years from 1970 are in every calendar."""

WHOLE = 2**53
"""Up to here a whole float is exactly the number that was written."""


class ParquetRows:
    """Read a Parquet file row by row; a row's line is its row number, from 1.

    Columns that hold lists, structs or maps are passed over; a mapping that names one is refused.
    """

    def __init__(self, file: InputFile) -> None:
        self._path = file.path
        try:
            self._file = pq.ParquetFile(file.path)
        except (pa.ArrowException, OSError) as error:
            raise SourceFileError(str(file.path), f"it is no Parquet file: {error}.") from error
        schema = self._file.schema_arrow
        self._nested = {f.name: str(f.type) for f in schema if pa.types.is_nested(f.type)}
        self._columns = tuple(schema.names)
        self._flat = [name for name in self._columns if name not in self._nested]
        self._asked: set[str] = set()
        self._read = 0

    def key_of(self, column: str) -> str:
        """Check that the file has the column, and that its cells are single values."""
        if column not in self._columns:
            raise SourceFileError(
                str(self._path),
                f"there is no column {column!r}. The file has: {', '.join(self._columns)}.",
            )
        if column in self._nested:
            raise SourceFileError(
                str(self._path),
                f"column {column!r} holds several values per row ({self._nested[column]}). Write "
                "the one that matters into a column of its own, or take it out of the mapping.",
            )
        self._asked.add(column)
        return column

    def columns_seen(self) -> tuple[str, ...]:
        """List the file's columns."""
        return self._columns

    def fraction_read(self) -> float:
        """Tell how far into the file the reading is."""
        return self._read / max(int(self._file.metadata.num_rows), 1)

    def named(self, row: RawRow) -> Mapping[str, str]:
        """Give the cells by column."""
        cells: Mapping[str, str] = row.cells
        return cells

    def rows(self) -> Iterator[RawRow]:
        """Read the rows in order."""
        for batch in self._read_batches(BATCH):
            if isinstance(batch, RawRow):
                yield batch
            else:
                yield from self._rows_of(batch, self._read)
                self._read += batch.num_rows

    def batches(self, _keys: Sequence[int | str]) -> Iterator["ParquetBatch"]:
        """Read the rows by columns. Batches with cells that only a row can show have no columns."""
        for batch in self._read_batches(READ_AT_ONCE):
            if isinstance(batch, RawRow):
                yield ParquetBatch(self._no_rows(), 0, self._rows_of, [batch])
                continue
            first = self._read
            if all(map(_is_plain, batch.columns)):
                yield ParquetBatch(batch, first, self._rows_of, [])
            else:
                for start in range(0, batch.num_rows, BATCH):
                    rows = list(self._rows_of(batch.slice(start, BATCH), first + start))
                    yield ParquetBatch(self._no_rows(), 0, self._rows_of, rows)
            self._read = first + batch.num_rows

    def _read_batches(self, size: int) -> Iterator[pa.RecordBatch | RawRow]:
        self._read = 0
        batches = self._file.iter_batches(batch_size=size, columns=self._flat)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                yield RawRow(self._read + 1, self._read, {}, Reason.CUT_OFF, str(error))
                return
            if batch is None:
                return
            yield batch

    def _rows_of(self, batch: pa.RecordBatch, first: int) -> Iterator[RawRow]:
        names, columns = batch.schema.names, [_as_texts(column) for column in batch.columns]
        for number, texts in enumerate(zip(*columns, strict=True), first):
            cells = dict(zip(names, texts, strict=True))
            yield RawRow(number + 1, number, cells, self._find_problem(cells))

    def _no_rows(self) -> pa.RecordBatch:
        schema = pa.schema([self._file.schema_arrow.field(name) for name in self._flat])
        return pa.RecordBatch.from_pylist([], schema)

    def _find_problem(self, cells: Mapping[str, str]) -> Reason | None:
        """Find what is wrong with a row; columns nobody asked for may hold anything."""
        for column in self._asked:
            text = cells[column]
            if len(text) > HUGE_FIELD:
                return Reason.HUGE_FIELD
            # Bytes that are no text travel as lone surrogates.
            if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
                return Reason.WRONG_ENCODING
        return None


class ParquetBatch:
    """Some rows of a Parquet file."""

    def __init__(
        self,
        batch: pa.RecordBatch,
        first: int,
        rows_of: Callable[[pa.RecordBatch, int], Iterator[RawRow]],
        odd: Sequence[RawRow],
    ) -> None:
        self._batch = batch
        self._rows_of = rows_of
        self.numbers = np.arange(first, first + batch.num_rows)
        self.lines = self.numbers + 1
        self.odd = odd

    def column(self, key: int | str) -> pa.Array:
        """Give the cells of a column as they are."""
        return self._batch.column(key)

    def texts(self, key: int | str) -> pa.Array:
        """Give the cells of a column as the texts a row would have."""
        column = self._batch.column(key)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_integer(column.type):
            return pc.fill_null(column.cast(pa.string()), "")
        return pa.array(_as_texts(column), pa.string())

    def rows_at(self, positions: Iterable[int]) -> Iterator[RawRow]:
        """Give some of the rows as rows."""
        wanted = np.fromiter(positions, np.int64)
        for start in range(0, len(wanted), BATCH):
            chosen = wanted[start : start + BATCH]
            rows = self._rows_of(self._batch.take(pa.array(chosen)), 0)
            for position, row in zip(chosen.tolist(), rows, strict=True):
                number = int(self.numbers[position])
                yield row._replace(line=number + 1, number=number)


def _is_plain(column: pa.Array) -> bool:
    """Tell whether each cell is written the same whatever cells stand beside it."""
    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _is_plain_text(column)
    if pa.types.is_timestamp(type_):
        # Beyond Python's calendar a whole batch is written in another way.
        ends = pc.min_max(column.cast(pa.int64()))
        unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[type_.unit]
        return all(
            end is None or abs(end) < LONGEST_SECONDS * unit for end in ends.as_py().values()
        )
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_null(type_)
    )


def _is_plain_text(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    lengths = pc.binary_length(
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    )
    return (pc.max(lengths).as_py() or 0) <= HUGE_FIELD


def _as_texts(column: pa.Array) -> list[str]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's times end at microseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        return [_as_text(cell) for cell in column.to_pylist()]
    except UnicodeDecodeError:
        return _as_texts(column.cast(pa.binary()))
    except (OverflowError, ValueError):
        # A time outside the calendar, which only Arrow can write down.
        return [cell or "" for cell in column.cast(pa.string()).to_pylist()]


def _as_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="surrogateescape")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    if isinstance(cell, (float, Decimal)):
        return _number_as_text(cell)
    return str(cell)


def _number_as_text(number: float | Decimal) -> str:
    """Write a number as a person would: 7, not 7.0, since it may be an id; NaN is an empty cell.

    A column of whole numbers with gaps comes as floats from pandas, its gaps as NaN.
    """
    if number != number:
        return ""
    if -WHOLE < number < WHOLE and number == int(number):
        return str(int(number))
    return format(number, "f") if isinstance(number, Decimal) else str(number)
