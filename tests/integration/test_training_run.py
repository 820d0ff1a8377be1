"""A whole training run on a small market: the artefact, its card, its record."""

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest

from features.clock import DAY_US
from features.lifecycle.stages import Stage
from features.sources.history.folder import read_history
from training.bundle import CARD, MANIFEST, install_champion, load_bundle
from training.errors import BundleError, NoSnapshotsError, TooLittleHistoryError
from training.estimators.candidates import CANDIDATES
from training.labels.conversion import Grid, Outcome
from training.registry.mlflow_store import frame_of_rows, log_run
from training.run.options import RunOptions
from training.run.pipeline import fingerprint_history, train
from training.settings import TrainingSettings

pytestmark = pytest.mark.slow

SQL_IN_30 = Outcome(Stage.SQL, 30 * DAY_US)


def test_reasons_sum_to_the_score_for_every_reference_lead(trained_bundle):
    bundle = load_bundle(trained_bundle)
    scores = bundle.score(bundle.profile.matrix)
    np.testing.assert_allclose(50.0 + scores.reasons.sum(axis=1), scores.points, atol=1e-9)
    np.testing.assert_allclose(scores.probability, bundle.profile.probability, atol=1e-9)
    odds = scores.probability / (1 - scores.probability)
    base = bundle.base_probability / (1 - bundle.base_probability)
    np.testing.assert_allclose(scores.points, 50 + 10 * np.log2(odds / base), atol=1e-8)


def test_the_same_inputs_and_seed_give_the_same_bundle(trained_run, market_folder, tmp_path):
    options = RunOptions(SQL_IN_30, Grid.weekly(weeks=8), "baton-sql", explain=False)
    again = train(
        read_history(market_folder),
        options,
        tmp_path,
        data_fingerprint=fingerprint_history(market_folder),
    )
    assert again.bundle.fingerprint == trained_run.bundle.fingerprint


def test_the_card_states_what_was_promised_and_how_it_turned_out(trained_run):
    card = trained_run.bundle.card
    assert card["contract"]["text"] == "P(SQL within 30 days)"
    names = [entry["name"] for entry in card["candidates"]]
    assert set(names) == {*CANDIDATES, "base rate"}
    by_name = {entry["name"]: entry["log_loss"] for entry in card["candidates"]}
    assert by_name[card["chosen"]["name"]] < by_name["base rate"]
    text = (trained_run.bundle.folder / "card.md").read_text()
    for picture in card["pictures"]:
        assert (trained_run.bundle.folder / picture).is_file()
    assert "P(SQL within 30 days)" in text


def test_a_damaged_bundle_is_never_loaded(trained_bundle, tmp_path):
    for name in (MANIFEST, CARD, "reference_rows.npy"):
        copy = tmp_path / name
        copy.mkdir()
        for path in trained_bundle.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        (copy / name).write_bytes((copy / name).read_bytes()[:-1])
        with pytest.raises(BundleError, match=name):
            load_bundle(copy)
    with pytest.raises(BundleError, match="not there"):
        load_bundle(tmp_path / "nowhere")


def test_the_champion_is_swapped_in_one_move(trained_bundle, tmp_path):
    champion = tmp_path / "champion"
    install_champion(trained_bundle, champion)
    install_champion(trained_bundle, champion)
    assert load_bundle(champion).version == load_bundle(trained_bundle).version


def test_too_little_history_is_refused_in_words(market_folder, tmp_path):
    history = read_history(market_folder)
    fingerprint = fingerprint_history(market_folder)

    def run(outcome: Outcome, grid: Grid) -> None:
        train(history, RunOptions(outcome, grid, "x"), tmp_path, data_fingerprint=fingerprint)

    with pytest.raises(NoSnapshotsError, match="matured"):
        run(Outcome(Stage.SQL, 9999 * DAY_US), Grid.weekly(weeks=1))
    with pytest.raises(TooLittleHistoryError, match="longer history"):
        run(Outcome(Stage.WON, DAY_US // 24), Grid.weekly(weeks=1))


def test_nothing_heavy_is_imported_by_the_door_of_serving():
    script = (
        "import sys, training.bundle\n"
        "heavy = {'sklearn', 'pandas', 'lightgbm', 'mlflow', 'matplotlib', 'shap', 'evidently', 'dask'}\n"
        "found = heavy & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


@pytest.fixture(scope="module")
def logged(trained_run, tmp_path_factory):
    settings = TrainingSettings(mlruns=tmp_path_factory.mktemp("mlruns"))
    run = log_run(
        trained_run.bundle,
        settings=settings,
        parameters=trained_run.parameters,
        metrics=trained_run.metrics,
        pictures=sorted(trained_run.bundle.folder.glob("*.png")),
        alias="champion",
    )
    return settings, run


def test_the_run_is_recorded_with_signature_example_and_alias(logged, trained_run):
    _, run = logged
    client = mlflow.MlflowClient(run.tracking_uri)
    version = client.get_model_version_by_alias("baton-sql", "champion")
    assert str(version.version) == run.model_version
    recorded = client.get_run(run.run_id).data
    assert recorded.metrics["log_loss"] == pytest.approx(trained_run.metrics["log_loss"])
    assert recorded.params["data_fingerprint"]
    info = mlflow.models.get_model_info("models:/baton-sql@champion")
    assert info.signature is not None
    assert info.saved_input_example_info is not None


@pytest.mark.slow
def test_the_registered_model_gives_the_numbers_of_the_bundle(logged, trained_run):
    bundle = trained_run.bundle
    rows = bundle.profile.matrix[:50]
    model = mlflow.pyfunc.load_model("models:/baton-sql@champion")
    answer = model.predict(frame_of_rows(bundle.catalog, rows))
    known = np.array([why is None for why in bundle.find_unknown(rows)])
    meant = np.where(known, bundle.score(rows).probability, np.nan)
    np.testing.assert_allclose(answer["probability"], meant, atol=1e-12)
    assert (answer["not_enough_known"] == "").to_numpy().tolist() == known.tolist()


def test_no_artefact_is_a_pickle(logged, trained_run):
    settings, _ = logged
    files = [p for p in settings.mlruns.rglob("*") if p.is_file()]
    assert not [p for p in files if p.suffix in {".pkl", ".pickle", ".joblib"}]
    manifest = json.loads((trained_run.bundle.folder / MANIFEST).read_text())
    assert manifest["provenance"]["seed"] == "7"
