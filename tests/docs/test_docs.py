"""What the documents say is there, is there."""

import re

import pytest

from baton.command_line import COMMANDS
from docs.sphinx.commands import find_commands
from tests.docs.documents import (
    PAGES,
    ROOT,
    WORD,
    find_anchors,
    find_arguments,
    find_make_targets,
    read_present,
)
from training.settings import TrainingSettings

LINKS = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def test_every_training_setting_is_described():
    page = (ROOT / "docs/reference/settings.md").read_text().split("## Training")[1]
    described = set(re.findall(r"^\| `BATON_([A-Z_]+)`", page, flags=re.MULTILINE))
    assert described == {name.upper() for name in TrainingSettings.model_fields}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    for target, anchor in LINKS.findall(page.read_text(encoding="utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        if anchor:
            assert anchor in find_anchors(path), f"{target}#{anchor}"


@pytest.fixture(scope="module")
def commands() -> dict[tuple[str, ...], bool]:
    """Every command and group by its words, and whether it is a group."""
    return {command.words[1:]: command.is_group for command in find_commands()}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page, commands):
    for words in find_arguments(read_present(page), "baton"):
        known: tuple[str, ...] = ()
        for word in words:
            if not commands[known] or not WORD.fullmatch(word):
                break
            known = (*known, word)
            assert known in commands, f"baton {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page):
    for words in find_arguments(read_present(page), "make"):
        targets = [word for word in words if "=" not in word and not word.startswith("-")]
        assert set(targets) <= find_make_targets(), f"make {' '.join(words)}"


def test_what_the_pages_name_is_found():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert ["run"] in list(find_arguments(readme, "make"))
    assert ["serve"] in list(find_arguments(readme, "baton"))


def test_every_command_is_in_the_readme_and_every_command_of_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    commands = set(COMMANDS)
    mentioned = set(re.findall(r"\bbaton ([a-z][a-z-]*[a-z])\b", text))
    assert commands <= mentioned
    assert mentioned <= commands


def test_the_floors_of_the_readme_are_those_of_the_tree():
    text = (ROOT / "README.md").read_text()
    for floor in ("features", "training", "serving"):
        rooms = re.search(rf"^{floor}/ +(.+)$", text, flags=re.MULTILINE)
        assert rooms, floor
