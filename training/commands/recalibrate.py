"""``baton recalibrate``: move the champion's level by the newest matured labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import FeaturesError
from features.sources.history.folder import read_history
from features.terminal.progress import stations
from features.terminal.screen import Screen, refusals
from training.errors import TrainingError
from training.settings import TrainingSettings, silence_telemetry

if TYPE_CHECKING:
    from training.recalibration.run import Recalibration


def recalibrate_command(
    history: Annotated[Path, typer.Argument(help="Folder of a history that reaches further.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a bundle; by default the champion.")
    ] = None,
    lookback: Annotated[
        int | None,
        typer.Option(min=1, help="Leads whose labels matured last; by default what paid so far."),
    ] = None,
    alias: Annotated[
        str, typer.Option(help="champion: the server uses it; challenger: only recorded.")
    ] = "challenger",
) -> None:
    """Move the level of a model's chances to what its newest matured labels say.

    The model and the points stay; a new bundle with another intercept is written and registered.
    If the shift is within noise it says so and writes nothing. Exit code 1: refused, with the
    reason.
    """
    silence_telemetry()
    screen = Screen()
    with refusals(TrainingError, FeaturesError):
        found = _find(screen, history, bundle or TrainingSettings().champion, lookback)
        screen.print(found.words)
        if found.is_needed:
            _keep(screen, history, found, alias)


def _find(screen: Screen, history: Path, folder: Path, lookback: int | None) -> "Recalibration":
    from training.bundle import load_bundle
    from training.recalibration.run import find_shift

    bundle = load_bundle(folder)
    with stations(screen) as report:
        report("reading the history", 0.0)
        later = read_history(history)
        station = f"scoring later leads with {bundle.name} {bundle.version}"
        return find_shift(
            later, bundle, lookback=lookback, progress=lambda share: report(station, share)
        )


def _keep(screen: Screen, history: Path, found: "Recalibration", alias: str) -> None:
    """Write the moved bundle, register it, and serve it if that was asked."""
    from training.bundle import install_champion
    from training.recalibration.run import write_recalibrated
    from training.registry.mlflow_store import log_run
    from training.run.pipeline import fingerprint_history

    settings = TrainingSettings()
    fingerprint = fingerprint_history(history)
    moved = write_recalibrated(found, settings.bundles, fingerprint)
    logged = log_run(
        moved,
        settings=settings,
        parameters={
            "kind": "recalibration",
            "level_moved_from": found.bundle.version,
            "level_moved_on": fingerprint,
            "level_memory_leads": found.level.leads,
        },
        metrics=found.metrics,
        pictures=sorted(moved.folder.glob("*.png")),
        alias=alias,
    )
    if alias == "champion":
        install_champion(moved.folder, settings.champion)
    screen.print(f"Bundle  {moved.folder}")
    screen.print(
        f"MLflow  {logged.model_name} version {logged.model_version} @{logged.alias} in "
        f"{logged.tracking_uri}",
    )
