"""A history on disk: four Parquet tables and ``history.json``, put in place in one move.

Leads are split into partitions by account, so that each can be read on its own: row group ``n``
of a table holds the rows of the ``n``-th partition that has any, sorted by lead, then time.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts.history import History, HistoryManifest
from features.contracts.leads import attribute_types
from features.errors import HistoryNotFoundError
from features.sources.errors import HistoryFolderTakenError, HistoryUnreadableError
from features.sources.history.manifest import MANIFEST_FILE, TABLES, read_manifest, table_file
from features.sources.history.paths import Place
from features.sources.history.writer import write_tables

REJECTS_FILE = "rejects.csv"
OWNED_FILES = frozenset({MANIFEST_FILE, REJECTS_FILE, *map(table_file, TABLES)})

EVENT_COLUMNS = ("lead_id", "occurred_at", "known_at", "kind", "channel", "value")
"""What features and labels read of events; names, ids and properties stay on disk."""

CODED = {
    "leads": ("lead_id",),
    "events": ("lead_id", "kind", "channel"),
    "stages": ("lead_id", "stage"),
    "attempts": ("lead_id", "channel"),
}
"""Texts that ``read_partition`` gives dictionary-encoded."""


class HistoryFolder:
    """A history that is read partition by partition. May be used by many threads at once."""

    def __init__(self, place: Place) -> None:
        for name in (MANIFEST_FILE, *map(table_file, TABLES)):
            if not place.holds(name):
                raise HistoryNotFoundError(str(place), name)
        self._place = place
        self._metadata = {name: self._read_metadata(name) for name in TABLES}
        self.about: HistoryManifest
        self.about, counts = read_manifest(place)
        self._counts = counts or {name: [self._metadata[name].num_rows] for name in TABLES}
        self._groups = {name: self._find_groups(name, split=counts is not None) for name in TABLES}

    @property
    def n_partitions(self) -> int:
        """How many partitions there are; each lead is in one, with all that happened to it."""
        return len(self._counts["leads"])

    def count_rows(self, table: str) -> tuple[int, ...]:
        """Count a table's rows, partition by partition."""
        return tuple(self._counts[table])

    def read_partition(self, position: int) -> History:
        """Read one partition: of events only ``EVENT_COLUMNS``, and texts as ``CODED`` says.

        Raises
        ------
        HistoryUnreadableError
            If a file is damaged.
        """
        if not 0 <= position < self.n_partitions:
            raise IndexError(f"There is no partition {position}, of {self.n_partitions}.")
        return History(
            **{name: self._read_part(name, position) for name in TABLES}, about=self.about
        )

    def read_leads(self, position: int) -> pa.Table:
        """Read the leads of one partition only.

        Raises
        ------
        HistoryUnreadableError
            If the file is damaged.
        """
        return self._read_part("leads", position)

    def read_events(self, position: int, columns: Sequence[str]) -> pa.Table:
        """Read some columns of one partition's events, such as their raw names.

        Raises
        ------
        HistoryUnreadableError
            If the file is damaged.
        """
        with self._reading("events"), self._opened("events") as file:
            groups = self._groups["events"][position]
            return file.read_row_groups(groups, columns=list(columns), use_threads=False)

    def read_table(self, name: str) -> pa.Table:
        """Read a whole table."""
        with self._reading(name), self._opened(name) as file:
            return complete(name, file.read())

    def _read_part(self, name: str, position: int) -> pa.Table:
        with self._reading(name), self._opened(name, coded=self._coded(name)) as file:
            columns = list(EVENT_COLUMNS) if name == "events" else None
            # The caller spreads partitions over threads; columns are not spread as well.
            groups = self._groups[name][position]
            return complete(name, file.read_row_groups(groups, columns=columns, use_threads=False))

    def _coded(self, name: str) -> list[str]:
        if name != "leads":
            return list(CODED[name])
        types = attribute_types(self._metadata[name].schema.to_arrow_schema().empty_table())
        return [*CODED[name], *(a for a, type_ in types.items() if type_ == "category")]

    def _find_groups(self, name: str, *, split: bool) -> list[list[int]]:
        """Find the row groups of each partition; an empty one has none."""
        metadata = self._metadata[name]
        if not split:
            return [list(range(metadata.num_row_groups))]
        filled = [count for count in self._counts[name] if count]
        stored = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
        if filled != stored or len(self._counts[name]) != self.n_partitions:
            problem = f"its row groups are not the partitions that {MANIFEST_FILE} counts"
            raise HistoryUnreadableError(self._place.named(table_file(name)), problem)
        numbers = iter(range(len(stored)))
        return [[next(numbers)] if count else [] for count in self._counts[name]]

    def _read_metadata(self, name: str) -> pq.FileMetaData:
        with self._reading(name), self._place.open(table_file(name)) as stream:
            return pq.read_metadata(stream)

    @contextmanager
    def _opened(self, name: str, coded: list[str] | None = None) -> Iterator[pq.ParquetFile]:
        # A ParquetFile, not a data set: folder names such as "year=2012" are not columns.
        with self._place.open(table_file(name)) as stream:
            metadata = self._metadata[name]
            yield pq.ParquetFile(stream, metadata=metadata, read_dictionary=coded)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            where = self._place.named(table_file(name))
            raise HistoryUnreadableError(where, str(error)) from error


def complete(name: str, table: pa.Table) -> pa.Table:
    """Add the columns that histories written by an older Baton do not have, all unknown."""
    if name != "stages" or "propensity" in table.schema.names:
        return table
    return table.append_column("propensity", pa.nulls(len(table), pa.float64()))


def open_history(folder: Path | str) -> HistoryFolder:
    """Open a history to read it partition by partition.

    Parameters
    ----------
    folder
        A folder, or the URL of one (``s3://...``) that fsspec can open.

    Raises
    ------
    HistoryNotFoundError
        If the folder or one of its five files is missing.
    HistoryUnreadableError
        If a file is damaged or of a newer format.
    """
    return HistoryFolder(Place(folder))


def read_history(folder: Path | str) -> History:
    """Read and check a whole history that ``write_history`` wrote.

    Raises
    ------
    HistoryNotFoundError
        If the folder or one of its five files is missing.
    HistoryUnreadableError
        If a file is damaged or of a newer format.
    ContractError
        If a table does not have the shape of its record.
    """
    opened = open_history(folder)
    history = History(**{name: opened.read_table(name) for name in TABLES}, about=opened.about)
    history.check()
    return history


def write_history(history: History, folder: Path) -> None:
    """Check a history and write it; the folder appears whole or, on failure, stays as it was.

    Raises
    ------
    ContractError
        If a table does not have the shape of its record, or names a lead the lead table lacks.
    HistoryFolderTakenError
        If the folder holds files but no history.
    """
    history.check()
    with replaced_folder(folder) as beside:
        write_tables(history, beside)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder beside ``folder``; when the block ends well it takes its place.

    Files of the old folder that are not part of a history (notes, a model) move along.

    Raises
    ------
    HistoryFolderTakenError
        If the folder holds files but no history: nobody's documents are replaced by accident.
    """
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    fresh, old = workspace / "new", workspace / "old"
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            for kept in folder.iterdir():
                if kept.name not in OWNED_FILES and not (fresh / kept.name).exists():
                    shutil.move(kept, fresh / kept.name)
            folder.rename(old)
        fresh.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(workspace, ignore_errors=True)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST_FILE).is_file()):
        raise HistoryFolderTakenError(str(folder))
