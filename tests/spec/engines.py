"""Every way to compute features: each must answer every spec alike.

An engine takes a catalogue, leads, and which lead to look at when (ordered by lead, then time);
it gives one row per look. A new engine is one function and one line in ``ENGINES``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.clock import from_us
from features.compute.dask_backend import connected, largest_first, on_workers
from features.compute.grids import choose_moments
from features.compute.offline import Snapshots, compute_columns, compute_matrix
from features.compute.online import compute_packed_rows, compute_rows
from features.compute.part import Job, Part, compute_part, list_leads
from features.compute.settings import LOCAL
from features.compute.stream import stream_parts
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.columns import TIME
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import ATTRIBUTE_ARROW_TYPES, LEAD_SCHEMA
from features.contracts.records import LeadRecord, LeadVersion
from features.contracts.stages import STAGE_SCHEMA
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_records, lead_index
from features.kernel.packed import pack_lead
from features.kernel.reference import reference_row
from features.sources.history.folder import open_history, read_history, write_history
from features.sources.history.partitions import LeadPlaces
from features.sources.history.writer import HistoryWriter

Rows = NDArray[np.floating]
Engine = Callable[[Catalog, Sequence[LeadRecord], Snapshots], Rows]


def reference(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute by definition, in plain Python."""
    asked = zip(looks.lead_index, looks.as_of, strict=True)
    return np.array([reference_row(catalog, leads[lead], int(as_of)) for lead, as_of in asked])


def compiled(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute with the kernel, from columns laid out in memory."""
    # A lead's colleagues stand behind it in the columns.
    places = np.cumsum([0, *(1 + len(lead.colleagues or ()) for lead in leads)])
    asked = Snapshots(places[looks.lead_index], looks.as_of)
    return compute_columns(catalog, columns_of_records(Encoder(catalog), leads), asked)


def online(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute as the server does, one lead and moment at a time."""
    asked = zip(looks.lead_index, looks.as_of, strict=True)
    rows = [compute_rows(catalog, [leads[lead]], [int(as_of)])[0] for lead, as_of in asked]
    return np.array(rows)


def packed(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute from histories packed at the moment of looking: what was known by then."""
    encoder = Encoder(catalog)
    rows = []
    for lead, as_of in zip(looks.lead_index.tolist(), looks.as_of.tolist(), strict=True):
        known = known_before(leads[lead], as_of)
        rows.append(compute_packed_rows(catalog, [pack_lead(encoder, known)], [as_of])[0])
    return np.array(rows)


def known_before(lead: LeadRecord, as_of: int) -> LeadRecord:
    """Leave out what a store could not hold at that moment."""
    return lead._replace(
        versions=tuple(v for v in lead.versions if v.known_at < as_of),
        events=tuple(e for e in lead.events if e.known_at < as_of),
        stages=tuple(m for m in lead.stages if m.known_at < as_of),
        colleagues=lead.colleagues
        and tuple(known_before(colleague, as_of) for colleague in lead.colleagues),
    )


def offline(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute from a history that was written to disk and read back."""
    with TemporaryDirectory() as folder:
        write_history(write_down(catalog, leads), Path(folder) / "history")
        history = read_history(Path(folder) / "history")
    order, asked = _asked_of(history, leads, looks)
    rows = np.empty((len(looks), len(catalog.features)), np.float32)
    rows[order] = compute_matrix(catalog, history, asked)
    return rows


def streamed(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute from a history on disk, partition by partition on two threads."""
    with _job_on_disk(catalog, leads, looks) as job:
        return _rows_of(stream_parts(job, threads=2), leads, looks)


def dask(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    """Compute the same partitions on two workers of Dask."""
    with (
        _job_on_disk(catalog, leads, looks) as job,
        connected(LOCAL, workers=2) as client,
    ):
        parts = on_workers(client, compute_part, job, largest_first(job.folder))
        return _rows_of(parts, leads, looks)


def _rows_of(parts: Iterable[Part], leads: Sequence[LeadRecord], looks: Snapshots) -> Rows:
    rows = {}
    for part in parts:
        asked = zip(part.snapshots.lead_index, part.snapshots.as_of, part.rows, strict=True)
        rows |= {(part.lead_ids[int(n)].as_py(), int(as_of)): row for n, as_of, row in asked}
    asked = zip(looks.lead_index, looks.as_of, strict=True)
    return np.array([rows[leads[lead].lead_id, int(as_of)] for lead, as_of in asked])


@contextmanager
def _job_on_disk(catalog: Catalog, leads: Sequence[LeadRecord], looks: Snapshots) -> Iterator[Job]:
    """Write the leads as a history of several partitions; say what is asked of it."""
    moments = {
        "lead_id": pa.array([leads[lead].lead_id for lead in looks.lead_index]),
        "as_of": pa.array(looks.as_of).cast(TIME),
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_partitions(catalog, leads, folder)
        opened = open_history(folder)
        parts = (opened.read_partition(n) for n in range(opened.n_partitions))
        of_parts = [list_leads(part.leads) for part in parts]
        yield Job(name, catalog, choose_moments(pa.table(moments), of_parts, "the drawings"))


def _write_partitions(catalog: Catalog, leads: Sequence[LeadRecord], folder: Path) -> None:
    whole = write_down(catalog, leads)
    partition = LeadPlaces(whole.leads).partitions(bits=2)
    with HistoryWriter(folder, whole.leads.schema) as writer:
        for position in range(4):
            own = [lead for lead, place in zip(leads, partition, strict=True) if place == position]
            part = write_down(catalog, own)
            writer.write_partition(part.leads, part.events, part.stages, part.attempts)
        writer.finish(whole.about)


ENGINES: dict[str, Engine] = {
    "reference": reference,
    "compiled": compiled,
    "offline": offline,
    "streamed": streamed,
    "dask": dask,
    "online": online,
    "packed": packed,
}


def write_down(catalog: Catalog, leads: Sequence[LeadRecord]) -> History:
    """Write leads as the four tables, as an importer would."""
    attributes = [pa.field(a.name, ATTRIBUTE_ARROW_TYPES[a.type]) for a in catalog.attributes]
    events = [
        {
            "event_id": f"{lead.lead_id}-{n}",
            "lead_id": lead.lead_id,
            "occurred_at": from_us(e.occurred_at),
            "known_at": from_us(e.known_at),
            "kind": e.kind,
            "channel": e.channel,
            "value": e.value,
        }
        for lead in leads
        for n, e in enumerate(lead.events)
    ]
    stages = [
        {"lead_id": lead.lead_id, "at": from_us(m.at), "known_at": from_us(m.known_at)}
        | {"stage": m.stage, "reason": m.reason}
        for lead in leads
        for m in lead.stages
    ]
    versions = [row for lead in leads for row in _versions(catalog, lead)]
    return History(
        pa.Table.from_pylist(versions, pa.schema([*LEAD_SCHEMA, *attributes])),
        pa.Table.from_pylist(events, EVENT_SCHEMA),
        pa.Table.from_pylist(stages, STAGE_SCHEMA),
        pa.Table.from_pylist([], ATTEMPT_SCHEMA),
        HistoryManifest("specs", catalog.taxonomy, from_us(2**52)),
    )


def _asked_of(
    history: History, leads: Sequence[LeadRecord], looks: Snapshots
) -> tuple[NDArray[np.int64], Snapshots]:
    """Ask about the leads where a history has them: a folder keeps them in an order of its own."""
    numbers = lead_index(history.leads)
    moved = np.array([numbers[leads[i].lead_id] for i in looks.lead_index], np.int64)
    order = np.lexsort((looks.as_of, moved))
    return order, Snapshots(moved[order], looks.as_of[order])


def _versions(catalog: Catalog, lead: LeadRecord) -> list[dict[str, object]]:
    times = {a.name for a in catalog.attributes if a.type == "time"}
    versions = lead.versions
    if lead.created_at not in {v.known_at for v in versions}:
        versions = (*versions, LeadVersion(lead.created_at, {}))
    return [
        {
            "lead_id": lead.lead_id,
            "created_at": from_us(lead.created_at),
            "known_at": from_us(version.known_at),
            "account_id": version.account_id,
            **{
                name: from_us(int(value)) if name in times and value is not None else value
                for name, value in version.attributes.items()
            },
        }
        for version in sorted(versions, key=lambda version: version.known_at)
    ]
