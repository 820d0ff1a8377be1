"""Run the command line as a user does, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def baton(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``baton`` with these words; give its exit code and what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "baton", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
