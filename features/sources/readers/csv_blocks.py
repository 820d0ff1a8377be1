"""A CSV file by blocks: lines that cannot be misread go by columns, all others row by row.

A line is plain if it has as many cells as the header, quotes only around whole cells, no control
character, fewer bytes than a cell may have, and an ending of its own. Of such a line every
reader makes the same cells, and no other line has a part in it. Arrow reads the plain ones.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from features.sources.readers.batches import Lines
from features.sources.readers.rows import HUGE_FIELD, READ_FAILURES, RawRow

BLOCK = 8 * 1024 * 1024
"""Bytes that are read at once."""

LIKE_ASCII = ("ascii", "latin-1", "iso8859-", "cp125")
"""Encodings in which every ASCII byte is itself; UTF-8 is the other one that is read by blocks."""

NEWLINE = 10


def block_encoding(encoding: str) -> str | None:
    """Name an encoding whose files can be read by blocks; None if it is another one."""
    name = codecs.lookup(encoding).name
    return name if name == "utf-8" or name.startswith(LIKE_ASCII) else None


class BlockStream:
    """A stream of lines that can also be taken by the block."""

    def __init__(self, stream: IO[bytes], line_limit: int, *, by_line: bool) -> None:
        self._stream = stream
        self._limit = line_limit
        self._by_line = by_line
        self._failure: BaseException | None = None
        self.held = b""
        self.at = 0

    def readline(self, limit: int) -> bytes:
        """Read a line, or as much of it as ``limit`` allows."""
        end = self.held.find(b"\n", self.at, self.at + limit) + 1
        if not end:
            end = min(len(self.held), self.at + limit)
        line, self.at = self.held[self.at : end], end
        if line.endswith(b"\n") or len(line) == limit:
            return line
        if self._failure is not None:
            raise self._failure
        return line + self._stream.readline(limit - len(line))

    def has_more(self) -> bool:
        """Whether lines are held ready."""
        return self.at < len(self.held)

    def fill(self) -> None:
        """Hold whole lines ready; none at the end of the file, or where it breaks off."""
        if not self.has_more() and self._failure is None:
            self.held, self.at = self._read_lines(), 0

    def _read_lines(self) -> bytes:
        if not self._by_line:
            block = self._stream.read(BLOCK)
            return block if block.endswith(b"\n") else block + self._stream.readline(self._limit)
        # Packed files break off in the middle of a read: what came before it must not be lost.
        lines, size = [], 0
        try:
            while size < BLOCK:
                line = self._stream.readline(self._limit)
                if not line:
                    break
                lines.append(line)
                size += len(line)
        except READ_FAILURES as error:
            self._failure = error
        return b"".join(lines)


class Run(NamedTuple):
    """Plain lines of a block that follow each other."""

    first: int
    """Which line of the block is the first."""
    stop: int
    line: int
    """Line in the file of the first, from 1."""
    number: int
    """How many rows of the file came before the first."""


class Block:
    """The lines of a block, and which of them are plain."""

    def __init__(self, held: bytes, at: int, plain: str) -> None:
        ends = np.flatnonzero(np.frombuffer(held, np.uint8, offset=at) == NEWLINE) + at + 1
        self._starts = np.concatenate([[at], ends])
        buffers = [None, pa.py_buffer(self._starts.astype(np.int32)), pa.py_buffer(held)]
        self._lines = pa.Array.from_buffers(pa.binary(), len(ends), buffers)
        is_plain = pc.match_substring_regex(self._lines, plain).to_numpy(zero_copy_only=False)
        self._odd = np.flatnonzero(~is_plain | (np.diff(self._starts) >= HUGE_FIELD))

    def find_plain(self, at: int) -> tuple[int, int, int]:
        """Find the plain lines from a place on: the first, the line behind them, and its place."""
        first = min(int(np.searchsorted(self._starts, at)), len(self._lines))
        odd = int(np.searchsorted(self._odd, first))
        stop = int(self._odd[odd]) if odd < len(self._odd) else len(self._lines)
        return first, stop, max(at, int(self._starts[stop]))

    def take(self, runs: Sequence[Run]) -> pa.Array:
        """Take the lines of some runs."""
        if len(runs) == 1:
            return self._lines.slice(runs[0].first, runs[0].stop - runs[0].first)
        chosen = np.zeros(len(self._lines), np.bool_)
        for run in runs:
            chosen[run.first : run.stop] = True
        return self._lines.filter(pa.array(chosen))


class CsvBatch:
    """Plain lines of a CSV file, and rows read on their own."""

    def __init__(
        self,
        lines: pa.Array,
        runs: Sequence[Run],
        odd: list[RawRow],
        parser: "BatchParser",
    ) -> None:
        none = [np.empty(0, np.int64)]
        sizes = [run.stop - run.first for run in runs]
        begun = [(run.line, run.number, n) for run, n in zip(runs, sizes, strict=True)]
        self.lines: Lines = np.concatenate([*none, *(np.arange(a, a + n) for a, _, n in begun)])
        self.numbers: Lines = np.concatenate([*none, *(np.arange(b, b + n) for _, b, n in begun)])
        self.odd = odd
        self._texts = lines
        self._parser = parser
        self._table = parser.parse(lines) if len(lines) else None

    def column(self, key: int | str) -> pa.Array:
        """Give the texts of a column."""
        if self._table is None:
            return pa.array([], pa.string())
        column = self._table.column(str(key)).combine_chunks()
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    texts = column

    def rows_at(self, positions: Iterable[int]) -> Iterator[RawRow]:
        """Give some of the rows as rows."""
        for position in positions:
            cells = self._parser.read(self._texts[position].as_py())
            yield RawRow(int(self.lines[position]), int(self.numbers[position]), cells)


class BatchParser:
    """Finds plain lines, and turns them into columns."""

    def __init__(
        self, width: int, delimiter: str, encoding: str, keys: Sequence[int | str]
    ) -> None:
        self._width = width
        self._delimiter = delimiter
        self._encoding = encoding
        self._keys = [str(key) for key in dict.fromkeys(keys)]

    def find_lines(self, held: bytes, at: int, *, foreign: bool) -> Block:
        """Find the lines of a block; ``foreign`` lets plain ones have letters beyond ASCII."""
        beyond = "" if foreign else r"\x80-\xff"
        text = rf"[^\x00-\x08\x0a-\x1f\x7f{beyond}"
        bare = rf'{text}"{re.escape(self._delimiter)}]'
        cell = rf'(?:{bare}*|"(?:{text}"]|"")*")'
        # The only cell of a line is not empty: that would be a blank line, which is no row.
        first = cell if self._width > 1 else rf'(?:{bare}+|"(?:{text}"]|"")*")'
        further = rf"(?:{re.escape(self._delimiter)}{cell}){{{self._width - 1}}}"
        return Block(held, at, rf"^{first}{further}\r?\n$")

    def parse(self, lines: pa.Array) -> pa.Table:
        """Parse lines into one text column per key."""
        _, offsets, text = lines.buffers()
        ends = np.frombuffer(offsets, np.int32)[lines.offset :]
        block = text.slice(int(ends[0]), int(ends[len(lines)] - ends[0]))
        return pcsv.read_csv(
            pa.BufferReader(block),
            read_options=pcsv.ReadOptions(
                column_names=[str(n) for n in range(self._width)],
                block_size=block.size + 1,
                use_threads=False,
            ),
            parse_options=pcsv.ParseOptions(delimiter=self._delimiter),
            convert_options=pcsv.ConvertOptions(
                column_types=dict.fromkeys(self._keys, pa.string()),
                include_columns=self._keys,
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )

    def read(self, line: bytes) -> list[str]:
        """Read one line as the row reader does."""
        text = line.decode(self._encoding)
        return next(csv.reader([text], delimiter=self._delimiter, strict=True))
