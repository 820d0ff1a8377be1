"""Rows of a CSV file, plain or gzipped; a bad row costs that row, never the file."""

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from typing import IO

from features.sources.errors import SourceFileError
from features.sources.rejects import Reason
from features.sources.rows import HUGE_FIELD, READ_FAILURES, InputFile, RawRow

LINE_LIMIT = 4 * 1024 * 1024
"""Bytes of one line that are kept; the rest of a longer line is skipped and its row rejected."""


class CsvRows:
    """Read a CSV file row by row.

    A row is a list of cells. Its line is where it begins, also if quoted cells span lines.
    """

    def __init__(self, file: InputFile, *, delimiter: str, encoding: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._encoding = encoding
        self._header = self._read_header()
        self._place = {name: position for position, name in enumerate(self._header)}

    def key_of(self, column: str) -> int:
        """Find a column's position in the header."""
        count = self._header.count(column)
        if count == 1:
            return self._place[column]
        if count:
            problem = f"the header has the column {column!r} {count} times; rename all but one."
        else:
            problem = (
                f"there is no column {column!r}. The header, split at {self._delimiter!r}, has: "
                f"{', '.join(self._header)}. Correct the column or the delimiter in the mapping."
            )
        raise SourceFileError(str(self._file.path), problem)

    def columns_seen(self) -> tuple[str, ...]:
        """List the header."""
        return self._header

    def fraction_read(self) -> float:
        """Tell how far into the file the reading is."""
        return self._file.fraction_read()

    def named(self, row: RawRow) -> Mapping[str, str]:
        """Give the cells by column; cells beyond the header as ``column 7``, ``column 8``, ..."""
        extra = (f"column {n + 1}" for n in range(len(self._header), len(row.cells)))
        return dict(zip((*self._header, *extra), row.cells, strict=False))

    def rows(self) -> Iterator[RawRow]:
        """Read the rows after the header; blank lines are no rows."""
        lines = _Lines(self._file.stream(), self._encoding)
        reader = self._reader(lines)
        next(reader)
        width, number = len(self._header), 0
        while True:
            lines.start_row()
            line, problem, detail = lines.line + 1, None, ""
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                cells, problem, detail = self._give_up_first_line(lines, error)
                reader = self._reader(lines)
            if not cells:
                continue
            if problem is None:
                problem = lines.problem(cells) or (
                    Reason.WRONG_COLUMNS if len(cells) != width else None
                )
            yield RawRow(line, number, cells, problem, detail)
            number += 1
        if lines.cut_off:
            yield RawRow(lines.line + 1, number, [], Reason.CUT_OFF, lines.cut_off)

    def _give_up_first_line(
        self, lines: "_Lines", error: csv.Error
    ) -> tuple[list[str], Reason, str]:
        """Reject the line where a broken row begins and read on behind it.

        A quote that is never closed swallows all that follows; only its own line is lost.
        """
        first = lines.return_all_but_first()
        huge = len(first) > HUGE_FIELD
        reason = Reason.HUGE_FIELD if huge else Reason.BROKEN_QUOTES
        return [first.rstrip("\r\n")], reason, str(error)

    def _reader(self, lines: "_Lines") -> Iterator[list[str]]:
        # strict: a stray quote is an error to count, not text to guess at.
        return csv.reader(lines.read(), delimiter=self._delimiter, strict=True)

    def _read_header(self) -> tuple[str, ...]:
        lines = _Lines(self._file.stream(), self._encoding)
        try:
            header = next(self._reader(lines), [])
        except csv.Error as error:
            raise SourceFileError(
                str(self._file.path), f"the header cannot be read: {error}."
            ) from error
        if lines.cut_off:
            raise SourceFileError(
                str(self._file.path), f"nothing can be read: {lines.cut_off}. Fetch it again."
            )
        if not header or lines.undecodable:
            raise SourceFileError(
                str(self._file.path),
                f"it has no header line that can be read as {self._encoding}. Check the file, or "
                "set encoding in the mapping's [[source]].",
            )
        return tuple(name.strip() for name in header)


class _Lines:
    """Decoded lines of a file, with the lines of the row being read kept at hand."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._returned: deque[str] = deque()
        self._of_row: list[str] = []
        self._too_long = False
        self.line = 0
        self.undecodable = False
        self.cut_off = ""

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self._of_row.clear()
        self._too_long = self.undecodable = False

    def problem(self, cells: list[str]) -> Reason | None:
        """Tell what is wrong with the lines the row was made of."""
        if self.undecodable:
            return Reason.WRONG_ENCODING
        if self._too_long:
            return Reason.HUGE_FIELD
        # Measuring the lines first spares measuring every cell of every row.
        if sum(map(len, self._of_row)) > HUGE_FIELD and max(map(len, cells)) > HUGE_FIELD:
            return Reason.HUGE_FIELD
        return None

    def return_all_but_first(self) -> str:
        """Put the row's lines but its first back, to be read again; give the first."""
        self._returned.extendleft(reversed(self._of_row[1:]))
        self.line -= len(self._of_row) - 1
        return self._of_row[0] if self._of_row else ""

    def read(self) -> Iterator[str]:
        """Read lines until the file ends or breaks."""
        while True:
            text = self._next_returned() if self._returned else self._next_line()
            if text is None:
                return
            self.line += 1
            self._of_row.append(text)
            yield text

    def _next_returned(self) -> str:
        text = self._returned.popleft()
        try:
            text.encode()
        except UnicodeEncodeError:
            self.undecodable = True
        return text

    def _next_line(self) -> str | None:
        try:
            raw = self._stream.readline(LINE_LIMIT)
            if len(raw) == LINE_LIMIT and not raw.endswith(b"\n"):
                self._too_long = True
                rest = iter(partial(self._stream.readline, LINE_LIMIT), b"")
                next((piece for piece in rest if piece.endswith(b"\n")), None)
        except READ_FAILURES as error:
            self.cut_off = str(error) or type(error).__name__
            return None
        if not raw:
            return None
        if not self.line:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            self.undecodable = True
            return raw.decode(self._encoding, "surrogateescape")
