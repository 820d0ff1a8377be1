"""One import: files in, a history, a rejects file and a report out."""

import gc
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import file_digest
from pathlib import Path

from features.clock import from_us, to_us
from features.contracts.history import History, HistoryManifest
from features.sources.cells.convert import Converters, RowSpan
from features.sources.errors import NothingUsableError
from features.sources.gathering.column_events import ColumnEvents, can_be_read, list_columns
from features.sources.gathering.event_ids import make_event_ids
from features.sources.gathering.event_spill import EventSpill
from features.sources.gathering.gather import Gathering
from features.sources.gathering.read_source import (
    FileContext,
    SourceCount,
    SourceReader,
    Waiting,
)
from features.sources.gathering.sort import write_sorted
from features.sources.history.folder import REJECTS_FILE, read_history, replaced_folder
from features.sources.mapping.model import ImportMapping, Record
from features.sources.quality import QualityCounts
from features.sources.read_mapping import read_mapping
from features.sources.readers.csv_rows import CsvRows
from features.sources.readers.find_files import Reading, find_readings, open_rows
from features.sources.readers.parquet_rows import ParquetRows
from features.sources.readers.rows import InputFile, RawRow, RowSource
from features.sources.readers.xes_rows import XesRows
from features.sources.rejects import Reason, RejectKind, Rejects

Progress = Callable[[str, float], None]
"""Told what is being done and how much of it is, from 0 to 1."""

SORTING = "Sorting by account and lead"
SPILL_FOLDER = "unsorted"

TICK = 2_000
"""Rows between two reports of progress."""

COLLECT_RARELY = (100_000, 20, 100)
"""Thresholds of Python's garbage collector while files are read: about a tenth less time."""

EXIT_CLEAN, EXIT_REJECTS = 0, 3


@dataclass(frozen=True)
class ImportReport:
    """What an import did."""

    mapping: ImportMapping
    folder: Path
    about: HistoryManifest
    rows: dict[str, int]
    """Rows of each table of the history."""
    lead_count: int
    """Leads; their table has one row more for every later version of one."""
    sources: tuple[SourceCount, ...]
    rejected: dict[str, int]
    """Lines of the rejects file by kind and reason."""
    rejects_file: Path | None
    quality: QualityCounts
    events_before_creation: int
    strange_reasons: dict[str, int] = field(default_factory=dict)
    """Reasons of returns that nobody told Baton about, most frequent first; they count as other."""
    clock_changes: dict[str, int] = field(default_factory=dict)
    columns_unused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of each file that the mapping does not name."""
    columns_unmet: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns the mapping names that a file never had."""

    @cached_property
    def history(self) -> History:
        """The history, read whole from its folder when it is first asked for."""
        return read_history(self.folder)

    @property
    def exit_code(self) -> int:
        """0 if every row was used as it is, 3 if anything is in the rejects file."""
        return EXIT_REJECTS if self.rejected else EXIT_CLEAN


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for garbage rarely: an import makes many small values, and hardly ever a circle."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECT_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_rare_collections()
def run_import(
    mapping: str | ImportMapping,
    path: Path,
    to: Path,
    *,
    progress: Progress | None = None,
    at: datetime | None = None,
    by_columns: bool = True,
) -> ImportReport:
    """Read a company's files into a history folder.

    Parameters
    ----------
    mapping
        Name of a shipped mapping, path of a mapping file, or a mapping.
    path
        The file or the folder to read.
    to
        The history folder; replaced as a whole if it holds a history already.
    progress
        Told how far the reading is.
    at
        The moment of the import: records from after it are rejected. None rejects none.
    by_columns
        Whether events are read many at a time where that is possible. The result is the same
        either way; row by row takes some twenty times as long.

    Raises
    ------
    SourcesError
        If the mapping is wrong, a file is missing, or not one lead is usable.
    """
    if isinstance(mapping, str):
        mapping = read_mapping(mapping)
    readings = find_readings(mapping, path)
    with replaced_folder(to) as beside:
        unsorted = beside / SPILL_FOLDER
        unsorted.mkdir()
        with Rejects(beside / REJECTS_FILE) as rejects:
            run = _Run(
                mapping,
                path,
                rejects,
                EventSpill(unsorted, mapping.taxonomy),
                by_columns=by_columns,
            )
            run.report_progress = progress or run.report_progress
            run.gathering.look_at(None if at is None else to_us(at))
            run.read_all(readings)
        places = run.gathering.places
        if places is None:
            raise _nothing_usable(run, to)
        about = run.build_manifest()
        rows, quality = write_sorted(
            run.gathering, places, about, beside, lambda part: run.report_progress(SORTING, part)
        )
        shutil.rmtree(unsorted)
    return run.build_report(about, rows, quality.counts(), to)


class _Run:
    """The state of one import."""

    def __init__(
        self,
        mapping: ImportMapping,
        path: Path,
        rejects: Rejects,
        events: EventSpill,
        *,
        by_columns: bool,
    ) -> None:
        self.mapping = mapping
        self.rejects = rejects
        explicit = [
            "event_id" in source.fields
            for source in mapping.sources
            if source.record is Record.EVENT
        ]
        self.gathering = Gathering(
            mapping.attributes,
            mapping.taxonomy,
            events=events,
            event_ids=make_event_ids(explicit, exact=not by_columns),
            observed_until_us=mapping.observed_until_us,
        )
        self.counts = {s.position: SourceCount(s.position, s.record) for s in mapping.sources}
        self.clock_changes: Counter[str] = Counter()
        self.columns_unused: dict[str, tuple[str, ...]] = {}
        self.columns_unmet: dict[str, tuple[str, ...]] = {}
        self.fingerprints: dict[str, str] = {}
        self._folder = path.parent if path.is_file() else path
        self._by_columns = by_columns
        self.report_progress: Progress = lambda _what, _fraction: None
        self._waiting: list[Waiting] = []

    def read_all(self, readings: list[Reading]) -> None:
        """Read every file: those that hold leads first."""
        leads_to_come = sum(reading.has_leads for reading in readings)
        for reading in readings:
            span = RowSpan(0, self._count_rows(reading))
            for file in reading.files:
                span = RowSpan(span.first + self._read_file(file, reading, span), span.total)
            leads_to_come -= reading.has_leads
            if not leads_to_come and not self.gathering.leads_complete:
                self.gathering.complete_leads()
                for waiting in self._waiting:
                    waiting.settle()
                self._waiting.clear()
        self.gathering.flush_events()
        self.gathering.forget_ids()

    def build_manifest(self) -> HistoryManifest:
        """Put together what must be said about the history."""
        until_us = self.mapping.observed_until_us
        if until_us is None:
            until_us = (self.gathering.latest_us or 0) + 1
        from_us_ = self.mapping.observed_from_us
        return HistoryManifest(
            source=self.mapping.name,
            taxonomy=self.mapping.taxonomy,
            observed_until=from_us(until_us),
            observed_from=None if from_us_ is None else from_us(from_us_),
            withheld=self.mapping.withheld,
            notes=self._notes(),
        )

    def build_report(
        self, about: HistoryManifest, rows: dict[str, int], quality: QualityCounts, to: Path
    ) -> ImportReport:
        """Tell what the import did, once its history lies in its folder."""
        return ImportReport(
            mapping=self.mapping,
            folder=to,
            about=about,
            rows=rows,
            lead_count=self.gathering.lead_count,
            sources=tuple(self.counts.values()),
            rejected=self.rejects.worded_counts(),
            rejects_file=to / REJECTS_FILE if self.rejects.total else None,
            quality=quality,
            events_before_creation=self.gathering.events_before_creation,
            strange_reasons=dict(self.gathering.strange_reasons.most_common()),
            clock_changes=dict(self.clock_changes),
            columns_unused=self.columns_unused,
            columns_unmet=self.columns_unmet,
        )

    def _notes(self) -> dict[str, str]:
        notes = dict(self.mapping.notes)
        if self.mapping.about:
            notes["about"] = self.mapping.about
        notes["mapping fingerprint"] = self.mapping.fingerprint
        notes |= {f"file {name}": f"SHA-256 {mark}" for name, mark in self.fingerprints.items()}
        if self.gathering.events_before_creation:
            notes["events before creation"] = f"{self.gathering.events_before_creation} (kept)"
        notes |= {change: str(count) for change, count in self.clock_changes.items()}
        return notes | {why: str(n) for why, n in self.rejects.worded_counts().items()}

    def _count_rows(self, reading: Reading) -> int:
        """Count the rows, if their times are made from their order; it takes a pass of its own."""
        cells = [cell for source in reading.sources for cell in source.fields.values()]
        if not any(cell.rows_between for cell in cells):
            return 0
        total = 0
        for path in reading.files:
            with InputFile(path) as file:
                total += sum(
                    row.problem is not Reason.CUT_OFF
                    for row in open_rows(file, reading.sources[0]).rows()
                )
        return total

    def _read_file(self, path: Path, reading: Reading, span: RowSpan) -> int:
        """Read one file; give the number of its rows."""
        name = path.relative_to(self._folder).as_posix()
        with path.open("rb") as stream:
            self.fingerprints[name] = file_digest(stream, "sha256").hexdigest()
        with InputFile(path) as file:
            rows = open_rows(file, reading.sources[0])
            readers = self._make_readers(name, rows, reading, span)
            number_of_rows = self._read_by_columns(name, rows, reading, readers)
            if number_of_rows is None:
                number_of_rows = self._read_by_row(name, rows, readers)
        self.report_progress(f"Reading {name}", 1.0)
        self._compare_columns(name, rows, reading)
        return number_of_rows

    def _read_by_row(self, name: str, rows: RowSource, readers: list[SourceReader]) -> int:
        number_of_rows = 0
        for row in rows.rows():
            if row.problem is None:
                for reader in readers:
                    waiting = reader.read(row)
                    if waiting is not None:
                        self._waiting.append(waiting)
            else:
                self._reject_unread(name, rows, row, readers)
            number_of_rows = row.number + 1
            if not number_of_rows % TICK:
                self.gathering.flush()
                self.report_progress(f"Reading {name}", rows.fraction_read())
        return number_of_rows

    def _read_by_columns(
        self, name: str, rows: RowSource, reading: Reading, readers: list[SourceReader]
    ) -> int | None:
        """Read events many at a time; None if that is not possible, and nothing was read."""
        source = reading.sources[0]
        known = self._by_columns and self.gathering.leads_complete
        if not known or len(reading.sources) > 1 or not can_be_read(source):
            return None
        if not isinstance(rows, (CsvRows, ParquetRows)):
            return None
        batches = rows.batches([rows.key_of(column) for column in list_columns(source)])
        if batches is None:
            return None
        self.gathering.flush_events()
        judge = readers[0]
        events = ColumnEvents(
            source, judge, lambda row: self._reject_unread(name, rows, row, readers)
        )
        number_of_rows = 0
        for batch in batches:
            events.read(batch)
            number_of_rows += len(batch.lines) + len(batch.odd)
            self.report_progress(f"Reading {name}", rows.fraction_read())
        return number_of_rows

    def _make_readers(
        self, name: str, rows: RowSource, reading: Reading, span: RowSpan
    ) -> list[SourceReader]:
        event_sources = sum(source.record is Record.EVENT for source in reading.sources)
        context = FileContext(
            name=name,
            rows=rows,
            converters=Converters(rows.key_of, self.clock_changes, span),
            gathering=self.gathering,
            rejects=self.rejects,
            id_by_number=isinstance(rows, XesRows),
            several_event_sources=event_sources > 1,
        )
        return [
            SourceReader(source, self.counts[source.position], context)
            for source in reading.sources
        ]

    def _reject_unread(
        self, name: str, rows: RowSource, row: RawRow, readers: list[SourceReader]
    ) -> None:
        """Write down a row that could not be read, once, for all its sources."""
        cut_off = row.problem is Reason.CUT_OFF
        if not cut_off:
            for reader in readers:
                reader.count_problem()
        self.rejects.add(
            RejectKind.FILE if cut_off else RejectKind.ROW,
            row.problem or Reason.CUT_OFF,
            file=name,
            line=row.line,
            record=" ".join(dict.fromkeys(reader.record for reader in readers)),
            field=row.detail,
            cells=rows.named(row),
        )

    def _compare_columns(self, name: str, rows: RowSource, reading: Reading) -> None:
        seen = rows.columns_seen()
        used = frozenset().union(*(source.columns_used for source in reading.sources))
        unused = tuple(column for column in seen if column not in used)
        unmet = tuple(sorted(used.difference(seen)))
        if unused:
            self.columns_unused[name] = unused
        if unmet:
            self.columns_unmet[name] = unmet


def _nothing_usable(run: _Run, to: Path) -> NothingUsableError:
    """Keep the rejects beside the folder that will not come to be."""
    kept: Path | None = None
    if run.rejects.total:
        kept = to.with_name(f"{to.name}.rejects.csv")
        shutil.move(run.rejects.path, kept)
    return NothingUsableError(
        sum(count.read for count in run.counts.values() if count.record is Record.LEAD),
        run.rejects.total,
        str(kept) if kept else None,
    )
