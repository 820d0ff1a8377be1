"""``baton audit``: the leak audit by itself, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from features.errors import FeaturesError
from features.sources.history.folder import read_history
from features.terminal.screen import Screen, refusals
from training.commands.options import read_grid, read_outcome, read_reasons
from training.errors import TrainingError
from training.settings import silence_telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.dataset.availability import Availability
    from training.leaks.audit import LeakAudit

LEAKS = 1
COLOURS = {"leak": "red", "warn": "yellow", "note": "dim"}


def audit_command(
    history: Annotated[Path, typer.Argument(help="Folder of an imported or simulated history.")],
    outcome: Annotated[str, typer.Option(help="What is to be predicted.")] = "sql",
    horizon: Annotated[str, typer.Option(help="Within how long, e.g. 30d.")] = "30d",
    seen_at: Annotated[
        str, typer.Option(help="At which moments leads are taken: weekly, or ages such as 24h,7d.")
    ] = "weekly",
    drop: Annotated[list[str] | None, typer.Option(help="Attribute to leave out.")] = None,
    allow_leak: Annotated[
        list[str] | None,
        typer.Option(help='FIELD="reason": it is known in time although it looks like a leak.'),
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Show notes, too.")] = False,
) -> None:
    """Audit every field for knowledge of the outcome; print rule, figure, threshold and advice.

    The same gate as in `baton train`. Exit code 1: a field leaks, or the audit was refused.
    """
    silence_telemetry()
    screen = Screen()
    with refusals(TrainingError, FeaturesError):
        audit, known = _audit(
            history,
            outcome,
            horizon,
            seen_at,
            frozenset(drop or []),
            read_reasons(allow_leak or []),
        )
    _print(screen, audit, known, notes=notes)
    if audit.leaks:
        raise typer.Exit(LEAKS)


def _audit(
    folder: Path,
    outcome: str,
    horizon: str,
    seen_at: str,
    drop: frozenset[str],
    allow: dict[str, str],
) -> "tuple[LeakAudit, Sequence[Availability]]":
    from training.dataset.availability import list_availability
    from training.dataset.moments import build_dataset, build_moments, check_slices
    from training.run.pipeline import audit_dataset

    known = read_history(folder)
    moments = build_moments(known, read_outcome(outcome, horizon), read_grid(seen_at), seed=7)
    split = moments.split()
    check_slices(split, moments.converted)
    dataset = build_dataset(moments, split, drop=drop)
    return audit_dataset(dataset, allow), list_availability(known, drop)


def _print(
    screen: Screen, audit: "LeakAudit", known: "Sequence[Availability]", *, notes: bool
) -> None:
    screen.print(_availability_table(known))
    shown = [
        row
        for row in audit.describe()["findings"]
        if row.verdict.value in {"leak", "warn"} or notes
    ]
    if shown:
        table = Table(title="Findings")
        for heading in ("feature", "rule", "figure", "threshold", "verdict", "what to do"):
            table.add_column(heading)
        for row in shown:
            verdict = "allowed" if row.allowed_because else row.verdict.value
            table.add_row(
                row.feature,
                row.rule,
                f"{row.figure:.3f}",
                row.threshold,
                Text(verdict, COLOURS[row.verdict.value]),
                row.allowed_because or row.advice,
            )
        screen.print(table)
    screen.print(audit.summarise())


def _availability_table(known: "Sequence[Availability]") -> Table:
    table = Table(title="When each field was known")
    for heading in ("field", "known"):
        table.add_column(heading)
    for row in known:
        table.add_row(row.field, row.words)
    return table
