"""The list of mutations, as ``guards/*.toml`` holds it: one file a topic, one table a mutation."""

import ast
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUARDS = Path(__file__).parent / "guards"
PACKAGES = ("features", "training", "serving")


@dataclass(frozen=True)
class Mutant:
    """One change of one file, and who should notice."""

    topic: str
    file: str
    """Path from the root of the project."""
    find: str
    """The text that is there, exactly once."""
    become: str
    """What it becomes."""
    breaks: str
    """What would go wrong, in a sentence."""
    tests: tuple[str, ...]
    """Node ids of the quickest tests that should fail."""

    def change(self, text: str) -> str:
        """Give the file's text with the change in it.

        Raises
        ------
        ValueError
            If the text to be changed is not there exactly once.
        """
        times = text.count(self.find)
        if times != 1:
            raise ValueError(f"{self.file}: found {times} times, not once: {self.find!r}")
        return text.replace(self.find, self.become)


def read_mutants(folder: Path = GUARDS) -> list[Mutant]:
    """Read the whole list, in the order of its files."""
    mutants = []
    for path in sorted(folder.glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
            tests = tuple(table.pop("tests"))
            mutants.append(Mutant(topic=path.stem, tests=tests, **table))
    return mutants


def find_compiled(root: Path = ROOT) -> set[str]:
    """Find the files whose code or constants end up in machine code that numba keeps.

    numba compares its cache with a kernel's own file, not with the files it calls into: whatever
    is changed here has to run without machine code, or the change would not be seen.
    """
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
    }
    texts = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    todo = [name for name, text in texts.items() if "njit" in text]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(_list_imports(texts[name], paths))
    return {str(paths[name].relative_to(root)) for name in found}


def _list_imports(text: str, known: Iterable[str]) -> Sequence[str]:
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name in known]
