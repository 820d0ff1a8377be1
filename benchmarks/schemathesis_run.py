"""Ten thousand requests drawn from the described API, and how many of them were a fault of ours."""

import re
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from benchmarks.measure import console, print_table
from serving.store.embedded import EmbeddedPostgres
from tests.integration.contract.run_schemathesis import (
    count_cases,
    run_schemathesis,
    running_for_strangers,
)

CASES = 10_000
MOST_ROUNDS = 12
_FAILED = re.compile(r"^\s*❌ (ST\d+ .+?): (\d+)", re.MULTILINE)


def measure_schemathesis(seconds: int = 240) -> None:
    """Run Schemathesis with one seed after the other until enough was asked; print what it found."""
    home = Path(mkdtemp(prefix="baton-st-"))
    home.chmod(0o755)
    database = EmbeddedPostgres(home / "postgres")
    cases, found = 0, dict[str, int]()
    try:
        url = database.start()
        with running_for_strangers(home, url) as client:
            for seed in range(1, MOST_ROUNDS + 1):
                code, output = run_schemathesis(
                    str(client.base_url), home, examples=100, seconds=seconds, seed=seed,
                    phases="examples,coverage,fuzzing,stateful",
                )  # fmt: skip
                cases += count_cases(output)
                for what, n in _FAILED.findall(output):
                    found[what] = found.get(what, 0) + int(n)
                if code:
                    Path("var/bench").mkdir(parents=True, exist_ok=True)
                    Path(f"var/bench/schemathesis-{seed}.log").write_text(output, encoding="utf-8")
                console.print(f"seed {seed}: {cases:,} requests so far")
                if cases >= CASES:
                    break
    finally:
        database.stop()
        rmtree(home, ignore_errors=True)
    faults = sum(n for what, n in found.items() if "Server error" in what)
    rows = [("requests drawn", f"{cases:,}"), ("server errors", f"{faults:,}")]
    rows += [(what, f"{n:,}") for what, n in sorted(found.items())]
    print_table("Schemathesis, all checks, whole API", ["", "found"], rows)
