"""Training on a large market, station by station, in a fresh process.

Run as a program it does one run and prints it: ``python -m benchmarks.training_run FOLDER``.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.measure import console, print_table

HOME = Path("var/bench/markets")
LEADS = 100_000
SAMPLE_SECONDS = 0.05


class Stations:
    """Takes CPU, wall and the largest memory of each station of a run."""

    def __init__(self) -> None:
        self.taken: list[dict[str, float | str]] = []
        self._peak = 0.0
        self._begun: tuple[str, float, float] | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        page = resource.getpagesize()
        while True:
            resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            self._peak = max(self._peak, resident * page / 2**20)
            time.sleep(SAMPLE_SECONDS)

    def __call__(self, station: str, share: float) -> None:
        """Note the beginning of a station, which ends the one before."""
        del share
        if self._begun and station == self._begun[0]:
            return
        self.end()
        self._peak = 0.0
        self._begun = (station, time.perf_counter(), time.process_time())

    def end(self) -> None:
        """Note the end of the last station."""
        if self._begun:
            name, wall, cpu = self._begun
            self.taken.append(
                {
                    "station": name,
                    "wall": time.perf_counter() - wall,
                    "cpu": time.process_time() - cpu,
                    "peak": self._peak,
                }
            )
        self._begun = None


def run_once(folder: str) -> dict[str, object]:
    """Train on a history as `baton train` does; tell what each station took."""
    from features.clock import DAY_US
    from features.lifecycle.stages import Stage
    from features.sources.history.folder import read_history
    from training.labels.conversion import Grid, Outcome
    from training.run.options import RunOptions
    from training.run.pipeline import train

    stations = Stations()
    stations("reading the history", 0.0)
    history = read_history(Path(folder))
    options = RunOptions(
        Outcome(Stage.SQL, 30 * DAY_US), Grid.weekly(weeks=12, then_until_week=52), "bench"
    )
    run = train(history, options, HOME / "bundles", data_fingerprint="bench", progress=stations)
    stations.end()
    return {
        "stations": stations.taken,
        "events": len(history.events),
        "rows": run.quality.rows,
        "chosen": run.chosen,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_training(leads: int = LEADS) -> None:
    """Print CPU, wall and memory of each station of one run on a simulated market."""
    folder = HOME / f"market-{leads}"
    if not (folder / "history.json").is_file():
        console.print(f"simulating a market of {leads:,} leads, once …")
        command = ["simulate", "--to", str(folder), "--leads", str(leads), "--seed", "7"]
        subprocess.run([sys.executable, "-m", "baton", *command], check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training_run", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    run = json.loads(done.stdout.splitlines()[-1])
    rows = [
        (s["station"], f"{s['wall']:.1f}", f"{s['cpu']:.1f}", f"{s['peak']:,.0f}")
        for s in run["stations"]
    ]
    total = [sum(s[k] for s in run["stations"]) for k in ("wall", "cpu")]
    rows.append(("together", f"{total[0]:.1f}", f"{total[1]:.1f}", f"{run['peak']:,.0f}"))
    title = f"Training on {leads:,} leads, {run['events']:,} events; {run['chosen']} won"
    print_table(title, ["station", "wall s", "CPU s", "peak MiB"], rows)


if __name__ == "__main__":
    print(json.dumps(run_once(sys.argv[1])))
