"""One fit of timing in a fresh process: ``python -m benchmarks.timing_run FOLDER CAPACITY``.

Reads a history, fits without and with capacity, writes the models' texts and what the fit took.
"""

import json
import sys
import time
from pathlib import Path

from features.catalog.manifest import Catalog
from features.lifecycle.prices import Prices
from features.sources.history.folder import read_history
from training.timing.dataset import build_timing_dataset
from training.timing.fit import fit_for_capacities
from training.timing.models.model import TimingModel, read_timing_model


def name_model(capacity: float | None) -> str:
    """Name the folder of a model."""
    return "model" if capacity is None else "model-capacity"


def read_peak_mib() -> float:
    """Read the largest memory of this process; `getrusage` would give its parent's, if larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def fit_in_folder(folder: Path, capacity: float) -> None:
    """Fit without and with capacity, and write both models and what that took together."""
    begin = time.perf_counter()
    history = read_history(folder / "history")
    dataset = build_timing_dataset(history)
    looked = time.perf_counter() - begin
    begin, begin_cpu = time.perf_counter(), time.process_time()
    models = fit_for_capacities(dataset, Prices(), (None, capacity))
    taken = {
        "look_seconds": looked,
        "fit_seconds": time.perf_counter() - begin,
        "fit_cpu_seconds": time.process_time() - begin_cpu,
        "peak_mib": read_peak_mib(),
        "decisions": len(dataset.decisions),
        "handoffs": len(dataset.handoffs),
    }
    for limit, model in zip((None, capacity), models, strict=True):
        to = folder / name_model(limit)
        to.mkdir(exist_ok=True)
        for name, text in model.texts().items():
            (to / name).write_text(text, encoding="utf-8")
    catalog = json.dumps(dataset.catalog.to_json())
    (folder / "catalog.json").write_text(catalog, encoding="utf-8")
    (folder / "taken.json").write_text(json.dumps(taken), encoding="utf-8")


def read_model(folder: Path, capacity: float | None) -> TimingModel:
    """Read a model that was fitted."""
    files = (folder / name_model(capacity)).iterdir()
    return read_timing_model({f.name: f.read_text(encoding="utf-8") for f in files})


def read_catalog(folder: Path) -> Catalog:
    """Read the catalogue it was fitted with."""
    return Catalog.from_json(json.loads((folder / "catalog.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    fit_in_folder(Path(sys.argv[1]), float(sys.argv[2]))
