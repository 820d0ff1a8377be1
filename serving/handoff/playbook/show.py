"""A playbook as people read it: every section, each field with its value and what it means. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.condition import Condition
from serving.handoff.playbook.sections.section import Section
from serving.handoff.playbook.wording import describe_meaning, format_value

INDENT = "  "


def describe(playbook: Playbook, sections: Sequence[str]) -> Iterator[str]:
    """Say what sections hold, line by line."""
    for number, name in enumerate(sections):
        if number:
            yield ""
        yield f"[{name}]"
        table_ = getattr(playbook, name)
        if isinstance(table_, Section):
            yield from _describe_table(table_, 1)
        else:
            yield f"{INDENT}{format_value(table_) if table_ else 'as it ships with Baton'}"


def _describe_table(table: Section, depth: int) -> Iterator[str]:
    for name, about in type(table).model_fields.items():
        value = getattr(table, name)
        if value is None or value in ((), {}) or (name == "name" and depth > 1):
            continue
        label = about.alias or name
        if isinstance(value, (tuple, Mapping, Section)) and _holds_tables(value):
            yield f"{INDENT * depth}{label}"
            yield from _describe_entries(value, depth + 1)
        else:
            meaning = describe_meaning(table, name)
            yield f"{INDENT * depth}{label}: {format_value(value)}" + (
                f"  · {meaning}" if meaning and depth == 1 else ""
            )


def _describe_entries(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, Section):
        yield from _describe_table(value, depth)
        return
    named = value.items() if isinstance(value, Mapping) else ((None, entry) for entry in value)
    for key, entry in named:
        if isinstance(entry, Condition) or not isinstance(entry, Section):
            yield f"{INDENT * depth}{format_value(entry)}"
        elif _is_flat(entry):
            label = "•" if key is None else f"{format_value(key)}:"
            yield f"{INDENT * depth}{label} {format_value(entry)}"
        else:
            yield f"{INDENT * depth}{format_value(getattr(entry, 'name', None) if key is None else key)}"
            yield from _describe_table(entry, depth + 1)


def _holds_tables(value: Any) -> bool:
    if isinstance(value, Section):
        return not isinstance(value, Condition)
    entries = value.values() if isinstance(value, Mapping) else value
    return any(isinstance(entry, Section) for entry in entries)


def _is_flat(table: Section) -> bool:
    return not any(
        _holds_tables(value)
        for value in (getattr(table, name) for name in type(table).model_fields)
        if isinstance(value, (tuple, Mapping, Section))
    )
