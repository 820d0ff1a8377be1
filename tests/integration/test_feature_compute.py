"""`baton features compute`: a history in partitions becomes the matrix of the whole."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.clock import DAY_US, to_us
from features.compute.grids import WEEK_US, AtEvents, AtHandoffs, Periodic
from features.compute.offline import Snapshots, compute_matrix
from features.compute.output import FINGERPRINT_KEY, MatrixFormat
from features.compute.part import Job
from features.compute.stream import in_order, stream_parts, write_matrix
from features.compute.vocabulary import learn_catalog
from features.kernel.layout import lead_index
from features.sources.history.folder import open_history, read_history
from tests.command_line import baton


@pytest.fixture(scope="module")
def catalog(split_market):
    folder = open_history(split_market)
    assert folder.n_partitions > 4
    tables = (folder.read_leads(n) for n in range(folder.n_partitions))
    return learn_catalog(folder.about.taxonomy, tables, to_us(folder.about.observed_until))


@pytest.mark.parametrize(
    "grid", [Periodic(WEEK_US), Periodic(DAY_US, 9 * DAY_US), AtEvents(), AtHandoffs()],
    ids=lambda grid: grid.words,
)  # fmt: skip
def test_parts_are_bit_for_bit_the_matrix_of_the_whole_history(split_market, catalog, grid):
    job = Job(str(split_market), catalog, grid)
    parts = list(stream_parts(job, threads=3))
    assert [part.position for part in parts] == list(range(job.folder.n_partitions))
    history = read_history(split_market)
    numbers = lead_index(history.leads)
    lead = np.concatenate(
        [np.array([numbers[i] for i in p.lead_ids.to_pylist()], np.int64)[p.snapshots.lead_index]
         for p in parts if len(p.snapshots)]
    )  # fmt: skip
    as_of = np.concatenate([part.snapshots.as_of for part in parts])
    rows = np.concatenate([part.rows for part in parts])
    order = np.lexsort((as_of, lead))
    whole = compute_matrix(catalog, history, Snapshots(lead[order], as_of[order]))
    assert len(rows) > 500
    assert "colleagues" in catalog.names
    np.testing.assert_array_equal(rows[order].view(np.int32), whole.view(np.int32))


def test_threads_do_not_change_a_byte(split_market, catalog, tmp_path):
    job = Job(str(split_market), catalog, Periodic(WEEK_US))
    for threads in (1, 4):
        write_matrix(job, tmp_path / str(threads), MatrixFormat.PARQUET, threads=threads)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(names) == job.folder.n_partitions + 1
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()


def test_results_are_handed_on_in_order_and_few_wait():
    alive, most = 0, 0

    def action(position: int) -> int:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        return position

    taken = []
    for position in in_order(action, range(40), 3):
        alive -= 1
        taken.append(position)
    assert taken == list(range(40))
    assert most <= 4


def test_the_first_failure_ends_it():
    def action(position: int) -> int:
        return 1 // (2 - position)

    with pytest.raises(ZeroDivisionError):
        list(in_order(action, range(1000), 2))


def test_the_command_writes_a_folder_that_pandas_reads(split_market, tmp_path):
    done = baton(tmp_path, "features", "compute", str(split_market), "--to", "m", "--for", "30")
    assert done.returncode == 0, done.stdout + done.stderr
    frame = pd.read_parquet(tmp_path / "m")
    about = json.loads((tmp_path / "m" / "_matrix.json").read_text())
    assert len(frame) == sum(about["rows"])
    assert f"{len(frame):,} rows of {frame.shape[1] - 2} features" in done.stdout
    schema = pq.read_schema(tmp_path / "m" / "part-00000.parquet")
    assert schema.metadata[FINGERPRINT_KEY].decode() == about["catalog_fingerprint"]


def test_the_command_takes_a_bundles_catalogue_and_chosen_moments(
    split_market, trained_bundle, tmp_path
):
    lead = pq.read_table(split_market / "leads.parquet").slice(0, 1).to_pylist()[0]
    later = lead["created_at"] + pd.Timedelta(days=3)
    moments = f"lead_id,as_of\n{lead['lead_id']},{later.isoformat()}\n"
    (tmp_path / "moments.csv").write_text(moments)
    words = ("--grid", "moments.csv", "--bundle", str(trained_bundle), "--format", "arrow")
    done = baton(tmp_path, "features", "compute", str(split_market), "--to", "m", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    about = json.loads((tmp_path / "m" / "_matrix.json").read_text())
    bundle = json.loads((trained_bundle / "manifest.json").read_text())
    assert sum(about["rows"]) == 1
    assert about["catalog_fingerprint"] == bundle["catalog_fingerprint"]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("nowhere", "--to", "m"), "baton import"),
        (("HISTORY", "--to", "m", "--grid", "hourly"), "weekly, daily, events, handoffs"),
        (("HISTORY", "--to", "taken"), "Give --to another"),
        (("HISTORY", "--to", "m", "--bundle", "taken"), "bundle"),
    ],
)
def test_refusals_state_what_to_do(split_market, tmp_path, words, output):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    named = [str(split_market) if word == "HISTORY" else word for word in words]
    done = baton(tmp_path, "features", "compute", *named)
    assert done.returncode == 1
    assert output in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_age_goes_with_weekly_and_daily_only(split_market, tmp_path):
    words = (str(split_market), "--to", "m", "--grid", "events", "--for", "30")
    done = baton(tmp_path, "features", "compute", *words)
    assert done.returncode == 2
    assert "weekly or daily only" in done.stderr
