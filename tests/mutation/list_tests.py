"""Print the tests that hold the guards, each once: ``make test-fast`` runs those that are no unit tests too."""

import sys

from tests.mutation.mutants import read_mutants


def list_tests(*elsewhere: str) -> list[str]:
    """List the tests of all mutations by node id, but for those in folders that are run anyway."""
    tests = {test for mutant in read_mutants() for test in mutant.tests}
    return sorted(test for test in tests if not test.startswith(tuple(f"{e}/" for e in elsewhere)))


if __name__ == "__main__":
    sys.stdout.write("\n".join(list_tests(*sys.argv[1:])) + "\n")
