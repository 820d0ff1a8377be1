"""``make bench-timing``: the timing policy beside others, on many made-up markets.

More can be measured per market, off-policy estimates say: see ``benchmarks.timing_market.HOOKS``.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import console, print_machine
from benchmarks.timing_market import measure_market
from benchmarks.timing_tables import print_tables

HOME = Path("var/bench/timing")


def bench_timing(
    seeds: Annotated[str, typer.Option(help="Structure seeds, first-last.")] = "0-9",
    sizes: Annotated[str, typer.Option(help="Leads of the logs.")] = "5000,20000",
    to: Annotated[Path, typer.Option(help="Folder for what was measured.")] = HOME,
    again: Annotated[bool, typer.Option(help="Measure what was measured before.")] = False,
    only_tables: Annotated[bool, typer.Option(help="Print what was measured.")] = False,
) -> None:
    """Measure the timing policy on markets of many structures, and print the tables."""
    to.mkdir(parents=True, exist_ok=True)
    first, _, last = seeds.partition("-")
    own = list(range(int(first), int(last or first) + 1))
    wanted = [int(size) for size in sizes.split(",")]
    for seed in [] if only_tables else own:
        left = [s for s in wanted if again or not (to / f"market-{seed}-{s}.json").is_file()]
        if left:
            console.print(f"market {seed}: {', '.join(f'{s:,} leads' for s in left)} …")
            measure_market(seed, left, to)
    print_machine()
    print_tables(to, own)


if __name__ == "__main__":
    typer.run(bench_timing)
