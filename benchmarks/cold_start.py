"""A fresh process, from nothing to one row, with the machine code cached."""

import os
import subprocess
import sys

import numpy as np

from benchmarks.measure import print_table

COMMAND = """
import resource, sys, time
start = time.perf_counter()
from features.compute.warm import warm
warm()
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, time.perf_counter() - start)
"""


def measure_cold_start(repeats: int = 5) -> None:
    """Print CPU and wall seconds of a first row in a fresh process."""
    found = []
    for _ in range(repeats + 1):
        done = subprocess.run(
            [sys.executable, "-c", COMMAND],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        found.append([float(x) for x in done.stdout.split()])
    cpu, wall = np.median(np.array(found[1:]), axis=0)
    print_table(
        f"Cold start: a fresh process to its first row, medians of {repeats}",
        ["", "CPU s", "wall s"],
        [("cached code", f"{cpu:.2f}", f"{wall:.2f}")],
    )
