"""``python -m tests.mutation``: make every mutation in a copy, and see that a quick test dies of it."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from time import monotonic

from tests.conftest import run_database_server
from tests.mutation.copies import Copy, Result
from tests.mutation.mutants import ROOT, Mutant, read_mutants

KILLED = {"failed": "killed", "timeout": "killed (timeout)"}
"""By what became of a run. All else is no proof: passed is *survived*, broken is *broken*."""


@contextmanager
def open_copies(count: int) -> Iterator[list[Copy]]:
    """Make copies of the tree, each with a database server and a process of its own."""
    with ExitStack() as stack:
        copies = []
        for _ in range(count):
            # A short path: the sockets of PostgreSQL's have one of a hundred characters at most.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="baton-mutants-")))
            database = stack.enter_context(run_database_server(folder))
            copies.append(Copy(folder, database))
            stack.callback(copies[-1].close)
        yield copies


def check_unchanged(copy: Copy, mutants: Sequence[Mutant]) -> list[Result]:
    """Run all the tests that are to kill on the unchanged copy; give the runs that did not pass.

    A test that fails of itself would kill every mutant.
    """
    results = []
    for interpreted in (False, True):
        tests = sorted({t for m in mutants if copy.is_compiled(m) == interpreted for t in m.tests})
        if tests:
            result = copy.run(tests, interpreted=interpreted, seconds=3600.0)
            results.append(result)
            print_line(f"unchanged: {len(tests)} tests {result.word} in {result.seconds:.0f} s")
    return [result for result in results if result.word != "passed"]


def try_all(copies: Sequence[Copy], mutants: Sequence[Mutant]) -> list[tuple[Mutant, Result]]:
    """Try every mutant, in as many copies as there are, and say what became of each."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def try_one(mutant: Mutant) -> tuple[Mutant, Result]:
        copy = free.get()
        try:
            result = copy.try_mutant(mutant)
        finally:
            free.put(copy)
        describe_result(mutant, result)
        return mutant, result

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(try_one, mutants))


def name_outcome(result: Result) -> str:
    """Name what became of a mutant."""
    return KILLED.get(result.word, "SURVIVED" if result.word == "passed" else "BROKEN")


def describe_result(mutant: Mutant, result: Result) -> None:
    """Print a mutant's row of the table."""
    outcome = name_outcome(result)
    print_line(f"{outcome:<17} {result.seconds:6.1f} s  {mutant.topic:<12} {mutant.breaks}")
    if outcome == "killed":
        print_line(f"{'':<29}{'':<12} by {result.by}")
    elif outcome in {"SURVIVED", "BROKEN"}:
        print_line(f"    {mutant.file}: {mutant.find.strip()!r}\n    {result.by}")
        print_line("    " + "\n    ".join(result.log.splitlines()[-25:]))


def print_line(text: str) -> None:
    """Print at once: a run takes minutes."""
    print(text, flush=True)  # noqa: T201


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="a part of the topic, file or sentence")
    parser.add_argument("--copies", type=int, default=2, help="copies that work side by side")
    return parser.parse_args()


def main() -> int:
    """Run; 0 if every mutant was killed."""
    asked, begin = read_arguments(), monotonic()
    mutants = [m for m in read_mutants() if asked.only in f"{m.topic} {m.file} {m.breaks}"]
    for mutant in mutants:
        mutant.change((ROOT / mutant.file).read_text(encoding="utf-8"))
    with open_copies(min(asked.copies, len(mutants))) as copies:
        for result in check_unchanged(copies[0], mutants):
            print_line(
                f"The unchanged tree does not pass: {result.word} {result.by}\n{result.log}"
            )
            return 2
        results = try_all(copies, mutants)
    killed = sum(name_outcome(result) in KILLED.values() for _, result in results)
    timeouts = sum(result.word == "timeout" for _, result in results)
    seconds = monotonic() - begin
    print_line(f"{killed} of {len(mutants)} killed ({timeouts} by timeout) in {seconds:.0f} s.")
    return int(killed < len(mutants))


if __name__ == "__main__":
    sys.exit(main())
