"""``baton drift``: compare recent scored leads with what the model learned from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from features import clock
from features.terminal.progress import stations
from features.terminal.screen import Screen
from serving.champion import read_bundle
from serving.errors import NoChampionError
from serving.monitoring.drift import DriftSummary, Verdict
from serving.monitoring.report import (
    JSON,
    SUMMARY,
    DriftReport,
    Guest,
    TooFewRows,
    make_drift_report,
)
from serving.settings import ServingSettings
from serving.store.opening import open_store

EXIT_DRIFT = 4
"""Exit code if recent leads no longer look like those the model learned from."""

EXIT_TOO_FEW = 3
"""Exit code if too few leads were scored to tell."""

EXIT_REFUSED = 2
"""Exit code if there is no model, or no store, to compare with."""

_STYLES: dict[Verdict, str] = {"stable": "green", "shifted": "yellow", "drifted": "red"}


def _build_table(summary: DriftSummary, rows: int) -> Table:
    table = Table(
        title=f"{summary.rows_now:,} recent leads against {summary.rows_then:,} of training"
    )
    for heading in (
        "column",
        "people call it",
        "index",
        "verdict",
        "weight",
        "missing then → now",
    ):
        table.add_column(heading)
    for column in [summary.score, *summary.features[:rows]]:
        table.add_row(
            column.name,
            column.words,
            f"{column.psi:.3f}",
            Text(column.verdict, _STYLES[column.verdict]),
            f"{column.weight:.2f}",
            f"{column.missing_then:.0%} → {column.missing_now:.0%}",
        )
    return table


def _list_warnings(summary: DriftSummary) -> list[str]:
    warnings = []
    if summary.empty_columns:
        warnings.append(f"Empty now, but not in training: {', '.join(summary.empty_columns)}.")
    for name, values in summary.unseen_categories.items():
        warnings.append(f"New values of {name}: {', '.join(values)}.")
    for name, share in summary.other_categories.items():
        warnings.append(f"{share:.0%} of the values of {name} are too rare for the model to know.")
    return warnings


def _print_report(screen: Screen, report: DriftReport, rows: int) -> None:
    screen.print(_build_table(report.summary, rows))
    for warning in _list_warnings(report.summary):
        screen.print(warning)
    style = _STYLES[report.summary.verdict]
    screen.print(f"{report.summary.verdict}: {report.summary.because}", style=style)
    screen.print(f"All columns: {report.folder / SUMMARY}")
    if report.html is not None:
        screen.print(f"Evidently's page: {report.html}")
        screen.print(f"Evidently's figures: {report.folder / JSON}")
    else:
        screen.print(report.evidently_problem, style="red")


def drift_command(
    champion: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; BATON_CHAMPION if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the reports; BATON_DRIFT if left out.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Most columns to print.", min=1)] = 20,
) -> None:
    """Compare recent scored leads with those the model learned from.

    Exit codes: 0 nothing has drifted, 2 no model or no store to compare with, 3 too few scored leads to tell, 4 drift found.
    """
    given = {"champion": champion, "drift": out}
    settings = ServingSettings().model_copy(
        update={name: folder for name, folder in given.items() if folder is not None}
    )
    screen = Screen()
    try:
        bundle = read_bundle(settings.champion)
    except NoChampionError as error:
        typer.echo(f"{error} {error.fix}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    with open_store(settings) as store, stations(screen) as report:
        report("comparing recent leads with the reference", 0.0)
        found = make_drift_report(bundle, store, settings, clock.now(), Guest())
        report("comparing recent leads with the reference", 1.0)
    if isinstance(found, TooFewRows):
        screen.print(
            f"Not enough scored leads yet (have {found.have}, need {found.need}). "
            f"Score some with model {bundle.version}."
        )
        raise typer.Exit(EXIT_TOO_FEW)
    _print_report(screen, found, rows)
    if found.summary.verdict == "drifted":
        raise typer.Exit(EXIT_DRIFT)
