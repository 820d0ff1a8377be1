"""The page on MLflow and Spark, followed to the letter."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command_line import baton
from training.bundle import install_champion
from training.registry.mlflow_store import log_run
from training.settings import TrainingSettings

PAGE = Path(__file__).parents[2] / "docs/how-to/use-the-model-in-mlflow-and-spark.md"
SHELL, PYTHON = (
    re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for kind in ("sh", "python")
)


@pytest.fixture(scope="module")
def project_folder(trained_run, market_folder, tmp_path_factory) -> Path:
    """A folder with a champion, registered, and the features that the first command computes."""
    folder = tmp_path_factory.mktemp("project_folder")
    install_champion(trained_run.bundle.folder, folder / "var/champion")
    (folder / "var/simulated").symlink_to(market_folder, target_is_directory=True)
    settings = TrainingSettings(mlruns=folder / "mlruns")
    facts = {"parameters": {}, "metrics": {}, "pictures": [], "alias": "champion"}
    log_run(trained_run.bundle, settings=settings, **facts)
    program, *words = SHELL[0].split()
    assert program == "baton"
    done = baton(folder, *words, "--for", "8")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def read_meant(project_folder: Path, trained_run) -> pd.DataFrame:
    """What the bundle itself says of the rows that were computed."""
    bundle = trained_run.bundle
    table = pd.read_parquet(project_folder / "var/features")
    columns = [
        table[f.name].cat.codes.where(table[f.name].notna(), np.nan)
        if f.categories
        else table[f.name]
        for f in bundle.catalog.features
    ]
    rows = np.stack([column.to_numpy(np.float32) for column in columns], axis=1)
    known = np.array([why is None for why in bundle.find_unknown(rows)])
    return table[["lead_id", "as_of"]].assign(
        probability=np.where(known, bundle.score(rows).probability, np.nan)
    )


def test_a_table_of_computed_features_gets_the_numbers_of_the_bundle(
    project_folder, trained_run, monkeypatch
):
    monkeypatch.chdir(project_folder)
    printed: dict = {}

    exec(PYTHON[0], printed)  # noqa: S102 our own page

    meant = read_meant(project_folder, trained_run)
    assert len(printed["answer"]) == len(meant) > 1_000
    np.testing.assert_allclose(
        printed["answer"]["probability"], meant["probability"], rtol=0, atol=1e-12
    )
    assert (meant["probability"].notna()).any()


def test_the_server_is_started_with_words_that_mlflow_knows():
    from mlflow.models.cli import commands

    line = SHELL[1].splitlines()[-1].split()
    assert line[:3] == ["mlflow", "models", "serve"]
    known = {word for option in commands.commands["serve"].params for word in option.opts}
    assert {word for word in line if word.startswith("--")} <= known


@pytest.mark.slow
def test_spark_gives_the_numbers_of_the_bundle(project_folder, trained_run, monkeypatch):
    pytest.importorskip("pyspark", reason="PySpark and Java are no part of Baton")
    monkeypatch.chdir(project_folder)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    printed: dict = {}

    exec(PYTHON[1], printed)  # noqa: S102 our own page

    try:
        rows = printed["scored"].select("lead_id", "as_of", "score.*").collect()
    finally:
        printed["spark"].stop()
    found = pd.DataFrame([row.asDict() for row in rows]).sort_values(["lead_id", "as_of"])
    meant = read_meant(project_folder, trained_run).sort_values(["lead_id", "as_of"])
    assert found["lead_id"].tolist() == meant["lead_id"].tolist()
    np.testing.assert_allclose(
        found["probability"].to_numpy(np.float64), meant["probability"], rtol=0, atol=1e-12
    )
