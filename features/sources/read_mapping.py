"""Read and check a mapping file."""

import codecs
import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from features.contracts.leads import LEAD_SCHEMA, AttributeType
from features.lifecycle.stages import Stage
from features.sources.cells.convert import LARGEST_NUMBER
from features.sources.errors import MappingError, MappingNotFoundError
from features.sources.mapping.model import (
    FIELDS,
    REQUIRED,
    Cell,
    FieldType,
    ImportMapping,
    KnownFrom,
    MappedAttribute,
    Record,
    SourceMapping,
)
from features.sources.mapping.section import Section
from features.sources.mapping.taxonomy import (
    check_attribute_names,
    read_mapping_taxonomy,
    with_mapped_names,
)
from features.taxonomy import Taxonomy
from features.toml import FILE, parse_toml

TOP_KEYS = (
    *("name", "about", "time_zone", "time_format", "observed_from", "observed_until"),
    *("taxonomy", "reasons", "notes", "source"),
)
SOURCE_KEYS = (
    *("record", "file", "format", "delimiter", "encoding", "optional", "where", "where_not"),
    *("fields", "attributes"),
)
WHERE_FROM = ("column", "value", "from_line", "rows_between", "columns")
"""A field comes from exactly one of these."""

CELL_KEYS: dict[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: ("column", "value", "from_line", "map", "otherwise", "missing"),
    FieldType.TIME: ("column", "rows_between", "format", "time_zone", "offset", "missing"),
    FieldType.NUMBER: ("column", "value", "decimal", "thousands", "missing"),
    FieldType.PROPERTIES: ("columns",),
}
ATTRIBUTE_KEYS: dict[str, tuple[str, ...]] = {
    "number": ("decimal", "thousands"),
    "category": ("map",),
    "flag": ("true", "false"),
    "time": ("format", "time_zone", "offset"),
    "present": (),
}
YES = ("true", "yes", "y", "t", "1")
NO = ("false", "no", "n", "f", "0")
ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_]*")
KNOWN_CHOICES = (
    'Say when it is known: known = "at creation", known = "dated by <column>", or '
    'known = "after the outcome" (then it is refused as a feature).'
)


@dataclass(frozen=True)
class TimeStyle:
    """How the mapping's times are written unless a field says otherwise."""

    zone: ZoneInfo
    format: str


def shipped_mappings() -> tuple[str, ...]:
    """List the mappings that come with Baton."""
    folder = files("features.sources.mappings")
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    )


def read_mapping(name_or_path: str) -> ImportMapping:
    """Read a mapping that ships with Baton, by name, or one's own, by the path of its file.

    Raises
    ------
    MappingNotFoundError
        If there is no such name or file.
    MappingError
        Naming the file, section and field, and the fix.
    """
    if name_or_path in shipped_mappings():
        shipped = files("features.sources.mappings").joinpath(f"{name_or_path}.toml")
        return parse_mapping(shipped.read_bytes(), f"{name_or_path}.toml")
    path = Path(name_or_path)
    if not path.is_file():
        raise MappingNotFoundError(name_or_path, shipped_mappings())
    return parse_mapping(path.read_bytes(), str(path))


def parse_mapping(text: bytes, file: str) -> ImportMapping:
    """Check a mapping file's text and turn it into its meaning."""
    try:
        top = Section(file, "", parse_toml(text.decode("utf-8-sig"), FILE))
    except UnicodeDecodeError as error:
        raise MappingError(file, "", "text", "is not UTF-8. Save the file as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError(file, "", "text", f"is not TOML: {error}.") from error
    top.check_keys(TOP_KEYS)
    zone = top.find_zone("time_zone")
    if zone is None:
        raise top.refusal(
            "time_zone", 'is missing. Say where the clocks stood: time_zone = "UTC".'
        )
    style = TimeStyle(zone, top.find_text("time_format") or "iso")
    taxonomy = read_mapping_taxonomy(top)
    entries = top.entries.get("source")
    if not isinstance(entries, list) or not entries:
        raise top.refusal("source", "is missing. Add a [[source]] for each kind of record.")
    sources = tuple(
        _parse_source(Section(file, f"source {n}", entry), n, style, taxonomy)
        for n, entry in enumerate(entries, 1)
    )
    if not any(source.record is Record.LEAD for source in sources):
        raise top.refusal(
            "source", 'none has record = "lead". Without leads there is nothing to learn from.'
        )
    _check_attributes_agree(top, sources)
    mapping = ImportMapping(
        name=top.get_text("name", 'Give the mapping a short name: name = "our_crm".'),
        about=top.find_text("about") or "",
        file=file,
        fingerprint=sha256(text).hexdigest()[:12],
        zone=zone,
        taxonomy=taxonomy,
        sources=sources,
        observed_from_us=top.find_moment_us("observed_from", zone),
        observed_until_us=top.find_moment_us("observed_until", zone),
        notes=top.find_words("notes") or {},
    )
    check_attribute_names(mapping)
    return with_mapped_names(mapping)


def _parse_source(
    section: Section, position: int, style: TimeStyle, taxonomy: Taxonomy
) -> SourceMapping:
    section.check_keys(SOURCE_KEYS)
    record = Record(section.get_choice("record", list(Record)))
    patterns = section.texts("file")
    if not patterns:
        raise section.refusal(
            "file", 'is missing. Name the file or a pattern: file = "leads*.csv".'
        )
    fields = Section(
        section.file, f"{section.name} ({record}) fields", section.entries.get("fields", {})
    )
    attributes = Section(
        section.file,
        f"{section.name} ({record}) attributes",
        section.entries.get("attributes", {}),
    )
    return SourceMapping(
        position=position,
        record=record,
        patterns=patterns,
        format=section.get_choice("format", ("auto", "csv", "xes", "parquet"), "auto"),
        delimiter=_parse_delimiter(section),
        encoding=_parse_encoding(section),
        optional=section.get_switch("optional"),
        where=_parse_where(section, "where"),
        where_not=_parse_where(section, "where_not"),
        fields=_parse_fields(fields, record, style, taxonomy),
        attributes=tuple(
            _parse_attribute(attributes, name, record, style) for name in attributes.entries
        ),
    )


def _parse_delimiter(section: Section) -> str:
    delimiter = section.find_text("delimiter") or ","
    delimiter = {"tab": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise section.refusal("delimiter", 'must be one character, such as ",", ";" or "\\t".')
    return delimiter


def _parse_encoding(section: Section) -> str:
    encoding = section.find_text("encoding") or "utf-8"
    sample = 'id,"x";\t\n'
    try:
        codecs.lookup(encoding)
        # Lines are found before they are decoded, so that one bad byte costs one line.
        plain = sample.encode(encoding) == sample.encode("ascii")
    except (LookupError, UnicodeError):
        raise section.refusal(
            "encoding", f'there is no encoding {encoding!r}. Try "utf-8", "cp1252" or "latin-1".'
        ) from None
    if not plain:
        raise section.refusal(
            "encoding", f"{encoding!r} cannot be read line by line. Save the file as UTF-8 first."
        )
    return encoding


def _parse_where(section: Section, name: str) -> dict[str, frozenset[str]]:
    filters = Section(section.file, f"{section.name} {name}", section.entries.get(name, {}))
    return {column: frozenset(filters.texts(column)) for column in filters.entries}


def _parse_fields(
    section: Section, record: Record, style: TimeStyle, taxonomy: Taxonomy
) -> dict[str, Cell]:
    section.check_keys(FIELDS[record])
    for name in REQUIRED[record]:
        if name not in section.entries:
            raise section.refusal(name, f'is missing. A {record} needs it: {name} = "<column>".')
    if record is Record.EVENT and not {"kind", "name"} & section.entries.keys():
        raise section.refusal(
            "name", 'is missing. An event needs one: name = "<column>" or kind = ...'
        )
    cells = {
        name: _parse_cell(section, name, FIELDS[record][name], style) for name in section.entries
    }
    if record is Record.EVENT:
        _check_words(section, "kind", cells.get("kind"), taxonomy.kind_names)
        _check_words(section, "channel", cells.get("channel"), taxonomy.channels)
    if record is Record.STAGE:
        _check_words(section, "stage", cells["stage"], [stage.value for stage in Stage])
    return cells


def _check_words(section: Section, name: str, cell: Cell | None, known: Collection[str]) -> None:
    """Check that constants and maps only use words the contract knows."""
    if cell is None:
        return
    used = [*(cell.words or {}).values(), *(w for w in (cell.value, cell.otherwise) if w)]
    for word in used:
        if word not in known:
            raise section.refusal(
                name, f"there is no {name} {word!r}. Use one of: {', '.join(known)}."
            )


def _parse_cell(section: Section, name: str, type_: FieldType, style: TimeStyle) -> Cell:
    entry = section.entries[name]
    if isinstance(entry, str):
        entry = {"column": entry} if type_ is not FieldType.PROPERTIES else {"columns": [entry]}
    inner = Section(section.file, f"{section.name}.{name}", entry)
    inner.check_keys(CELL_KEYS[type_])
    origins = [key for key in WHERE_FROM if key in inner.entries]
    if len(origins) != 1:
        allowed = [key for key in WHERE_FROM if key in CELL_KEYS[type_]]
        raise inner.refusal(name, f"must come from exactly one of: {', '.join(allowed)}.")
    cell = _build_cell(inner, style)
    if type_ is FieldType.NUMBER and cell.value is not None:
        _check_number(inner, cell.value)
    return cell


def _check_number(section: Section, text: str) -> None:
    try:
        sound = abs(float(text)) <= LARGEST_NUMBER
    except ValueError:
        sound = False
    if not sound:
        raise section.refusal("value", f"{text!r} is no number.")


def _build_cell(section: Section, style: TimeStyle) -> Cell:
    """Read the keys of a cell; which of them are allowed was checked before."""
    local = section.find_zone("time_zone") or style.zone
    template = section.find_text("from_line")
    if template is not None and "{line}" not in template:
        raise section.refusal("from_line", 'must hold {line}, such as "row-{line}".')
    words, otherwise = section.find_words("map"), section.find_text("otherwise")
    if otherwise is not None and words is None:
        raise section.refusal("otherwise", "needs a map beside it.")
    true, false = section.texts("true") or YES, section.texts("false") or NO
    decimal, thousands = section.find_text("decimal") or ".", section.find_text("thousands") or ""
    if decimal not in (".", ",") or decimal == thousands:
        raise section.refusal("decimal", 'must be "." or ",", and differ from thousands.')
    return Cell(
        zone=local,
        column=section.find_text("column"),
        value=section.find_text("value"),
        from_line=template,
        rows_between=_parse_span(section, local),
        columns=section.texts("columns"),
        words=words,
        otherwise=otherwise,
        format=section.find_text("format") or style.format,
        offset_us=section.offset_us("offset"),
        decimal=decimal,
        thousands=thousands,
        true=frozenset(word.casefold() for word in true),
        false=frozenset(word.casefold() for word in false),
        missing=frozenset(word.strip() for word in section.texts("missing")),
    )


def _parse_span(section: Section, zone: ZoneInfo) -> tuple[int, int] | None:
    entry: Any = section.entries.get("rows_between")
    if entry is None:
        return None
    if not isinstance(entry, list) or len(entry) != 2:
        raise section.refusal("rows_between", 'must be two dates: ["2008-05-01", "2010-12-01"].')
    first, last = (section.moment_us("rows_between", moment, zone) for moment in entry)
    if first >= last:
        raise section.refusal("rows_between", "must have the earlier date first.")
    return first, last


def _parse_attribute(
    attributes: Section, name: str, record: Record, style: TimeStyle
) -> MappedAttribute:
    section = Section(attributes.file, f"{attributes.name}.{name}", attributes.entries[name])
    if not ATTRIBUTE_NAME.fullmatch(name) or name in LEAD_SCHEMA.names:
        raise section.refusal(
            "name",
            f"{name!r} cannot name an attribute. Use small letters, digits and underscores, and "
            f"none of: {', '.join(LEAD_SCHEMA.names)}.",
        )
    known_text = section.get_text("known", KNOWN_CHOICES)
    known, column = _parse_known(section, known_text)
    if known is KnownFrom.AFTER_OUTCOME:
        section.check_keys(("column", "known", "type", "missing"))
        refused = Cell(style.zone, column=section.get_text("column", "Name the column."))
        return MappedAttribute(name, "category", False, known, refused)
    if record is not Record.LEAD:
        raise section.refusal(
            "known",
            f"a {record} source can only list attributes that are known after the outcome. Move "
            "the others to a lead source.",
        )
    type_ = section.get_choice("type", tuple(ATTRIBUTE_KEYS))
    section.check_keys(("column", "type", "known", "missing", *ATTRIBUTE_KEYS[type_]))
    section.get_text("column", 'Name the column: column = "...".')
    return MappedAttribute(
        name=name,
        type=cast("AttributeType", "flag" if type_ == "present" else type_),
        is_present=type_ == "present",
        known=known,
        cell=_build_cell(section, style),
        dated_by=None if column is None else Cell(style.zone, column=column, format=style.format),
    )


def _parse_known(section: Section, text: str) -> tuple[KnownFrom, str | None]:
    if text.startswith(KnownFrom.DATED):
        column = text.removeprefix(KnownFrom.DATED).strip()
        if column:
            return KnownFrom.DATED, column
    elif text in (KnownFrom.AT_CREATION, KnownFrom.AFTER_OUTCOME):
        return KnownFrom(text), None
    raise section.refusal("known", f"cannot be {text!r}. {KNOWN_CHOICES}")


def _check_attributes_agree(top: Section, sources: tuple[SourceMapping, ...]) -> None:
    """Check that an attribute that several sources fill has one type, and is never refused too."""
    meanings: dict[str, tuple[str, bool]] = {}
    for source in sources:
        for attribute in source.attributes:
            meaning = (attribute.type, attribute.known is KnownFrom.AFTER_OUTCOME)
            if meanings.setdefault(attribute.name, meaning) != meaning:
                raise top.refusal(
                    f"attribute {attribute.name}",
                    "has different types, or is refused in one source and used in another. "
                    "Give the two different names.",
                )
    refused = {
        (source.patterns, attribute.cell.column)
        for source in sources
        for attribute in source.attributes
        if attribute.known is KnownFrom.AFTER_OUTCOME
    }
    for source in sources:
        for attribute in source.attributes:
            again = (source.patterns, attribute.cell.column) in refused
            if again and attribute.known is not KnownFrom.AFTER_OUTCOME:
                raise top.refusal(
                    f"attribute {attribute.name}",
                    f"is made of column {attribute.cell.column!r}, which another attribute says "
                    "is known only after the outcome. Correct one of the two.",
                )
