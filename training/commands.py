"""The training commands: ``baton train``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from features.clock import DAY_US
from features.compute.commands import DaskOption, SchedulerOption
from features.compute.settings import choose_dask
from features.errors import FeaturesError
from features.lifecycle.stages import Stage
from features.lifecycle.targets import TARGETS, find_target
from features.sources.history_folder import read_history
from training.errors import BundleError, TrainingError
from training.labels.conversion import Grid, Outcome
from training.settings import TrainingSettings, silence_telemetry

if TYPE_CHECKING:
    from training.engine import Engine
    from training.pipeline import Run
    from training.registry import LoggedRun
    from training.run_options import RunOptions

NOT_SERVED = 5
"""Exit code of a run whose bundle must not be served."""

WEEKS, LAST_WEEK = 12, 52
"""By default a lead is looked at weekly for so long, then every four weeks for a year."""


def read_span(text: str) -> float:
    """Read a span of time in hours.

    >>> read_span("30d"), read_span("24h"), read_span("2w")
    (720.0, 24.0, 336.0)
    """
    hours = {"h": 1.0, "d": 24.0, "w": 168.0}
    unit = text.strip()[-1:].lower()
    try:
        span = float(text.strip()[:-1]) * hours[unit]
    except (KeyError, ValueError):
        span = 0.0
    if span <= 0:
        raise typer.BadParameter(f"{text!r} is not a span of time; write e.g. 24h, 30d or 2w.")
    return span


def read_grid(text: str) -> Grid:
    """Read when leads are looked at: ``weekly``, or ages such as ``24h,7d``."""
    if text.strip().lower() == "weekly":
        return Grid.weekly(weeks=WEEKS, then_until_week=LAST_WEEK)
    return Grid.at_ages(tuple(read_span(part) for part in text.split(",")))


def _read_reasons(entries: list[str]) -> dict[str, str]:
    reasons = {}
    for entry in entries:
        name, equals, reason = entry.partition("=")
        if not equals or not reason.strip():
            raise typer.BadParameter(f'{entry!r} has no reason; write FIELD="why it is no leak".')
        reasons[name.strip()] = reason.strip()
    return reasons


@contextmanager
def _stations(console: Console) -> Iterator["_Stations"]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        yield _Stations(bars)


class _Stations:
    """One progress bar per station of the run."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, station: str, share: float) -> None:
        if station not in self._tasks:
            for task in self._bars.tasks:
                self._bars.update(task.id, completed=1.0)
            self._tasks[station] = self._bars.add_task(station, total=1.0)
        self._bars.update(self._tasks[station], completed=share)


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
        str, typer.Option(help="When leads are looked at: weekly, or ages such as 24h,7d.")
    ] = "weekly",
    name: Annotated[str, typer.Option(help="Name in the registry; default baton-OUTCOME.")] = "",
    seed: Annotated[int, typer.Option(help="Of everything that is random in a run.")] = 7,
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
    explain: Annotated[
        bool,
        typer.Option(help="Draw what the model pays heed to, and refit it to see what stays."),
    ] = True,
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
    from training.leakage import LeakFoundError

    console = Console()
    where = choose_dask(dask, scheduler)
    try:
        if repeat is not None:
            several = _read_recorded(repeat, history)
        else:
            several = _read_asked(
                outcome,
                horizon,
                read_grid(seen_at),
                name,
                seed,
                drop,
                allow_leak,
                tune_for,
                segment,
                explain,
            )
        with _stations(console) as stations, _engine(where, history) as engine:
            done = _run(history, several, alias, engine, stations)
    except (TrainingError, FeaturesError, LeakFoundError) as refusal:
        console.print(f"[red]{refusal}[/red]", highlight=False)
        raise typer.Exit(1) from refusal
    for run, logged in done:
        print_run(console, run, logged)
    if not several[0].outcome.is_hoped_for:
        console.print(
            f"The server keeps its champion: it hands on the leads of most points, and here they "
            f"are the likeliest to be {several[0].outcome.words}. The first --outcome is the one "
            "to serve.",
            highlight=False,
        )
    refused = [run for run, _ in done if run.refusal]
    if refused and alias == "champion":
        for run in refused:
            console.print(
                f"[red]{run.bundle.name} is not served: {run.refusal}. It is recorded as "
                "challenger; the champion stays as it was.[/red]",
                highlight=False,
            )
        raise typer.Exit(NOT_SERVED)


def read_outcome(text: str, horizon: str) -> Outcome:
    """Read an outcome such as ``sql``, ``won@90d`` or ``returned:unreachable``."""
    event, _, own = text.partition("@")
    target = find_target(event)
    if target is None:
        known = ", ".join(target.text for target in TARGETS)
        raise typer.BadParameter(f"{text!r} is nothing that can be predicted; there are {known}.")
    return Outcome.of(target, round(read_span(own or horizon) / 24.0 * DAY_US))


def is_served(alias: str, outcome: Outcome, refusal: str | None) -> bool:
    """Whether the server takes a bundle up: asked for, fit for it, and an outcome hoped for."""
    return alias == "champion" and refusal is None and outcome.is_hoped_for


def read_seconds(text: str) -> float:
    """Read a stretch of machine time in seconds.

    >>> read_seconds("90s"), read_seconds("2m")
    (90.0, 120.0)
    """
    seconds = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        return float(text.strip()[:-1]) * seconds[text.strip()[-1:].lower()]
    except (KeyError, ValueError):
        raise typer.BadParameter(f"{text!r} is no time; write e.g. 60s or 10m.") from None


def _read_asked(
    outcomes: list[str] | None,
    horizon: str,
    grid: Grid,
    name: str,
    seed: int,
    drop: list[str] | None,
    allow_leak: list[str] | None,
    tune_for: str,
    segments: list[str] | None,
    explain: bool,
) -> "list[RunOptions]":
    from training.models.tuning import Budget
    from training.run_options import RunOptions

    wanted = [read_outcome(text, horizon) for text in outcomes or [Stage.SQL.value]]
    reasons = _read_reasons(allow_leak or [])
    budget = Budget(seconds=read_seconds(tune_for))
    several = []
    for own in wanted:
        called = name or f"baton-{own.name}"
        if name and len(wanted) > 1:
            called = f"{name}-{own.name}"
        dropped, asked = frozenset(drop or []), tuple(segments or [])
        several.append(
            RunOptions(own, grid, called, seed, dropped, reasons, budget, asked, explain)
        )
    names = [own.name for own in several]
    if len(set(names)) < len(names):
        raise typer.BadParameter("Two models would have one name; train them one by one.")
    return several


def _read_recorded(bundle: Path, history: Path) -> "list[RunOptions]":
    """Read what made a bundle; refuse another history."""
    from training.pipeline import fingerprint_history
    from training.run_options import read_options

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
    stations: _Stations,
) -> "list[tuple[Run, LoggedRun]]":
    from training.bundle import install_champion
    from training.pipeline import fingerprint_history, train_side_by_side

    settings = TrainingSettings()
    stations("reading the history", 0.0)
    history = read_history(folder)
    stations("reading the history", 1.0)
    runs = train_side_by_side(
        history,
        several,
        settings.bundles,
        data_fingerprint=fingerprint_history(folder),
        engine=engine,
        progress=stations,
    )
    done = []
    for run in runs:
        stations(f"recording {run.bundle.name} in MLflow", 0.0)
        done.append((run, _log(run, settings, alias)))
        stations(f"recording {run.bundle.name} in MLflow", 1.0)
    if is_served(alias, several[0].outcome, runs[0].refusal):
        install_champion(runs[0].bundle.folder, settings.champion)
    return done


def _log(run: "Run", settings: TrainingSettings, alias: str) -> "LoggedRun":
    from training.registry import log_run

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
        said = f" ({interval['low']:.3f}-{interval['high']:.3f})" if interval else ""
        mark = " *" if entry["name"] == run.chosen else ""
        table.add_row(
            entry["name"] + mark, f"{entry['log_loss']:.4f}", f"{entry['auc']:.3f}{said}"
        )
    return table


def print_run(console: Console, run: "Run", logged: "LoggedRun") -> None:
    """Print what a run came to: the candidates, the figures, the warnings, where things are."""
    quality = run.quality
    console.print(_candidate_table(run))
    console.print(
        f"* chosen. Lift at 10 %: {quality.lift_at_10:.2f}; ECE "
        f"{quality.calibration_error.value:.4f}; calibration slope {quality.line.slope:.2f}; "
        f"{quality.positives:,} of {quality.rows:,} converted.",
        highlight=False,
    )
    for warning in run.bundle.card["warnings"]:
        console.print(f"[yellow]! {warning}[/yellow]", highlight=False)
    console.print(f"Bundle  {run.bundle.folder}", highlight=False, soft_wrap=True)
    console.print(f"Card    {run.bundle.folder / 'card.md'}", highlight=False, soft_wrap=True)
    console.print(
        f"MLflow  {logged.model_name} version {logged.model_version} @{logged.alias} "
        f"in {logged.tracking_uri}",
        highlight=False,
        soft_wrap=True,
    )
