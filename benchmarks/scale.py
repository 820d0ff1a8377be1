"""Fifty million events in bounded memory: a history in partitions, streamed in a fresh process.

Run as a program it does one run and prints it: ``python -m benchmarks.scale FOLDER [dask]``.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.job_log import N_CHANNELS, START, draw_moments, draw_times, type_shares
from benchmarks.job_stack import FAMILIES, job_catalog
from benchmarks.measure import console, print_table
from features.clock import DAY_US, from_us
from features.compute.grids import Look
from features.compute.offline import Snapshots
from features.compute.part import Job, compute_part
from features.compute.stream import stream_parts
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.kernel.encode import Encoder
from features.kernel.layout import Columns
from features.sources.history.writer import HistoryWriter

HOME = Path("var/bench/scale")
EVENTS_PER_PARTITION = 781_250
LOOKS = 6


@dataclass(frozen=True)
class SixWeeks:
    """Every lead, weekly for six weeks: 15 million moments for 2.5 million leads."""

    words: str = "weekly for six weeks"

    def of_partition(self, position: int) -> "SixWeeks":
        """Give itself: it does not differ between partitions."""
        return self

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:
        """Place six moments after each creation."""
        steps = np.arange(1, LOOKS + 1) * 7 * DAY_US
        n_leads = len(columns.created_at)
        moments = (columns.created_at[:, None] + steps).ravel()
        return Look(Snapshots(np.repeat(np.arange(n_leads), LOOKS), moments))


def _dictionary(codes: np.ndarray, names: list[str], *, missing: np.ndarray | None = None):
    indices = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names)).cast(pa.string())


def _draw_partition(position: int) -> tuple[pa.Table, pa.Table]:
    rng = np.random.default_rng(position)
    n_leads = EVENTS_PER_PARTITION // 20
    created, _, as_of, n_snapshots = draw_moments(rng, n_leads)
    weights = rng.lognormal(np.log(10), np.sqrt(2 * np.log(2)), n_leads)
    per_lead = np.maximum(1, np.round(weights * EVENTS_PER_PARTITION / weights.sum()))
    lead = np.repeat(np.arange(n_leads), per_lead.astype(np.int64))
    at = draw_times(rng, lead, created, as_of[np.cumsum(n_snapshots) - 1])
    order = np.lexsort((at, lead))
    lead, at, n = lead[order], at[order], len(at)
    names = [f"lead-{position:04d}-{i:08d}" for i in range(n_leads)]
    kinds = list(job_catalog().taxonomy.kind_names)
    channels = list(job_catalog().taxonomy.channels)[:N_CHANNELS]
    moments = pa.array(at, EVENT_SCHEMA.field("occurred_at").type)
    empty = pa.nulls(n, pa.string())
    events = {
        "event_id": pa.array(np.arange(n) + position * 10**8).cast(pa.string()),
        "lead_id": _dictionary(lead, names),
        "occurred_at": moments,
        "known_at": moments,
        "kind": _dictionary(rng.choice(len(kinds), n, p=type_shares()), kinds),
        "name": empty,
        "channel": _dictionary(
            rng.integers(0, N_CHANNELS, n), channels, missing=rng.random(n) < 0.02
        ),
        "value": pa.array(np.round(rng.lognormal(3, 1, n), 2), mask=rng.random(n) < 0.7),
        "properties": empty,
    }
    created_at = pa.array(created, LEAD_SCHEMA.field("created_at").type)
    people = {
        "lead_id": names, "known_at": created_at, "created_at": created_at,
        "account_id": pa.nulls(n_leads, pa.string()),
    }  # fmt: skip
    return pa.table(people, LEAD_SCHEMA), pa.table(events, EVENT_SCHEMA)


def draw_history(n_events: int) -> Path:
    """Draw a history of so many events in partitions, unless that was done before."""
    folder = HOME / f"{n_events // 1_000_000}M"
    if (folder / "history.json").is_file():
        return folder
    n_partitions = max(1, n_events // EVENTS_PER_PARTITION)
    console.print(f"drawing a history of {n_events:,} events in {n_partitions} partitions …")
    folder.mkdir(parents=True, exist_ok=True)
    until = from_us(START) + timedelta(days=600)
    about = HistoryManifest("bench", job_catalog().taxonomy, until)
    with HistoryWriter(folder, LEAD_SCHEMA) as writer:
        for position in range(n_partitions):
            leads, events = _draw_partition(position)
            writer.write_partition(
                leads, events, STAGE_SCHEMA.empty_table(), ATTEMPT_SCHEMA.empty_table()
            )
        writer.finish(about)
    return folder


def _sum_up(job: Job, position: int) -> tuple[int, float]:
    part = compute_part(job, position)
    return len(part.rows), float(np.nansum(part.rows[:, : len(FAMILIES) * 5], dtype=np.float64))


def run_once(folder: str, *, on_dask: bool) -> dict[str, float]:
    """Compute every part and add it up; tell what it took."""
    job, wall = Job(folder, job_catalog(), SixWeeks()), time.perf_counter()
    if on_dask:
        from features.compute.dask_backend import connected, largest_first, on_workers

        with connected("local", workers=2) as client:
            found = list(on_workers(client, _sum_up, job, largest_first(job.folder)))
    else:
        found = [
            (len(p.rows), float(np.nansum(p.rows[:, : len(FAMILIES) * 5], dtype=np.float64)))
            for p in stream_parts(job)
        ]
    wall = time.perf_counter() - wall
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "cpu": sum(u.ru_utime + u.ru_stime for u in used),
        "wall": wall,
        # Of the largest process; on Dask there are two such workers.
        "peak": max(u.ru_maxrss for u in used) / 1024,
        "rows": sum(n for n, _ in found),
        "sum": sum(s for _, s in found),
    }


def measure_scale(n_events: int = 50_000_000, repeats: int = 3) -> None:
    """Print CPU, wall and memory of fresh processes, in process and on Dask."""
    folder, rows, sums = draw_history(n_events), [], set()
    for words, more in (("in process, 2 threads", []), ("Dask, 2 workers", ["dask"])):
        found = []
        for _ in range(repeats):
            command = [sys.executable, "-m", "benchmarks.scale", str(folder), *more]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
        sums |= {run["sum"] for run in found}
        cpu, wall, peak = (np.median([run[k] for run in found]) for k in ("cpu", "wall", "peak"))
        rows.append(
            (
                words,
                f"{cpu:.1f}",
                f"{cpu / n_events * 1e9:,.0f}",
                f"{wall:.1f}",
                f"{peak:,.0f}",
                f"{found[0]['rows']:,}",
            )
        )
    if len(sums) > 1:
        raise AssertionError("the runs do not agree")
    headings = ["", "CPU s", "CPU ns/event", "wall s", "peak MiB of a process", "rows"]
    print_table(f"{n_events:,} events from a history, 80 columns, medians", headings, rows)


if __name__ == "__main__":
    print(json.dumps(run_once(sys.argv[1], on_dask="dask" in sys.argv[2:])))
