"""Settings of the training floor, read once."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TrainingSettings(BaseSettings):
    """Where training keeps things. Each may be set by an environment variable ``BATON_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="BATON_", frozen=True, extra="ignore")

    bundles: Path = Path("var/bundles")
    """Folder that keeps every bundle ever trained here."""
    champion: Path = Path("var/champion")
    """Where the server looks for the bundle in use: a link to one of the bundles."""
    challenger: Path = Path("var/challenger")
    """Where the server looks for a bundle to try in the shadow of the champion: a link, too."""
    promotions: Path = Path("var/promotions")
    """Folder of the reports of `baton promote`, and of the log of every change of champion."""
    protected_fields: str = ""
    """Attributes that no model may learn from, beside those Baton knows by name, by commas."""
    mlruns: Path = Path("mlruns")
    """Folder of the embedded MLflow store: ``mlflow.db`` and the artefacts beside it."""
    tracking_uri: str | None = Field(default=None)
    """A tracking server to log to instead, e.g. ``http://127.0.0.1:5000``."""


def list_protected(settings: TrainingSettings) -> tuple[str, ...]:
    """List the attributes that the settings protect."""
    return tuple(name.strip() for name in settings.protected_fields.split(",") if name.strip())


def silence_telemetry() -> None:
    """Switch off what libraries would send, before any of them is imported."""
    for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
        os.environ[name] = "true"
    # Waiting threads sleep instead of spinning: on shared cores training is several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # MLflow would guess requirements by starting a second interpreter; we name them.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
