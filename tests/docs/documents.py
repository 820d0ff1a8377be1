"""The documents of the repository, and the commands that they name."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *(page for page in (ROOT / "docs").rglob("*.md") if "generated" not in page.parts),
    ]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
WORD = re.compile(r"[a-z][a-z-]*")


def read_present(page: Path) -> str:
    """Read what a page says of today: all of it, but for the notes of earlier releases."""
    text = page.read_text(encoding="utf-8")
    return (
        re.split(r"^## \d", text, flags=re.MULTILINE)[0] if page.name == "CHANGELOG.md" else text
    )


def find_command_lines(text: str) -> Iterator[list[str]]:
    """Find the commands of a page's shell blocks and of its code within sentences, word by word."""
    lines = [
        line.split(" #")[0]
        for kind, block in FENCE.findall(text)
        if kind in {"", "sh", "bash", "shell", "console"}
        for line in block.splitlines()
    ]
    lines += [" ".join(code.split()) for code in INLINE.findall(FENCE.sub("", text))]
    for line in lines:
        for part in re.split(r"&&|\|\||[;|(]", line):
            words = part.removeprefix("$ ").split()
            if words:
                yield words


def find_arguments(text: str, program: str) -> Iterator[list[str]]:
    """Find what stands after a program wherever a page calls it."""
    for words in find_command_lines(text):
        if words[0].rsplit("/", 1)[-1] == program:
            yield words[1:]


def find_make_targets() -> set[str]:
    """Find the targets that `make` lists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))


def find_anchors(page: Path) -> set[str]:
    """Find what a page's headings can be linked to by, as GitHub and the site name them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = sum(re.sub(r"-\d+$", "", other) == slug for other in anchors)
        anchors.add(slug if not count else f"{slug}-{count}")
    return anchors
