"""The guide shows the example package as it is, and quotes what is said where it is missing."""

import re
from pathlib import Path

from features.catalog.families import FamilyNotInstalledError

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "bring-your-own-model.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "tests" / "plugin_example"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_the_code_of_the_guide_is_that_of_the_example():
    files = [path.read_text(encoding="utf-8") for path in EXAMPLE.rglob("*.py")]
    assert len(blocks("python")) == 2
    for block in blocks("python"):
        assert any(block.strip() in text for text in files), block
    (entries,) = blocks("toml")
    assert entries.strip() in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")


def test_the_refusal_of_the_guide_is_the_one_that_is_stated():
    quoted = " ".join(re.findall(r"^> (.*)$", GUIDE, flags=re.MULTILINE))
    assert quoted == str(FamilyNotInstalledError("ratios", "actions_per_visit"))
