"""Cells to values: one small function per column, made once per file and called per row.

Local times and clock changes
    A time without an offset is local to its zone. In autumn an hour comes twice: the first of the
    two is taken. In spring an hour is skipped: a time inside it is moved forward by that hour.
    Both are counted, so that the report can say how many.
"""

import json
import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from features.clock import HOUR_US, MICROSECOND, SECOND_US, to_us
from features.sources.mapping.model import Cell, FieldType, MappedAttribute
from features.sources.readers.rows import RawRow
from features.sources.rejects import Reason

Getter = Callable[[RawRow], Any]
"""Gives a cell's value, None if it is unknown, or ``NOT_THIS``."""

KeyOf = Callable[[str], int | str]
"""Tells what to index a row's cells with, by column."""

TWICE = "local time that came twice (autumn): the first was taken"
SKIPPED = "local time that never was (spring): moved forward by the hour"


LOCAL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- clocks on the wall have no zone
EARLIEST_US: Final = to_us(datetime(1900, 1, 1, tzinfo=UTC))
LATEST_US: Final = to_us(datetime(2200, 1, 1, tzinfo=UTC))
"""Times from here on, and before the earliest, stand for something else: "no end date"."""
LARGEST_NUMBER: Final = 3e38
"""Features are single precision: a number beyond it would be infinite there."""


class _NotThis:
    """The type of the marker below."""


NOT_THIS: Final = _NotThis()
"""The row is not this source's record: its ``map`` lacks the word. Counted, never rejected."""


class UnusableCellError(Exception):
    """A cell cannot be read as its type. Caught in this room; it ends in the rejects file."""

    def __init__(self, field: str, reason: Reason) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class RowSpan:
    """Where a file's rows stand among all rows of its source, for times made from row order."""

    def __init__(self, first: int, total: int) -> None:
        self.first = first
        self.total = total


class Converters:
    """Makes the getters of one file's columns."""

    def __init__(self, key_of: KeyOf, clock_changes: Counter[str], span: RowSpan) -> None:
        self._key_of = key_of
        self._clock_changes = clock_changes
        self._span = span

    def field(self, name: str, cell: Cell, type_: FieldType) -> Getter:
        """Make the getter of a record's field."""
        if cell.rows_between is not None:
            return self._time_by_row(cell)
        if cell.from_line is not None:
            return _from_line(cell.from_line)
        if type_ is FieldType.PROPERTIES:
            return self._properties(cell)
        if cell.column is None:
            return _constant(cell, name, type_)
        if type_ is FieldType.TIME:
            return self._time(name, cell)
        if type_ is FieldType.NUMBER:
            return self._number(name, cell)
        return self._text(cell)

    def attribute(self, attribute: MappedAttribute) -> Getter:
        """Make the getter of a lead's attribute."""
        cell, name = attribute.cell, attribute.name
        if attribute.is_present:
            return self._present(cell)
        if attribute.type == "number":
            return self._number(name, cell)
        if attribute.type == "flag":
            return self._flag(name, cell)
        if attribute.type == "time":
            return self._time(name, cell)
        return self._category(cell)

    def _key(self, cell: Cell) -> int | str:
        return self._key_of(cell.column or "")

    def _text(self, cell: Cell) -> Getter:
        key, missing, words = self._key(cell), cell.missing | {""}, cell.words
        otherwise = NOT_THIS if cell.otherwise is None else cell.otherwise

        def get_text(row: RawRow) -> str | None:
            text: str = row.cells[key].strip()
            return None if text in missing else text

        if words is None:
            return get_text

        def get_word(row: RawRow) -> Any:
            return words.get(row.cells[key].strip(), otherwise)

        def get_word_in_any_case(row: RawRow) -> Any:
            return words.get(row.cells[key].strip().casefold(), otherwise)

        return get_word_in_any_case if cell.any_case else get_word

    def _category(self, cell: Cell) -> Getter:
        key, missing, words = self._key(cell), cell.missing | {""}, cell.words or {}

        def get_category(row: RawRow) -> str | None:
            text: str = row.cells[key].strip()
            return None if text in missing else words.get(text, text)

        return get_category

    def _present(self, cell: Cell) -> Getter:
        key, missing = self._key(cell), cell.missing | {""}

        def get_present(row: RawRow) -> bool:
            return row.cells[key].strip() not in missing

        return get_present

    def _number(self, name: str, cell: Cell) -> Getter:
        key, missing = self._key(cell), cell.missing | {""}
        read = _number_reader(name, cell)

        def get_number(row: RawRow) -> float | None:
            text: str = row.cells[key].strip()
            return None if text in missing else read(text)

        return get_number

    def _flag(self, name: str, cell: Cell) -> Getter:
        key, missing = self._key(cell), cell.missing | {""}
        meaning = dict.fromkeys(cell.false, False) | dict.fromkeys(cell.true, True)

        def get_flag(row: RawRow) -> bool | None:
            text: str = row.cells[key].strip()
            if text in missing:
                return None
            try:
                return meaning[text.casefold()]
            except KeyError:
                raise UnusableCellError(name, Reason.UNPARSABLE_FLAG) from None

        return get_flag

    def _time(self, name: str, cell: Cell) -> Getter:
        key, missing = self._key(cell), cell.missing | {""}
        read, offset_us = self._time_reader(name, cell), cell.offset_us

        def get_time(row: RawRow) -> int | None:
            text: str = row.cells[key].strip()
            if text in missing:
                return None
            moment_us = read(text) + offset_us
            if not EARLIEST_US <= moment_us < LATEST_US:
                raise UnusableCellError(name, Reason.TIME_OUT_OF_RANGE)
            return moment_us

        return get_time

    def _time_reader(self, name: str, cell: Cell) -> Callable[[str], int]:
        if cell.format in ("epoch seconds", "epoch milliseconds"):
            number = _number_reader(name, cell)
            unit_us = SECOND_US if cell.format == "epoch seconds" else SECOND_US // 1000
            return lambda text: _whole_us(name, text, number, unit_us)
        parse, in_zone_us = (
            _moment_parser(cell.format),
            _zone_reader(cell.zone, self._clock_changes),
        )

        def read_time(text: str) -> int:
            try:
                moment = parse(text)
                return in_zone_us(moment) if moment.tzinfo is None else to_us(moment)
            except (ValueError, OverflowError):
                raise UnusableCellError(name, Reason.UNPARSABLE_TIME) from None

        return read_time

    def _time_by_row(self, cell: Cell) -> Getter:
        start, end = cell.rows_between or (0, 0)
        first, total, offset_us = self._span.first, max(self._span.total, 1), cell.offset_us

        def get_time_by_row(row: RawRow) -> int:
            return start + (end - start) * (first + row.number) // total + offset_us

        return get_time_by_row

    def _properties(self, cell: Cell) -> Getter:
        keys = [(column, self._key_of(column)) for column in cell.columns]
        encode = json.JSONEncoder(ensure_ascii=False).encode

        def get_properties(row: RawRow) -> str | None:
            filled = {c: text for c, key in keys if (text := row.cells[key].strip())}
            return encode(filled) if filled else None

        return get_properties


def _from_line(template: str) -> Getter:
    return lambda row: template.replace("{line}", str(row.line))


def _constant(cell: Cell, name: str, type_: FieldType) -> Getter:
    value: Any = cell.value
    if type_ is FieldType.NUMBER:
        value = _number_reader(name, cell)(str(value))
    return lambda _row: value


def _number_reader(name: str, cell: Cell) -> Callable[[str], float]:
    decimal, thousands = cell.decimal, cell.thousands

    def read_number(text: str) -> float:
        if thousands:
            text = text.replace(thousands, "")
        if decimal != ".":
            # A point here would be a thousands mark nobody declared: refuse, do not guess.
            text = text.replace(".", "_").replace(decimal, ".")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        # float() also takes "nan", "inf" and "1_000", which no export means as a number.
        if not math.isfinite(number) or "_" in text:
            raise UnusableCellError(name, Reason.UNPARSABLE_NUMBER)
        if abs(number) > LARGEST_NUMBER:
            raise UnusableCellError(name, Reason.NUMBER_OUT_OF_RANGE)
        return number

    return read_number


def _whole_us(name: str, text: str, number: Callable[[str], float], unit_us: int) -> int:
    """Read an epoch time: whole counts exactly, fractions to the nearest microsecond."""
    try:
        count = int(text) if text.lstrip("-").isdecimal() else number(text)
        return round(count * unit_us)
    except (UnusableCellError, ValueError):
        raise UnusableCellError(name, Reason.UNPARSABLE_TIME) from None


def _moment_parser(format_: str) -> Callable[[str], datetime]:
    if format_ == "iso":
        return datetime.fromisoformat

    @lru_cache(maxsize=65_536)  # strptime is slow, and exports repeat their days
    def parse(text: str) -> datetime:
        return datetime.strptime(text, format_)  # noqa: DTZ007 -- the zone is set by the caller

    return parse


def _zone_reader(zone: ZoneInfo, changes: Counter[str]) -> Callable[[datetime], int]:
    """Make the function that reads local times of one zone as microseconds since the epoch."""
    offset_of_hour: dict[int, int | None] = {}

    def in_zone_us(moment: datetime) -> int:
        local_us = (moment - LOCAL_EPOCH) // MICROSECOND
        hour = local_us // HOUR_US
        # Asking the zone for every row would take longer than all the rest of reading it.
        try:
            offset_us = offset_of_hour[hour]
        except KeyError:
            offset_us = offset_of_hour[hour] = steady_offset_us(moment, zone)
        if offset_us is None:
            return to_us(_in_zone(moment, zone, changes))
        return local_us - offset_us

    return in_zone_us


def steady_offset_us(moment: datetime, zone: ZoneInfo) -> int | None:
    """Find the zone's offset in the hour of a local time; None if it changes in that hour."""
    start = moment.replace(minute=0, second=0, microsecond=0)
    end = moment.replace(minute=59, second=59, microsecond=999_999)
    offsets = {
        edge.replace(tzinfo=zone, fold=fold).utcoffset()
        for edge in (start, end)
        for fold in (0, 1)
    }
    offset = offsets.pop()
    return None if offsets or offset is None else offset // MICROSECOND


def _in_zone(moment: datetime, zone: ZoneInfo, changes: Counter[str]) -> datetime:
    local = moment.replace(tzinfo=zone)
    first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
    if first != second and first is not None and second is not None:
        changes[TWICE if first > second else SKIPPED] += 1
    return local
