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
from serving.handoff.playbook.wording import say_events, say_list, say_name, say_value

Value = float | str | bool | None


class Verdict(StrEnum):
    """Whether something is the case."""

    MET = "met"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LeadFacts:
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
class Looked:
    """What conditions are checked against, as far as it is worked out."""

    facts: LeadFacts
    taxonomy: Taxonomy
    grades: tuple[Grade, ...] = GRADES
    persona: str | None = None
    persona_verdict: Verdict = Verdict.UNKNOWN
    """Failed: it is known to be none of the personas."""


def check(condition: Condition, looked: Looked) -> tuple[Verdict, str]:
    """Check a condition; give the verdict and what is the case."""
    facts, subject = looked.facts, condition.subject
    if subject == "attribute":
        name = condition.attribute or ""
        return _check_value(condition, say_name(name), facts.attributes.get(name))
    if subject == "answer":
        name = condition.answer or ""
        return _check_value(condition, say_name(name), facts.answers.get(name))
    if subject == "events":
        return _check_events(condition, looked)
    if subject == "stage":
        return _check_stage(condition, facts)
    if subject == "fit":
        return _check_grades(condition, looked.grades)
    if subject == "persona":
        return _check_persona(condition, looked)
    if facts.score is None:
        return Verdict.UNKNOWN, "it has no score"
    told = f"its score is {say_value(facts.score)}"
    return _verdict(facts.score >= (condition.score_from or 0)), told


def _verdict(holds: bool) -> Verdict:
    return Verdict.MET if holds else Verdict.FAILED


def fold(value: Value) -> str:
    """Write a value so that equal ones are written alike: without case, flags as yes and no.

    >>> fold(True), fold(" Yes "), fold(5.0), fold("Software")
    ('yes', 'yes', '5', 'software')
    """
    folded = say_value(value).strip().casefold()
    return {"true": "yes", "false": "no"}.get(folded, folded)


def _check_value(condition: Condition, words: str, value: Value) -> tuple[Verdict, str]:
    is_known = value is not None and value != "" and not _is_nan(value)
    if condition.known is not None and condition.known is not is_known:
        return Verdict.FAILED, f"{words} is {'' if is_known else 'not '}known"
    if not is_known or value is None:
        verdict = Verdict.UNKNOWN if condition.known is None else Verdict.MET
        return verdict, f"{words} is not known"
    return _verdict(_fits(condition, value)), f"{words} is {say_value(value)}"


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


def _check_events(condition: Condition, looked: Looked) -> tuple[Verdict, str]:
    name, facts = condition.events or "", looked.facts
    kinds = looked.taxonomy.kinds_in(name)
    since = facts.as_of - condition.days * DAY_US if condition.days else None
    count = sum(
        event.kind in kinds and (since is None or event.occurred_at >= since)
        for event in facts.events
    )
    span = f" in the last {condition.days:g} days" if condition.days else ""
    told = f"it has {count or 'no'} {say_events(name, count or 2, looked.taxonomy)}{span}"
    return _verdict(_within(condition, float(count))), told


def _check_stage(condition: Condition, facts: LeadFacts) -> tuple[Verdict, str]:
    goal = reaches(Stage(condition.stage or Stage.LEAD))
    reached = False
    for change in facts.stages:
        stage = Stage(change.stage)
        # Coming back to marketing begins a new round: what was reached before counts no more.
        reached = (reached and stage not in REOPENING) or stage in goal
    words = str(condition.stage).upper()
    return _verdict(reached), f"it has {'' if reached else 'not '}reached {words}"


def _check_grades(condition: Condition, possible: Sequence[Grade]) -> tuple[Verdict, str]:
    fitting = [grade in condition.fit for grade in possible]
    told = f"its fit is {say_list(possible, 'or')}"
    if all(fitting) or not any(fitting):
        return _verdict(all(fitting)), told
    return Verdict.UNKNOWN, told


def _check_persona(condition: Condition, looked: Looked) -> tuple[Verdict, str]:
    if looked.persona_verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN, "its persona is not known"
    told = f"its persona is {say_name(looked.persona or 'another')}"
    return _verdict(looked.persona in condition.persona), told


def match(matching: Matching, looked: Looked) -> tuple[Verdict, list[tuple[Verdict, str]]]:
    """Check conditions together; give what decided it."""
    every = [check(condition, looked) for condition in matching.all]
    some = [check(condition, looked) for condition in matching.any]
    verdict = combine([v for v, _ in every], [v for v, _ in some])
    if verdict is Verdict.MET:
        return verdict, every + [told for told in some if told[0] is Verdict.MET]
    return verdict, [told for told in every + some if told[0] is verdict]


def combine(every: Sequence[Verdict], some: Sequence[Verdict]) -> Verdict:
    """All of the first and one of the second, where what is unknown may turn out either way."""
    verdicts = list(every)
    if some:
        best = (Verdict.MET, Verdict.UNKNOWN, Verdict.FAILED)
        verdicts.append(min(some, key=best.index))
    worst = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.MET)
    return min(verdicts, key=worst.index)
