"""Rows of a CSV file, plain or gzipped; a bad row costs that row, never the file."""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import IO

from features.sources.errors import SourceFileError
from features.sources.readers.csv_blocks import (
    BatchParser,
    Block,
    BlockStream,
    CsvBatch,
    Run,
    block_encoding,
)
from features.sources.readers.rows import HUGE_FIELD, READ_FAILURES, InputFile, RawRow
from features.sources.rejects import Reason

LINE_LIMIT = 4 * 1024 * 1024
"""Bytes of one line that are kept; the rest of a longer line is skipped and its row rejected."""

ROW_LIMIT = 4 * 1024 * 1024
"""Characters of one row, over however many lines; a quote never closed would take in the whole file."""

MOST_COLUMNS = 1_000
"""A file with more is read row by row."""

ODD_AT_ONCE = 10_000
"""Rows of a batch that are read on their own."""


class CsvRows:
    """Read a CSV file row by row, or by blocks of rows.

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
        reading = _RowReading(lines, self._reader)
        reading.skip_header()
        width = len(self._header)
        while not reading.ended:
            row = reading.next_row(width)
            if row is not None:
                yield row

    def batches(self, keys: Sequence[int | str]) -> Iterator[CsvBatch] | None:
        """Read the rows by blocks; None if the encoding or the delimiter does not allow it."""
        encoding = block_encoding(self._encoding)
        if encoding is None or not self._delimiter.isascii() or not keys:
            return None
        if len(self._header) > MOST_COLUMNS:
            return None
        parser = BatchParser(len(self._header), self._delimiter, self._encoding, keys)
        return self._read_batches(parser, is_utf8=encoding == "utf-8")

    def _read_batches(self, parser: BatchParser, *, is_utf8: bool) -> Iterator[CsvBatch]:
        packed = self._file.path.suffix == ".gz"
        stream = BlockStream(self._file.stream(), LINE_LIMIT, by_line=packed)
        reading = _RowReading(_Lines(stream, self._encoding), self._reader)
        reading.skip_header()
        while not reading.ended:
            stream.fill()
            foreign = is_utf8 and _is_utf8(stream.held)
            block = parser.find_lines(stream.held, stream.at, foreign=foreign)
            yield self._read_batch(stream, reading, block, parser)
            while reading.lines.n_returned or stream.has_more():
                yield self._read_batch(stream, reading, block, parser)

    def _read_batch(
        self, stream: BlockStream, reading: "_RowReading", block: Block, parser: BatchParser
    ) -> CsvBatch:
        """Read runs of plain lines, and the rows between them."""
        runs: list[Run] = []
        odd: list[RawRow] = []
        while len(odd) < ODD_AT_ONCE:
            if stream.has_more() and not reading.lines.n_returned:
                first, stop, stream.at = block.find_plain(stream.at)
                if stop > first:
                    runs.append(Run(first, stop, reading.lines.line + 1, reading.number))
                    reading.skip(stop - first)
                if not stream.has_more():
                    break
            row = reading.next_row(len(self._header))
            odd += [row] if row is not None else []
            if reading.ended or not (stream.has_more() or reading.lines.n_returned):
                break
        return CsvBatch(block.take(runs), runs, odd, parser)

    def _reader(self, lines: Iterable[str]) -> "_CsvReader":
        # strict: a stray quote is an error to count, not text to guess at.
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _read_header(self) -> tuple[str, ...]:
        lines = _Lines(self._file.stream(), self._encoding)
        try:
            header = next(self._reader(lines.read()), [])
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


_CsvReader = Iterator[list[str]]


class _RowReading:
    """Reads one row after the other, and knows the place of each."""

    def __init__(
        self, lines: "_Lines", make_reader: Callable[[Iterable[str]], _CsvReader]
    ) -> None:
        self.lines = lines
        self.number = 0
        self.ended = False
        self._make_reader = make_reader
        self._reader = make_reader(lines.read())

    def skip_header(self) -> None:
        """Read past the header."""
        next(self._reader)

    def skip(self, count: int) -> None:
        """Count lines, each of them a row, that somebody else has read."""
        self.lines.line += count
        self.number += count

    def next_row(self, width: int) -> RawRow | None:
        """Read the next row; None if there is none, or its line is blank."""
        lines = self.lines
        lines.start_row()
        line, problem, detail = lines.line + 1, None, ""
        # Of lines that stood in a broken row only the last, where it broke, may begin a row of several.
        alone = lines.n_returned > 1
        reader = self._make_reader([next(lines.read())]) if alone else self._reader
        try:
            cells = next(reader)
        except StopIteration:
            self.ended = True
            if lines.cut_off:
                return RawRow(lines.line + 1, self.number, [], Reason.CUT_OFF, lines.cut_off)
            return None
        except csv.Error as error:
            cells, problem, detail = self._give_up_first_line(error)
            self._reader = self._make_reader(lines.read())
        if not cells:
            return None
        if problem is None:
            problem = lines.problem(cells) or (
                Reason.WRONG_COLUMNS if len(cells) != width else None
            )
        self.number += 1
        return RawRow(line, self.number - 1, cells, problem, detail)

    def _give_up_first_line(self, error: csv.Error) -> tuple[list[str], Reason, str]:
        """Reject the line where a broken row begins and read on behind it.

        A quote that is never closed swallows all that follows; only its own line is lost.
        """
        first = self.lines.return_all_but_first()
        huge = len(first) > HUGE_FIELD
        reason = Reason.HUGE_FIELD if huge else Reason.BROKEN_QUOTES
        return [first.rstrip("\r\n")], reason, str(error)


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Lines:
    """Decoded lines of a file, with the lines of the row being read kept at hand."""

    def __init__(self, stream: IO[bytes] | BlockStream, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._returned: deque[str] = deque()
        self._of_row: list[str] = []
        self._row_size = 0
        self._too_long = False
        self.line = 0
        self.undecodable = False
        self.cut_off = ""

    @property
    def n_returned(self) -> int:
        """How many lines that were put back wait to be read again."""
        return len(self._returned)

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self._of_row.clear()
        self._row_size = 0
        self._too_long = self.undecodable = False

    def problem(self, cells: list[str]) -> Reason | None:
        """Tell what is wrong with the lines the row was made of."""
        if self.undecodable:
            return Reason.WRONG_ENCODING
        if self._too_long:
            return Reason.HUGE_FIELD
        # Measuring the lines first spares measuring every cell of every row.
        if self._row_size > HUGE_FIELD and max(map(len, cells)) > HUGE_FIELD:
            return Reason.HUGE_FIELD
        return None

    def return_all_but_first(self) -> str:
        """Put the row's lines but its first back, to be read again; give the first."""
        self._returned.extendleft(reversed(self._of_row[1:]))
        self.line -= len(self._of_row) - 1
        return self._of_row[0] if self._of_row else ""

    def read(self) -> Iterator[str]:
        """Read lines until the file ends or breaks; csv.Error if a row has too many."""
        while True:
            text = self._next_returned() if self._returned else self._next_line()
            if text is None:
                return
            self.line += 1
            self._row_size += len(text)
            self._of_row.append(text)
            if self._row_size > ROW_LIMIT and len(self._of_row) > 1:
                raise csv.Error("the row has no end")
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
