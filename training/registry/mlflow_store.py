"""Bundles in MLflow: what was run, what came out, which version is champion."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import metadata
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.bundle import SEAL, Bundle
from training.errors import NoSuchModelError
from training.frames import ANSWER, WORDS
from training.registry.code import MODEL, write_code
from training.settings import TrainingSettings, silence_telemetry

REQUIREMENTS = ("numba", "numpy", "pandas", "pyarrow")
"""What the pyfunc model needs; named, because guessing them costs MLflow seconds. Recorded with
their versions: an environment made anew gives the same numbers."""

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""Aliases of a registered model: in use, may replace it, was replaced by it."""


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


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry, and the bundle it was registered from."""

    name: str
    version: str
    """The registry's own number."""
    bundle_version: str
    """First digits of the bundle's fingerprint; empty if the record does not say."""
    fingerprint: str
    aliases: frozenset[str]
    run_id: str

    @property
    def words(self) -> str:
        """Say which."""
        return f"version {self.version} (bundle {self.bundle_version or 'unknown'})"


def connect(settings: TrainingSettings) -> Any:
    """Connect to the store that the settings name; give MLflow's client."""
    silence_telemetry()
    import mlflow

    # The command says where the run went; MLflow's own chatter would drown the progress bars.
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    uri = tracking_uri(settings)
    settings.mlruns.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient()


def list_versions(settings: TrainingSettings, name: str) -> list[RegisteredVersion]:
    """List the versions registered under a name, newest first; none if there is no such name."""
    client = connect(settings)
    quoted = name.replace("'", "\\'")
    found = client.search_model_versions(f"name='{quoted}'")
    aliases: dict[str, set[str]] = {}
    if found:
        for alias, number in client.get_registered_model(name).aliases.items():
            aliases.setdefault(str(number), set()).add(alias)
    found = sorted(found, key=lambda one: -int(one.version))
    return [_describe(client, one, aliases.get(str(one.version), set())) for one in found]


def _describe(client: Any, found: Any, aliases: set[str]) -> RegisteredVersion:
    tags = dict(client.get_run(found.run_id).data.tags) if found.run_id else {}
    tags |= found.tags or {}
    return RegisteredVersion(
        found.name,
        str(found.version),
        tags.get("bundle", ""),
        tags.get("fingerprint", ""),
        frozenset(aliases),
        found.run_id or "",
    )


def find_version(settings: TrainingSettings, name: str, wanted: str) -> RegisteredVersion | None:
    """Find a version by alias, by the registry's number, or by the version of its bundle.

    Of several registered from one bundle the newest is found. None if there is none.
    """
    versions = list_versions(settings, name)
    for matches in (
        lambda one: wanted in one.aliases,
        lambda one: wanted == one.version,
        lambda one: len(wanted) >= 6 and one.fingerprint.startswith(wanted),
    ):
        found = next((one for one in versions if matches(one)), None)
        if found is not None:
            return found
    return None


def find_bundle(settings: TrainingSettings, version: RegisteredVersion) -> Path:
    """Find the folder of a registered version's bundle: among ours, else the registry's copy.

    Raises
    ------
    NoSuchModelError
        If neither has it.
    """
    kept = settings.bundles / f"{version.name}-{version.bundle_version}"
    if (kept / SEAL).is_file():
        return kept
    connect(settings)
    import mlflow

    try:
        uri = f"models:/{version.name}/{version.version}"
        model = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    except (mlflow.exceptions.MlflowException, OSError) as problem:
        raise _lost(settings, version) from problem
    seals = sorted(model.glob(f"artifacts/*/{SEAL}"))
    if not seals:
        raise _lost(settings, version)
    # Ours from now on: the registry's copy may be a temporary download.
    shutil.copytree(seals[0].parent, kept, dirs_exist_ok=True)
    return kept


def _lost(settings: TrainingSettings, version: RegisteredVersion) -> NoSuchModelError:
    return NoSuchModelError(
        version.name,
        f"bundle of version {version.version}",
        f"It is neither in {settings.bundles} nor among the artefacts of its run.",
    )


def move_alias(
    settings: TrainingSettings, name: str, alias: str, version: str | None
) -> str | None:
    """Put an alias on a version, or take it away (None).

    Returns
    -------
    str or None
        The version that carried it before.
    """
    client = connect(settings)
    before = client.get_registered_model(name).aliases.get(alias)
    if version is not None:
        client.set_registered_model_alias(name, alias, version)
    elif before is not None:
        client.delete_registered_model_alias(name, alias)
    return None if before is None else str(before)


def move_champion(
    settings: TrainingSettings, version: RegisteredVersion, *, tags: Mapping[str, str]
) -> None:
    """Make a version champion, and remember the one it replaces as ``previous``.

    Parameters
    ----------
    tags
        Who, when and why, kept as tags of the version.
    """
    client = connect(settings)
    for key, value in tags.items():
        client.set_model_version_tag(version.name, version.version, key, value[:5000])
    before = move_alias(settings, version.name, CHAMPION, version.version)
    if before is not None and before != version.version:
        move_alias(settings, version.name, PREVIOUS, before)
    if CHALLENGER in version.aliases:
        move_alias(settings, version.name, CHALLENGER, None)


def log_files(
    settings: TrainingSettings,
    name: str,
    *,
    run_name: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    files: Sequence[Path],
) -> str:
    """Record a run that trained nothing, such as a promotion, with its files; give its id."""
    client = connect(settings)
    import mlflow

    experiment = _experiment(client, settings, name)
    with mlflow.start_run(experiment_id=experiment, run_name=run_name) as run:
        mlflow.set_tags(dict(tags))
        mlflow.log_metrics({k: v for k, v in metrics.items() if np.isfinite(v)})
        for path in files:
            mlflow.log_artifact(str(path))
    return str(run.info.run_id)


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
    client = connect(settings)
    import mlflow

    experiment = _experiment(client, settings, bundle.name)
    example = frame_of_rows(bundle.catalog, bundle.profile.matrix[:3])
    with (
        TemporaryDirectory() as folder,
        mlflow.start_run(experiment_id=experiment, run_name=bundle.version) as run,
    ):
        code = write_code(Path(folder))
        mlflow.log_params({k: str(v)[:500] for k, v in parameters.items()})
        mlflow.log_metrics({k: v for k, v in metrics.items() if np.isfinite(v)})
        mlflow.set_tags({"bundle": bundle.version, "fingerprint": bundle.fingerprint})
        for picture in pictures:
            mlflow.log_artifact(str(picture), "card")
        for name in ("card.json", "card.md"):
            mlflow.log_artifact(str(bundle.folder / name), "card")
        with redirect_stderr(StringIO()):  # "Successfully registered …" is printed, not logged
            logged = mlflow.pyfunc.log_model(
                name="bundle",
                python_model=str(code / MODEL),
                artifacts={"bundle": str(bundle.folder)},
                signature=build_signature(bundle.catalog),
                input_example=example,
                pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
                code_paths=[str(code)],
                registered_model_name=bundle.name,
            )
    version = str(logged.registered_model_version)
    for key, value in (("bundle", bundle.version), ("fingerprint", bundle.fingerprint)):
        client.set_model_version_tag(bundle.name, version, key, value)
    before = move_alias(settings, bundle.name, alias, version)
    if alias == CHAMPION and before is not None:
        _remember(settings, bundle, before)
    return LoggedRun(run.info.run_id, bundle.name, version, alias, tracking_uri(settings))


def _remember(settings: TrainingSettings, bundle: Bundle, before: str) -> None:
    """Remember the champion that was replaced, so that a rollback finds it."""
    replaced = find_version(settings, bundle.name, before)
    # The same bundle, trained again, replaces nothing.
    if replaced is not None and replaced.fingerprint != bundle.fingerprint:
        move_alias(settings, bundle.name, PREVIOUS, before)
