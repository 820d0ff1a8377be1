"""The feature job, paired: the house, Polars, NumPy and DuckDB in turn, in one process."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.job_log import JobLog, draw_job
from benchmarks.job_stack import EXACT, full_catalog, job_catalog, read_log, run_jobs
from benchmarks.measure import console, print_table
from features.catalog.feature import Op
from features.catalog.manifest import Catalog
from features.compute.offline import Snapshots, compute_columns
from features.kernel.layout import Columns, own_array
from features.kernel.plan import build_plan
from features.kernel.rows import fill_rows

BATON_64 = "Baton, float64, one thread"

NEARLY = 1e-9
"""Largest relative difference between the house and another engine, in double precision."""


def _take_cpu(action: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


def in_doubles(catalog: Catalog, columns: Columns, snapshots: Snapshots) -> np.ndarray:
    """Compute the matrix in double precision, to compare."""
    out = np.empty((len(snapshots), len(catalog.features)), np.float64)
    offsets = snapshots.offsets(len(columns.created_at))
    fill_rows(columns, build_plan(catalog), 0, offsets, own_array(snapshots.as_of, np.int64), out)
    return out


def largest_difference(catalog: Catalog, ours: np.ndarray, theirs: np.ndarray) -> float:
    """Compare two matrices, counts exactly; give the largest relative difference.

    A standard deviation of gaps that are all but equal is compared in days: as a ratio it would
    compare rounding with rounding.
    """
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        raise AssertionError("the two know different cells")
    if not np.array_equal(ours[:, :EXACT], theirs[:, :EXACT]):
        raise AssertionError("the two count differently")
    worst = 0.0
    for column, feature in enumerate(catalog.features[EXACT:], EXACT):
        known = ~np.isnan(ours[:, column])
        a, b = ours[known, column], theirs[known, column]
        size = np.maximum(np.abs(b), 1e-9)
        away = np.abs(a - b) / (1.0 if feature.op is Op.GAP_STD else size)
        worst = max(worst, float(away.max(initial=0.0)))
    if worst > NEARLY:
        raise AssertionError(f"the two differ by {worst:.1e}")
    return worst


def _others() -> dict[str, Callable[[JobLog], np.ndarray]]:
    from benchmarks.oracles.duckdb_job import run_duckdb
    from benchmarks.oracles.numpy_job import run_numpy
    from benchmarks.oracles.polars_job import run_polars

    return {
        "Polars, streaming": run_polars,
        "NumPy, vectorised": run_numpy,
        "DuckDB, packed sums": run_duckdb,
    }


def run_in_doubles(job: JobLog) -> np.ndarray:
    """Do the whole job in double precision, as the other engines do."""
    return in_doubles(job_catalog(), *read_log(job))


def measure_job(n_events: int = 1_000_000, repeats: int = 5) -> None:
    """Print what the job costs here and elsewhere, after checking that all answer the same."""
    job, others = draw_job(n_events), _others()
    columns, snapshots = read_log(job)
    exact = in_doubles(job_catalog(), columns, snapshots)
    del columns
    worst = {
        name: largest_difference(job_catalog(), exact, run(job)) for name, run in others.items()
    }
    del exact
    run_jobs(job)  # once before it counts
    engines = {"house": run_jobs, BATON_64: run_in_doubles, **others}
    cpu: dict[str, list[float]] = {name: [] for name in engines}
    wall: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(repeats):
        for name, run in engines.items():
            spent, took = _take_cpu(lambda run=run: run(job))
            cpu[name].append(spent)
            wall[name].append(took)
        per_kind = ", ".join(f"{name} {x[-1] / n_events * 1e9:,.0f}" for name, x in cpu.items())
        console.print(f"turn {turn + 1} of {repeats}: {per_kind} ns")
    rows = []
    for name, spent in cpu.items():
        ratio, ratio_64 = (
            np.median(np.array(spent) / np.array(cpu[ours])) for ours in ("house", BATON_64)
        )
        rows.append(
            (
                name,
                f"{np.median(spent) / n_events * 1e9:,.0f}",
                f"{min(spent) / n_events * 1e9:,.0f}",
                f"{np.median(wall[name]):.2f}",
                f"{ratio:.1f}x",
                f"{ratio_64:.1f}x",
                f"{worst[name]:.0e}" if name in worst else "",
            )
        )
    headings = [
        "log in Parquet to matrix", "CPU ns/event, median", "best", "wall s", "CPU to the house's",
        "to it in float64", "largest difference",
    ]  # fmt: skip
    title = f"Feature job: {n_events:,} events, {len(snapshots):,} moments, 80 columns; "
    print_table(title + f"medians of {repeats}, paired; counts exact", headings, rows)
    measure_parts(job, repeats)


def measure_parts(job: JobLog, repeats: int) -> None:
    """Print what the kernel costs, and all from the log on, with eighty columns and with all."""
    rows = []
    for words, catalog, n_kinds in (
        ("the job's", job_catalog(), 20),
        ("the house's", full_catalog(), len(full_catalog().taxonomy.kinds)),
    ):
        columns, snapshots = read_log(job, n_kinds)
        out = np.empty((len(snapshots), len(catalog.features)), np.float32)
        plan, offsets = build_plan(catalog), snapshots.offsets(len(columns.created_at))
        as_of = own_array(snapshots.as_of, np.int64)

        def kernel(c=columns, p=plan, o=offsets, a=as_of, m=out) -> None:
            fill_rows(c, p, 0, o, a, m)

        def from_log(k=catalog, n=n_kinds) -> None:
            compute_columns(k, *read_log(job, n))

        spent = []
        for action in (kernel, from_log):
            action()
            taken = [_take_cpu(action)[0] / job.n_events * 1e9 for _ in range(repeats)]
            spent.append(f"{np.median(taken):,.0f} ({min(taken):,.0f})")
        rows.append((f"{words}: {len(catalog.features)}", *spent))
    headings = ["columns", "kernel, one thread, warm", "log to matrix"]
    print_table(
        f"CPU ns per event, medians of {repeats} (best); {job.n_events:,} events", headings, rows
    )
