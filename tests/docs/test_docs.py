"""What the documents say is there, is there."""

import re
from pathlib import Path

import pytest

from baton.command_line import COMMANDS
from training.settings import TrainingSettings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def test_every_training_setting_is_described():
    page = (ROOT / "docs/how-to/settings.md").read_text().split("## Training")[1]
    described = set(re.findall(r"^\| `BATON_([A-Z_]+)`", page, flags=re.MULTILINE))
    assert described == {name.upper() for name in TrainingSettings.model_fields}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_command_is_in_the_readme_and_every_command_of_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    commands = set(COMMANDS)
    said = set(re.findall(r"\bbaton ([a-z][a-z-]*[a-z])\b", text))
    assert commands <= said
    assert said <= commands


def test_every_make_deed_of_the_readme_exists():
    deeds = set(
        re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    )
    said = set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text()))
    assert said <= deeds
    assert {"run", "test"} <= said


def test_the_floors_of_the_readme_are_those_of_the_tree():
    text = (ROOT / "README.md").read_text()
    for floor in ("features", "training", "serving"):
        rooms = re.search(rf"^{floor}/ +(.+)$", text, flags=re.MULTILINE)
        assert rooms, floor
