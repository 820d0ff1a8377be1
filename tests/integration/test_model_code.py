"""A registered model where its user has packages of their own called like Baton's."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.registry import code
from training.registry.mlflow_store import frame_of_rows, log_run
from training.settings import TrainingSettings

SCRIPT = """
import importlib, json, sys
import mlflow, pandas as pd
theirs = {name: importlib.import_module(name) for name in sys.argv[4].split(",")}
mlflow.set_tracking_uri(sys.argv[1]); mlflow.set_registry_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/baton-sql@champion")
answer = model.predict(pd.read_parquet(sys.argv[2]))
answer["probability"].to_json(sys.argv[3], orient="values", double_precision=15)
for name, module in theirs.items():
    assert sys.modules[name] is module and vars(module)["WHOSE"] == "theirs", name
print(*sorted(name for name in sys.modules if name.split(".")[0] in ("features", "training")))
"""


@pytest.fixture(scope="module")
def store(trained_run, tmp_path_factory) -> str:
    """The address of a store that holds the bundle as champion."""
    settings = TrainingSettings(mlruns=tmp_path_factory.mktemp("mlruns"))
    facts = {"parameters": {}, "metrics": {}, "pictures": [], "alias": "champion"}
    return log_run(trained_run.bundle, settings=settings, **facts).tracking_uri


@pytest.mark.slow
@pytest.mark.parametrize("names", [["features"], ["training"], ["features", "training"]])
def test_a_model_predicts_where_its_user_has_packages_of_the_same_names(
    store, trained_run, tmp_path, names
):
    bundle = trained_run.bundle
    rows = bundle.profile.matrix[:20]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("WHOSE = 'theirs'\n")
    frame_of_rows(bundle.catalog, rows).to_parquet(tmp_path / "rows.parquet")

    words = [store, "rows.parquet", "answer.json", ",".join(names)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == names  # their own, and not a module of Baton's
    known = np.array([why is None for why in bundle.find_unknown(rows)])
    meant = np.where(known, bundle.score(rows).probability, np.nan)
    text = (tmp_path / "answer.json").read_text().replace("null", "NaN")
    answer = np.array([float(cell) for cell in text.strip("[]").split(",")])
    np.testing.assert_allclose(answer, meant, rtol=0, atol=1e-12)


def write_sources(root: Path, body: str) -> None:
    for name in code.SOURCES:
        (root / name / "room").mkdir(parents=True)
        (root / name / "__init__.py").write_text("")
        (root / name / "room" / "__init__.py").write_text(body)


def test_two_versions_of_the_code_have_two_names_and_one_has_one(tmp_path, monkeypatch):
    names = []
    for number, body in enumerate(("a = 1\n", "a = 2\n", "a = 1\n")):
        write_sources(tmp_path / f"sources{number}", body)
        monkeypatch.setattr(code, "ROOT", tmp_path / f"sources{number}")
        (tmp_path / f"out{number}").mkdir()
        names.append(code.write_code(tmp_path / f"out{number}").name)
    assert names[0] == names[2] != names[1]
    assert all(name.isidentifier() for name in names)


def test_every_import_and_every_resource_of_the_copy_is_its_own(tmp_path):
    package = code.write_code(tmp_path)
    assert (package / code.MODEL).is_file()
    for path in package.rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {name.split(".")[0] for name in named} & set(code.SOURCES), path
        assert not re.search(r"""["'](features|training)\.[a-z_.]+["']""", text), path
