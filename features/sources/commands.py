"""``baton import``: a company's files become a checked history."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from features import clock
from features.errors import FeaturesError
from features.sources.import_history import ImportReport, run_import
from features.terminal.progress import stations
from features.terminal.screen import Screen

EXIT_UNUSABLE = 1
COLUMNS_SHOWN = 8
MISSING_SHOWN = 0.2
"""Attributes unknown for at least this share of leads are named."""


def import_command(
    mapping: Annotated[
        str,
        typer.Argument(
            help="Name of a shipped mapping (bpi2012, olist, bank) or path of your own .toml file."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="The file, or the folder of files, to read.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder for the history. Default: var/<name of the mapping>."),
    ] = None,
) -> None:
    """Turn files into a checked history: leads, events, stage changes, attempts.

    Exit code 0: every row was used. 3: imported, but some rows or cells were not usable; they are
    in rejects.csv with line and reason. 1: nothing was imported; the message says what to change.
    """
    screen = Screen()
    target = to or Path("var") / Path(mapping).stem
    try:
        with stations(screen) as progress:
            report = run_import(mapping, path, target, progress=progress, at=clock.now())
    except (FeaturesError, OSError) as error:
        # An unreadable or unwritable place is the user's to mend too: name it, no traceback.
        Screen(stderr=True).print(f"Not imported. {error}", style="red")
        raise typer.Exit(EXIT_UNUSABLE) from None
    print_report(report, screen)
    raise typer.Exit(report.exit_code)


def print_report(report: ImportReport, screen: Screen) -> None:
    """Print what an import did: counts, refusals, oddities, and where the files are."""
    screen.print(_count_table(report))
    if report.rejected:
        screen.print(_reject_table(report))
    if report.mapping.withheld:
        screen.print("Refused as features, because they are known only after the outcome:")
        screen.print(f"  {', '.join(report.mapping.withheld)}")
    for line in _oddities(report):
        screen.print(f"Note: {line}", style="yellow")
    about = report.about
    start = f"{about.observed_from:%Y-%m-%d %H:%M} to " if about.observed_from else "until "
    screen.print(
        f"Observed {start}{about.observed_until:%Y-%m-%d %H:%M} UTC. "
        f"The history is in {report.folder}."
    )
    if report.rejects_file:
        screen.print(
            f"What was not used, and why: {report.rejects_file} "
            "(rows as they were, so it may hold personal data)."
        )


def _count_table(report: ImportReport) -> Table:
    table = Table(title=f"Imported with {report.mapping.name}")
    table.add_column("record")
    table.add_column("in the history", justify="right")
    table.add_column("rows read", justify="right")
    table.add_column("rejected", justify="right")
    table.add_column("other records' rows", justify="right")
    for source in report.sources:
        counts = (source.accepted, source.read, source.rejected, source.not_this)
        table.add_row(f"{source.record} (source {source.position})", *(f"{n:,}" for n in counts))
    table.add_section()
    for name, count in (report.rows | {"leads": report.lead_count}).items():
        table.add_row(name, f"{count:,}", "", "", "", style="bold")
    return table


def _reject_table(report: ImportReport) -> Table:
    table = Table(title="Not used")
    table.add_column("what and why")
    table.add_column("count", justify="right")
    for reason, count in report.rejected.items():
        table.add_row(reason, f"{count:,}")
    return table


def _describe_strange_reasons(counts: dict[str, int]) -> str:
    listed = ", ".join(f"{reason!r} ({n:,})" for reason, n in list(counts.items())[:5])
    more = ", ..." if len(counts) > 5 else ""
    return (
        f"{sum(counts.values()):,} returns have a reason Baton does not know, and count as other: "
        f"{listed}{more}. Say what they mean under [reasons] in the mapping."
    )


def _oddities(report: ImportReport) -> list[str]:
    """Word what was kept but is worth knowing."""
    quality = report.quality
    lines = [f"{count:,} times: {change}." for change, count in report.clock_changes.items()]
    if report.events_before_creation:
        lines.append(
            f"{report.events_before_creation:,} events lie before their lead was created."
        )
    if report.strange_reasons:
        lines.append(_describe_strange_reasons(report.strange_reasons))
    for counts, words in (
        (quality.late, "became known more than a day after they happened"),
        (quality.doubled, "repeat another one in all but their id"),
        (quality.impossible, "were known before they happened"),
    ):
        lines += [f"{count:,} {table} {words}." for table, count in counts.items() if count]
    empty = [
        f"{n} ({share:.0%})" for n, share in quality.missing.items() if share >= MISSING_SHOWN
    ]
    if empty:
        lines.append(f"Often unknown: {', '.join(empty)}.")
    for file, columns in report.columns_unused.items():
        lines.append(f"{file} has columns the mapping does not name: {_listed(columns)}.")
    for file, columns in report.columns_unmet.items():
        lines.append(f"{file} never had columns the mapping names: {_listed(columns)}.")
    return lines


def _listed(columns: tuple[str, ...]) -> str:
    more = len(columns) - COLUMNS_SHOWN
    return ", ".join(columns[:COLUMNS_SHOWN]) + (f" and {more} more" if more > 0 else "")
