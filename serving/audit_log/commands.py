"""``baton audit-log``: read who did what, and check that nobody changed it since."""

from typing import Annotated

import typer

from features.terminal.columns import align
from serving.settings import ServingSettings
from serving.store.audit_log import list_entries, verify
from serving.store.opening import EXIT_REFUSED, open_store

EXIT_BROKEN = 4
"""Exit code if the log is not as it was written."""


def verify_command(
    head: Annotated[
        str | None,
        typer.Option(help="Hash noted down earlier, which must be in the chain; in hexadecimal."),
    ] = None,
) -> None:
    """Check the chain of hashes from its beginning; exit code 4 if it is broken."""
    try:
        noted = None if head is None else bytes.fromhex(head)
    except ValueError:
        typer.echo("--head is not a hash in hexadecimal, as `verify` prints it.", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    with open_store(ServingSettings()) as store, store.work(read_only=True) as work:
        found = verify(work, noted)
    if found.broken_at is None:
        typer.echo(f"{found.entries:,} entries: {found.because}")
        typer.echo(f"Note down the head, for --head of a later check: {found.head.hex()}")
        return
    where = f"Entry {found.broken_at}" if found.broken_at else "The chain"
    typer.echo(f"{where} is not as it was written: {found.because}", err=True)
    raise typer.Exit(EXIT_BROKEN)


def tail_command(
    entries: Annotated[
        int, typer.Option("--entries", "-n", min=1, max=1_000_000, help="How many.")
    ] = 20,
) -> None:
    """Print the newest entries, the newest last."""
    with open_store(ServingSettings()) as store, store.work(read_only=True) as work:
        rows = []
        for entry in reversed(list_entries(work, None, entries)):
            facts = " ".join(f"{name}={value}" for name, value in sorted(entry.facts.items()))
            subject = f"{entry.subject_kind} {entry.subject_id or ''}".strip()
            what = f"{entry.action} {subject} {facts}".rstrip()
            rows.append(
                [f"{entry.entry_number}", f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor, what]
            )
    for line in align(rows, right={0}):
        typer.echo(line)


audit_log_app = typer.Typer(help="Who did what.", no_args_is_help=True)
audit_log_app.command("verify")(verify_command)
audit_log_app.command("tail")(tail_command)
