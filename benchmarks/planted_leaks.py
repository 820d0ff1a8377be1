"""Whether the gate holds: leaks planted in simulated markets, clean markets, shuffled outcomes."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import perf_counter

from rich.table import Table

from benchmarks.laboratory.leaks import LEAKS, plant_leak, shuffle_outcomes
from benchmarks.measure import console
from features.clock import DAY_US, HOUR_US
from features.contracts.history import History
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.labels.conversion import Grid, Outcome
from training.leaks.audit import LeakFoundError
from training.run.options import RunOptions
from training.run.pipeline import Run, train

LEADS = 3_000
WORLDS = 20
SEEDS_PER_LEAK = 3
ONCE = Grid((24 * HOUR_US,), "at 24h")
GRID = Grid((24 * HOUR_US, 7 * DAY_US, 21 * DAY_US), "at 24h, 7d and 21d")


def draw_market(seed: int, leads: int = LEADS) -> History:
    """Draw a clean market."""
    return simulate_history(get_scenario("plain"), n_leads=leads, seed=seed).history


def learn(history: History, grid: Grid = GRID) -> Run:
    """Train as `baton train` does, without the pictures of what the model relies on."""
    options = RunOptions(Outcome(Stage.SQL, 30 * DAY_US), grid, "leaks", explain=False)
    with tempfile.TemporaryDirectory() as folder:
        return train(history, options, Path(folder), data_fingerprint="simulated")


def try_leak(name: str, seed: int) -> str:
    """Plant a leak; tell by which rule the run was stopped, or nothing."""
    try:
        learn(plant_leak(draw_market(seed), name, seed=seed))
    except LeakFoundError as caught:
        return f"{caught.leaks[0].field}: {caught.leaks[0].rule}"
    return ""


def measure_leaks(
    leaks: Iterable[str] = LEAKS, worlds: int = WORLDS, seeds: int = SEEDS_PER_LEAK
) -> None:
    """Print what was caught, what was wrongly accused, and what was learned from noise."""
    began = perf_counter()
    table = Table(title=f"Leaks planted in {LEADS:,} leads, {seeds} seeds each")
    for heading in ("leak", "caught", "by"):
        table.add_column(heading)
    missed = 0
    for name in leaks:
        results = [try_leak(name, seed) for seed in range(seeds)]
        missed += results.count("")
        table.add_row(name, f"{seeds - results.count('')} of {seeds}", results[0])
    console.print(table)
    accused = [word for seed in range(worlds) for word in accuse_clean(seed)]
    served = [seed for seed in range(worlds) if serve_noise(seed)]
    console.print(
        f"{missed} planted leaks missed; {len(accused)} false alarms on {worlds} clean markets"
        f"{': ' + '; '.join(accused) if accused else ''}; no-signal verdict on "
        f"{worlds - len(served)} of {worlds} markets with shuffled outcomes; "
        f"{perf_counter() - began:.0f} s.",
    )


def accuse_clean(seed: int) -> Iterator[str]:
    """Tell what the gate accuses a clean market of; nothing if it is as it should be."""
    try:
        learn(draw_market(100 + seed))
    except LeakFoundError as alarm:
        yield f"market {100 + seed}: {', '.join(alarm.fields)}"


def serve_noise(seed: int) -> bool:
    """Tell whether a model of shuffled outcomes would be served."""
    shuffled = shuffle_outcomes(draw_market(200 + seed, 2 * LEADS), seed=seed)
    refusal = learn(shuffled, ONCE).refusal or ""
    return not refusal.startswith("no signal")
