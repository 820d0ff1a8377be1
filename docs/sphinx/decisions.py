"""The decision records, as their index shows them."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

STATUS = re.compile(r"^(proposed|accepted|superseded by \[\d{4}\]\([\w.-]+\.md\)|accepted, .+)$")


@dataclass(frozen=True)
class DecisionRecord:
    """What the index says of one record."""

    number: int
    title: str
    file: str
    status: str
    day: date


class DecisionFormError(ValueError):
    """A record lacks what the index needs."""

    def __init__(self, path: Path, missing: str) -> None:
        super().__init__(
            f"{path.name} has no {missing}. It begins with `# N. Title`, then the lines "
            "`Status: accepted` and `Date: YYYY-MM-DD`."
        )


def read_decisions(folder: Path) -> list[DecisionRecord]:
    """Read all records, in the order of their numbers.

    Raises
    ------
    DecisionFormError
        If a record has no title with its number, no status or no date.
    """
    return [read_decision(path) for path in sorted(folder.glob("[0-9]*.md"))]


def read_decision(path: Path) -> DecisionRecord:
    """Read title, status and date of one record."""
    text = path.read_text(encoding="utf-8")
    title = re.match(r"# (\d+)\. (.+)\n", text)
    status = re.search(r"^Status: (.+?)(?:  )?$", text, flags=re.MULTILINE)
    day = re.search(r"^Date: (\d{4}-\d\d-\d\d)$", text, flags=re.MULTILINE)
    if title is None or int(title[1]) != int(path.name[:4]):
        raise DecisionFormError(path, f"title with the number {int(path.name[:4])}")
    if status is None or STATUS.match(status[1]) is None:
        raise DecisionFormError(path, "status")
    if day is None:
        raise DecisionFormError(path, "date")
    return DecisionRecord(
        int(title[1]), title[2], path.name, status[1], date.fromisoformat(day[1])
    )
