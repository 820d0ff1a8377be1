"""The feature job as the house does it: eighty columns, from the log to the matrix."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.job_log import N_CHANNELS, N_FAMILIES, N_TYPES, JobLog
from benchmarks.lead_numbers import LeadNumbers
from features.catalog.feature import LIFE, Feature, Op
from features.catalog.manifest import Catalog, build_catalog
from features.compute.offline import Snapshots, compute_columns
from features.kernel.layout import Columns, assemble_columns
from features.taxonomy import OTHER, Kind, Taxonomy, default_taxonomy

FAMILIES = tuple(f"family{i}" for i in range(N_FAMILIES))
QUARTERS = tuple(f"quarter{i}" for i in range(4))
"""Four groups of two families each, for the decayed intensities."""
ALL = "all"
COUNTED = ("1d", "7d", "30d", "90d", LIFE)
EXACT = 40 + 2 + 2 + 2
"""The first columns are counts: all equal, not nearly."""


def job_taxonomy() -> Taxonomy:
    """Name the twenty types; type ``i`` belongs to family ``i % 8``."""
    kinds = tuple(
        Kind(
            OTHER if i == N_TYPES - 1 else f"type{i}",
            "event",
            "events",
            (FAMILIES[i % N_FAMILIES], QUARTERS[i % N_FAMILIES // 2], ALL),
        )
        for i in range(N_TYPES)
    )
    channels = (*(f"channel{i}" for i in range(N_CHANNELS)), OTHER)
    return Taxonomy(kinds, channels, dict.fromkeys((*FAMILIES, *QUARTERS, ALL), ("e", "es")))


def _feature(op: Op, **facts: object) -> Feature:
    facts_text = "_".join(str(fact) for fact in facts.values())
    return Feature(
        name=f"{op}_{facts_text}", family="job", op=op, field="job", field_words="Job",
        sub_score="engagement", unit="count", words="{value}", null_words="-", **facts,
    )  # fmt: skip


def job_catalog() -> Catalog:
    """List the eighty columns, counts first."""
    features = [_feature(Op.COUNT, group=f, window=w) for w in COUNTED for f in FAMILIES]
    features += [_feature(Op.ACTIVE_DAYS, group=ALL, window=w) for w in ("7d", "30d")]
    features += [_feature(Op.CHANNELS, group=ALL, window=w) for w in ("30d", LIFE)]
    features += [_feature(Op.SESSIONS, group=ALL, window=w) for w in ("30d", LIFE)]
    features += [_feature(Op.RECENCY, group=f) for f in (*FAMILIES, ALL)]
    features += [
        _feature(Op.INTENSITY, group=g, half_life_days=h) for h in (3.0, 14.0) for g in QUARTERS
    ]
    features += [_feature(op, group=ALL) for op in (Op.GAP_MEAN, Op.GAP_STD)]
    short, long = {"group": ALL, "window": "7d"}, {"other_window": "30d"}
    features += [_feature(Op.TREND, **short, **long)]
    features += [_feature(Op.SHARE, **short, other_group=ALL, **long), _feature(Op.AGE)]
    features += [_feature(Op.CALENDAR_SHARE, group=ALL, position=i) for i in range(6)]
    features += [_feature(op, group=ALL) for op in (Op.FIRST_CHANNEL, Op.LAST_CHANNEL)]
    worth = (Op.VALUE_SUM, Op.VALUE_MAX)
    features += [_feature(op, group=ALL, window=w) for op in worth for w in ("30d", LIFE)]
    return Catalog(job_taxonomy(), (), tuple(features))


def full_catalog() -> Catalog:
    """Give the house's own catalogue; the job's types fall on its kinds in order."""
    return build_catalog(default_taxonomy(), ())


def _microseconds(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy()


def read_log(job: JobLog, n_kinds: int = N_TYPES) -> tuple[Columns, Snapshots]:
    """Read the log, number its leads, and lay it out sorted."""
    leads, moments = pq.read_table(job.leads), pq.read_table(job.moments)
    events = pq.read_table(job.events)
    numbers = LeadNumbers(leads.column("lead").to_numpy())
    lead = numbers.find(events.column("lead").to_numpy())
    at = _microseconds(events.column("ts"))
    kind = events.column("type").to_numpy()
    records = (
        lead,
        at,
        at,  # the same array: all were known when they happened
        kind if n_kinds == N_TYPES else kind % n_kinds,
        events.column("channel").fill_null(-1).to_numpy(),
        events.column("value").to_numpy(),
    )
    nothing = np.empty(0, np.int64)
    versions = (nothing, nothing, np.empty((0, 0)))
    columns = assemble_columns(_microseconds(leads.column("created_at")), records, versions)
    asking = numbers.find(moments.column("lead").to_numpy())
    return columns, Snapshots(asking, _microseconds(moments.column("as_of")))


def run_jobs(job: JobLog) -> np.ndarray:
    """Do the whole job: log in Parquet to matrix in memory."""
    columns, snapshots = read_log(job)
    return compute_columns(job_catalog(), columns, snapshots)
