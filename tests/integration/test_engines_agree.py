"""Thousands of real-looking snapshots: one lead online is its row offline and on Dask, bit for bit.

The market has late arrivals, versions, stages and colleagues. Here the three engines start from the
same files and take different ways: columns of whole partitions, workers, and records of one lead.
"""

from collections import defaultdict

import numpy as np
import pyarrow as pa

from features.clock import to_us
from features.compute.dask_backend import connected, on_workers
from features.compute.grids import WEEK_US, Periodic
from features.compute.online import compute_rows
from features.compute.part import Job, compute_part
from features.compute.settings import LOCAL
from features.compute.stream import stream_parts
from features.compute.vocabulary import learn_catalog
from features.contracts.leads import attribute_types
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.sources.history.folder import open_history, read_history

SNAPSHOTS = 5_000


def rows_of(table: pa.Table) -> dict[str, list[dict]]:
    """List a table's rows by lead, times in microseconds."""
    plain = table.cast(
        pa.schema(
            [
                pa.field(f.name, pa.int64() if pa.types.is_timestamp(f.type) else f.type)
                for f in table.schema
            ]
        )
    )
    found = defaultdict(list)
    for row in plain.to_pylist():
        found[row["lead_id"]].append(row)
    return found


def read_records(history) -> dict[str, LeadRecord]:
    """Read every lead as a record, without colleagues."""
    names = list(attribute_types(history.leads))
    events, stages = rows_of(history.events), rows_of(history.stages)
    return {
        lead_id: LeadRecord(
            lead_id,
            versions[0]["created_at"],
            tuple(
                LeadVersion(v["known_at"], {n: v[n] for n in names}, v["account_id"])
                for v in versions
            ),
            tuple(
                EventRecord(e["occurred_at"], e["known_at"], e["kind"], e["channel"], e["value"])
                for e in events[lead_id]
            ),
            tuple(
                StageRecord(m["at"], m["known_at"], m["stage"], m["reason"])
                for m in stages[lead_id]
            ),
        )
        for lead_id, versions in rows_of(history.leads).items()
    }


def bring_colleagues(records: dict[str, LeadRecord]) -> dict[str, LeadRecord]:
    """Give each lead those of the accounts it ever belonged to."""
    people = defaultdict(list)
    for lead_id, record in records.items():
        for account in {v.account_id for v in record.versions} - {None}:
            people[account].append(lead_id)
    found = {}
    for lead_id, record in records.items():
        own = sorted({v.account_id for v in record.versions} - {None})
        others = dict.fromkeys(i for account in own for i in people[account] if i != lead_id)
        found[lead_id] = record._replace(colleagues=tuple(records[i] for i in others))
    return found


def test_one_lead_online_is_its_row_offline_and_on_dask_bit_for_bit(split_market):
    folder = open_history(split_market)
    tables = (folder.read_leads(n) for n in range(folder.n_partitions))
    until_us = to_us(folder.about.observed_until)
    job = Job(
        str(split_market),
        learn_catalog(folder.about.taxonomy, tables, until_us),
        Periodic(WEEK_US),
    )
    offline = list(stream_parts(job))
    with connected(LOCAL, workers=2) as client:
        on_dask = {
            p.position: p
            for p in on_workers(client, compute_part, job, range(folder.n_partitions))
        }
    for part in offline:
        assert part.rows.tobytes() == on_dask[part.position].rows.tobytes()

    records = bring_colleagues(read_records(read_history(split_market)))
    asked = [
        (part.lead_ids[int(lead)].as_py(), int(as_of), row)
        for part in offline
        for lead, as_of, row in zip(
            part.snapshots.lead_index, part.snapshots.as_of, part.rows, strict=True
        )
    ]
    assert len(asked) >= SNAPSHOTS
    chosen = np.random.default_rng(1).choice(len(asked), SNAPSHOTS, replace=False)
    some_active = job.catalog.names.index("colleagues_active_30d")
    seen = 0
    for start in range(0, SNAPSHOTS, 500):
        batch = [asked[i] for i in chosen[start : start + 500]]
        online = compute_rows(
            job.catalog, [records[lead_id] for lead_id, _, _ in batch], [t for _, t, _ in batch]
        )
        assert online.tobytes() == np.stack([row for _, _, row in batch]).tobytes()
        seen += int(np.nansum(online[:, some_active] > 0))
    assert seen > 100
