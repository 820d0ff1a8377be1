"""The notebooks, as the page that lists them shows them."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Notebook:
    """One notebook: the question it asks, and how it begins."""

    file: str
    question: str
    opening: str


def read_notebooks(folder: Path) -> list[Notebook]:
    """Read the first cell of each notebook, in the order of their numbers."""
    return [read_notebook(path) for path in sorted(folder.glob("*.ipynb"))]


def read_notebook(path: Path) -> Notebook:
    """Read the title and the first paragraph after it."""
    cell = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    title, _, rest = "".join(cell["source"]).partition("\n")
    return Notebook(path.name, title.removeprefix("# "), rest.strip().split("\n\n")[0])
