"""Run the command line as a user does, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def baton(
    folder: Path, *words: str, installed: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``baton`` with these words; give its exit code and what it printed.

    ``installed`` is a folder of packages that are installed beside those of this environment.
    """
    paths = [str(path) for path in (ROOT, installed) if path is not None]
    done = subprocess.run(
        [sys.executable, "-m", "baton", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "…" not in done.stdout + done.stderr  # nothing is cut where nobody has a screen
    return done
