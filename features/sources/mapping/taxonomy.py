"""The taxonomy of a mapping: what its event sources' maps say becomes part of it.

A model is trained on kinds, and is later sent raw names. So a raw name that only a mapping
understood would be ``other`` to the model: it has to travel in the taxonomy.
"""

from collections.abc import Iterator
from dataclasses import replace

from features.catalog.fit import LeadAttribute as CatalogAttribute
from features.catalog.fit import fit_features
from features.catalog.manifest import build_catalog
from features.errors import TaxonomyError
from features.sources.errors import MappingError
from features.sources.mapping.model import Cell, ImportMapping, KnownFrom, Record, SourceMapping
from features.sources.mapping.section import Section
from features.taxonomy import OTHER, Taxonomy, default_taxonomy, read_taxonomy

Pair = tuple[str, str]


def read_mapping_taxonomy(top: Section) -> Taxonomy:
    """Read the taxonomy a mapping names or brings along, and what its reasons mean."""
    taxonomy = _read_named(top)
    try:
        return taxonomy.with_reasons((top.find_words("reasons") or {}).items())
    except TaxonomyError as error:
        raise MappingError(top.file, "reasons", "map", str(error)) from error


def _read_named(top: Section) -> Taxonomy:
    section = top.entries.get("taxonomy", "marketing")
    if section == "marketing":
        return default_taxonomy()
    if not isinstance(section, dict):
        raise top.refusal("taxonomy", 'must be "marketing" or a [taxonomy] section of your own.')
    try:
        return read_taxonomy(section)
    except TaxonomyError as error:
        raise MappingError(top.file, "taxonomy", "kinds", str(error)) from error


def with_mapped_names(mapping: ImportMapping) -> ImportMapping:
    """Fold the maps of its event sources, and of reasons, into the mapping's taxonomy.

    Raises
    ------
    MappingError
        If a raw name would mean two things, which nobody could tell apart later.
    """
    events = [source for source in mapping.sources if source.record is Record.EVENT]
    for source in events:
        _check_otherwise(mapping.file, source)
    try:
        taxonomy = mapping.taxonomy.with_names(
            [pair for source in events for pair in _kind_names(source, mapping.taxonomy)],
            [pair for source in events for pair in _words(source, "channel")],
        ).with_reasons(_reason_names(mapping))
    except TaxonomyError as error:
        raise MappingError(
            mapping.file,
            "source",
            "map",
            f"{error} Where files differ in what they mean by it, give each source a `where` and "
            "a constant, such as kind = { value = ... }, instead of a map.",
        ) from error
    sources = tuple(
        _in_any_case(source) if source.record is Record.EVENT else source
        for source in mapping.sources
    )
    return replace(mapping, taxonomy=taxonomy, sources=sources)


def check_attribute_names(mapping: ImportMapping) -> None:
    """Check that no attribute takes the name of a feature that Baton makes itself.

    Raises
    ------
    MappingError
        Naming the attribute and a free name.
    """
    sample = fit_features((CatalogAttribute("phone", "number"),))
    built_in = [*build_catalog(mapping.taxonomy, (), accounts=True).features, *sample]
    taken = {name for f in built_in for name in (f.name, f.field)} - {"phone"}
    for source in mapping.sources:
        for attribute in source.attributes:
            if attribute.known is KnownFrom.AFTER_OUTCOME:
                continue
            name = attribute.name
            made = fit_features((CatalogAttribute(name, attribute.type),))[0].name
            if name in taken or made in taken:
                raise MappingError(
                    mapping.file,
                    f"source {source.position} ({source.record}) attributes.{name}",
                    "name",
                    f"{name!r} is taken by what Baton makes of events, stages and times itself: "
                    f"call it {_free_name(name, taken)}.",
                )


def _free_name(name: str, taken: set[str]) -> str:
    free = f"company_{name}"
    while free in taken:
        free = f"company_{free}"
    return free


def _words(source: SourceMapping, field: str) -> Iterator[Pair]:
    cell = source.fields.get(field)
    if cell is not None and cell.words is not None:
        yield from cell.words.items()


def _kind_names(source: SourceMapping, taxonomy: Taxonomy) -> Iterator[Pair]:
    """Give raw names and their kinds; a map of the name matters only where no kind is given."""
    yield from _words(source, "kind")
    if "kind" not in source.fields:
        for raw, name in _words(source, "name"):
            yield raw, taxonomy.kind_of(name)


def _reason_names(mapping: ImportMapping) -> Iterator[Pair]:
    """Give raw reasons of returns and what the map of their source turns them into."""
    for source in mapping.sources:
        if source.record is Record.STAGE:
            for raw, word in _words(source, "reason"):
                meant = mapping.taxonomy.find_reason(word)
                if meant is not None:
                    yield raw, meant


def _check_otherwise(file: str, source: SourceMapping) -> None:
    for field in ("kind", "channel"):
        cell = source.fields.get(field)
        if cell is not None and cell.otherwise not in (None, OTHER):
            raise MappingError(
                file,
                f"source {source.position} (event) fields.{field}",
                "otherwise",
                f"can only be {OTHER!r}: a running model could not know that all other names "
                f"mean {cell.otherwise!r}. List them in the map.",
            )


def _in_any_case(source: SourceMapping) -> SourceMapping:
    """Let maps match as the taxonomy does; one with ``otherwise`` says no more than it does."""
    fields = dict(source.fields)
    for name in ("kind", "channel"):
        cell = fields.get(name)
        if cell is not None and cell.words is not None:
            fields[name] = _cell_in_any_case(cell)
    return replace(source, fields=fields)


def _cell_in_any_case(cell: Cell) -> Cell:
    if cell.otherwise is not None:
        return replace(cell, words=None, otherwise=None)
    words = {raw.casefold(): meant for raw, meant in (cell.words or {}).items()}
    return replace(cell, words=words, any_case=True)
