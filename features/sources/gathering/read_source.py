"""One source at work on one file: rows in, records out, each row counted once."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from features.sources.cells.convert import NOT_THIS, Converters, Getter, KeyOf, UnusableCellError
from features.sources.gathering.gather import AttributeValue, Gathering
from features.sources.mapping.model import (
    FIELDS,
    KnownFrom,
    MappedAttribute,
    Record,
    SourceMapping,
)
from features.sources.readers.rows import RawRow, RowSource
from features.sources.rejects import Reason, RejectKind, Rejects

COSTS_THE_CELL = frozenset({Reason.UNPARSABLE_NUMBER, Reason.NUMBER_OUT_OF_RANGE})
"""What a bad field is set to unknown for; for all else its row is rejected."""


@dataclass
class SourceCount:
    """What became of a source's rows. ``read`` is the sum of the other three."""

    position: int
    record: Record
    read: int = 0
    accepted: int = 0
    rejected: int = 0
    not_this: int = 0
    """Rows that a ``where`` or a ``map`` of the mapping leaves to others."""


@dataclass(frozen=True)
class FileContext:
    """What the sources that read one file share."""

    name: str
    rows: RowSource
    converters: Converters
    gathering: Gathering
    rejects: Rejects
    id_by_number: bool
    """Whether default event ids count rows; lines would not tell the rows of a log apart."""
    several_event_sources: bool


@dataclass(frozen=True)
class Waiting:
    """A record whose lead has not been met yet."""

    reader: "SourceReader"
    row: RawRow
    values: list[Any]
    unset: list[UnusableCellError]

    def settle(self) -> None:
        """Take the record now that every lead is known, or reject it."""
        self.reader.settle(self.row, self.values, self.unset)


class SourceReader:
    """Turns one file's rows into one source's records."""

    def __init__(self, source: SourceMapping, count: SourceCount, context: FileContext) -> None:
        self._source = source
        self.count = count
        self.context = context
        key_of = context.rows.key_of
        self._filters = _compile_filters(source, key_of)
        self._names = tuple(FIELDS[source.record])
        self._getters = [self._compile_field(name) for name in self._names]
        self._has_map = any(cell.words is not None for cell in source.fields.values())
        self._attributes = [
            self._compile_attribute(attribute)
            for attribute in source.attributes
            if attribute.known is not KnownFrom.AFTER_OUTCOME
        ]

    @property
    def record(self) -> Record:
        """The record its rows become."""
        return self._source.record

    def count_problem(self) -> None:
        """Count a row that nobody could read."""
        self.count.read += 1
        self.count.rejected += 1

    def read(self, row: RawRow) -> Waiting | None:
        """Take one row; give it back as waiting if its lead is not known yet."""
        count = self.count
        count.read += 1
        for key, words, wanted in self._filters:
            if (row.cells[key].strip() in words) is not wanted:
                count.not_this += 1
                return None
        unset: list[UnusableCellError] = []
        try:
            values = [get(row) for get in self._getters]
        except UnusableCellError:
            found = self._read_with_care(row, unset)
            if found is None:
                return None
            values = found
        if self._has_map and any(value is NOT_THIS for value in values):
            count.not_this += 1
            return None
        if self.settle(row, values, unset):
            return None
        return Waiting(self, row, values, unset)

    def settle(self, row: RawRow, values: list[Any], unset: list[UnusableCellError]) -> bool:
        """Take a record or reject it; False if it has to wait for its lead."""
        gathering, record = self.context.gathering, self._source.record
        try:
            if record is Record.LEAD:
                gathering.take_lead(values, partial(self._read_attributes, row))
            elif not gathering.take(record, values):
                return False
        except UnusableCellError as error:
            self._reject(row, error)
            return True
        self.count.accepted += 1
        for lost in unset:
            self._unset(row, lost)
        return True

    def _read_with_care(self, row: RawRow, unset: list[UnusableCellError]) -> list[Any] | None:
        """Read a row that has a bad cell: a bad number costs the number, all else the row."""
        values = []
        for get in self._getters:
            try:
                values.append(get(row))
            except UnusableCellError as error:
                if error.reason not in COSTS_THE_CELL:
                    self._reject(row, error)
                    return None
                unset.append(error)
                values.append(None)
        return values

    def _read_attributes(self, row: RawRow, created_us: int) -> list[AttributeValue]:
        values: list[AttributeValue] = []
        for name, get, get_date in self._attributes:
            try:
                value = get(row)
                known_us = None
                if get_date is not None and value is not None:
                    known_us = self._known_us(name, get_date(row), created_us)
                values.append((name, value, known_us))
            except UnusableCellError as error:
                self._unset(row, UnusableCellError(name, error.reason))
        return values

    def _known_us(self, name: str, dated_us: int | None, created_us: int) -> int:
        if dated_us is None:
            raise UnusableCellError(name, Reason.UNDATED)
        self.context.gathering.check_in_time(name, dated_us)
        return max(dated_us, created_us)

    def _compile_field(self, name: str) -> Getter:
        cell = self._source.fields.get(name)
        if cell is not None:
            type_ = FIELDS[self._source.record][name]
            return self.context.converters.field(name, cell, type_)
        if name == "event_id":
            return self._default_event_id()
        return _unknown

    def _default_event_id(self) -> Getter:
        name = self.context.name
        ending = f"#{self._source.position}" if self.context.several_event_sources else ""
        if self.context.id_by_number:
            return lambda row: f"{name}:{row.number + 1}{ending}"
        return lambda row: f"{name}:{row.line}{ending}"

    def _compile_attribute(self, attribute: MappedAttribute) -> tuple[str, Getter, Getter | None]:
        make = self.context.converters
        get_date = None
        if attribute.dated_by is not None:
            type_ = FIELDS[Record.LEAD]["created_at"]
            get_date = make.field(attribute.name, attribute.dated_by, type_)
        return attribute.name, make.attribute(attribute), get_date

    def _reject(self, row: RawRow, error: UnusableCellError) -> None:
        self.count.rejected += 1
        self._write(RejectKind.ROW, row, error)

    def _unset(self, row: RawRow, error: UnusableCellError) -> None:
        self._write(RejectKind.FIELD, row, error)

    def _write(self, kind: RejectKind, row: RawRow, error: UnusableCellError) -> None:
        self.context.rejects.add(
            kind,
            error.reason,
            file=self.context.name,
            line=row.line,
            record=self._source.record,
            field=error.field,
            cells=self.context.rows.named(row),
        )


def _unknown(_row: RawRow) -> None:
    """Stand for a field the mapping does not fill."""


def _compile_filters(
    source: SourceMapping, key_of: KeyOf
) -> list[tuple[int | str, frozenset[str], bool]]:
    return [
        (key_of(column), words, wanted)
        for filters, wanted in ((source.where, True), (source.where_not, False))
        for column, words in filters.items()
    ]
