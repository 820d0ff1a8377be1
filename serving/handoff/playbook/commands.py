"""``baton playbook``: write, check, show and compare the agreement of marketing and sales."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from features.terminal.screen import Screen
from serving.handoff.playbook.diff import list_changes
from serving.handoff.playbook.errors import PlaybookError
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.points_table import write_points_table
from serving.handoff.playbook.read import default_text, read_playbook
from serving.handoff.playbook.show import describe

EXIT_REFUSED = 1
"""Exit code if a file is not there, or holds no sound playbook."""

playbook_app = typer.Typer(
    help="The agreement of marketing and sales in a form that runs.", no_args_is_help=True
)


@playbook_app.command("init")
def init_command(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("playbook.toml"),
) -> None:
    """Write the playbook that ships with Baton, with all its comments."""
    if file.exists():
        _refuse(f"{file} exists already. Choose another name, or take that file away first.")
    file.write_text(default_text(), encoding="utf-8")
    _print(
        f"{file} is written. Change what your teams agree on, then: baton playbook check {file}"
    )


@playbook_app.command("check")
def check_command(
    file: Annotated[Path, typer.Argument(help="A playbook (TOML).")],
) -> None:
    """Check a playbook. Exit code 1 if it is invalid, with every error and its fix."""
    playbook = _read(file)
    changes = list_changes(Playbook(), playbook)
    headline = (
        f"{len(changes)} things differ from" if len(changes) != 1 else "1 thing differs from"
    )
    _print(
        f"{file} is sound (fingerprint {playbook.fingerprint}); {headline} what ships with Baton."
    )
    if not changes or playbook.routing == Playbook().routing:
        _print("Its sellers are still those that ship with Baton: name your own in [routing].")


@playbook_app.command("show")
def show_command(
    file: Annotated[
        Path | None, typer.Argument(help="A playbook (TOML); by default Baton's.")
    ] = None,
    section: Annotated[str, typer.Option(help="Only this section, e.g. sla.")] = "",
) -> None:
    """Describe a playbook, with defaults filled in."""
    playbook = Playbook() if file is None else _read(file)
    if section and section not in Playbook.model_fields:
        _refuse(
            f"There is no section {section!r}. Choose one of: {', '.join(Playbook.model_fields)}."
        )
    for line in describe(playbook, (section,) if section else tuple(Playbook.model_fields)):
        _print(line)


@playbook_app.command("diff")
def diff_command(
    old: Annotated[Path, typer.Argument(help="The playbook there is.")],
    new: Annotated[Path, typer.Argument(help="The draft.")],
) -> None:
    """Describe what would change. Exit code 0 either way."""
    changes = list_changes(_read(old), _read(new))
    for change in changes:
        _print(change.sentence)
    if not changes:
        _print("Both say the same.")


@playbook_app.command("points")
def points_command(
    file: Annotated[Path, typer.Argument(help="A playbook (TOML).")],
) -> None:
    """Print its points table, for `baton cold-start --points` and `baton train --points`."""
    table = write_points_table(_read(file))
    if not table:
        _refuse(f"{file} has no points rules. Without --points, Baton's own table is used.")
    _print(table)


def _read(file: Path) -> Playbook:
    try:
        return read_playbook(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        _refuse(f"{file} cannot be read: {reason}. `baton playbook init {file}` writes one.")
    except PlaybookError as refusal:
        _refuse(str(refusal))


def _print(line: str) -> None:
    Screen().print(line)


def _refuse(reason: str) -> NoReturn:
    Screen(stderr=True).print(reason, style="red")
    raise typer.Exit(EXIT_REFUSED)
