"""Writes the tables of a history, one partition after the other."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.stages import STAGE_SCHEMA
from features.sources.history.manifest import TABLES, table_file, write_manifest
from features.sources.history.partitions import LeadPlaces, partition_bits

COMPRESSION = "lz4"
"""Read a third faster than zstd, for a quarter more bytes on disk."""
DICTIONARY_BYTES = 64 * 1024 * 1024
"""Lead ids stay coded even where a partition has very many: decoding them would cost most."""

NEVER_TWICE = frozenset({"event_id", "occurred_at", "known_at", "created_at", "at", "properties"})
"""Columns of which few rows agree: a dictionary would be as long as the column."""


class HistoryWriter:
    """Writes partitions as they come, so that only one at a time is in memory.

    Use as a context manager; ``finish`` writes what makes the folder a history.
    """

    def __init__(self, folder: Path, lead_schema: pa.Schema) -> None:
        self._folder = folder
        schemas = (lead_schema, EVENT_SCHEMA, STAGE_SCHEMA, ATTEMPT_SCHEMA)
        self._writers = {
            name: _open_writer(folder / table_file(name), schema.remove_metadata())
            for name, schema in zip(TABLES, schemas, strict=True)
        }
        self._counts: dict[str, list[int]] = {name: [] for name in TABLES}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def write_partition(
        self, leads: pa.Table, events: pa.Table, stages: pa.Table, attempts: pa.Table
    ) -> None:
        """Write one partition, its rows sorted by lead, then time."""
        for name, table in zip(TABLES, (leads, events, stages, attempts), strict=True):
            self._counts[name].append(table.num_rows)
            if table.num_rows:
                writer = self._writers[name]
                plain = table.select(writer.schema.names).cast(writer.schema)
                writer.write_table(plain, row_group_size=table.num_rows)

    def finish(self, about: HistoryManifest) -> None:
        """Close the tables and write ``history.json``."""
        for writer in self._writers.values():
            writer.close()
        write_manifest(self._folder, about, self._counts)


def _open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    coded = [
        field.name
        for field in schema
        if field.name not in NEVER_TWICE and not pa.types.is_boolean(field.type)
    ]
    return pq.ParquetWriter(
        path,
        schema,
        compression=COMPRESSION,
        use_dictionary=coded,
        dictionary_pagesize_limit=DICTIONARY_BYTES,
        write_statistics=False,
    )


def write_tables(history: History, folder: Path) -> None:
    """Split a checked history into partitions and write it into a folder that exists.

    Raises
    ------
    ContractError
        If a table names a lead that the lead table lacks.
    """
    places = LeadPlaces(history.leads)
    bits = partition_bits(history.events.num_rows + history.stages.num_rows)
    rank, partition = places.ranks(bits), places.partitions(bits)
    tables = {
        "leads": SplitTable.of_leads(history.leads, places, bits),
        **{
            name: SplitTable(
                table, places.find(word, table.column("lead_id")), rank, partition, at
            )
            for name, word, at, table in (
                ("events", "event", "occurred_at", history.events),
                ("stages", "stage change", "at", history.stages),
                ("attempts", "attempt", "at", history.attempts),
            )
        },
    }
    with HistoryWriter(folder, history.leads.schema) as writer:
        for position in range(1 << bits):
            writer.write_partition(**{name: t.part(position) for name, t in tables.items()})
        writer.finish(history.about)


class SplitTable:
    """A table in memory whose partitions are taken one by one."""

    def __init__(
        self,
        table: pa.Table,
        lead: NDArray[np.int64],
        rank: NDArray[np.int64],
        partition: NDArray[np.int64],
        at: str | None,
    ) -> None:
        self._table = table
        by_lead = rank[lead]
        if at is None:
            self._order = np.argsort(by_lead, kind="stable")
        else:
            self._order = np.lexsort((np.asarray(table.column(at).cast(pa.int64())), by_lead))
        count = int(partition.max(initial=0)) + 1
        self._ends = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(partition[lead], minlength=count), out=self._ends[1:])

    @classmethod
    def of_leads(cls, leads: pa.Table, places: LeadPlaces, bits: int) -> Self:
        """Split the lead table; the versions of a lead keep their order."""
        return cls(leads, places.of_row, places.ranks(bits), places.partitions(bits), None)

    def part(self, position: int) -> pa.Table:
        """Give the rows of one partition, sorted by lead, then time."""
        if position + 1 >= len(self._ends):
            return self._table.schema.empty_table()
        rows = self._order[self._ends[position] : self._ends[position + 1]]
        return self._table.take(pa.array(rows))
