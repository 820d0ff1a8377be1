"""The job's forty counts in featuretools, on few moments, in an environment of its own.

featuretools 1.31 does not run on the pandas this project uses; its environment is made on demand
under ``var/bench``. What it costs for a whole log is extrapolated from these moments, and said so.
"""

import json
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.job_log import draw_job
from benchmarks.job_stack import run_jobs
from benchmarks.measure import console, print_table, take_cpu

VENV = Path("var/bench/featuretools")
PYTHON = VENV / "bin/python"
UV = Path(".uv/bin/uv")
PACKAGES = ("featuretools==1.31.0", "pandas==2.3.3", "pyarrow", "setuptools<81")
MOMENTS = 150

COMMAND = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import featuretools as ft, pandas as pd, pyarrow.parquet as pq
from featuretools.primitives import Count
folder, n_moments = sys.argv[1], int(sys.argv[2])
moments = pq.read_table(f"{folder}/moments.parquet").to_pandas()[:n_moments]
leads = pq.read_table(f"{folder}/leads.parquet").to_pandas()
leads = leads[leads.lead.isin(moments.lead)]
found = pq.read_table(f"{folder}/events.parquet", filters=[("lead", "in", list(leads.lead))])
events = found.to_pandas().reset_index(names="event")
events["family"] = (events.type % 8).astype("category")
base = ft.EntitySet("job")
base.add_dataframe(leads, "leads", index="lead", time_index="created_at")
base.add_dataframe(events[["event", "lead", "ts", "family"]], "events", index="event",
                   time_index="ts", logical_types={"family": "Categorical"})
base.add_relationship("leads", "lead", "events", "lead")
base.add_interesting_values(dataframe_name="events", values={"family": list(range(8))})
base.add_last_time_indexes()
# featuretools counts what lies at the cutoff too; the job does not.
cutoffs = pd.DataFrame({"lead": moments.lead, "time": moments.as_of - pd.Timedelta(1, "us")})
start, total = time.process_time(), 0.0
for window in ("1 days", "7 days", "30 days", "90 days", None):
    matrix, _ = ft.dfs(entityset=base, target_dataframe_name="leads", agg_primitives=["count"],
                       trans_primitives=[], where_primitives=["count"], cutoff_time=cutoffs,
                       training_window=window, cutoff_time_in_index=True, max_depth=1)
    chosen = [c for c in matrix.columns if c.startswith("COUNT(events WHERE")]
    total += float(matrix[chosen].fillna(0).to_numpy().sum())
print(json.dumps({"cpu": time.process_time() - start, "sum": total, "moments": len(moments),
                  "events": len(events)}))
"""


def _make_environment() -> None:
    if PYTHON.is_file():
        return
    console.print("making an environment for featuretools …")
    subprocess.run([UV, "venv", "--quiet", VENV], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", PYTHON, *PACKAGES], check=True)


def measure_featuretools(n_moments: int = MOMENTS) -> None:
    """Print what a moment costs in featuretools, and what a whole log would."""
    _make_environment()
    job = draw_job(1_000_000)
    command = [PYTHON, "-c", COMMAND, job.events.parent, str(n_moments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found = json.loads(done.stdout.splitlines()[-1])
    matrix = run_jobs(job)
    if found["sum"] != float(matrix[:n_moments, :40].sum()):
        raise AssertionError("featuretools counts differently")
    per_moment = found["cpu"] / found["moments"]
    ours = float(np.median(take_cpu(lambda: run_jobs(job), repeats=5))) / len(matrix)
    row = (
        f"{found['moments']:,}",
        f"{found['events']:,}",
        f"{per_moment * 1e3:,.0f}",
        f"{ours * 1e6:,.2f}",
        f"{per_moment / ours:,.0f}x",
    )
    headings = [
        "moments",
        "events",
        "CPU ms per moment",
        "the house's, µs, 80 columns of the whole log",
        "ratio, extrapolated",
    ]
    title = "featuretools 1.31, the job's 40 counts, each moment its own cutoff"
    print_table(title, headings, [row])
