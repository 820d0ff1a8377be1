"""Training and scoring on Dask: the same features and scores, trees as good."""

import numpy as np
import pytest

from features.clock import DAY_US, to_us
from features.compute.dask_backend import connected
from features.compute.grids import AtMoment
from features.compute.offline import compute_matrix
from features.compute.part import Job
from features.compute.settings import LOCAL
from features.lifecycle.stages import Stage
from features.sources.history.folder import open_history, read_history
from training.bundle import load_bundle
from training.dask_engine import OF_THE_NETWORK, compute_matrix_on, on_dask, score_parts_on
from training.labels.conversion import Grid, Outcome, label_history
from training.run.options import RunOptions
from training.run.pipeline import fingerprint_history, train
from training.scoring import score_parts, write_scores

SQL_IN_30 = Outcome(Stage.SQL, 30 * DAY_US)
WEEKLY = Grid.weekly(weeks=8)

AUC_MAY_DIFFER = 0.02
LOG_LOSS_MAY_DIFFER = 0.005
"""Trees grown on parts of the leads choose other thresholds: as much as another seed does."""


@pytest.fixture(scope="module")
def client():
    with connected(LOCAL, workers=2) as client:
        yield client


def test_the_rows_of_a_run_are_the_same_bit_for_bit(client, split_market, trained_bundle):
    history, catalog = read_history(split_market), load_bundle(trained_bundle).catalog
    snapshots = label_history(history, SQL_IN_30, WEEKLY).snapshots
    done = []
    rows = compute_matrix_on(client, str(split_market), catalog, snapshots, progress=done.append)
    here = compute_matrix(catalog, history, snapshots)
    assert open_history(split_market).n_partitions > 1
    assert rows.tobytes() == here.tobytes()
    assert sum(done) == len(snapshots)


def test_a_run_on_dask_ends_in_a_normal_bundle_that_predicts_as_well(
    client, split_market, trained_run, tmp_path
):
    run = train(
        read_history(split_market),
        RunOptions(SQL_IN_30, WEEKLY, "baton-sql"),
        tmp_path,
        data_fingerprint=fingerprint_history(split_market),
        engine=on_dask(client, str(split_market)),
    )
    there = {entry["name"]: entry for entry in run.bundle.card["candidates"]}
    here = {entry["name"]: entry for entry in trained_run.bundle.card["candidates"]}
    assert set(there) == set(here)
    for name, entry in here.items():
        assert there[name]["auc"] == pytest.approx(entry["auc"], abs=AUC_MAY_DIFFER)
        assert there[name]["log_loss"] == pytest.approx(entry["log_loss"], abs=LOG_LOSS_MAY_DIFFER)
    assert any("workers of Dask" in limit for limit in run.bundle.card["limits"])
    bundle = load_bundle(run.bundle.folder)
    (trees,) = [fitted.model for fitted in run.competition.fitted if fitted.name == "LightGBM"]
    assert not any(line.startswith(OF_THE_NETWORK) for line in trees.text.splitlines())
    scores = bundle.score(bundle.profile.matrix)
    np.testing.assert_allclose(scores.probability, bundle.profile.probability, atol=1e-9)


def test_scores_on_dask_are_the_same_bytes(client, split_market, trained_bundle, tmp_path):
    bundle = load_bundle(trained_bundle)
    until_us = to_us(open_history(split_market).about.observed_until)
    job, folder = Job(str(split_market), bundle.catalog, AtMoment(until_us)), str(trained_bundle)
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    counts = write_scores(score_parts(job, folder), here, bundle)
    assert write_scores(score_parts_on(client, job, folder), there, bundle) == counts
    assert here.read_bytes() == there.read_bytes()
