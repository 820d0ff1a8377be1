"""One import: files in, a history, a rejects file and a report out."""

import gc
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

from features.clock import from_us, to_us
from features.contracts.history import History, HistoryManifest
from features.sources.convert import Converters, RowSpan
from features.sources.errors import NothingUsableError
from features.sources.find_files import Reading, find_readings, open_rows
from features.sources.gathering import Gathering
from features.sources.history_folder import REJECTS_FILE, replaced_folder, write_history_files
from features.sources.mapping import ImportMapping, Record
from features.sources.quality import QualityCounts, count_quality
from features.sources.read_mapping import read_mapping
from features.sources.read_source import (
    FileContext,
    SourceCount,
    SourceReader,
    Waiting,
)
from features.sources.rejects import Reason, RejectKind, Rejects
from features.sources.rows import InputFile, RawRow, RowSource
from features.sources.xes_rows import XesRows

Progress = Callable[[str, float], None]
"""Told the file being read and how much of it, from 0 to 1."""

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
    history: History
    lead_count: int
    """Leads; their table has one row more for every later version of one."""
    sources: tuple[SourceCount, ...]
    rejected: dict[str, int]
    """Lines of the rejects file by kind and reason."""
    rejects_file: Path | None
    quality: QualityCounts
    events_before_creation: int
    clock_changes: dict[str, int] = field(default_factory=dict)
    columns_unused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of each file that the mapping does not name."""
    columns_unmet: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns the mapping names that a file never had."""

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

    Raises
    ------
    SourcesError
        If the mapping is wrong, a file is missing, or not one lead is usable.
    """
    if isinstance(mapping, str):
        mapping = read_mapping(mapping)
    readings = find_readings(mapping, path)
    with replaced_folder(to) as beside:
        with Rejects(beside / REJECTS_FILE) as rejects:
            run = _Run(mapping, path, rejects, progress, None if at is None else to_us(at))
            run.read_all(readings)
        if not run.gathering.lead_count:
            raise _nothing_usable(run, to)
        history = run.build_history()
        write_history_files(history, beside)
    return run.build_report(history, to)


class _Run:
    """The state of one import."""

    def __init__(
        self,
        mapping: ImportMapping,
        path: Path,
        rejects: Rejects,
        progress: Progress | None,
        now_us: int | None,
    ) -> None:
        self.mapping = mapping
        self.rejects = rejects
        self.gathering = Gathering(
            mapping.attributes,
            mapping.taxonomy,
            observed_until_us=mapping.observed_until_us,
            now_us=now_us,
        )
        self.counts = {s.position: SourceCount(s.position, s.record) for s in mapping.sources}
        self.clock_changes: Counter[str] = Counter()
        self.columns_unused: dict[str, tuple[str, ...]] = {}
        self.columns_unmet: dict[str, tuple[str, ...]] = {}
        self.fingerprints: dict[str, str] = {}
        self._folder = path.parent if path.is_file() else path
        self._progress = progress or (lambda _name, _fraction: None)
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
                self.gathering.leads_complete = True
                for waiting in self._waiting:
                    waiting.settle()
                self._waiting.clear()

    def build_history(self) -> History:
        """Put the tables and what must be said about them together."""
        tables = self.gathering.tables
        until_us = self.mapping.observed_until_us
        if until_us is None:
            until_us = (self.gathering.latest_us or 0) + 1
        from_us_ = self.mapping.observed_from_us
        return History(
            leads=tables[Record.LEAD].table(),
            events=tables[Record.EVENT].table(),
            stages=tables[Record.STAGE].table(),
            attempts=tables[Record.ATTEMPT].table(),
            about=HistoryManifest(
                source=self.mapping.name,
                taxonomy=self.mapping.taxonomy,
                observed_until=from_us(until_us),
                observed_from=None if from_us_ is None else from_us(from_us_),
                withheld=self.mapping.withheld,
                notes=self._notes(),
            ),
        )

    def build_report(self, history: History, to: Path) -> ImportReport:
        """Tell what the import did, once its history lies in its folder."""
        return ImportReport(
            mapping=self.mapping,
            folder=to,
            history=history,
            lead_count=self.gathering.lead_count,
            sources=tuple(self.counts.values()),
            rejected=self.rejects.worded_counts(),
            rejects_file=to / REJECTS_FILE if self.rejects.total else None,
            quality=count_quality(history),
            events_before_creation=self.gathering.events_before_creation,
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
        number_of_rows = 0
        with InputFile(path) as file:
            rows = open_rows(file, reading.sources[0])
            readers = self._make_readers(name, rows, reading, span)
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
                    self._progress(name, rows.fraction_read())
        self._progress(name, 1.0)
        self._compare_columns(name, rows, reading)
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
