"""What the row sources share: one raw row, and a file that may be compressed or cut off."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Protocol, Self

from features.sources.rejects import Reason

HUGE_FIELD = 64 * 1024
"""Characters in one cell from which on it is taken for an accident."""

READ_FAILURES = (EOFError, OSError, zlib.error)
"""What a cut-off or damaged file raises while it is read."""


class RawRow(NamedTuple):
    """One row as the file has it, before any meaning."""

    line: int
    """Line in the file where the row begins (for Parquet: its row number), from 1."""
    number: int
    """How many rows of the file came before it."""
    cells: Any
    """Cells by key: a list by position (CSV) or a dict by name. Missing cells are empty text."""
    problem: Reason | None = None
    """Why the row cannot be read; its cells are then for the rejects file only."""
    detail: str = ""
    """What the reader said about the problem."""


class RowSource(Protocol):
    """A file as a stream of rows."""

    def key_of(self, column: str) -> int | str:
        """Tell what to index a row's cells with.

        Raises
        ------
        SourceFileError
            If the file lacks the column.
        """

    def rows(self) -> Iterator[RawRow]:
        """Read the rows once, in order."""

    def named(self, row: RawRow) -> Mapping[str, str]:
        """Give a row's cells by column name, as they are written to the rejects file."""

    def columns_seen(self) -> tuple[str, ...]:
        """List the file's columns, as far as it was read."""

    def fraction_read(self) -> float:
        """Tell how far into the file the reading is, from 0 to 1."""


class InputFile:
    """A file opened for reading bytes; ``.gz`` is unpacked on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = max(path.stat().st_size, 1)
        self._raw: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._raw = self.path.open("rb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._raw is not None:
            self._raw.close()

    def stream(self) -> IO[bytes]:
        """Give the unpacked bytes from the start."""
        if self._raw is None:
            raise RuntimeError("Use InputFile in a with statement.")
        self._raw.seek(0)
        if self.path.suffix == ".gz":
            return gzip.GzipFile(fileobj=self._raw)  # type: ignore[return-value]
        return self._raw

    def fraction_read(self) -> float:
        """Tell how far into the file, as stored, the reading is."""
        if self._raw is None or self._raw.closed:
            return 1.0
        return min(self._raw.tell() / self._size, 1.0)
