"""``baton simulate``: a made-up market on disk, and its truth in a folder of its own."""

from pathlib import Path
from typing import Annotated

import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
from rich.table import Table

from features.errors import FeaturesError
from features.simulation.generate import SimulatedMarket, simulate_history
from features.simulation.scenarios import SCENARIOS, get_scenario
from features.sources.history.folder import write_history
from features.terminal.numbers import MOST_SEED
from features.terminal.progress import stations
from features.terminal.screen import Screen, refusals

TRUTH_TABLES = ("truth", "chances", "handoffs")


def truth_folder(to: Path) -> Path:
    """Name the folder of the truth: beside the history, never in it.

    >>> truth_folder(Path("var/market")).as_posix()
    'var/market-truth'
    """
    return to.with_name(f"{to.name}-truth")


def simulate_command(
    to: Annotated[Path, typer.Option(help="Folder for the history.")],
    leads: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many leads.")] = 20_000,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="The same seed gives the same market.")
    ] = 7,
    scenario: Annotated[str, typer.Option(help=f"One of: {', '.join(SCENARIOS)}.")] = "plain",
) -> None:
    """Make up a market whose truth is known, and write its history."""
    screen = Screen()
    with refusals(FeaturesError):
        world = get_scenario(scenario)
        with stations(screen) as report:
            market = simulate_history(
                world,
                n_leads=leads,
                seed=seed,
                progress=lambda station, done, total: report(station, done / total),
            )
            report("writing Parquet", 0.0)
            write_market(market, to)
            report("writing Parquet", 1.0)
    screen.print(_describe(market))
    screen.print(f"History in {to}; the truth about it in {truth_folder(to)}.")


def write_market(market: SimulatedMarket, to: Path) -> None:
    """Write the history to a folder, and the truth to another, so that no training reads it."""
    write_history(market.history, to)
    hidden = truth_folder(to)
    hidden.mkdir(parents=True, exist_ok=True)
    for name in TRUTH_TABLES:
        pq.write_table(getattr(market, name), hidden / f"{name}.parquet", compression="zstd")


def _describe(market: SimulatedMarket) -> Table:
    history = market.history
    notes = history.about.notes
    table = Table(title=f"Made-up market {notes['scenario']!r}, seed {notes['seed']}")
    table.add_column("what")
    table.add_column("how many", justify="right")
    table.add_row("leads", f"{int(notes['leads']):,}")
    table.add_row("versions of leads", f"{history.leads.num_rows:,}")
    table.add_row("events", f"{history.events.num_rows:,}")
    table.add_row("attempts by sales", f"{history.attempts.num_rows:,}")
    for pair in pc.value_counts(history.stages.column("stage")).to_pylist():
        table.add_row(f"moves to {pair['values']}", f"{pair['counts']:,}")
    table.add_row("observed", f"{history.about.observed_from:%Y-%m-%d}")
    table.add_row("until", f"{history.about.observed_until:%Y-%m-%d}")
    return table
