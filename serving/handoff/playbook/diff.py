"""What one playbook says that another does not, in words. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.condition import Condition
from serving.handoff.playbook.sections.section import Section
from serving.handoff.playbook.wording import describe_meaning, format_list, format_value

_IDENTITIES = ("name", "id", "measure", "words")
"""Fields by which the entries of a list are recognised, in this order."""


@dataclass(frozen=True)
class PlaybookChange:
    """One thing that changes."""

    section: str
    field: str
    """Where in the section, with names for entries: ``sellers.ann.capacity_per_day``."""
    words: str
    """What changes: "goes from 10 to 12"."""
    meaning: str = ""
    """What the field means."""

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        about = f" ({self.meaning.rstrip('.')})" if self.meaning else ""
        return f"[{self.section}] {self.field} {self.words}{about}."


def list_changes(old: Playbook, new: Playbook) -> list[PlaybookChange]:
    """List what changes from one playbook to another, in the order of the sections."""
    changes = []
    for section in type(old).model_fields:
        before, after = getattr(old, section), getattr(new, section)
        for field, words, meaning in _compare(before, after, ""):
            changes.append(PlaybookChange(section, field, words, meaning))
    return changes


Found = tuple[str, str, str]


def _compare(old: Any, new: Any, place: str) -> Iterator[Found]:
    """Compare two values of one field; a field's meaning is added where it is known."""
    if old == new:
        return
    if isinstance(old, Section) and type(old) is type(new) and not isinstance(old, Condition):
        yield from _compare_tables(old, new, place)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _compare_named(_by_text(old), _by_text(new), place)
    elif isinstance(old, tuple) and isinstance(new, tuple):
        yield from _compare_lists(old, new, place)
    else:
        yield place, f"goes from {format_value(old)} to {format_value(new)}", ""


def _compare_tables(old: Section, new: Section, place: str) -> Iterator[Found]:
    for name, about in type(old).model_fields.items():
        path = f"{place}.{about.alias or name}" if place else about.alias or name
        for field, words, meaning in _compare(getattr(old, name), getattr(new, name), path):
            yield field, words, meaning or (describe_meaning(old, name) if field == path else "")


def _compare_named(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[Found]:
    for name in old:
        if name not in new:
            yield f"{place}.{name}", "is taken out", ""
    for name, value in new.items():
        if name not in old:
            yield f"{place}.{name}", f"is new: {format_value(value)}", ""
        else:
            yield from _compare(old[name], value, f"{place}.{name}")
    kept, was = [name for name in new if name in old], [name for name in old if name in new]
    if kept != was:
        yield place, f"are in another order: {format_list(list(new))}", ""


def _compare_lists(old: tuple[Any, ...], new: tuple[Any, ...], place: str) -> Iterator[Found]:
    before, after = _name_entries(old), _name_entries(new)
    if before is not None and after is not None:
        yield from _compare_named(before, after, place)
        return
    # By what they say: tables that hold lists cannot be put into a set.
    were, are = {repr(entry) for entry in old}, {repr(entry) for entry in new}
    gained = [format_value(entry) for entry in new if repr(entry) not in were]
    lost = [format_value(entry) for entry in old if repr(entry) not in are]
    differences = [f"gains {format_list(gained)}"] if gained else []
    differences += [f"loses {format_list(lost)}"] if lost else []
    yield place, format_list(differences) or f"is now in the order {format_value(new)}", ""


def _name_entries(entries: tuple[Any, ...]) -> dict[str, Any] | None:
    """Index a list's tables by what they are called; None if they have no names of their own."""
    for field in _IDENTITIES:
        if all(isinstance(entry, Section) and hasattr(entry, field) for entry in entries):
            named = {str(getattr(entry, field)): entry for entry in entries}
            if len(named) == len(entries):
                return named
    return None


def _by_text(named: Mapping[Any, Any]) -> dict[str, Any]:
    return {format_value(name): value for name, value in named.items()}
