"""Words for what a playbook says: values, conditions, the meaning of fields. Pure."""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any

from features.taxonomy import Taxonomy, default_taxonomy
from serving.handoff.playbook.sections.condition import Condition
from serving.handoff.playbook.sections.section import Section


def format_list(words: Sequence[str], last: str = "and") -> str:
    """Say several things in a row.

    >>> format_list(["a", "b", "c"], "or")
    'a, b or c'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def format_value(value: Any) -> str:
    """Say a value as people write it.

    >>> format_value((True, 0.5, "x")), format_value(()), format_value(None)
    ('yes, 0.5, x', 'nothing', 'nothing')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
    if value is None or value in ((), {}):
        return "nothing"
    return _describe_compound(value)


def _describe_compound(value: Any) -> str:
    if isinstance(value, Condition):
        return describe_condition(value)
    if isinstance(value, Section):
        given = [name for name in type(value).model_fields if name in value.model_fields_set]
        return "; ".join(f"{name} {format_value(getattr(value, name))}" for name in given)
    if isinstance(value, Mapping):
        return "; ".join(
            f"{format_value(name)}: {format_value(inner)}" for name, inner in value.items()
        )
    if isinstance(value, (tuple, list)):
        joint = " | " if any(isinstance(inner, Section) for inner in value) else ", "
        return joint.join(format_value(inner) for inner in value)
    return str(value)


def format_name(name: str) -> str:
    """Say the name of an attribute or answer.

    >>> format_name("job_title")
    'job title'
    """
    return name.replace("_", " ")


def describe_condition(condition: Condition, taxonomy: Taxonomy | None = None) -> str:
    """Say what a condition asks for.

    >>> describe_condition(Condition(attribute="employees", at_least=20))
    'employees is at least 20'
    """
    subject = condition.subject
    if subject == "stage":
        return f"reached {format_value(condition.stage).upper()}"
    if subject == "fit":
        return f"fit is {format_list(condition.fit, 'or')}"
    if subject == "persona":
        return f"persona is {format_list(condition.persona, 'or')}"
    if subject == "score_from":
        return f"score is at least {condition.score_from:g}"
    if subject == "events":
        return _format_events(condition, taxonomy)
    return f"{format_name(condition.attribute or condition.answer or '')} {_describe_tests(condition)}"


def _format_events(condition: Condition, taxonomy: Taxonomy | None) -> str:
    low, high = condition.at_least, condition.at_most
    span = f" in the last {condition.days:g} days" if condition.days else ""
    what = format_events(condition.events or "", low or high or 2, taxonomy)
    if high == 0:
        return f"no {format_events(condition.events or '', 1, taxonomy)}{span}"
    bounds = [f"at least {low:g}"] if low is not None else []
    bounds += [f"at most {high:g}"] if high is not None else []
    return f"{format_list(bounds)} {what}{span}"


def format_events(kind: str, count: float, taxonomy: Taxonomy | None) -> str:
    """Say events of a kind or group, one or several of them."""
    taxonomy = taxonomy or _shipped_taxonomy()
    for known in taxonomy.kinds:
        if known.name == kind:
            return known.one if count == 1 else known.many
    words = taxonomy.group_words.get(kind)
    return format_name(kind) if words is None else words[0 if count == 1 else 1]


@cache
def _shipped_taxonomy() -> Taxonomy:
    return default_taxonomy()


def _describe_tests(condition: Condition) -> str:
    parts = []
    if condition.known is not None:
        parts.append("is known" if condition.known else "is not known")
    if condition.is_:
        parts.append(f"is {format_list([format_value(value) for value in condition.is_], 'or')}")
    if condition.is_not:
        parts.append(
            f"is not {format_list([format_value(value) for value in condition.is_not], 'or')}"
        )
    if condition.has_words:
        parts.append(f"has the words {format_list(condition.has_words, 'or')}")
    if condition.at_least is not None:
        parts.append(f"is at least {condition.at_least:g}")
    if condition.at_most is not None:
        parts.append(f"is at most {condition.at_most:g}")
    return format_list(parts)


def describe_meaning(table: Section, field: str) -> str:
    """Say what a field means: the first sentence of its description."""
    about = type(table).model_fields[field].description or ""
    return " ".join(about.split())
