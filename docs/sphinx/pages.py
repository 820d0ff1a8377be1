"""The pages of the site that are made from the code: never edited, not in git, so never out of date."""

from pathlib import Path

from docs.sphinx.architecture import draw_floor, read_floors
from docs.sphinx.commands import find_commands
from docs.sphinx.decisions import read_decisions
from docs.sphinx.http_api import read_operations, read_schemas
from docs.sphinx.notebooks import read_notebooks
from docs.sphinx.outside import read_outside_page
from docs.sphinx.render import render

OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages that lie where a developer looks for them, beside ``docs/``."""


def write_pages(root: Path, folder: Path) -> list[Path]:
    """Write every generated page into a folder, and touch only what changed.

    Parameters
    ----------
    root : Path
        The repository.
    folder : Path
        Where the pages go; a folder inside ``docs/``.

    Returns
    -------
    list of Path
        What was written or found unchanged. Other files of the folder are deleted.
    """
    floors = read_floors(root)
    texts = {
        "architecture.md": render("architecture.md.j2", floors=floors),
        "commands.md": render("commands.md.j2", commands=find_commands()),
        "decisions.md": render("decisions.md.j2", records=read_decisions(root / "docs/decisions")),
        "http.md": render("http.md.j2", operations=read_operations(), schemas=read_schemas()),
        "notebooks.md": render("notebooks.md.j2", notebooks=read_notebooks(root / "notebooks")),
    }
    texts |= {f"{floor.name}.svg": draw_floor(floor) for floor in floors}
    texts |= {name.lower(): read_outside_page(root, name) for name in OUTSIDE}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        _write_if_changed(folder / name, text)
    return [folder / name for name in texts]


def _write_if_changed(path: Path, text: str) -> None:
    # Sphinx reads again what is newer than its own notes.
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
