"""Which files a mapping's sources read."""

from dataclasses import dataclass
from pathlib import Path

from features.sources.errors import SourceFileError
from features.sources.mapping.model import ImportMapping, Record, SourceMapping
from features.sources.readers.csv_rows import CsvRows
from features.sources.readers.parquet_rows import ParquetRows
from features.sources.readers.rows import InputFile, RowSource
from features.sources.readers.xes_rows import XesRows

LISTED = 20
"""How many file names a message shows at most."""

ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xes": "xes",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class Reading:
    """Some files, and the sources that are read from them in one pass."""

    files: tuple[Path, ...]
    sources: tuple[SourceMapping, ...]
    """Lead sources first, so that a row's lead is known before what happened to it."""

    @property
    def has_leads(self) -> bool:
        """Whether leads come from these files."""
        return any(source.record is Record.LEAD for source in self.sources)


def find_readings(mapping: ImportMapping, path: Path) -> list[Reading]:
    """Match the mapping's sources to the files of a folder, or to the one file given.

    Raises
    ------
    SourceFileError
        If the path or a source's file is missing; the message lists what is there.
    """
    if not path.exists():
        raise SourceFileError(str(path), "there is no such file or folder.")
    by_reading: dict[tuple[object, ...], list[SourceMapping]] = {}
    for source in mapping.sources:
        by_reading.setdefault(source.reading, []).append(source)
    if path.is_file() and len({source.patterns for source in mapping.sources}) > 1:
        wanted = ", ".join(sorted({source.patterns[0] for source in mapping.sources}))
        raise SourceFileError(
            str(path),
            f"the mapping {mapping.name!r} reads several files ({wanted}). Give their folder.",
        )
    readings = [
        Reading(
            _match_files(sources[0], path),
            tuple(sorted(sources, key=lambda s: (s.record is not Record.LEAD, s.position))),
        )
        for sources in by_reading.values()
    ]
    return sorted((r for r in readings if r.files), key=lambda r: not r.has_leads)


def open_rows(file: InputFile, source: SourceMapping) -> RowSource:
    """Open a file as the rows its format makes of it.

    Raises
    ------
    SourceFileError
        If it cannot be read at all.
    """
    format_ = source.format
    if format_ == "auto":
        ending = file.path.with_suffix("") if file.path.suffix == ".gz" else file.path
        format_ = ENDINGS.get(ending.suffix.lower(), "")
    if format_ == "csv":
        return CsvRows(file, delimiter=source.delimiter, encoding=source.encoding)
    if format_ == "xes":
        return XesRows(file)
    if format_ == "parquet":
        return ParquetRows(file)
    raise SourceFileError(
        str(file.path),
        "its extension does not give its format. Unpack .zip files first; otherwise set "
        'format = "csv", "xes" or "parquet" in the mapping\'s [[source]].',
    )


def _match_files(source: SourceMapping, path: Path) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    for pattern in source.patterns:
        found = tuple(sorted(file for file in path.glob(pattern) if file.is_file()))
        if found:
            return found
    if source.optional:
        return ()
    there = sorted(entry.name for entry in path.iterdir())
    shown = ", ".join(there[:LISTED]) + (", ..." if len(there) > LISTED else "")
    raise SourceFileError(
        str(path),
        f"no file matches {' or '.join(map(repr, source.patterns))}. The folder holds: "
        f"{shown or 'nothing'}.",
    )
