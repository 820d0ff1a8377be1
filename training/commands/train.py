"""The training commands: ``baton train``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from features.compute.commands import DaskOption, SchedulerOption
from features.compute.settings import choose_dask
from features.errors import FeaturesError
from features.lifecycle.stages import Stage
from features.sources.history.folder import read_history
from features.terminal.numbers import MOST_SEED
from features.terminal.progress import Report, stations
from features.terminal.screen import Screen, refusals
from training.commands.options import (
    read_file,
    read_grid,
    read_outcome,
    read_reasons,
    read_seconds,
)
from training.errors import BundleError, TrainingError
from training.labels.conversion import Outcome
from training.settings import TrainingSettings, list_protected, silence_telemetry

if TYPE_CHECKING:
    from training.engine import Engine
    from training.registry.mlflow_store import LoggedRun
    from training.run.options import RunOptions
    from training.run.pipeline import Run

NOT_SERVED = 5
"""Exit code of a run whose bundle must not be served."""


def train_command(
    history: Annotated[Path, typer.Argument(help="Folder of an imported or simulated history.")],
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            help="What to predict, such as sql, won@90d, returned:unreachable; given twice, two models."
        ),
    ] = None,
    horizon: Annotated[str, typer.Option(help="Within how long, e.g. 30d.")] = "30d",
    seen_at: Annotated[
        str, typer.Option(help="At which moments leads are taken: weekly, or ages such as 24h,7d.")
    ] = "weekly",
    name: Annotated[str, typer.Option(help="Name in the registry; default baton-OUTCOME.")] = "",
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of everything that is random in a run.")
    ] = 7,
    drop: Annotated[list[str] | None, typer.Option(help="Attribute to leave out.")] = None,
    allow_leak: Annotated[
        list[str] | None,
        typer.Option(help='FIELD="reason": keep it although it looks like a leak.'),
    ] = None,
    tune_for: Annotated[
        str, typer.Option(help="How long to search LightGBM's settings, e.g. 60s or 10m; 0s: not.")
    ] = "0s",
    segment: Annotated[
        list[str] | None,
        typer.Option(help="May get a model of its own: FIELD, or FIELD=VALUE,VALUE."),
    ] = None,
    allow_protected: Annotated[
        list[str] | None,
        typer.Option(help='FIELD="reason": learn from it although it is protected or a proxy.'),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV or Parquet of lead_id and groups, to compare how often each is chosen."
        ),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(help="Your points table (TOML), to compete with what is learned."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(help="Explain the model (SHAP), and refit it to measure stability."),
    ] = True,
    timing: Annotated[
        bool, typer.Option(help="Learn the best moment to hand off, with a model for sql.")
    ] = True,
    prices: Annotated[
        Path | None,
        typer.Option(help="TOML of what a handoff costs and brings; default in a seller's hours."),
    ] = None,
    repeat: Annotated[
        Path | None, typer.Option(help="Do again what made this bundle; it takes no other option.")
    ] = None,
    alias: Annotated[
        str, typer.Option(help="champion: the server uses it; challenger: only recorded.")
    ] = "champion",
    dask: DaskOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Train on a history, write the bundle and its card, and register it in MLflow.

    With several outcomes each gets a model of its own from the same snapshots; the server uses the
    first. Exit code 1: refused, with the reason. 5: trained, but no better than chance or the base
    rate, so not made champion. On Dask, features are computed and trees grown on workers.
    """
    silence_telemetry()
    from training.dataset.groups import read_groups
    from training.leaks.audit import LeakFoundError
    from training.selection.tuning import Budget

    screen = Screen()
    where = choose_dask(dask, scheduler)
    with refusals(TrainingError, FeaturesError, LeakFoundError):
        if repeat is not None:
            several = _read_recorded(repeat, history)
        else:
            several = _name_models(
                [read_outcome(text, horizon) for text in outcome or [Stage.SQL.value]],
                name,
                grid=read_grid(seen_at),
                seed=seed,
                drop=frozenset(drop or []),
                allow_leaks=read_reasons(allow_leak or []),
                budget=Budget(seconds=read_seconds(tune_for)),
                segments=tuple(segment or []),
                explain=explain,
                protected=list_protected(TrainingSettings()),
                allow_protected=read_reasons(allow_protected or []),
                groups=None if groups is None else read_groups(groups),
                points=read_file(points),
            )
            several = _ask_timing(several, prices) if timing else several
        with stations(screen) as report, _engine(where, history) as engine:
            done = _run(history, several, alias, engine, report)
    for run, logged in done:
        print_run(screen, run, logged)
    if not several[0].outcome.is_hoped_for:
        screen.print(
            f"The server keeps its champion: it hands on the leads of most points, and here they "
            f"are the likeliest to be {several[0].outcome.words}. The first --outcome is the one "
            "to serve.",
        )
    refused = [run for run, _ in done if run.refusal]
    if refused and alias == "champion":
        for run in refused:
            screen.print(
                f"{run.bundle.name} is not served: {run.refusal}. It is recorded as "
                "challenger; the champion stays as it was.",
                style="red",
            )
        raise typer.Exit(NOT_SERVED)


def is_served(alias: str, outcome: Outcome, refusal: str | None) -> bool:
    """Whether the server takes a bundle up: asked for, fit for it, and an outcome hoped for."""
    return alias == "champion" and refusal is None and outcome.is_hoped_for


def _name_models(outcomes: list[Outcome], name: str, **same: Any) -> "list[RunOptions]":
    """Ask for a model of each outcome; they share everything else."""
    from training.run.options import RunOptions

    several = []
    for outcome in outcomes:
        called = name or f"baton-{outcome.name}"
        if name and len(outcomes) > 1:
            called = f"{name}-{outcome.name}"
        several.append(RunOptions(outcome, name=called, **same))
    if len({own.name for own in several}) < len(several):
        raise typer.BadParameter("Two models would have one name; train them one by one.")
    return several


def _ask_timing(several: "list[RunOptions]", prices: Path | None) -> "list[RunOptions]":
    """Ask for the best moment with the first model for sql: one answer is enough."""
    from training.run.timing import read_timing_options

    options = read_timing_options(read_file(prices))
    first = next((own for own in several if own.outcome.target.text == Stage.SQL.value), None)
    return [replace(own, timing=options) if own is first else own for own in several]


def _read_recorded(bundle: Path, history: Path) -> "list[RunOptions]":
    """Read what made a bundle; refuse another history."""
    from training.bundle import load_bundle
    from training.run.options import read_options
    from training.run.pipeline import fingerprint_history

    if not load_bundle(bundle).card.get("learned", True):
        raise BundleError(str(bundle), "was not learned but made by `baton cold-start`")
    options, learned_from = read_options(bundle)
    if fingerprint_history(history) != learned_from:
        raise BundleError(
            str(bundle), f"was not made from {history}: the history is another, or has changed"
        )
    return [options]


@contextmanager
def _engine(where: str | None, history: Path) -> Iterator["Engine"]:
    """Choose who does the heavy work: this process, or workers as long as the run lasts."""
    if where is None:
        from training.engine import IN_PROCESS

        yield IN_PROCESS
        return
    from features.compute.dask_backend import connected
    from training.dask_engine import on_dask

    with connected(where) as client:
        yield on_dask(client, str(history.resolve()))


def _run(
    folder: Path,
    several: "list[RunOptions]",
    alias: str,
    engine: "Engine",
    report: Report,
) -> "list[tuple[Run, LoggedRun]]":
    from training.bundle import install_champion
    from training.run.pipeline import fingerprint_history, train_side_by_side

    settings = TrainingSettings()
    report("reading the history", 0.0)
    history = read_history(folder)
    report("reading the history", 1.0)
    runs = train_side_by_side(
        history,
        several,
        settings.bundles,
        data_fingerprint=fingerprint_history(folder),
        engine=engine,
        progress=report,
    )
    done = []
    for run in runs:
        report(f"recording {run.bundle.name} in MLflow", 0.0)
        done.append((run, _log(run, settings, alias)))
        report(f"recording {run.bundle.name} in MLflow", 1.0)
    if is_served(alias, several[0].outcome, runs[0].refusal):
        install_champion(runs[0].bundle.folder, settings.champion)
    return done


def _log(run: "Run", settings: TrainingSettings, alias: str) -> "LoggedRun":
    from training.registry.mlflow_store import log_run

    return log_run(
        run.bundle,
        settings=settings,
        parameters=run.parameters,
        metrics=run.metrics,
        pictures=sorted(run.bundle.folder.glob("*.png")),
        alias="challenger" if run.refusal else alias,
    )


def _candidate_table(run: "Run") -> Table:
    table = Table(title=f"P({run.bundle.contract.text}), judged on the newest leads")
    for heading in ("model", "log loss", "AUC (95 % interval)"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for entry in run.bundle.card["candidates"]:
        interval = entry["auc_interval"]
        interval_words = f" ({interval['low']:.3f}-{interval['high']:.3f})" if interval else ""
        mark = " *" if entry["name"] == run.chosen else ""
        table.add_row(
            entry["name"] + mark, f"{entry['log_loss']:.4f}", f"{entry['auc']:.3f}{interval_words}"
        )
    return table


def print_run(screen: Screen, run: "Run", logged: "LoggedRun") -> None:
    """Print what a run came to: the candidates, the figures, the warnings, where things are."""
    quality = run.quality
    screen.print(_candidate_table(run))
    screen.print(
        f"* chosen. Lift at 10 %: {quality.lift_at_10:.2f}; ECE "
        f"{quality.calibration_error.value:.4f}; calibration slope {quality.line.slope:.2f}; "
        f"{quality.positives:,} of {quality.rows:,} converted.",
    )
    for warning in run.bundle.card["warnings"]:
        screen.print(f"! {warning}", style="yellow")
    screen.print(f"Bundle  {run.bundle.folder}")
    screen.print(f"Card    {run.bundle.folder / 'card.md'}")
    screen.print(
        f"MLflow  {logged.model_name} version {logged.model_version} @{logged.alias} "
        f"in {logged.tracking_uri}",
    )
