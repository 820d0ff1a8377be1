"""The Evidently report of one drift run: ``python -m serving.monitoring.evidently_report FOLDER``.

Runs in a process of its own: the import alone takes seconds and hundreds of megabytes. Reads
``columns.json`` and ``columns.npz`` from the folder and writes ``drift.html`` and ``drift.json``.
The only module that imports Evidently and pandas.
"""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

SPEC, CELLS = "columns.json", "columns.npz"
HTML, JSON = "drift.html", "drift.json"
MISSING = "(missing)"


def _frame(columns: list[dict[str, Any]], cells: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Shape cells of one side as a frame: numbers as they are, codes as their names."""
    frame: dict[str, Any] = {}
    for position, column in enumerate(columns):
        # Evidently's bins end with an infinite number; it tells no more than an empty cell.
        values = np.where(np.isfinite(cells[:, position]), cells[:, position], np.nan)
        if not column["categories"]:
            frame[column["title"]] = values
            continue
        names = np.array([*column["categories"], MISSING], object)
        codes = np.nan_to_num(values, nan=len(column["categories"])).astype(int)
        frame[column["title"]] = names[np.clip(codes, 0, len(names) - 1)]
    return pd.DataFrame(frame)


def _usable(columns: list[dict[str, Any]], then: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    """Leave out columns that end the whole report: those with nothing in them on a side."""
    titles = [column["title"] for column in columns]
    return [t for t in titles if then[t].notna().any() and now[t].notna().any()]


def write_report(folder: Path) -> None:
    """Write the report of the columns that lie in a folder."""
    columns = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    with np.load(folder / CELLS, allow_pickle=False) as cells:
        then, now = _frame(columns, cells["reference"]), _frame(columns, cells["current"])
    titles = _usable(columns, then, now)
    categorical = [c["title"] for c in columns if c["categories"] and c["title"] in titles]
    definition = DataDefinition(
        numerical_columns=[t for t in titles if t not in categorical],
        categorical_columns=categorical,
    )
    report = Report([DataDriftPreset(columns=titles, method="psi", threshold=0.25)])
    snapshot = report.run(
        Dataset.from_pandas(now[titles], data_definition=definition),
        Dataset.from_pandas(then[titles], data_definition=definition),
    )
    snapshot.save_html(str(folder / HTML))
    snapshot.save_json(str(folder / JSON))


if __name__ == "__main__":
    # Kind to whatever else this machine does; the report is in no hurry.
    if hasattr(os, "nice"):
        os.nice(10)
    warnings.filterwarnings("ignore")
    write_report(Path(sys.argv[1]))
