"""``baton cold-start``: score by the team's points table until there are outcomes to learn from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import FeaturesError
from features.sources.history.folder import read_history
from features.terminal.screen import Screen, refusals
from training.commands.options import read_file, read_grid, read_outcome, read_reasons, read_share
from training.errors import TrainingError
from training.settings import TrainingSettings, list_protected, silence_telemetry

if TYPE_CHECKING:
    from training.bundle import Bundle
    from training.run.options import RunOptions


def cold_start_command(
    history: Annotated[Path, typer.Argument(help="Folder of an imported or simulated history.")],
    points: Annotated[
        Path | None, typer.Option(help="Your points table (TOML); by default Baton's.")
    ] = None,
    base_rate: Annotated[
        str,
        typer.Option(help="Share of leads that converts, e.g. 5%; by default as far as known."),
    ] = "",
    outcome: Annotated[str, typer.Option(help="What the points predict.")] = "sql",
    horizon: Annotated[str, typer.Option(help="Within how long, e.g. 30d.")] = "30d",
    name: Annotated[str, typer.Option(help="Name in the registry; default baton-OUTCOME.")] = "",
    drop: Annotated[list[str] | None, typer.Option(help="Attribute to leave out.")] = None,
    allow_protected: Annotated[
        list[str] | None,
        typer.Option(help='FIELD="reason": learn from it although it is protected or a proxy.'),
    ] = None,
) -> None:
    """Make a points table the champion, marked as not learned.

    ``baton train`` lets the same table compete, and chooses a model over it only where it is
    better by more than one standard error; ``baton promote`` compares a challenger with it as with any
    champion. Exit code 1: refused, with the reason.
    """
    silence_telemetry()
    from training.run.options import RunOptions

    screen = Screen()
    wanted = read_outcome(outcome, horizon)
    options = RunOptions(
        wanted,
        read_grid("weekly"),
        name or f"baton-{wanted.name}",
        drop=frozenset(drop or []),
        protected=list_protected(TrainingSettings()),
        allow_protected=read_reasons(allow_protected or []),
        points=read_file(points),
    )
    with refusals(TrainingError, FeaturesError):
        bundle = _start(history, options, read_share(base_rate))
    for sentence in (*bundle.card["limits"], *bundle.card["warnings"]):
        screen.print(f"! {sentence}", style="yellow")
    screen.print(f"Bundle  {bundle.folder}")


def _start(folder: Path, options: "RunOptions", base_rate: float | None) -> "Bundle":
    """Write the bundle, register it, and serve it."""
    from training.bundle import install_champion
    from training.registry.mlflow_store import log_run
    from training.run.cold_start import start_cold
    from training.run.pipeline import fingerprint_history

    settings = TrainingSettings()
    bundle = start_cold(
        read_history(folder),
        options,
        settings.bundles,
        data_fingerprint=fingerprint_history(folder),
        base_rate=base_rate,
    )
    log_run(
        bundle,
        settings=settings,
        parameters={"kind": "cold start", "outcome": options.outcome.words},
        metrics={"base_rate": bundle.base_probability},
        pictures=[],
        alias="champion",
    )
    install_champion(bundle.folder, settings.champion)
    return bundle
