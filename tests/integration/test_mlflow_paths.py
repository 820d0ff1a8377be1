"""The registered model gives the bundle's numbers by every way MLflow offers: HTTP, UDF, pandas."""

import ast
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement

from training.registry.mlflow_store import REQUIREMENTS, frame_of_rows, log_run
from training.settings import TrainingSettings

MODEL = "models:/baton-sql@champion"
EXACT = 1e-12
READY_SECONDS = 120


@pytest.fixture(scope="module")
def store(trained_run, tmp_path_factory) -> str:
    """The address of a store that holds the bundle as champion."""
    settings = TrainingSettings(mlruns=tmp_path_factory.mktemp("mlruns"))
    run = log_run(
        trained_run.bundle,
        settings=settings,
        parameters={},
        metrics={},
        pictures=[],
        alias="champion",
    )
    return run.tracking_uri


@pytest.fixture(scope="module")
def asked(trained_run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads to score, one of them unknown, and what the bundle says of them."""
    bundle = trained_run.bundle
    rows = bundle.profile.matrix[:60].copy()
    rows[7] = np.nan
    known = np.array([why is None for why in bundle.find_unknown(rows)])
    assert not known.all()
    assert known.sum() > 50
    scores = bundle.score(rows)
    meant = pd.DataFrame(
        {
            "probability": np.where(known, scores.probability, np.nan),
            "points": np.where(known, np.clip(scores.points, 0, 100), np.nan),
        }
    )
    return frame_of_rows(bundle.catalog, rows), meant


@pytest.fixture(scope="module")
def loaded(store) -> Any:
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    return mlflow.pyfunc.load_model(MODEL)


def agree(answer: pd.DataFrame, meant: pd.DataFrame) -> None:
    for name in meant.columns:
        found = answer[name].to_numpy(np.float64)
        np.testing.assert_allclose(found, meant[name], rtol=0, atol=EXACT)


# A pandas UDF as Spark calls it: Arrow batches come in, each is a frame, and so is each answer.


@pytest.mark.parametrize("size", [1, 7, 60])
def test_arrow_batches_of_any_size_give_the_numbers_of_the_whole(loaded, asked, size):
    frame, meant = asked
    table = pa.Table.from_pandas(frame, preserve_index=False)

    answers = [loaded.predict(batch.to_pandas()) for batch in table.to_batches(size)]

    assert len(answers) == -(-len(frame) // size)
    agree(pd.concat(answers, ignore_index=True), meant)


def test_series_that_spark_hands_over_by_position_are_taken(loaded, asked):
    frame, meant = asked
    names = loaded.metadata.get_input_schema().input_names()
    series = [pd.Series(frame[name].to_numpy(), name=f"_{at}") for at, name in enumerate(names)]
    again = pd.DataFrame(dict(zip(names, series, strict=True)))
    agree(loaded.predict(again), meant)


def test_spark_may_find_the_columns_by_itself_and_gets_columns_of_numbers(loaded, asked):
    schema = loaded.metadata.get_input_schema()
    assert not schema.optional_input_names()  # else Spark asks for the names to be spelled out
    answer = loaded.predict(asked[0])
    numbers = answer.select_dtypes(include=np.number)  # what a UDF of ``double`` chooses from
    assert list(numbers.columns) == ["probability", "points"]
    found = loaded.metadata.get_output_schema().input_names()
    assert found == list(answer.columns)


@pytest.mark.parametrize(
    "reshape",
    [
        lambda frame: frame.astype(dict.fromkeys(frame.select_dtypes("object"), "str")),
        lambda frame: frame.astype(dict.fromkeys(frame.select_dtypes("object"), "string")),
        lambda frame: frame.astype(dict.fromkeys(frame.select_dtypes("number"), np.float32)),
        lambda frame: frame.iloc[:, ::-1],
        lambda frame: frame.assign(lead_id="lead-1", note=3.0),
        lambda frame: frame.set_index(pd.Index(range(100, 100 + len(frame)))),
    ],
    ids=["str", "string with NA", "float32", "other order", "further columns", "other index"],
)
def test_the_same_cells_in_other_clothes_give_the_same_numbers(loaded, asked, reshape):
    frame, meant = asked
    agree(loaded.predict(reshape(frame)), meant)


def test_blank_text_is_not_known_and_blanks_around_a_name_do_not_matter(loaded, asked):
    frame, meant = asked
    agree(loaded.predict(frame.assign(industry=" " + frame["industry"].fillna(""))), meant)


def test_no_leads_give_no_answers(loaded, asked):
    assert len(loaded.predict(asked[0].iloc[:0])) == 0


@pytest.mark.parametrize(
    ("spoil", "output"),
    [
        (lambda frame: frame.drop(columns=["industry", "employees"]), r"missing inputs \["),
        (lambda frame: frame.assign(employees="many"), "column employees"),
        (lambda frame: frame.assign(industry=3.0), "column industry"),
    ],
    ids=["columns missing", "text for a number", "number for a category"],
)
def test_what_does_not_fit_the_signature_is_refused_by_name(loaded, asked, spoil, output):
    with pytest.raises(MlflowException, match=output):
        loaded.predict(spoil(asked[0]))


def test_a_fresh_environment_of_the_named_requirements_has_all_that_the_model_imports(store):
    script = (
        "import sys, mlflow\n"
        f"mlflow.set_tracking_uri({store!r}); mlflow.set_registry_uri({store!r})\n"
        f"mlflow.pyfunc.load_model({MODEL!r})\n"
        "ours = [m for n, m in sys.modules.items() if n.startswith('baton_')]\n"
        "print(*[m.__file__ for m in ours], sep='\\n')"
    )
    command = [sys.executable, "-c", script]
    files = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert files
    assert not [file for file in files if "mlruns" not in file]  # the code that was logged
    owners = importlib.metadata.packages_distributions()
    imported = {name for file in files for name in list_imports(Path(file))}
    wanted = {dist for name in imported for dist in owners.get(name, [])} - {"baton"}

    assert {"numba", "pyarrow"} <= wanted
    assert wanted <= close({*REQUIREMENTS, "mlflow"})


def list_imports(file: Path) -> set[str]:
    """The packages a module needs in order to be imported."""
    nodes = ast.parse(file.read_text()).body
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in (*plain, *named)}


def close(names: set[str]) -> set[str]:
    """All distributions these ask for, and those they ask for."""
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        asks = map(Requirement, importlib.metadata.requires(name) or [])
        left += [r.name for r in asks if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


# The server that MLflow starts, as its users start it.


@pytest.fixture(scope="module")
def address(store, tmp_path_factory) -> Iterator[str]:
    """The address of ``mlflow models serve``, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("served")
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",  # MLflow looks for uvicorn there
        "MLFLOW_TRACKING_URI": store,
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    environment.pop("PYTHONPATH", None)  # the code comes with the model
    words = ["models", "serve", "--model-uri", MODEL, "--env-manager", "local"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [scripts / "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}", folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)  # MLflow starts uvicorn as a child of its own
            process.wait(timeout=30)


def wait_until_ready(process: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/ping").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server was not ready in time: " + log.read_text())


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.slow
@pytest.mark.parametrize("orient", ["split", "records"])
def test_mlflow_models_serve_gives_the_numbers_of_the_bundle_over_http(address, asked, orient):
    frame, meant = asked
    rows = json.loads(frame.to_json(orient=orient, double_precision=15))

    reply = httpx.post(f"{address}/invocations", json={f"dataframe_{orient}": rows}, timeout=120)

    assert reply.status_code == 200, reply.text
    answers = json.loads(reply.text, parse_constant=refuse_constant)["predictions"]
    agree(pd.DataFrame(answers), meant)
    unknown = answers[7]
    assert (unknown["probability"], unknown["points"], unknown["band"]) == (None, None, None)
    assert "Nothing is known" in unknown["not_enough_known"]
    assert {answer["band"] for answer in answers} - {None} <= {"A", "B", "C", "D"}


@pytest.mark.slow
def test_mlflow_models_serve_refuses_in_words_and_ignores_further_columns(address, asked):
    frame, meant = asked

    def post(rows: pd.DataFrame) -> httpx.Response:
        body = {"dataframe_split": json.loads(rows.to_json(orient="split", double_precision=15))}
        return httpx.post(f"{address}/invocations", json=body, timeout=120)

    missing, wrong = post(frame.drop(columns="industry")), post(frame.assign(employees="many"))
    assert (missing.status_code, wrong.status_code) == (400, 400)
    assert "missing inputs ['industry']" in missing.json()["message"]
    assert "column employees" in wrong.json()["message"]
    further = post(frame.assign(lead_id="lead-1"))
    agree(pd.DataFrame(further.json()["predictions"]), meant)
