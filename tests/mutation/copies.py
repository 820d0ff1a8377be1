"""A copy of the tree to break things in, and the process in it that runs tests."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.mutants import ROOT, Mutant, find_compiled

LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", ".uv", "var", "mlruns", ".hypothesis", ".*_cache", "notebooks"
)
SECONDS = 300.0
"""A run of a mutant's tests may take so long."""
OWN_SERVER = "serving/store/"
"""A change in here may be one of the database itself: its tests start a server of their own."""


class EscapedError(RuntimeError):
    """The tests read the project from elsewhere than the copy: their outcome means nothing."""


@dataclass(frozen=True)
class Result:
    """What became of a run of tests."""

    word: str
    """passed, failed, broken or timeout."""
    by: str
    """The first test that failed, or what broke."""
    seconds: float
    log: str


class Copy:
    """A copy of the tree, and a process in it that forks for every run."""

    def __init__(
        self, folder: Path, database: str | None, root: Path = ROOT, *, seconds: float = SECONDS
    ) -> None:
        self.seconds = seconds
        """What a mutant's tests may take."""
        self.tree = folder / "tree"
        self.folder = folder
        # Times of files are kept, so that numba's caches hold for what is not changed.
        shutil.copytree(root, self.tree, ignore=LEFT_BEHIND, symlinks=True)
        (self.tree / ".venv").symlink_to(root / ".venv")
        self.compiled = find_compiled(self.tree)
        self.database = database
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.tree),
            # What is changed must not be read as it was, nor stay compiled as it became.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation.warm"],
            cwd=self.tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def is_compiled(self, mutant: Mutant) -> bool:
        """Whether machine code could hide a change of the mutant's file."""
        return mutant.file in self.compiled

    def try_mutant(self, mutant: Mutant) -> Result:
        """Run a mutant's tests with its change in the copy, and take the change back."""
        path = self.tree / mutant.file
        before, times = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(mutant.change(before), encoding="utf-8")
        # Bytecode is held against seconds and size: a change of the same size must be of another.
        os.utime(path, (times.st_atime, int(times.st_mtime) + 10))
        try:
            own = mutant.file.startswith(OWN_SERVER)
            return self.run(
                mutant.tests,
                interpreted=self.is_compiled(mutant),
                own_server=own,
                seconds=self.seconds,
            )
        finally:
            path.write_text(before, encoding="utf-8")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def run(
        self,
        tests: Sequence[str],
        *,
        interpreted: bool,
        own_server: bool = False,
        seconds: float,
        options: Sequence[str] = ("-x",),
    ) -> Result:
        """Run tests in the copy as it is.

        Raises
        ------
        EscapedError
            If a module of the project came from elsewhere.
        """
        environment = {"NUMBA_DISABLE_JIT": "1"} if interpreted else {}
        if self.database is not None and not own_server:
            environment["TEST_DATABASE_SERVER"] = self.database
        log = self.folder / "log"
        order: dict[str, Any] = {
            "tests": list(tests),
            "options": list(options),
            "environment": environment,
            "seconds": seconds,
            "log": str(log),
            "outcome": str(self.folder / "outcome"),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        word, by = _judge(answer)
        return Result(word, by, answer["seconds"], log.read_text(errors="replace"))


def _judge(answer: dict[str, Any]) -> tuple[str, str]:
    if not answer["in_time"]:
        return "timeout", ""
    found = answer["found"]
    if found is None:
        return "broken", "the process died"
    if found["strays"]:
        raise EscapedError(", ".join(found["strays"]))
    if found["failed"]:
        return "failed", found["failed"][0]
    if found["broken"] or found["code"] or not found["passed"]:
        return "broken", (found["broken"] or [f"pytest ended with {found['code']}"])[0]
    return "passed", ""
