"""What a mapping file says: which column becomes which field, and when it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from features.contracts.leads import AttributeType
from features.taxonomy import Taxonomy


class Record(StrEnum):
    """The records a source can hold."""

    LEAD = "lead"
    EVENT = "event"
    STAGE = "stage"
    ATTEMPT = "attempt"


class FieldType(StrEnum):
    """How a cell is read."""

    TEXT = "text"
    TIME = "time"
    NUMBER = "number"
    PROPERTIES = "properties"


FIELDS: Mapping[Record, Mapping[str, FieldType]] = {
    Record.LEAD: {
        "lead_id": FieldType.TEXT,
        "created_at": FieldType.TIME,
        "account_id": FieldType.TEXT,
    },
    Record.EVENT: {
        "lead_id": FieldType.TEXT,
        "occurred_at": FieldType.TIME,
        "known_at": FieldType.TIME,
        "event_id": FieldType.TEXT,
        "kind": FieldType.TEXT,
        "name": FieldType.TEXT,
        "channel": FieldType.TEXT,
        "value": FieldType.NUMBER,
        "properties": FieldType.PROPERTIES,
    },
    Record.STAGE: {
        "lead_id": FieldType.TEXT,
        "at": FieldType.TIME,
        "known_at": FieldType.TIME,
        "stage": FieldType.TEXT,
        "signal": FieldType.TEXT,
        "reason": FieldType.TEXT,
        "actor": FieldType.TEXT,
        "amount": FieldType.NUMBER,
        "propensity": FieldType.NUMBER,
    },
    Record.ATTEMPT: {
        "lead_id": FieldType.TEXT,
        "at": FieldType.TIME,
        "known_at": FieldType.TIME,
        "channel": FieldType.TEXT,
        "handoff_id": FieldType.TEXT,
        "result": FieldType.TEXT,
        "actor": FieldType.TEXT,
    },
}
"""The fields of each record that a mapping may fill."""

REQUIRED: Mapping[Record, tuple[str, ...]] = {
    Record.LEAD: ("lead_id", "created_at"),
    Record.EVENT: ("lead_id", "occurred_at"),
    Record.STAGE: ("lead_id", "at", "stage"),
    Record.ATTEMPT: ("lead_id", "at", "channel"),
}


class KnownFrom(StrEnum):
    """When an attribute of a lead is known."""

    AT_CREATION = "at creation"
    DATED = "dated by"
    AFTER_OUTCOME = "after the outcome"


@dataclass(frozen=True)
class Cell:
    """Where one value comes from and how its text is read."""

    zone: ZoneInfo
    """What local times without an offset mean."""
    column: str | None = None
    value: str | None = None
    """A constant instead of a column."""
    from_line: str | None = None
    """A template with ``{line}``: an id for rows that have none."""
    rows_between: tuple[int, int] | None = None
    """Times for rows that have none: evenly spaced, in row order, in ``[first, second)``."""
    columns: tuple[str, ...] = ()
    """Columns that are kept together as properties."""
    words: Mapping[str, str] | None = None
    """The mapping's ``map``: what the source's words mean."""
    any_case: bool = False
    """Whether ``words`` are in small letters and match in any case, as a taxonomy's names do."""
    otherwise: str | None = None
    """What a word that ``words`` lacks means; without it such a row is not this record."""
    format: str = "iso"
    """``iso``, ``epoch seconds``, ``epoch milliseconds``, or a strptime pattern."""
    offset_us: int = 0
    decimal: str = "."
    thousands: str = ""
    true: frozenset[str] = frozenset()
    false: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    """Words that mean unknown, beside the empty cell."""

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Every column the value needs."""
        return (*self.columns, *((self.column,) if self.column is not None else ()))


@dataclass(frozen=True)
class MappedAttribute:
    """One attribute of a lead."""

    name: str
    type: AttributeType
    is_present: bool
    """Whether only the fact that the cell is filled is kept (a flag), not what it says."""
    known: KnownFrom
    cell: Cell
    dated_by: Cell | None = None


@dataclass(frozen=True)
class SourceMapping:
    """One ``[[source]]``: rows of some files that become one kind of record."""

    position: int
    """Its place in the mapping, from 1."""
    record: Record
    patterns: tuple[str, ...]
    """File globs; the first one that matches any file is used."""
    format: str
    """``csv``, ``xes``, ``parquet``, or ``auto``: by the file's ending."""
    delimiter: str
    encoding: str
    optional: bool
    """Whether the files may be absent."""
    where: Mapping[str, frozenset[str]]
    where_not: Mapping[str, frozenset[str]]
    fields: Mapping[str, Cell]
    attributes: tuple[MappedAttribute, ...] = ()

    @property
    def reading(self) -> tuple[tuple[str, ...], str, str, str]:
        """What must agree for two sources to read a file in one pass."""
        return (self.patterns, self.format, self.delimiter, self.encoding)

    @property
    def columns_used(self) -> frozenset[str]:
        """Every column the source names, those it refuses included."""
        cells = [*self.fields.values(), *(a.cell for a in self.attributes)]
        cells += [a.dated_by for a in self.attributes if a.dated_by is not None]
        named = {column for cell in cells for column in cell.columns_read}
        return frozenset(named | self.where.keys() | self.where_not.keys())


@dataclass(frozen=True)
class ImportMapping:
    """A whole mapping file, checked."""

    name: str
    about: str
    file: str
    fingerprint: str
    """SHA-256 of the file's text, first 12 hex digits."""
    zone: ZoneInfo
    taxonomy: Taxonomy
    sources: tuple[SourceMapping, ...]
    observed_from_us: int | None = None
    observed_until_us: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def withheld(self) -> dict[str, str]:
        """Refused fields and why, in the mapping's order."""
        return {
            attribute.name: (
                f"column {attribute.cell.column!r} is known only after the outcome: "
                "a feature made of it would leak the answer"
            )
            for source in self.sources
            for attribute in source.attributes
            if attribute.known is KnownFrom.AFTER_OUTCOME
        }

    @property
    def attributes(self) -> dict[str, AttributeType]:
        """The attributes leads will have, in the mapping's order."""
        return {
            attribute.name: attribute.type
            for source in self.sources
            for attribute in source.attributes
            if attribute.known is not KnownFrom.AFTER_OUTCOME
        }
