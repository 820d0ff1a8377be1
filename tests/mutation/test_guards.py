"""The list of mutations stays true: each text is still there once, and so are the tests."""

import ast
from collections.abc import Iterator

import pytest

from tests.mutation.mutants import ROOT, Mutant, read_mutants

MUTANTS = read_mutants()
IDS = [f"{mutant.topic}-{number}" for number, mutant in enumerate(MUTANTS)]
FEWEST = 100


def list_tests(path: str) -> set[str]:
    """List the tests of a file by name, those in classes too."""

    def walk(body: list[ast.stmt], before: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield before + node.name
            elif isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{before}{node.name}::")

    return set(walk(ast.parse((ROOT / path).read_text(encoding="utf-8")).body, ""))


def test_the_list_is_long_and_holds_nothing_twice() -> None:
    assert len(MUTANTS) >= FEWEST
    changes = {(mutant.file, mutant.find, mutant.become) for mutant in MUTANTS}
    assert len(changes) == len(MUTANTS)
    assert len({mutant.breaks for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_a_mutation_can_still_be_made(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")

    changed = mutant.change(text)

    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))
    assert mutant.breaks.endswith(".")


@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_the_tests_of_a_mutation_are_there(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert name.partition("[")[0] in list_tests(path), test
