"""Pages that lie beside ``docs/``, brought into the site with their links turned to it."""

import os.path
import re
from pathlib import Path

LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")


def read_outside_page(root: Path, name: str) -> str:
    """Read a page of the repository's top folder as a page of ``docs/generated/``."""
    text = (root / name).read_text(encoding="utf-8")
    return LINK.sub(lambda link: turn_link(root, link[1]), text)


def turn_link(root: Path, target: str) -> str:
    """Turn a link that starts at the top folder into one that starts at ``docs/generated/``.

    A folder becomes its index, a page beside ``docs/`` the copy of it here, the notebooks the page that
    lists them. Whatever else is linked to is a file, which the site carries as a download.
    """
    path = root / target
    if path == root / "notebooks":
        return "notebooks.md"
    if (path / "index.md").is_file():
        path /= "index.md"
    if path.parent == root and path.suffix == ".md":
        return path.name.lower()
    return os.path.relpath(path, root / "docs" / "generated")
