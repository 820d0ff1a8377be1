"""Evidently's report of cells that hold no number."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.settings import build_guest_environment

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_infinite_cells_do_not_end_the_report(tmp_path: Path) -> None:
    columns = [
        {"title": "employees", "categories": []},
        {"title": "industry", "categories": ["software", "logistics"]},
    ]
    rng = np.random.default_rng(1)
    then = np.column_stack([rng.normal(size=300), rng.integers(0, 2, 300)])
    now = then.copy()
    now[::7] = np.inf
    now[::11] = -np.inf
    (tmp_path / "columns.json").write_text(json.dumps(columns), encoding="utf-8")
    np.savez(tmp_path / "columns.npz", reference=then, current=now)

    done = subprocess.run(
        [sys.executable, "-m", "serving.monitoring.evidently_report", str(tmp_path)],
        cwd=ROOT,
        env=build_guest_environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drift.html").stat().st_size > 10_000
    assert "Infinity" not in (tmp_path / "drift.json").read_text(encoding="utf-8")
