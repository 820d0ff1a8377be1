"""``make crash``: the long run and its control, printed as tables. Exits with 1 if anything was found."""

import numpy as np
import typer
from rich.table import Table

from features.terminal.screen import Screen
from tests.crash.run import Plan, Report, run_control, run_crashes

console = Screen()


def _print(title: str, rows: list[tuple[str, str]]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _tell(title: str, report: Report) -> None:
    _print(
        f"{title}: {sum(report.kills.values())} kills in {report.seconds:.0f} s",
        [(where, f"{n:,}") for where, n in sorted(report.kills.items())],
    )
    found = report.found
    waits = np.array(report.tally.waits)
    _print(
        f"{title}: what was found",
        [
            ("records offered", f"{found.offered:,}"),
            ("records confirmed", f"{found.acked:,}"),
            ("batches sent again", f"{report.tally.sent_again:,}"),
            ("p50 / p99 from first attempt to confirmation, s",
             f"{np.median(waits):.2f} / {np.quantile(waits, 0.99):.2f}"),
            ("leads", f"{found.leads:,}"),
            ("effects decided", f"{found.effects:,}"),
            ("effects that arrived again, told by their key", f"{found.effects_repeated:,}"),
            ("seconds until nothing was left to do", f"{report.drained:.1f}"),
            ("confirmed and lost", f"{found.lost:,}"),
            ("stored twice, or never offered", f"{found.doubled:,}"),
            ("leads whose packed history is not their rows", f"{found.packed_apart:,}"),
            ("leads whose score is not the one computed anew", f"{found.scores_apart:,}"),
            ("leads whose score is behind", f"{found.scores_behind:,}"),
            ("effects missing", f"{found.effects_missing:,}"),
            ("effects doubled", f"{found.effects_doubled:,}"),
            ("left leased", f"{found.leased:,}"),
            ("left undone", f"{found.undone:,}"),
            ("answers that no retry mends", f"{len(found.refused):,}"),
        ],
    )  # fmt: skip
    for text in found.refused[:3]:
        console.print(text)


def main(
    kills: int = typer.Option(120, help="Kills of the long run."),
    seconds: float = typer.Option(600.0, help="When it ends, however few there were."),
    seed: int = typer.Option(1, help="Of who is killed next."),
) -> None:
    """Kill under load and count; then show that the count can find something."""
    report = run_crashes(Plan(kills=kills, most_seconds=seconds, seed=seed))
    _tell("Durable", report)
    control = run_control(Plan(kills=3, most_seconds=60, pause=3.0, drain_seconds=20, seed=seed))
    _tell("Control, synchronous_commit off", control)
    if report.found.breaches or sum(report.kills.values()) < kills:
        raise typer.Exit(1)
    if not control.found.lost:
        console.print("The control lost nothing: this count proves nothing.")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
