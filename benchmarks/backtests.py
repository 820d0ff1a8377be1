"""Walk-forward tables on public data: what is served, against what it must not fall behind."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.measure import console, print_table
from features.clock import DAY_US
from features.sources.history.folder import read_history
from training.backtest.figures import BASE, POINTS, SELECTED, STATIC
from training.backtest.walk import Plan
from training.commands.backtest import run_backtest
from training.commands.options import read_day, read_grid, read_lookback, read_outcome
from training.dataset.protected import list_left_out

REAL_DATA = Path("../shared/data")
HISTORIES = Path("var/bench/real")


@dataclass(frozen=True)
class Walk:
    """One walk, as `baton backtest` is asked for it."""

    data: str
    horizon: str
    seen_at: str
    every_days: int
    begin: str = ""
    memory: str = ""

    @property
    def words(self) -> str:
        """Name it."""
        return f"{self.data}, {self.seen_at}, every {self.every_days} days"


WALKS = (
    Walk("bpi2012", "30d", "24h", 30),
    Walk("bpi2012", "30d", "24h", 14),
    Walk("olist", "30d", "24h", 30),
    Walk("olist", "30d", "24h", 14),
    Walk("bank", "2d", "1h", 30, "2009-08-01", "20000 leads"),
)


def find_history(name: str) -> Path:
    """Import a public data set, unless that was done before."""
    folder = HISTORIES / name
    if not (folder / "history.json").is_file():
        source = REAL_DATA / name
        command = [sys.executable, "-m", "baton", "import", name, str(source), "--to", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 3}:  # 3: some rows were not used, and are listed
            raise SystemExit(done.stdout + done.stderr)
    return folder


def measure_backtests() -> None:
    """Print a row per data set, and the random-fold AUC beside that of the walk."""
    rows, lines = [], []
    for walk in WALKS:
        began = perf_counter()
        history = read_history(find_history(walk.data))
        plan = Plan(
            walk.every_days * DAY_US,
            read_day(walk.begin),
            read_lookback(walk.lookback),
            drop=frozenset(one.field for one in list_left_out(history, ())),
        )
        asked = (read_outcome("won", walk.horizon), read_grid(walk.seen_at))
        backtest, tables, optimism = run_backtest(
            history, *asked, plan, lambda _what, _share: None
        )
        *periods, every = tables
        ours = every.of(SELECTED)
        held = sum(table.of(SELECTED).holds for table in periods)
        others = [f"{every.of(name).log_loss.value:.3f}" for name in (STATIC, POINTS, BASE)]
        rows.append(
            (
                walk.words,
                f"{ours.leads:,}",
                ours.log_loss.words,
                *others,
                ours.auc.words,
                f"{ours.ece.words} {ours.noise_floor:.3f}",
                f"{held} of {len(periods)}",
            )
        )
        chosen = ", ".join(sorted({period.chosen for period in backtest.periods}))
        took = f"{perf_counter() - began:.0f} s"
        lines.append(f"{walk.words} (chose {chosen}; {took}): {optimism.words}")
        console.print(f"{walk.words}: walked in {took}")
    print_table(
        "Walk forward, P(won): what is served, and its rivals (95 % intervals over leads)",
        [
            "data",
            "leads",
            "log loss",
            "static",
            "points",
            "base",
            "AUC",
            "ECE, perfect would show",
            "periods within one SE",
        ],
        rows,
    )
    for line in lines:
        console.print(line)
