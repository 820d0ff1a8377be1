"""A CSV file by blocks: lines that cannot be misread go by columns, all others row by row.

A line is plain if it has as many cells as the header, quotes only around whole cells, no control
character, no more bytes than a cell may have, and an ending of its own. Of such a line every
reader makes the same cells, and no other line has a part in it.
"""

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
from numba import njit

from features.sources.readers.batches import Lines
from features.sources.readers.rows import HUGE_FIELD, READ_FAILURES, RawRow

BLOCK = 8 * 1024 * 1024
"""Bytes that are read at once."""

LIKE_ASCII = ("ascii", "latin-1", "iso8859-", "cp125")
"""Encodings in which every ASCII byte is itself; UTF-8 is the other one that is read by blocks."""

QUOTE, NEWLINE, RETURN, TAB, BLANK, DELETE, FOREIGN = 34, 10, 13, 9, 32, 127, 128


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

    def fill(self) -> bool:
        """Hold whole lines ready; False at the end of the file, or where it breaks off."""
        if self.at == len(self.held) and self._failure is None:
            self.held, self.at = self._read_lines(), 0
        return self.at < len(self.held)

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


class CsvBatch:
    """Plain lines of a CSV file."""

    def __init__(
        self,
        lines: list[bytes],
        numbers: tuple[Lines, Lines],
        odd: list[RawRow],
        parse: Callable[[bytes], pa.Table],
        read: Callable[[bytes], list[str]],
    ) -> None:
        self.lines, self.numbers = numbers
        self.odd = odd
        self._bytes = b"".join(lines)
        self._table = parse(self._bytes) if lines else None
        self._read = read

    def column(self, key: int | str) -> pa.Array:
        """Give the texts of a column."""
        if self._table is None:
            return pa.array([], pa.string())
        column = self._table.column(str(key)).combine_chunks()
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    texts = column

    def rows_at(self, positions: Iterable[int]) -> Iterator[RawRow]:
        """Give some of the rows as rows."""
        starts: Lines | None = None
        for position in positions:
            if starts is None:
                ends = np.flatnonzero(np.frombuffer(self._bytes, np.uint8) == NEWLINE) + 1
                starts = np.concatenate([[0], ends])
            line = self._bytes[starts[position] : starts[position + 1]]
            yield RawRow(int(self.lines[position]), int(self.numbers[position]), self._read(line))


class BatchParser:
    """Turns plain lines into columns."""

    def __init__(
        self, width: int, delimiter: str, encoding: str, keys: Sequence[int | str]
    ) -> None:
        self._width = width
        self._delimiter = delimiter
        self._encoding = encoding
        self._keys = [str(key) for key in dict.fromkeys(keys)]

    def parse(self, lines: bytes) -> pa.Table:
        """Parse lines into one text column per key."""
        return pcsv.read_csv(
            pa.BufferReader(lines),
            read_options=pcsv.ReadOptions(
                column_names=[str(n) for n in range(self._width)],
                block_size=len(lines) + 1,
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


def count_plain(
    held: bytes, at: int, delimiter: str, width: int, *, utf8: bool
) -> tuple[int, int]:
    """Count the plain lines from a place on, and tell where the first other line begins."""
    count, end = _count_plain(np.frombuffer(held, np.uint8), at, ord(delimiter), width, utf8)
    return int(count), int(end)


@njit(cache=True, nogil=True)
def _count_plain(block, start, delimiter, width, foreign_allowed):  # type: ignore[no-untyped-def]
    count, end = 0, start
    while end < len(block):
        after = _plain_line_end(block, end, delimiter, width, foreign_allowed)
        if after < 0:
            break
        count += 1
        end = after
    return count, end


@njit(cache=True, nogil=True)
def _plain_line_end(block, start, delimiter, width, foreign_allowed):  # type: ignore[no-untyped-def]
    """Find where a plain line ends; -1 if the line is not plain."""
    cells, at, stop = 1, start, min(len(block), start + HUGE_FIELD)
    in_quotes, at_start, closed = False, True, False
    while at < stop:
        byte = block[at]
        at += 1
        if byte == QUOTE:
            if in_quotes:
                if at < stop and block[at] == QUOTE:
                    at += 1
                else:
                    in_quotes, closed = False, True
            elif at_start:
                in_quotes, at_start = True, False
            else:
                return -1
        elif byte == delimiter and not in_quotes:
            cells += 1
            at_start, closed = True, False
        elif byte == NEWLINE or byte == RETURN:  # noqa: SIM109 -- compiled: no tuple
            if byte == RETURN and (at >= stop or block[at] != NEWLINE):
                return -1
            blank = at - 1 == start
            if in_quotes or cells != width or blank:
                return -1
            return at + (byte == RETURN)
        else:
            if closed or byte == DELETE or (byte < BLANK and byte != TAB):
                return -1
            if byte >= FOREIGN and not foreign_allowed:
                return -1
            at_start = False
    return -1
