"""The end of an import: what was gathered, sorted once, partition by partition, onto the disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from features.contracts.attempts import check_attempts
from features.contracts.events import check_events
from features.contracts.history import HistoryManifest
from features.contracts.leads import check_leads
from features.contracts.stages import check_stages
from features.sources.gathering.gather import Gathering
from features.sources.history.manifest import TABLES
from features.sources.history.partitions import LeadPlaces, partition_bits
from features.sources.history.writer import HistoryWriter, SplitTable
from features.sources.mapping.model import Record
from features.sources.quality import KEYS, QualityCounter

CHECKS = dict(zip(TABLES, (check_leads, check_events, check_stages, check_attempts), strict=True))
SHORT = 32


def write_sorted(
    gathering: Gathering,
    places: LeadPlaces,
    about: HistoryManifest,
    folder: Path,
    progress: Callable[[float], None],
) -> tuple[dict[str, int], QualityCounter]:
    """Write what was gathered into a folder that exists; give the rows of each table.

    Only one partition of events is in memory at a time.

    Raises
    ------
    ContractError
        If a table does not have the shape of its record.
    """
    leads, stages, attempts = (
        gathering.tables[record].table() for record in (Record.LEAD, Record.STAGE, Record.ATTEMPT)
    )
    bits = partition_bits(gathering.events.count + stages.num_rows)
    rank, partition = places.ranks(bits), places.partitions(bits)
    in_memory = {"leads": SplitTable.of_leads(leads, places, bits)}
    for name, table in (("stages", stages), ("attempts", attempts)):
        lead = places.find(name, table.column("lead_id"))
        in_memory[name] = SplitTable(table, lead, rank, partition, "at")
    rows, quality = dict.fromkeys(TABLES, 0), QualityCounter()
    with HistoryWriter(folder, leads.schema) as writer:
        for position in range(1 << bits):
            parts = {name: table.part(position) for name, table in in_memory.items()}
            parts["events"] = _sorted_events(gathering, places, rank, bits, position)
            _count_in(parts, rows, quality)
            writer.write_partition(**parts)
            progress((position + 1) / (1 << bits))
        writer.finish(about)
    return rows, quality


def _count_in(parts: dict[str, pa.Table], rows: dict[str, int], quality: QualityCounter) -> None:
    for name, table in parts.items():
        CHECKS[name](table)
        rows[name] += table.num_rows
        if name in KEYS:
            quality.add(name, table)
    quality.add_leads(parts["leads"])


def _sorted_events(
    gathering: Gathering,
    places: LeadPlaces,
    rank: NDArray[np.int64],
    bits: int,
    position: int,
) -> pa.Table:
    table = gathering.events.read(bits, position)
    by_lead = rank[np.asarray(table.column("lead"))]
    if table.num_rows:
        by_lead -= by_lead.min()
        order = _order(by_lead, np.asarray(table.column("occurred_at")))
        table = table.take(pa.array(order))
    return gathering.events.as_records(table, places.lead_ids)


@njit(cache=True, nogil=True)
def _order(lead, at):  # type: ignore[no-untyped-def]
    """Order rows by lead, then time; rows that agree in both keep their order."""
    ends = np.zeros(lead.max() + 2, np.int64)
    for row in range(len(lead)):
        ends[lead[row] + 1] += 1
    for number in range(1, len(ends)):
        ends[number] += ends[number - 1]
    place = ends.copy()
    order = np.empty(len(lead), np.int64)
    for row in range(len(lead)):
        order[place[lead[row]]] = row
        place[lead[row]] += 1
    for number in range(len(ends) - 1):
        own = order[ends[number] : ends[number + 1]]
        if len(own) > SHORT:
            own[:] = own[np.argsort(at[own], kind="mergesort")]
        else:
            _insertion_sort(own, at)
    return order


@njit(cache=True, nogil=True)
def _insertion_sort(own, at):  # type: ignore[no-untyped-def]
    for n in range(1, len(own)):
        row, place = own[n], n
        while place and at[own[place - 1]] > at[row]:
            own[place] = own[place - 1]
            place -= 1
        own[place] = row
