"""Schemathesis as a process of its own: it draws requests from the described API and judges the answers."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from serving.app import build_app
from tests.unit.serving.factories import running_app, settle_in

CONFIG = Path(__file__).with_name("schemathesis.toml")
TOKEN = "a-secret-of-some-length"  # noqa: S105 - of no server but this one
_CASES = re.compile(r"^\s*([\d,]+) generated", re.MULTILINE)


@contextmanager
def running_for_strangers(home: Path, database_url: str) -> Iterator[httpx.Client]:
    """Run a server that asks everybody who they are: what only this machine may do is refused, too."""
    settings = settle_in(
        home,
        database_url,
        host="0.0.0.0",  # noqa: S104 - what it would listen on: here it is the loopback
        api_token=TOKEN,
        requests_per_second=0,
        log_level="error",
    )
    app = build_app(settings)
    with running_app(app, {"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def run_schemathesis(
    address: str,
    home: Path,
    *,
    examples: int,
    seconds: int,
    seed: int,
    phases: str,
    checks: str = "all",
) -> tuple[int, str]:
    """Run it; give its exit code, 0 if it found nothing, and what it said."""
    command = [
        str(Path(sys.executable).with_name("st")),
        "--no-color",
        "--config-file",
        str(CONFIG),
        "run",
        f"{address.rstrip('/')}/openapi.json",
        f"--header=Authorization: Bearer {TOKEN}",
        f"--checks={checks}",
        f"--phases={phases}",
        f"--max-examples={examples}",
        f"--max-time={seconds}",
        f"--seed={seed}",
        "--suppress-health-check=all",
        "--continue-on-failure",
        "--warnings=off",
    ]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def count_cases(output: str) -> int:
    """Read how many requests were drawn."""
    found = _CASES.search(output)
    return int(found[1].replace(",", "")) if found else 0
