"""A walk on disk: its figures as JSON and CSV, its picture, and what MLflow is told."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.backtest.figures import (
    BASELINES,
    SELECTED,
    Figure,
    PeriodTable,
    RivalRow,
    list_verdicts,
)
from training.backtest.plots import write_backtest_plot
from training.backtest.random_folds import RandomSplitOptimism
from training.backtest.walk import Backtest

FIGURES, TABLE, PICTURE = "backtest.json", "backtest.csv", "backtest.png"

MEASURES = ("log_loss", "auc", "ece", "slope", "lift_at_10")


def describe_plan(backtest: Backtest) -> dict[str, str]:
    """Say what was asked, as text."""
    plan, moments = backtest.plan, backtest.moments
    return {
        "outcome": moments.outcome.words,
        "grid": moments.grid.words,
        "every_days": f"{plan.every_us / 86_400_000_000:g}",
        "first_origin": backtest.periods[0].begins.isoformat(),
        "lookback": plan.lookback.words,
        "seed": str(plan.seed),
        "source": moments.history.about.source,
    }


def write_backtest(
    folder: Path,
    backtest: Backtest,
    tables: Sequence[PeriodTable],
    optimism: RandomSplitOptimism,
    data_fingerprint: str,
) -> tuple[Path, ...]:
    """Write the figures, the table and the picture; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "asked": {**describe_plan(backtest), "data_fingerprint": data_fingerprint},
        "selected": SELECTED,
        "baselines": list(BASELINES),
        "verdicts": list(list_verdicts(tables)),
        "warnings": list(backtest.warnings),
        "random_split_optimism": optimism.record(),
        "origins": [
            {
                "origin": period.begins.isoformat(),
                "until": period.ends.isoformat(),
                "chosen": period.chosen,
                "because": period.because,
                "learned_leads": period.learned_leads,
                "learned_conversions": period.learned_converted,
            }
            for period in backtest.periods
        ],
        "periods": [
            {
                "period": table.period,
                "best_baseline": table.best_baseline,
                "selected_against": {n: asdict(d) for n, d in table.against.items()},
                "rivals": [asdict(row) for row in table.rows],
            }
            for table in tables
        ],
    }
    figures, table, picture = (folder / name for name in (FIGURES, TABLE, PICTURE))
    text = json.dumps(_without_nan(document), indent=1, allow_nan=False)
    figures.write_text(text + "\n", encoding="utf-8")
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = [flatten_row(row) for own in tables for row in own.rows]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    promise = f"P({backtest.moments.outcome.words})"
    write_backtest_plot(picture, tables, backtest.periods, promise)
    return figures, table, picture


def flatten_row(row: RivalRow) -> dict[str, Any]:
    """Put each figure and both ends of its interval in a cell of their own."""
    flat: dict[str, Any] = {}
    for name, value in ((name, getattr(row, name)) for name in row.__dataclass_fields__):
        if isinstance(value, Figure):
            flat |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            flat[name] = value
    return flat


def list_metrics(tables: Sequence[PeriodTable], optimism: RandomSplitOptimism) -> dict[str, float]:
    """Name the figures over all periods for the record: ``log_loss.retrained``."""
    every = tables[-1]
    found = {
        f"{measure}.{name_metric(row.rival)}": getattr(row, measure).value
        for row in every.rows
        for measure in MEASURES
    }
    ours = every.of(SELECTED)
    periods = tables[:-1]
    return {
        **found,
        "behind_best_baseline": ours.behind,
        "behind_best_baseline_standard_error": ours.standard_error,
        "periods": float(len(periods)),
        "periods_held": float(sum(table.of(SELECTED).holds for table in periods)),
        "auc_random_folds": optimism.random.value,
        "auc_within_periods": optimism.in_time,
    }


def name_metric(rival: str) -> str:
    """Name a rival as MLflow allows.

    >>> name_metric("retrained, level kept")
    'retrained_level_kept'
    """
    return rival.replace(",", "").replace(" ", "_")


def _without_nan(value: Any) -> Any:
    """Put nothing where there is no number: JSON has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return value
