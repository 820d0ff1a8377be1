"""Dask gives what this process gives, bit for bit, on workers started here or elsewhere."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.clock import to_us
from features.compute.dask_backend import (
    connected,
    largest_first,
    matrix_frame,
    on_workers,
    write_matrix_on_dask,
)
from features.compute.errors import SchedulerNotFoundError, WorkerError
from features.compute.grids import WEEK_US, AtEvents, Periodic
from features.compute.output import MatrixFormat, build_table
from features.compute.part import Job, compute_part
from features.compute.settings import LOCAL, choose_dask
from features.compute.stream import stream_parts, write_matrix
from features.compute.vocabulary import learn_catalog
from features.sources.history import partitions
from features.sources.history.folder import open_history, read_history, write_history
from tests.command_line import ROOT, baton

READY_SECONDS = 90


@pytest.fixture(scope="module")
def job(split_market) -> Job:
    folder = open_history(split_market)
    tables = (folder.read_leads(n) for n in range(folder.n_partitions))
    until_us = to_us(folder.about.observed_until)
    return Job(
        str(split_market),
        learn_catalog(folder.about.taxonomy, tables, until_us),
        Periodic(WEEK_US),
    )


@pytest.fixture(scope="module")
def client():
    with connected(LOCAL, workers=2) as client:
        yield client


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory) -> Iterator[str]:
    """The address of a scheduler of its own process, with two workers of theirs."""
    folder = tmp_path_factory.mktemp("scheduler")
    note = folder / "scheduler.json"
    here = ["--scheduler-file", str(note), "--host", "127.0.0.1", "--no-dashboard"]
    worker = ["worker", *here, "--nthreads", "1", "--no-nanny"]
    started = []
    with (folder / "log.txt").open("w") as log:
        for words in (["scheduler", "--port", "0", *here], worker, worker):
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            started.append(process)
        try:
            yield wait_for_workers(note, started, folder / "log.txt")
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(timeout=30)


def wait_for_workers(note: Path, started: list[subprocess.Popen], log: Path) -> str:
    from distributed import Client

    deadline = time.monotonic() + READY_SECONDS
    while not note.exists() or not note.read_text():
        assert all(process.poll() is None for process in started), log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    with Client(scheduler_file=str(note)) as client:
        client.wait_for_workers(2, timeout=READY_SECONDS)
        return str(client.scheduler.address)


def same_files(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


@pytest.mark.parametrize("format_", MatrixFormat)
def test_workers_here_write_the_same_bytes(client, job, tmp_path, format_):
    job = replace(job, grid=AtEvents())
    write_matrix(job, tmp_path / "here", format_)
    done = []
    written = write_matrix_on_dask(client, job, tmp_path / "dask", format_, progress=done.append)
    assert sum(part.rows for part in written) > 10_000
    assert sorted(done) == list(range(job.folder.n_partitions))
    assert same_files(tmp_path / "here", tmp_path / "dask")


def test_a_scheduler_of_its_own_process_writes_the_same_bytes(
    scheduler, split_market, tmp_path, monkeypatch
):
    for to, more in (("here", ()), ("dask", ("--scheduler", scheduler))):
        done = baton(tmp_path, "features", "compute", str(split_market), "--to", to, *more)
        assert done.returncode == 0, done.stdout + done.stderr
    assert same_files(tmp_path / "here", tmp_path / "dask")
    monkeypatch.setenv("BATON_DASK", scheduler)
    done = baton(tmp_path, "features", "compute", str(split_market), "--to", "again")
    assert done.returncode == 0, done.stdout + done.stderr
    assert same_files(tmp_path / "here", tmp_path / "again")


def test_the_matrix_as_a_dask_dataframe_is_the_same(client, job):
    lazy = matrix_frame(job)
    assert lazy.npartitions == job.folder.n_partitions
    table = build_table(stream_parts(job), job.catalog, job.grid.words)
    expected = table.to_pandas()
    found = client.compute(lazy).result()
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected, check_exact=True, check_dtype=False
    )
    assert found.dtypes.iloc[2:].tolist() == expected.dtypes.iloc[2:].tolist()
    counted = lazy.groupby("lead_id")["as_of"].count().compute()
    assert int(counted.sum()) == len(expected)


def test_the_largest_partitions_are_handed_out_first(job):
    order = largest_first(job.folder)
    records = [
        sum(counts)
        for counts in zip(
            job.folder.count_rows("events"), job.folder.count_rows("stages"), strict=True
        )
    ]
    sizes = [records[n] for n in order]
    assert sorted(order) == list(range(job.folder.n_partitions))
    assert sizes == sorted(sizes, reverse=True)


@pytest.fixture(scope="module")
def skewed(market_folder, tmp_path_factory) -> Path:
    """The market, but one lead did more than all others together."""
    history = read_history(market_folder)
    counted = pc.value_counts(history.events.column("lead_id"))
    busiest = counted.field("values")[int(np.argmax(counted.field("counts")))]
    own = history.events.filter(pc.equal(history.events.column("lead_id"), busiest))
    again = pa.concat_tables([own] * (history.events.num_rows // own.num_rows + 1))
    folder = tmp_path_factory.mktemp("skewed") / "history"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "MOST_RECORDS", 20_000)
        write_history(replace(history, events=pa.concat_tables([history.events, again])), folder)
    return folder


def test_a_lead_that_outweighs_all_others_is_computed_first_and_alike(
    client, job, skewed, tmp_path
):
    job = replace(job, history=str(skewed))
    records = job.folder.count_rows("events")
    assert max(records) > sum(records) / 2
    assert records[largest_first(job.folder)[0]] == max(records)
    write_matrix(job, tmp_path / "here", MatrixFormat.PARQUET)
    write_matrix_on_dask(client, job, tmp_path / "dask", MatrixFormat.PARQUET)
    assert same_files(tmp_path / "here", tmp_path / "dask")


def test_a_refusal_on_a_worker_arrives_in_words(client, job, tmp_path):
    elsewhere = Job(str(tmp_path / "nowhere"), job.catalog, job.grid)
    with pytest.raises(WorkerError, match=r"Partition 3 failed.*baton import"):
        list(on_workers(client, compute_part, elsewhere, [3]))


def fail(job: Job, position: int) -> int:
    raise ValueError(position)


def test_a_fault_on_a_worker_is_named(client, job):
    with pytest.raises(WorkerError, match="ValueError"):
        list(on_workers(client, fail, job, [0, 1]))


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch):
    from features.compute import dask_backend

    monkeypatch.setattr(dask_backend, "CONNECT_SECONDS", 0.2)
    with (
        pytest.raises(SchedulerNotFoundError, match="dask scheduler"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


def test_where_it_is_computed(monkeypatch):
    monkeypatch.delenv("BATON_DASK", raising=False)
    assert choose_dask(None, None) is None
    assert choose_dask(dask=True, scheduler=None) == LOCAL
    assert choose_dask(None, "tcp://a:1") == "tcp://a:1"
    monkeypatch.setenv("BATON_DASK", "tcp://b:1")
    assert choose_dask(None, None) == "tcp://b:1"
    assert choose_dask(dask=True, scheduler=None) == "tcp://b:1"
    assert choose_dask(None, "tcp://a:1") == "tcp://a:1"
    assert choose_dask(dask=False, scheduler="tcp://a:1") is None
