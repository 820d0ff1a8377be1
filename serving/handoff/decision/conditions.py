"""Conditions checked against what was known of a lead: met, failed or unknown, and what is the case. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from features.clock import DAY_US
from features.contracts.records import EventRecord, StageRecord
from features.lifecycle.stages import REOPENING, Stage, reaches
from features.taxonomy import Taxonomy, default_taxonomy
from serving.handoff.playbook.sections.condition import Condition, Grade, Matching
from serving.handoff.playbook.wording import format_events, format_list, format_name, format_value

Value = float | str | bool | None


class ConditionResult(StrEnum):
    """Whether something is the case."""

    MET = "met"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ConditionFacts:
    """What was known of a lead at a moment."""

    as_of: int
    """Microseconds since the epoch."""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: Sequence[EventRecord] = ()
    stages: Sequence[StageRecord] = ()
    """In order of ``(at, funnel_position(stage))``."""
    answers: Mapping[str, Value] = field(default_factory=dict)
    score: float | None = None
    """Points; None if it could not be scored."""


SHIPPED_TAXONOMY = default_taxonomy()

GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")


@dataclass(frozen=True)
class ConditionContext:
    """What conditions are checked against, as far as it is worked out."""

    facts: ConditionFacts
    taxonomy: Taxonomy
    grades: tuple[Grade, ...] = GRADES
    persona: str | None = None
    persona_verdict: ConditionResult = ConditionResult.UNKNOWN
    """Failed: it is known to be none of the personas."""


def check(condition: Condition, context: ConditionContext) -> tuple[ConditionResult, str]:
    """Check a condition; give the verdict and what is the case."""
    facts, subject = context.facts, condition.subject
    if subject == "attribute":
        name = condition.attribute or ""
        return _check_value(condition, format_name(name), facts.attributes.get(name))
    if subject == "answer":
        name = condition.answer or ""
        return _check_value(condition, format_name(name), facts.answers.get(name))
    if subject == "events":
        return _check_events(condition, context)
    if subject == "stage":
        return _check_stage(condition, facts)
    if subject == "fit":
        return _check_grades(condition, context.grades)
    if subject == "persona":
        return _check_persona(condition, context)
    if facts.score is None:
        return ConditionResult.UNKNOWN, "it has no score"
    statement = f"its score is {format_value(facts.score)}"
    return _verdict(facts.score >= (condition.score_from or 0)), statement


def _verdict(holds: bool) -> ConditionResult:
    return ConditionResult.MET if holds else ConditionResult.FAILED


def fold(value: Value) -> str:
    """Write a value so that equal ones are written alike: without case, flags as yes and no.

    >>> fold(True), fold(" Yes "), fold(5.0), fold("Software")
    ('yes', 'yes', '5', 'software')
    """
    folded = format_value(value).strip().casefold()
    return {"true": "yes", "false": "no"}.get(folded, folded)


def _check_value(condition: Condition, words: str, value: Value) -> tuple[ConditionResult, str]:
    is_known = value is not None and value != "" and not _is_nan(value)
    if condition.known is not None and condition.known is not is_known:
        return ConditionResult.FAILED, f"{words} is {'' if is_known else 'not '}known"
    if not is_known or value is None:
        verdict = ConditionResult.UNKNOWN if condition.known is None else ConditionResult.MET
        return verdict, f"{words} is not known"
    return _verdict(_fits(condition, value)), f"{words} is {format_value(value)}"


def _is_nan(value: float | str | bool) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _fits(condition: Condition, value: float | str | bool) -> bool:
    folded = fold(value)
    if condition.is_ and folded not in {fold(entry) for entry in condition.is_}:
        return False
    if folded in {fold(entry) for entry in condition.is_not}:
        return False
    if condition.has_words and not _has_words(folded, condition.has_words):
        return False
    return _within(condition, value)


def _has_words(text: str, words: Sequence[str]) -> bool:
    padded = f" {' '.join(_split_words(text))} "
    return any(f" {' '.join(_split_words(word.casefold()))} " in padded for word in words)


def _split_words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()


def _within(condition: Condition, value: float | str | bool) -> bool:
    low, high = condition.at_least, condition.at_most
    if low is None and high is None:
        return True
    try:
        number = float(value)
    except ValueError:
        return False
    return (low is None or number >= low) and (high is None or number <= high)


def _check_events(condition: Condition, context: ConditionContext) -> tuple[ConditionResult, str]:
    name, facts = condition.events or "", context.facts
    kinds = context.taxonomy.kinds_in(name)
    since = facts.as_of - condition.days * DAY_US if condition.days else None
    count = sum(
        event.kind in kinds and (since is None or event.occurred_at >= since)
        for event in facts.events
    )
    span = f" in the last {condition.days:g} days" if condition.days else ""
    statement = f"it has {count or 'no'} {format_events(name, count or 2, context.taxonomy)}{span}"
    return _verdict(_within(condition, float(count))), statement


def _check_stage(condition: Condition, facts: ConditionFacts) -> tuple[ConditionResult, str]:
    goal = reaches(Stage(condition.stage or Stage.LEAD))
    reached = False
    for change in facts.stages:
        stage = Stage(change.stage)
        # Coming back to marketing begins a new round: what was reached before counts no more.
        reached = (reached and stage not in REOPENING) or stage in goal
    words = str(condition.stage).upper()
    return _verdict(reached), f"it has {'' if reached else 'not '}reached {words}"


def _check_grades(condition: Condition, possible: Sequence[Grade]) -> tuple[ConditionResult, str]:
    fitting = [grade in condition.fit for grade in possible]
    statement = f"its fit is {format_list(possible, 'or')}"
    if all(fitting) or not any(fitting):
        return _verdict(all(fitting)), statement
    return ConditionResult.UNKNOWN, statement


def _check_persona(condition: Condition, context: ConditionContext) -> tuple[ConditionResult, str]:
    if context.persona_verdict is ConditionResult.UNKNOWN:
        return ConditionResult.UNKNOWN, "its persona is not known"
    statement = f"its persona is {format_name(context.persona or 'another')}"
    return _verdict(context.persona in condition.persona), statement


def match(
    matching: Matching, context: ConditionContext
) -> tuple[ConditionResult, list[tuple[ConditionResult, str]]]:
    """Check conditions together; give what decided it."""
    every = [check(condition, context) for condition in matching.all]
    some = [check(condition, context) for condition in matching.any]
    verdict = combine([v for v, _ in every], [v for v, _ in some])
    if verdict is ConditionResult.MET:
        return verdict, every + [one for one in some if one[0] is ConditionResult.MET]
    return verdict, [one for one in every + some if one[0] is verdict]


def combine(every: Sequence[ConditionResult], some: Sequence[ConditionResult]) -> ConditionResult:
    """All of the first and one of the second, where what is unknown may turn out either way."""
    verdicts = list(every)
    if some:
        best = (ConditionResult.MET, ConditionResult.UNKNOWN, ConditionResult.FAILED)
        verdicts.append(min(some, key=best.index))
    worst = (ConditionResult.FAILED, ConditionResult.UNKNOWN, ConditionResult.MET)
    return min(verdicts, key=worst.index)
