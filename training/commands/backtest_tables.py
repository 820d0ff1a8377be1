"""What ``baton backtest`` prints: losses by period, the served model by period, every rival."""

from collections.abc import Sequence

from rich.table import Table

from features.terminal.screen import Screen
from training.backtest.figures import SELECTED, PeriodTable, RivalRow, list_verdicts
from training.backtest.random_folds import RandomSplitOptimism
from training.backtest.walk import Backtest

MEASURES = ("log loss", "AUC", "ECE", "perfect would show", "slope", "lift at 10 %")


def print_backtest(
    screen: Screen,
    backtest: Backtest,
    tables: Sequence[PeriodTable],
    optimism: RandomSplitOptimism,
) -> None:
    """Print the tables, with 95 % intervals over leads, and the verdicts."""
    screen.print(_table_of_losses(backtest, tables))
    screen.print(_table_of_selected(tables))
    screen.print(_table_of_rivals(tables[-1]))
    for warning in backtest.warnings:
        screen.print(f"! {warning}", style="yellow")
    screen.print(optimism.words)
    for verdict in list_verdicts(tables):
        screen.print(f"• {verdict}")


def _build(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="right" if position else "left")
    return table


def _table_of_losses(backtest: Backtest, tables: Sequence[PeriodTable]) -> Table:
    rivals = [row.rival for row in tables[0].rows]
    promise = f"P({backtest.moments.outcome.words}), learned from {backtest.plan.lookback.words}"
    table = _build(
        f"Log loss by period: {promise}",
        ["leads from", "leads", "won", "chosen", *rivals, "to the best baseline"],
    )
    table.columns[2].header = "converted"
    chosen = [period.chosen for period in backtest.periods]
    for own, name in zip(tables, [*chosen, ""], strict=True):
        ours = own.of(SELECTED)
        losses = []
        for row in own.rows:
            mark = "*" if row.rival == own.best_baseline else ""
            losses.append(f"{row.log_loss.value:.4f}{mark}")
        counts = (f"{ours.leads:,}", f"{ours.conversions:,}")
        table.add_row(own.period, *counts, name, *losses, _difference(ours))
    table.caption = "* the best baseline of the period"
    return table


def _difference(row: RivalRow) -> str:
    """Say how far the row is from the best baseline; one standard error behind it is still held."""
    return f"{row.behind:+.4f} ± {row.standard_error:.4f}{'' if row.holds else ' !'}"


def _measures(row: RivalRow) -> tuple[str, ...]:
    figures = (row.log_loss, row.auc, row.ece, row.slope, row.lift_at_10)
    cells = [figure.words for figure in figures]
    return (*cells[:3], f"{row.noise_floor:.3f}".removeprefix("0"), *cells[3:])


def _table_of_selected(tables: Sequence[PeriodTable]) -> Table:
    table = _build(f"{SELECTED}, by period (95 % intervals)", ["leads from", *MEASURES])
    for own in tables:
        table.add_row(own.period, *_measures(own.of(SELECTED)))
    return table


def _table_of_rivals(every: PeriodTable) -> Table:
    table = _build(
        "Every rival, all periods (95 % intervals)",
        ["rival", *MEASURES, "log loss above the best baseline"],
    )
    for row in every.rows:
        table.add_row(row.rival, *_measures(row), _difference(row))
    return table
