"""``baton backtest``: walk forward through a history and print what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.clock import DAY_US
from features.contracts.history import History
from features.errors import FeaturesError
from features.sources.history.folder import read_history
from features.terminal.numbers import MOST_SEED
from features.terminal.progress import Report, stations
from features.terminal.screen import Screen, refusals
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
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of everything that is random.")
    ] = 7,
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

    screen = Screen()
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
    with refusals(TrainingError, FeaturesError):
        asked = BacktestRequest(
            wanted, read_grid(seen_at), plan, read_reasons(allow_protected or [])
        )
        _walk(screen, history, asked, called)


@dataclass(frozen=True)
class BacktestRequest:
    """What a walk is to predict, and how."""

    outcome: Outcome
    grid: Grid
    plan: "Plan"
    allow_protected: Mapping[str, str]


def _leave_out(screen: Screen, history: History, asked: BacktestRequest) -> "Plan":
    """Add to what is dropped the fields that no model may learn from; say which."""
    from training.dataset.protected import list_left_out

    plan = asked.plan
    further = list_protected(TrainingSettings())
    found = list_left_out(history, plan.drop, further, asked.allow_protected)
    for one in found:
        screen.print(one.words)
    return replace(plan, drop=plan.drop | {one.field for one in found})


def _walk(screen: Screen, folder: Path, asked: BacktestRequest, name: str) -> None:
    """Walk, measure, write, record, print."""
    from training.backtest.files import write_backtest
    from training.commands.backtest_tables import print_backtest
    from training.run.pipeline import fingerprint_history

    with stations(screen, one_bar=True) as report:
        report("reading the history", 0.0)
        history = read_history(folder)
        plan = _leave_out(screen, history, asked)
        walked = run_backtest(history, asked.outcome, asked.grid, plan, report)
    backtest, tables, optimism = walked
    to = BACKTESTS / name
    files = write_backtest(to, backtest, tables, optimism, fingerprint_history(folder))
    print_backtest(screen, backtest, tables, optimism)
    screen.print(f"Figures {to}")
    run_id = _log(name, walked, files)
    recorded = f"MLflow  run {run_id} of {EXPERIMENT}"
    screen.print(recorded)


def run_backtest(
    history: History, outcome: Outcome, grid: Grid, plan: "Plan", report: Report
) -> "tuple[Backtest, tuple[PeriodTable, ...], RandomSplitOptimism]":
    """Walk through a history, measure every rival, and set random folds beside."""
    from training.backtest.figures import measure_backtest
    from training.backtest.random_folds import measure_random_split_optimism
    from training.backtest.walk import walk_forward
    from training.dataset.moments import build_moments

    moments = build_moments(history, outcome, grid, seed=plan.seed)
    backtest = walk_forward(moments, plan, progress=report)
    optimism = measure_random_split_optimism(backtest, progress=report)
    report("measuring", 0.0)
    tables = measure_backtest(backtest.periods, seed=plan.seed)
    report("measuring", 1.0)
    return backtest, tables, optimism


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
