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
from features.sources.cells.plain_cells import BLANKS, INSTANT, ON_CLOCK, parse_pattern
from features.sources.mapping.model import Cell, FieldType
from features.sources.readers.batches import RowBatch
from features.sources.readers.rows import RawRow

Flags = NDArray[np.bool_]
Times = NDArray[np.int64]

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
        key = self._key_of(cell.column)
        return lambda batch, _: _given(batch.texts(key), cell)

    def numbers(self, name: str, cell: Cell) -> ReadNumbers:
        """Read a number."""
        if cell.column is None:
            constant = self._converters.field(name, cell, FieldType.NUMBER)(RawRow(0, 0, {}))
            return lambda batch, _: pa.array(np.full(len(batch.lines), constant))
        key, is_usual = self._key_of(cell.column), cell.decimal == "." and not cell.thousands

        def read(batch: RowBatch, marks: Marks) -> pa.Array:
            typed = batch.column(key)
            if is_usual and not cell.missing and _is_number(typed.type):
                numbers = typed.cast(pa.float64(), safe=False)
                return _in_range(pc.if_else(pc.is_nan(numbers), None, numbers), numbers, marks)
            texts = _given(batch.texts(key), cell)
            if not is_usual:
                return _in_range(texts, pa.nulls(len(texts), pa.float64()), marks)
            return _in_range(texts, plain_cells.read_numbers(texts), marks)

        return read

    def times(self, cell: Cell) -> ReadTimes:
        """Read a time, of a cell that ``has_plain_times``."""
        key, zone, pattern = (
            self._key_of(cell.column or ""),
            _Zone(cell),
            parse_pattern(cell.format),
        )
        unit_us = EPOCH_UNITS.get(cell.format, 0)

        def read(batch: RowBatch, marks: Marks) -> tuple[Times, Flags]:
            texts = batch.column(key)
            local, instants = pa.nulls(len(texts), ON_CLOCK), pa.nulls(len(texts), INSTANT)
            if cell.format == "iso" and not cell.missing and pa.types.is_timestamp(texts.type):
                typed = texts.cast(pa.timestamp("us", texts.type.tz), safe=False)
                local, instants = (typed, instants) if typed.type.tz is None else (local, typed)
            else:
                texts = _given(batch.texts(key), cell)
                if unit_us:
                    instants = pc.multiply(plain_cells.read_counts(texts), unit_us).cast(INSTANT)
                elif pattern is not None:
                    local = plain_cells.read_pattern(texts, pattern)
                else:
                    local, instants = plain_cells.read_iso(texts)
            there = _flags(texts.is_valid())
            times, is_steady = zone.to_utc(local)
            is_local = _flags(local.is_valid())
            times = np.where(is_local, times, _counts(instants)) + cell.offset_us
            is_read = (is_local & is_steady) | _flags(instants.is_valid())
            in_range = (times >= EARLIEST_US) & (times < LATEST_US)
            marks.unsure |= there & ~(is_read & in_range)
            return times, there

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
    is_usual = cell.format == "iso" or cell.format in EPOCH_UNITS
    return cell.column is not None and (is_usual or parse_pattern(cell.format) is not None)


def coded(texts: pa.Array) -> tuple[list[str], NDArray[np.int32]]:
    """Give the distinct texts, and each row's place among them."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary.to_pylist(), np.asarray(encoded.indices, np.int32)


class _Zone:
    """Turns times on the clock into instants, an hour at a time."""

    def __init__(self, cell: Cell) -> None:
        self._zone = cell.zone
        n_hours = (LATEST_US - EARLIEST_US) // HOUR_US
        self._asked, self._steady = np.zeros((2, n_hours), np.bool_)
        self._offsets = np.zeros(n_hours, np.int64)

    def to_utc(self, local: pa.Array) -> tuple[Times, Flags]:
        """Subtract the zone's offset; tell where it is the same for the whole hour."""
        times = _counts(local)
        hours = np.clip((times - EARLIEST_US) // HOUR_US, 0, len(self._asked) - 1)
        for hour in np.unique(hours[~self._asked[hours]]).tolist():
            moment = LOCAL_EPOCH + timedelta(microseconds=EARLIEST_US, hours=hour)
            offset = steady_offset_us(moment, self._zone)
            self._asked[hour], self._steady[hour] = True, offset is not None
            self._offsets[hour] = offset or 0
        return times - self._offsets[hours], self._steady[hours]


def _given(texts: pa.Array, cell: Cell) -> pa.Array:
    """Strip texts; null where a cell is empty, or has one of the mapping's words for it."""
    stripped = pc.utf8_trim(texts, BLANKS)
    empty = pc.is_in(stripped, pa.array(sorted(cell.missing | {""}), stripped.type))
    if not pc.any(empty).as_py():
        return stripped
    return pc.if_else(empty, pa.scalar(None, stripped.type), stripped)


def _flags(mask: pa.Array) -> Flags:
    return np.asarray(mask.to_numpy(zero_copy_only=False), np.bool_)


def _counts(times: pa.Array) -> Times:
    return np.asarray(times.cast(pa.int64()).fill_null(0))


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_float64(type_) or pa.types.is_integer(type_))


def _in_range(given: pa.Array, numbers: pa.Array, marks: Marks) -> pa.Array:
    """Mark the rows whose number is none, or too large."""
    found = numbers.to_numpy(zero_copy_only=False)
    usable = np.abs(found) <= LARGEST_NUMBER
    marks.unsure |= _flags(given.is_valid()) & ~usable
    return pa.array(found, mask=~usable)
