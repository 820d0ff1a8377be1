"""The feature job of the benchmarks: house, reference and other engines agree on a small log."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import job_log
from benchmarks.job import in_doubles, largest_difference
from benchmarks.job_stack import EXACT, job_catalog, read_log, run_jobs
from features.contracts.records import EventRecord, LeadRecord
from features.kernel.reference import reference_row

N_EVENTS = 3_000
"""Of 150 leads."""
ENGINES = {"numpy_job": "run_numpy", "polars_job": "run_polars", "duckdb_job": "run_duckdb"}


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_log, "HOME", tmp_path_factory.mktemp("job"))
        return job_log.draw_job(N_EVENTS)


@pytest.fixture(scope="module")
def exact(job):
    """The house's matrix in double precision."""
    return in_doubles(job_catalog(), *read_log(job))


def _leads(job):
    """Tell the log as records, the form that the reference reads."""
    taxonomy = job_catalog().taxonomy
    kinds, channels = tuple(taxonomy.kind_names), tuple(taxonomy.channels)
    events = pq.read_table(job.events)
    times = events.column("ts").cast("int64").to_pylist()
    found = {}
    for at, row in zip(times, events.drop_columns("ts").to_pylist(), strict=True):
        channel = None if row["channel"] is None else channels[row["channel"]]
        event = EventRecord(at, at, kinds[row["type"]], channel, row["value"])
        found.setdefault(row["lead"], []).append(event)
    leads = pq.read_table(job.leads)
    created_at = leads.column("created_at").cast("int64").to_pylist()
    return [
        LeadRecord(str(lead), at, events=tuple(found[lead]))
        for lead, at in zip(leads.column("lead").to_pylist(), created_at, strict=True)
    ]


def test_the_job_means_what_the_reference_states(job, exact):
    catalog, leads = job_catalog(), _leads(job)
    _, snapshots = read_log(job)
    asked = zip(snapshots.lead_index, snapshots.as_of, strict=True)
    meant = [reference_row(catalog, leads[lead], int(as_of)) for lead, as_of in asked]
    assert len(leads) == 150
    assert largest_difference(catalog, exact, np.array(meant)) < 1e-9


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_that_is_installed_agrees(job, exact, engine):
    pytest.importorskip(engine.removesuffix("_job"))
    oracle = __import__(f"benchmarks.oracles.{engine}", fromlist=[ENGINES[engine]])
    theirs = getattr(oracle, ENGINES[engine])(job)
    assert largest_difference(job_catalog(), exact, theirs) < 1e-9


def test_what_is_timed_is_that_matrix_in_single_precision(job, exact):
    matrix = run_jobs(job)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[:, :EXACT], exact[:, :EXACT])
    np.testing.assert_array_equal(matrix, exact.astype(np.float32))
