"""``baton leads``: erase a person, give out what is held on one, let one in again."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from features import clock
from serving.privacy.erase import erase, readmit
from serving.privacy.export import export
from serving.settings import ServingSettings
from serving.store.opening import EXIT_REFUSED, open_store
from serving.web_api.logs import keep_quiet

ACTOR = "command"

LeadId = Annotated[str, typer.Argument(help="Any id of the person.")]


def erase_command(lead_id: LeadId) -> None:
    """Erase a person everywhere in the store; what arrives for them later is dropped."""
    with open_store(ServingSettings()) as store, store.work() as work:
        erased = erase(work, lead_id, by=ACTOR, at=clock.now())
    typer.echo(f"Erased {erased.leads} lead(s), {sum(erased.rows.values())} rows.")


def export_command(
    lead_id: LeadId,
    to: Annotated[Path, typer.Option(help="File to write; it holds personal data.")],
) -> None:
    """Export all data held on a person to a JSON file."""
    with open_store(ServingSettings()) as store, store.work() as work:
        held = export(work, lead_id, by=ACTOR, at=clock.now())
    if held is None:
        typer.echo("Nothing is held on a lead of that id.", err=True)
        raise typer.Exit(EXIT_REFUSED)
    to.touch(mode=0o600)
    to.write_bytes(msgspec.json.format(msgspec.json.encode(held)))
    typer.echo(f"Written to {to}.")


def readmit_command(lead_id: LeadId) -> None:
    """Readmit somebody who was erased, at their request."""
    with open_store(ServingSettings()) as store, store.work() as work:
        was_erased = readmit(work, lead_id, by=ACTOR, at=clock.now())
    typer.echo("They may come in again." if was_erased else "Nobody of that id was erased.")


leads_app = typer.Typer(
    help="What is held on a person.", no_args_is_help=True, callback=keep_quiet
)
leads_app.command("erase")(erase_command)
leads_app.command("export")(export_command)
leads_app.command("readmit")(readmit_command)
