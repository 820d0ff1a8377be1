"""``baton playbook agree``: put a playbook into the store, and sign it for one side."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from features import clock
from serving.handoff.playbook.agreement import Side, Word
from serving.handoff.playbook.commands import EXIT_REFUSED
from serving.handoff.playbook.errors import PlaybookError
from serving.handoff.playbook.read import read_playbook
from serving.handoff.playbook.repository import find_standing, list_versions, propose, sign
from serving.settings import ServingSettings
from serving.store.audit_log import note
from serving.store.opening import open_store
from serving.store.session import UnitOfWork
from serving.store.tables import PlaybookVersion


def agree_command(
    file: Annotated[Path, typer.Argument(help="A playbook (TOML).")],
    side: Annotated[Side, typer.Option("--as", help="The side you agree for.")],
    by: Annotated[str, typer.Option(help="Your name, as the agreement shall carry it.")],
) -> None:
    """Agree to a playbook for one side. It takes effect once both sides have.

    The text is stored as a new version, unless the newest one is identical and not in effect.
    """
    try:
        body = file.read_text(encoding="utf-8")
        read_playbook(body, str(file))
    except (OSError, UnicodeDecodeError):
        _refuse(f"{file} cannot be read. `baton playbook init {file}` writes a playbook.")
    except PlaybookError as refusal:
        _refuse(str(refusal))
    with open_store(ServingSettings()) as store:
        try:
            with store.work() as work:
                because, stands = _agree(work, body, side, by, clock.now())
        except PlaybookError as refusal:
            _refuse(str(refusal))
    typer.echo(because)
    typer.echo(stands)


def _agree(work: UnitOfWork, body: str, side: Side, by: str, at: datetime) -> tuple[str, str]:
    """Sign, and say what came of it and where the version stands."""
    row = _find_version(work, body) or propose(work, body, by=by, at=at)
    decision = sign(work, row.number, side, Word.AGREE, by=by, at=at)
    note(
        work,
        by="command",
        action=f"agree for {side.value}",
        subject_kind="playbook",
        subject_id=str(row.number),
        at=at,
    )
    return decision.because, find_standing(work, row, at).because


def _refuse(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_REFUSED)


def _find_version(work: UnitOfWork, body: str) -> PlaybookVersion | None:
    """Find the newest version, if that is what is agreed to."""
    fingerprint = read_playbook(body).fingerprint
    newest = next(iter(list_versions(work)), None)
    if newest is None or newest.version != fingerprint or newest.state == "in_effect":
        return None
    return newest
