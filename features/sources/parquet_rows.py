"""Rows of a Parquet file, as text: the same mapping reads a CSV and its Parquet twin."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.sources.errors import SourceFileError
from features.sources.rejects import Reason
from features.sources.rows import HUGE_FIELD, InputFile, RawRow

BATCH = 10_000
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
        self._read = 0
        batches = self._file.iter_batches(batch_size=BATCH, columns=self._flat)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                yield RawRow(self._read + 1, self._read, {}, Reason.CUT_OFF, str(error))
                return
            if batch is None:
                return
            names, columns = batch.schema.names, [_as_texts(column) for column in batch.columns]
            for texts in zip(*columns, strict=True):
                cells = dict(zip(names, texts, strict=True))
                yield RawRow(self._read + 1, self._read, cells, self._find_problem(cells))
                self._read += 1

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
