"""What small commands cost: CPU seconds of a fresh process and of what it starts, bytecode cached."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measure import print_table

COMMANDS = (
    "--help",
    "keys --help",
    "train --help",
    "serve --help",
    "keys list",
    "store status",
    "features list",
    "playbook check playbook.toml",
)


def measure_commands(repeats: int = 5) -> None:
    """Print the CPU seconds of commands in a folder with an embedded database that is not running."""
    with TemporaryDirectory(prefix="baton-") as folder:
        for words in ("store migrate", "playbook init"):
            _run(words, folder)
        rows = [(f"baton {words}", *_take_cpu(words, folder, repeats)) for words in COMMANDS]
    print_table(
        f"Small commands: user and system CPU seconds, of {repeats} runs",
        ["command", "median", "most"],
        rows,
    )


def _take_cpu(words: str, folder: str, repeats: int) -> tuple[str, str]:
    _run(words, folder)  # writes the bytecode, which is no part of it
    taken = [_run(words, folder) for _ in range(repeats)]
    return f"{np.median(taken):.2f}", f"{max(taken):.2f}"


def _run(words: str, folder: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).with_name("baton"), *words.split()],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
