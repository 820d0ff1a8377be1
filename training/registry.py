"""Bundles in MLflow: what was run, what came out, which version is champion."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.bundle import Bundle
from training.settings import TrainingSettings, silence_telemetry

REQUIREMENTS = ("numba", "numpy", "pandas", "pyarrow", "pydantic-settings")
"""What the pyfunc model needs; named, because guessing them costs MLflow seconds. Recorded with
their versions: an environment made anew gives the same numbers."""

SOURCES = ("features", "training")

ANSWER = ("probability", "points", "band", "not_enough_known")
WORDS = frozenset({"band", "not_enough_known"})
"""Columns of the answer, and which of them are text."""


@dataclass(frozen=True)
class LoggedRun:
    """Where a run was recorded."""

    run_id: str
    model_name: str
    model_version: str
    alias: str
    tracking_uri: str


def tracking_uri(settings: TrainingSettings) -> str:
    """Tell where runs are recorded."""
    if settings.tracking_uri:
        return settings.tracking_uri
    return f"sqlite:///{(settings.mlruns / 'mlflow.db').resolve()}"


def frame_of_rows(catalog: Catalog, rows: NDArray[np.float32]) -> pd.DataFrame:
    """Shape a feature matrix as the frame the pyfunc model takes: numbers, and category names."""
    columns: dict[str, Any] = {}
    for position, feature in enumerate(catalog.features):
        cells = rows[:, position]
        if not feature.categories:
            columns[feature.name] = cells.astype(np.float64)
            continue
        names = np.array([*feature.categories, None], object)
        codes = np.where(np.isnan(cells), len(feature.categories), cells).astype(int)
        columns[feature.name] = pd.Series(names[codes], dtype="object")
    return pd.DataFrame(columns)


def build_signature(catalog: Catalog) -> Any:
    """Build the signature of the pyfunc model: every column must be there, any cell may be empty.

    Not inferred from an example: what MLflow requires would then hang on which cells of three rows
    are empty, and Spark would refuse to find the columns by itself.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    number, text = DataType.double, DataType.string
    return ModelSignature(
        inputs=Schema(
            [ColSpec(text if f.categories else number, f.name) for f in catalog.features]
        ),
        outputs=Schema([ColSpec(text if name in WORDS else number, name) for name in ANSWER]),
    )


def _experiment(client: Any, settings: TrainingSettings, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    location = None
    if not settings.tracking_uri:
        location = (settings.mlruns / "artifacts" / name).resolve().as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def log_run(
    bundle: Bundle,
    *,
    settings: TrainingSettings,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    pictures: Sequence[Path],
    alias: str,
) -> LoggedRun:
    """Record a run and register its bundle as a pyfunc model with signature, example and alias.

    Returns
    -------
    LoggedRun
        The run, and the registered version that now carries the alias.
    """
    silence_telemetry()
    import mlflow

    # The command says where the run went; MLflow's own chatter would drown the progress bars.
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)

    uri = tracking_uri(settings)
    settings.mlruns.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = mlflow.MlflowClient()
    experiment = _experiment(client, settings, bundle.name)
    example = frame_of_rows(bundle.catalog, bundle.profile.matrix[:3])
    code = [str(Path(__file__).parent.parent / name) for name in SOURCES]
    with mlflow.start_run(experiment_id=experiment, run_name=bundle.version) as run:
        mlflow.log_params({k: str(v)[:500] for k, v in parameters.items()})
        mlflow.log_metrics({k: v for k, v in metrics.items() if np.isfinite(v)})
        mlflow.set_tags({"bundle": bundle.version, "fingerprint": bundle.fingerprint})
        for picture in pictures:
            mlflow.log_artifact(str(picture), "card")
        for name in ("card.json", "card.md"):
            mlflow.log_artifact(str(bundle.folder / name), "card")
        logged = mlflow.pyfunc.log_model(
            name="bundle",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"bundle": str(bundle.folder)},
            signature=build_signature(bundle.catalog),
            input_example=example,
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
            code_paths=code,
            registered_model_name=bundle.name,
        )
    version = str(logged.registered_model_version)
    client.set_registered_model_alias(bundle.name, alias, version)
    return LoggedRun(run.info.run_id, bundle.name, version, alias, uri)


def answer_frame(bundle: Bundle, rows: NDArray[np.float32]) -> pd.DataFrame:
    """Score rows and shape the answer of the pyfunc model; unknown leads have no score."""
    scores = bundle.score(rows)
    unknown = bundle.find_unknown(rows)
    known = np.array([why is None for why in unknown])
    bands = [
        bundle.band_of(points).name if ok else None
        for points, ok in zip(scores.points, known, strict=True)
    ]
    return pd.DataFrame(
        {
            "probability": np.where(known, scores.probability, np.nan),
            "points": np.where(known, np.clip(scores.points, 0.0, 100.0), np.nan),
            "band": pd.Series(bands, dtype="object"),
            "not_enough_known": pd.Series([why or "" for why in unknown], dtype="object"),
        }
    )
