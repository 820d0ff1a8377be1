"""``baton backtest``: walk forward through a history and print what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from features.clock import DAY_US
from features.contracts.history import History
from features.errors import FeaturesError
from features.sources.history.folder import read_history
from training.commands.options import (
    read_day,
    read_grid,
    read_lookback,
    read_outcome,
    read_reasons,
    read_seconds,
    read_span,
)
from training.errors import TrainingError
from training.labels.conversion import Grid, Outcome
from training.settings import TrainingSettings, list_protected, silence_telemetry

if TYPE_CHECKING:
    from training.backtest.figures import PeriodTable
    from training.backtest.random_folds import RandomSplitOptimism
    from training.backtest.walk import Backtest, Plan
    from training.backtest.walk import Progress as ShowProgress

BACKTESTS = Path("var/backtests")
EXPERIMENT = "baton-backtests"


def backtest_command(
    history: Annotated[Path, typer.Argument(help="Folder of an imported or simulated history.")],
    outcome: Annotated[str, typer.Option(help="The stage to predict.")] = "sql",
    horizon: Annotated[str, typer.Option(help="Within how long, e.g. 30d.")] = "30d",
    seen_at: Annotated[
        str, typer.Option(help="At which moments leads are taken: weekly, or ages such as 24h,7d.")
    ] = "24h",
    every: Annotated[str, typer.Option(help="How often the model is retrained.")] = "30d",
    begin: Annotated[
        str, typer.Option("--from", help="First day; by default as soon as enough is known.")
    ] = "",
    lookback: Annotated[
        str,
        typer.Option(
            help="Lookback window of the training data: 180d, '20000 leads'; default all."
        ),
    ] = "",
    tune_for: Annotated[
        str, typer.Option(help="How long to search LightGBM's settings at each origin; 0s: not.")
    ] = "0s",
    name: Annotated[str, typer.Option(help="Of the folder in var/backtests.")] = "",
    seed: Annotated[int, typer.Option(help="Of everything that is random.")] = 7,
    drop: Annotated[list[str] | None, typer.Option(help="Attribute to leave out.")] = None,
    allow_protected: Annotated[
        list[str] | None,
        typer.Option(help='FIELD="reason": learn from it although it is protected or a proxy.'),
    ] = None,
) -> None:
    """Walk forward through a history: train on what was known then, score, compare with the outcomes.

    Every period is predicted by the model retrained at its beginning, by the first one never
    retrained, each also recalibrated by matured labels, by the points table and by the
    base rate. Figures, picture and MLflow record have 95 % intervals over leads. Exit code 1:
    refused, with the reason.
    """
    silence_telemetry()
    from training.backtest.walk import Plan
    from training.selection.tuning import Budget

    console = Console()
    plan = Plan(
        round(read_span(every) / 24.0 * DAY_US),
        read_day(begin),
        read_lookback(lookback),
        seed,
        frozenset(drop or []),
        Budget(seconds=read_seconds(tune_for)),
    )
    wanted = read_outcome(outcome, horizon)
    called = name or f"{history.resolve().name}-{wanted.name}"
    try:
        asked = BacktestRequest(
            wanted, read_grid(seen_at), plan, read_reasons(allow_protected or [])
        )
        _walk(console, history, asked, called)
    except (TrainingError, FeaturesError) as refusal:
        console.print(f"[red]{refusal}[/red]", highlight=False)
        raise typer.Exit(1) from refusal


@dataclass(frozen=True)
class BacktestRequest:
    """What a walk is to predict, and how."""

    outcome: Outcome
    grid: Grid
    plan: "Plan"
    allow_protected: Mapping[str, str]


def _leave_out(console: Console, history: History, asked: BacktestRequest) -> "Plan":
    """Add to what is dropped the fields that no model may learn from; say which."""
    from training.dataset.protected import list_left_out

    plan = asked.plan
    further = list_protected(TrainingSettings())
    found = list_left_out(history, plan.drop, further, asked.allow_protected)
    for one in found:
        console.print(one.words, highlight=False)
    return replace(plan, drop=plan.drop | {one.field for one in found})


def _walk(console: Console, folder: Path, asked: BacktestRequest, name: str) -> None:
    """Walk, measure, write, record, print."""
    from training.backtest.files import write_backtest
    from training.commands.backtest_tables import print_backtest
    from training.run.pipeline import fingerprint_history

    with _bar(console) as show_progress:
        show_progress("reading the history", 0.0)
        history = read_history(folder)
        plan = _leave_out(console, history, asked)
        walked = run_backtest(history, asked.outcome, asked.grid, plan, show_progress)
    backtest, tables, optimism = walked
    to = BACKTESTS / name
    files = write_backtest(to, backtest, tables, optimism, fingerprint_history(folder))
    print_backtest(console, backtest, tables, optimism)
    console.print(f"Figures {to}", highlight=False, soft_wrap=True)
    run_id = _log(name, walked, files)
    recorded = f"MLflow  run {run_id} of {EXPERIMENT}"
    console.print(recorded, highlight=False, soft_wrap=True)


def run_backtest(
    history: History, outcome: Outcome, grid: Grid, plan: "Plan", show_progress: "ShowProgress"
) -> "tuple[Backtest, tuple[PeriodTable, ...], RandomSplitOptimism]":
    """Walk through a history, measure every rival, and set random folds beside."""
    from training.backtest.figures import measure_backtest
    from training.backtest.random_folds import measure_random_split_optimism
    from training.backtest.walk import walk_forward
    from training.dataset.moments import build_moments

    moments = build_moments(history, outcome, grid, seed=plan.seed)
    backtest = walk_forward(moments, plan, progress=show_progress)
    optimism = measure_random_split_optimism(backtest, progress=show_progress)
    show_progress("measuring", 1.0)
    return backtest, measure_backtest(backtest.periods, seed=plan.seed), optimism


@contextmanager
def _bar(console: Console) -> Iterator["ShowProgress"]:
    """Show one bar for the whole walk, which says what is being done."""
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)


def _log(
    name: str,
    walked: "tuple[Backtest, Sequence[PeriodTable], RandomSplitOptimism]",
    files: Sequence[Path],
) -> str:
    from training.backtest.files import describe_plan, list_metrics
    from training.registry.mlflow_store import log_files

    backtest, tables, optimism = walked
    return log_files(
        TrainingSettings(),
        EXPERIMENT,
        run_name=name,
        tags={"kind": "backtest", **describe_plan(backtest)},
        metrics=list_metrics(tables, optimism),
        files=files,
    )
