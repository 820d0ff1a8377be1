"""Cells to values, a column at a time: each gives what the row reader's getter would give.

What is not certain to come out the same is marked in ``unsure``, and its row is read on its own.
Texts of which few are distinct go through the row reader's own getters, once per distinct text.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.clock import HOUR_US, SECOND_US
from features.sources.cells import plain_cells
from features.sources.cells.convert import (
    EARLIEST_US,
    LARGEST_NUMBER,
    LATEST_US,
    LOCAL_EPOCH,
    NOT_THIS,
    Converters,
    steady_offset_us,
)
from features.sources.cells.plain_cells import ABSOLUTE, EMPTY, LOCAL, UNREAD
from features.sources.mapping.model import Cell, FieldType
from features.sources.readers.batches import RowBatch
from features.sources.readers.rows import RawRow
from features.sources.text_hash import text_buffers

Flags = NDArray[np.bool_]
Times = NDArray[np.int64]

BLANKS = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
"""The blanks of ASCII, as str.strip() knows them."""

EPOCH_UNITS = {"epoch seconds": SECOND_US, "epoch milliseconds": SECOND_US // 1000}


@dataclass
class Marks:
    """What was found about the rows of a batch."""

    unsure: Flags
    not_this: Flags

    @classmethod
    def of(cls, n_rows: int) -> "Marks":
        """Start without any."""
        return cls(np.zeros(n_rows, np.bool_), np.zeros(n_rows, np.bool_))


@dataclass
class CodedTexts:
    """Few values, and the place of each row's among them."""

    values: list[str | None]
    codes: NDArray[np.int32]

    def array(self) -> pa.Array:
        """Give the texts row by row."""
        return pa.array(self.values, pa.string()).take(pa.array(self.codes))


ReadTexts = Callable[[RowBatch, Marks], CodedTexts]
ReadIds = Callable[[RowBatch, Marks], pa.Array]
ReadTimes = Callable[[RowBatch, Marks], tuple[Times, Flags]]
"""Gives microseconds since the epoch, and which rows have a time."""
ReadNumbers = Callable[[RowBatch, Marks], pa.Array]


class ColumnReaders:
    """Makes the readers of one file's columns."""

    def __init__(self, converters: Converters, key_of: Callable[[str], Any]) -> None:
        self._converters = converters
        self._key_of = key_of

    def texts(self, name: str, cell: Cell) -> ReadTexts:
        """Read a text of which few are distinct."""
        getter = self._converters.field(name, cell, FieldType.TEXT)
        if cell.column is None:
            constant = getter(RawRow(0, 0, {}))
            return lambda batch, _: CodedTexts([constant], np.zeros(len(batch.lines), np.int32))
        key = self._key_of(cell.column)

        def read(batch: RowBatch, marks: Marks) -> CodedTexts:
            distinct, codes = coded(batch.texts(key))
            values = [getter(RawRow(0, 0, {key: text})) for text in distinct]
            strange = np.array([value is NOT_THIS for value in values], np.bool_)
            if strange.any():
                marks.not_this |= strange[codes]
                values = [None if value is NOT_THIS else value for value in values]
            return CodedTexts(values, codes)

        return read

    def ids(self, name: str, cell: Cell) -> ReadIds:
        """Read a text of which most may be distinct."""
        if cell.column is None or cell.words is not None:
            read_texts = self.texts(name, cell)
            return lambda batch, marks: read_texts(batch, marks).array()
        key, missing = self._key_of(cell.column), pa.array(sorted(cell.missing | {""}))

        def read(batch: RowBatch, marks: Marks) -> pa.Array:
            trimmed = pc.ascii_trim(batch.texts(key), BLANKS)
            plain_cells.mark_foreign_edges(*text_buffers(trimmed), marks.unsure)
            empty = pc.is_in(trimmed, missing)
            if not pc.any(empty).as_py():
                return trimmed
            return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)

        return read

    def numbers(self, name: str, cell: Cell) -> ReadNumbers:
        """Read a number."""
        if cell.column is None:
            constant = self._converters.field(name, cell, FieldType.NUMBER)(RawRow(0, 0, {}))
            return lambda batch, _: pa.array(np.full(len(batch.lines), constant))
        key, is_usual = self._key_of(cell.column), cell.decimal == "." and not cell.thousands

        def read(batch: RowBatch, marks: Marks) -> pa.Array:
            typed = batch.column(key)
            if is_usual and not cell.missing and _is_number(typed.type):
                return _as_numbers(typed, marks)
            texts = batch.texts(key)
            numbers, kinds = np.empty(len(texts)), np.empty(len(texts), np.int8)
            plain_cells.read_numbers(*text_buffers(texts), numbers, kinds)
            if not is_usual:
                kinds[kinds == LOCAL] = UNREAD
            _mark_missing(texts, cell, kinds)
            marks.unsure |= kinds == UNREAD
            return pa.array(numbers, mask=kinds != LOCAL)

        return read

    def times(self, cell: Cell) -> ReadTimes:
        """Read a time, of a cell that ``has_plain_times``."""
        unit, steps = EPOCH_UNITS.get(cell.format, 0), _steps(cell)
        key, zone = self._key_of(cell.column or ""), _Zone(cell)

        def read(batch: RowBatch, marks: Marks) -> tuple[Times, Flags]:
            typed = batch.column(key)
            if cell.format == "iso" and not cell.missing and pa.types.is_timestamp(typed.type):
                times, kinds = _as_times(typed)
            else:
                texts = batch.texts(key)
                times, kinds = np.empty(len(texts), np.int64), np.empty(len(texts), np.int8)
                if unit:
                    plain_cells.read_counts(*text_buffers(texts), unit, times, kinds)
                else:
                    plain_cells.read_times(*text_buffers(texts), steps, times, kinds)
                _mark_missing(texts, cell, kinds)
            zone.to_utc(times, kinds)
            return _moved(times, kinds, cell.offset_us, marks)

        return read

    def properties(self, cell: Cell) -> ReadIds:
        """Read columns that are kept together."""
        keys = [(column, self._key_of(column)) for column in cell.columns]
        encode = json.JSONEncoder(ensure_ascii=False).encode

        def read(batch: RowBatch, _: Marks) -> pa.Array:
            columns = [
                [text.strip() for text in batch.texts(key).to_pylist()] for _column, key in keys
            ]
            names = [column for column, _ in keys]
            written = []
            for cells in zip(*columns, strict=True):
                filled = {c: text for c, text in zip(names, cells, strict=True) if text}
                written.append(encode(filled) if filled else None)
            return pa.array(written, pa.string())

        return read

    def filter(self, column: str, words: frozenset[str], *, wanted: bool) -> Callable[..., Flags]:
        """Tell which rows a ``where`` or ``where_not`` of the mapping leaves to others."""
        key = self._key_of(column)

        def read(batch: RowBatch) -> Flags:
            distinct, codes = coded(batch.texts(key))
            others = np.array([(t.strip() in words) is not wanted for t in distinct], np.bool_)
            return others[codes] if len(codes) else np.zeros(0, np.bool_)

        return read


def has_plain_times(cell: Cell) -> bool:
    """Tell whether a time is written in a way that is read by columns."""
    return cell.column is not None and _steps(cell) is not None


def _steps(cell: Cell) -> NDArray[np.int64] | None:
    """Give the steps of a time's pattern: none if it has its own reader."""
    if cell.format == "iso" or cell.format in EPOCH_UNITS:
        return np.empty((0, 2), np.int64)
    return plain_cells.parse_pattern(cell.format)


def coded(texts: pa.Array) -> tuple[list[str], NDArray[np.int32]]:
    """Give the distinct texts, and each row's place among them."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary.to_pylist(), np.asarray(encoded.indices, np.int32)


class _Zone:
    """Turns local times into instants, an hour at a time."""

    def __init__(self, cell: Cell) -> None:
        self._zone = cell.zone
        self._offsets: dict[int, int | None] = {}

    def to_utc(self, times: Times, kinds: NDArray[np.int8]) -> None:
        """Subtract the zone's offset; times in an hour in which it changes are left unread."""
        local = np.flatnonzero(kinds == LOCAL)
        if not len(local):
            return
        hours = times[local] // HOUR_US
        first = int(hours.min())
        hours -= first
        seen = np.zeros(int(hours.max()) + 1, np.bool_)
        seen[hours] = True
        offsets = np.zeros(len(seen), np.int64)
        steady = np.ones(len(seen), np.bool_)
        for hour in np.flatnonzero(seen).tolist():
            offset = self._offset(first + hour)
            offsets[hour], steady[hour] = offset or 0, offset is not None
        times[local] -= offsets[hours]
        kinds[local[~steady[hours]]] = UNREAD

    def _offset(self, hour: int) -> int | None:
        if hour not in self._offsets:
            moment = LOCAL_EPOCH + timedelta(hours=hour)
            self._offsets[hour] = steady_offset_us(moment, self._zone)
        return self._offsets[hour]


def _mark_missing(texts: pa.Array, cell: Cell, kinds: NDArray[np.int8]) -> None:
    """Mark cells that hold one of the mapping's words for an empty one."""
    if cell.missing:
        words = pa.array(sorted(cell.missing))
        is_word = pc.is_in(pc.ascii_trim(texts, BLANKS), words)
        kinds[is_word.to_numpy(zero_copy_only=False)] = EMPTY


def _moved(
    times: Times, kinds: NDArray[np.int8], offset_us: int, marks: Marks
) -> tuple[Times, Flags]:
    times += offset_us
    there = kinds != EMPTY
    out_of_range = (times < EARLIEST_US) | (times >= LATEST_US)
    marks.unsure |= (kinds == UNREAD) | (there & out_of_range)
    return times, there


def _as_times(column: pa.Array) -> tuple[Times, NDArray[np.int8]]:
    counts = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    kinds = np.full(len(column), LOCAL if column.type.tz is None else ABSOLUTE, np.int8)
    kinds[column.is_null().to_numpy(zero_copy_only=False)] = EMPTY
    return np.array(counts.fill_null(0)), kinds


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_float64(type_) or pa.types.is_integer(type_))


def _as_numbers(column: pa.Array, marks: Marks) -> pa.Array:
    numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    empty = np.isnan(numbers)
    marks.unsure |= ~empty & ~(np.abs(numbers) <= LARGEST_NUMBER)
    return pa.array(numbers, mask=empty)
