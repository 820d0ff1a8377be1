"""Runs in a copy of the tree: forks a fresh process for each run of tests, libraries read already.

Of the project itself nothing is imported before the fork, so that every run reads the copy's files
as they are at that moment.
"""

import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

# The project's folder must be the copy: an editable install would put the original on the path.
COPY = Path.cwd().resolve()
OURS = {"features", "training", "serving", "tests", "baton", "benchmarks"}

LIBRARIES = (
    "numba",
    "pyarrow.csv",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.linear_model",
    "sqlalchemy.orm",
    "psycopg",
    "psycopg_pool",
    "procrastinate",
    "alembic.command",
    "fastapi",
    "fastapi_offline",
    "uvicorn",
    "httpx",
    "holidays",
    "jinja2",
    "msgspec",
    "prometheus_client",
    "pydantic_settings",
    "structlog",
    "typer.testing",
)
"""What most tests read before they begin."""

GRACE_SECONDS = 20.0
"""For a run that took too long to stop what it started, after it was interrupted."""


class Outcomes:
    """What a run of pytest came to."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        """Tests that failed."""
        self.broken: list[str] = []
        """What failed before a test began, or after it: no proof of anything."""
        self.passed = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Sort a test's outcome."""
        if report.failed:
            (self.failed if report.when == "call" else self.broken).append(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed += 1

    def pytest_collectreport(self, report: Any) -> None:
        """Note what could not even be collected."""
        if report.failed:
            self.broken.append(report.nodeid)


def list_strays() -> list[str]:
    """List modules of the project that were read from elsewhere than the copy."""
    return sorted(
        f"{name} ({module.__file__})"
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in OURS
        and getattr(module, "__file__", None)
        and not Path(module.__file__ or "").resolve().is_relative_to(COPY)
    )


def run_tests(order: dict[str, Any]) -> None:
    """Run the tests of an order in this process, and write down what came of it."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name, value in order["environment"].items():
        os.environ[name] = value
    numba = import_module("numba")
    numba.core.config.reload_config()
    pytest = import_module("pytest")
    outcomes = Outcomes()
    options = ["-q", "--assert=plain", "-p", "no:cacheprovider", "--tb=short", *order["options"]]
    code = pytest.main([*options, *order["tests"]], plugins=[outcomes])
    found = {**vars(outcomes), "code": int(code), "strays": list_strays()}
    Path(order["outcome"]).write_text(json.dumps(found), encoding="utf-8")


def run_forked(order: dict[str, Any]) -> dict[str, Any]:
    """Run an order in a fork, for so many seconds at most."""
    outcome = Path(order["outcome"])
    outcome.unlink(missing_ok=True)
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            run_tests(order)
        finally:
            os._exit(0)
    in_time = _wait(child, order["seconds"])
    if not in_time:
        os.kill(child, signal.SIGINT)
        if not _wait(child, GRACE_SECONDS):
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
    found = json.loads(outcome.read_text(encoding="utf-8")) if outcome.exists() else None
    return {"seconds": time.monotonic() - begin, "in_time": in_time, "found": found}


def _wait(child: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.05)
    return False


def main() -> None:
    """Take orders, a line each, and answer each with a line."""
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        print(json.dumps(run_forked(json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
