"""Rows of a Parquet file, as text: the same mapping reads a CSV and its Parquet twin."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.sources.errors import SourceFileError
from features.sources.rejects import Reason
from features.sources.rows import HUGE_FIELD, InputFile, RawRow

BATCH = 10_000


class ParquetRows:
    """Read a Parquet file row by row; a row's line is its row number, from 1."""

    def __init__(self, file: InputFile) -> None:
        self._path = file.path
        try:
            self._file = pq.ParquetFile(file.path)
        except (pa.ArrowException, OSError) as error:
            raise SourceFileError(str(file.path), f"it is no Parquet file: {error}.") from error
        self._columns = tuple(self._file.schema_arrow.names)
        self._read = 0

    def key_of(self, column: str) -> str:
        """Check that the file has the column."""
        if column not in self._columns:
            raise SourceFileError(
                str(self._path),
                f"there is no column {column!r}. The file has: {', '.join(self._columns)}.",
            )
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
        batches = self._file.iter_batches(batch_size=BATCH)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                yield RawRow(self._read + 1, self._read, {}, Reason.CUT_OFF, str(error))
                return
            if batch is None:
                return
            for typed in batch.to_pylist():
                cells = {column: _as_text(cell) for column, cell in typed.items()}
                huge = max(map(len, cells.values()), default=0) > HUGE_FIELD
                problem = Reason.HUGE_FIELD if huge else None
                yield RawRow(self._read + 1, self._read, cells, problem)
                self._read += 1


def _as_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    return str(cell)
