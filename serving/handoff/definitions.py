"""The agreed definitions, run on a lead: criteria that hold, fail or are unknown, each in a sentence.

What is not known is neither met nor failed. So a lead has the grades of fit that are still possible,
and a definition that rests on something unknown is unknown itself, unless the rest decides it. Pure.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from features.clock import DAY_US
from features.contracts.records import EventRecord, LeadRecord, StageRecord
from features.lifecycle.stages import REOPENING, Stage, funnel_position, reaches
from features.taxonomy import Taxonomy, default_taxonomy
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.condition import Condition, Grade, Matching
from serving.handoff.playbook.sections.profile import Profile
from serving.handoff.playbook.wording import (
    say_events,
    say_list,
    say_name,
    say_value,
)

Value = float | str | bool | None


class Verdict(StrEnum):
    """Whether something is the case."""

    MET = "met"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """Something sales recorded after contact, such as the budget."""

    known_at: int
    """Microseconds since the epoch."""
    name: str
    value: Value
    """None takes back what was recorded before."""


@dataclass(frozen=True)
class DefinitionFacts:
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


@dataclass(frozen=True)
class Finding:
    """Whether a criterion holds, and why."""

    name: str
    verdict: Verdict
    because: str


@dataclass(frozen=True)
class Fit:
    """How well a lead fits the ideal customer profile."""

    grade: Grade | None
    """None while more than one is possible."""
    possible: tuple[Grade, ...]
    """Best first."""
    findings: tuple[Finding, ...]
    """One for each thing that the ideal customer is."""
    because: str


@dataclass(frozen=True)
class PersonaFound:
    """Who the lead is."""

    name: str | None
    words: str | None
    verdict: Verdict
    """Failed: it is known to be none of the personas."""
    because: str


@dataclass(frozen=True)
class StageFound:
    """Whether a lead meets the agreed definition of a stage."""

    stage: Stage
    verdict: Verdict
    met: tuple[str, ...]
    failing: tuple[str, ...]
    """Names of the criteria that fail."""
    unknown: tuple[str, ...]
    because: str


@dataclass(frozen=True)
class Definitions:
    """Everything the agreed definitions say of a lead at a moment."""

    fit: Fit
    persona: PersonaFound
    segment: str | None
    criteria: Mapping[str, Finding]
    mql: StageFound
    sal: StageFound
    sql: StageFound


def facts_at(
    lead: LeadRecord,
    as_of: int,
    *,
    answers: Iterable[Answer] = (),
    score: float | None = None,
) -> DefinitionFacts:
    """Gather what was known of a lead strictly before a moment.

    Parameters
    ----------
    lead
        Its records, whenever they became known.
    as_of
        The moment of looking, microseconds since the epoch.
    answers
        What sales recorded after contact.
    score
        Its points at that moment.
    """
    versions = [version for version in lead.versions if version.known_at < as_of]
    newest = max(versions, key=lambda version: version.known_at, default=None)
    told = sorted((a for a in answers if a.known_at < as_of), key=lambda a: a.known_at)
    known_stages = (s for s in lead.stages if s.at < as_of and s.known_at < as_of)
    return DefinitionFacts(
        as_of=as_of,
        attributes=dict(newest.attributes) if newest else {},
        events=tuple(e for e in lead.events if e.occurred_at < as_of and e.known_at < as_of),
        stages=tuple(sorted(known_stages, key=lambda s: (s.at, funnel_position(s.stage)))),
        answers={answer.name: answer.value for answer in told},
        score=score,
    )


def run_definitions(playbook: Playbook, facts: DefinitionFacts) -> Definitions:
    """Run every agreed definition on what was known of a lead."""
    looked = _Looked(facts, playbook.kinds if playbook.taxonomy else _SHIPPED)
    fit = _grade(playbook.profile, looked)
    looked = _Looked(facts, looked.taxonomy, fit.possible)
    persona = _find_persona(playbook.profile, looked)
    looked = _Looked(facts, looked.taxonomy, fit.possible, persona)
    criteria = {
        name: _judge(name, criterion.words, criterion, looked)
        for name, criterion in playbook.stages.criteria.items()
    }
    stages = playbook.stages
    return Definitions(
        fit=fit,
        persona=persona,
        segment=_find_segment(playbook.profile, looked),
        criteria=criteria,
        mql=_define(Stage.MQL, stages.mql.all, stages.mql.any, criteria),
        sal=_define(Stage.SAL, stages.sal.all, stages.sal.any, criteria),
        sql=_define(Stage.SQL, stages.sql.all, stages.sql.any, criteria),
    )


_SHIPPED = default_taxonomy()

GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")


@dataclass(frozen=True)
class _Looked:
    """What conditions are checked against, as far as it is worked out."""

    facts: DefinitionFacts
    taxonomy: Taxonomy
    grades: tuple[Grade, ...] = GRADES
    persona: PersonaFound | None = None


def _check(condition: Condition, looked: _Looked) -> tuple[Verdict, str]:
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
        return _check_persona(condition, looked.persona)
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


def _check_events(condition: Condition, looked: _Looked) -> tuple[Verdict, str]:
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


def _check_stage(condition: Condition, facts: DefinitionFacts) -> tuple[Verdict, str]:
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


def _check_persona(condition: Condition, found: PersonaFound | None) -> tuple[Verdict, str]:
    if found is None or found.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN, "its persona is not known"
    return _verdict(found.name in condition.persona), f"its persona is {found.words or 'another'}"


def _match(matching: Matching, looked: _Looked) -> tuple[Verdict, list[tuple[Verdict, str]]]:
    """Check conditions together; give what decided it."""
    every = [_check(condition, looked) for condition in matching.all]
    some = [_check(condition, looked) for condition in matching.any]
    verdict = _combine([v for v, _ in every], [v for v, _ in some])
    if verdict is Verdict.MET:
        return verdict, every + [told for told in some if told[0] is Verdict.MET]
    return verdict, [told for told in every + some if told[0] is verdict]


def _combine(every: Sequence[Verdict], some: Sequence[Verdict]) -> Verdict:
    """All of the first and one of the second, where what is unknown may turn out either way."""
    verdicts = list(every)
    if some:
        best = (Verdict.MET, Verdict.UNKNOWN, Verdict.FAILED)
        verdicts.append(min(some, key=best.index))
    worst = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.MET)
    return min(verdicts, key=worst.index)


def _judge(name: str, words: str, matching: Matching, looked: _Looked) -> Finding:
    verdict, decided = _match(matching, looked)
    told = say_list(list(dict.fromkeys(words for _, words in decided)))
    starts = {
        Verdict.MET: f"The lead {words}",
        Verdict.FAILED: f'Not met: "{words}"',
        Verdict.UNKNOWN: f'Not known: "{words}"',
    }
    return Finding(name, verdict, f"{starts[verdict]}: {told}.")


def _grade(profile: Profile, looked: _Looked) -> Fit:
    findings, known, open_, failed_must, open_must = [], 0.0, 0.0, False, False
    for rule in profile.ideal:
        verdict, told = _check(rule.when, looked)
        findings.append(Finding(rule.words, verdict, f"{rule.words}: {verdict.value}, {told}."))
        known += rule.weight * (verdict is Verdict.MET)
        open_ += rule.weight * (verdict is Verdict.UNKNOWN)
        failed_must |= rule.must and verdict is Verdict.FAILED
        open_must |= rule.must and verdict is Verdict.UNKNOWN
    total = sum(rule.weight for rule in profile.ideal)
    best = _grade_of(profile, (known + open_) / total)
    worst = _grade_of(profile, known / total)
    possible = GRADES[GRADES.index(best) : GRADES.index(worst) + 1]
    if failed_must:
        possible = ("D",)
    elif open_must and "D" not in possible:
        possible = (*possible, "D")
    return Fit(
        possible[0] if len(possible) == 1 else None,
        possible,
        tuple(findings),
        _say_fit(possible, findings),
    )


def _grade_of(profile: Profile, share: float) -> Grade:
    # Weights add up in binary fractions; a share that is just reached must not be missed by them.
    edges = profile.grades
    reached = [share >= edge - 1e-9 for edge in (edges.A, edges.B, edges.C)]
    return GRADES[reached.index(True)] if any(reached) else "D"


def _say_fit(possible: Sequence[Grade], findings: Sequence[Finding]) -> str:
    def named(verdict: Verdict) -> list[str]:
        return [finding.name for finding in findings if finding.verdict is verdict]

    parts = [
        f"{words} {say_list(names)}"
        for words, names in (
            ("it is", named(Verdict.MET)),
            ("it is not", named(Verdict.FAILED)),
            ("it is not known to be", named(Verdict.UNKNOWN)),
        )
        if names
    ]
    return f"Fit {say_list(possible, 'or')}: {'; '.join(parts)}."


def _find_persona(profile: Profile, looked: _Looked) -> PersonaFound:
    for persona in profile.personas:
        verdict, decided = _match(persona, looked)
        told = say_list(list(dict.fromkeys(words for _, words in decided)))
        if verdict is Verdict.MET:
            return PersonaFound(persona.name, persona.words, verdict, f"{persona.words}: {told}.")
        if verdict is Verdict.UNKNOWN:
            because = f"It may be {persona.words}: {told}."
            return PersonaFound(None, None, verdict, because)
    return PersonaFound(None, None, Verdict.FAILED, "It is none of the personas.")


def _find_segment(profile: Profile, looked: _Looked) -> str | None:
    """Find the first segment that a lead is known to be in, unless it may be in one before it."""
    for segment in profile.segments:
        verdict, _ = _match(segment, looked)
        if verdict is not Verdict.FAILED:
            return segment.name if verdict is Verdict.MET else None
    return None


def _define(
    stage: Stage,
    every: Sequence[str],
    some: Sequence[str],
    criteria: Mapping[str, Finding],
) -> StageFound:
    verdict = _combine(
        [criteria[name].verdict for name in every], [criteria[name].verdict for name in some]
    )
    named = dict.fromkeys((*every, *some))
    by_verdict = {
        asked: tuple(name for name in named if criteria[name].verdict is asked)
        for asked in Verdict
    }
    if verdict is Verdict.MET:
        because = f"Meets the definition of {stage.upper()}."
    else:
        word = "Does not meet" if verdict is Verdict.FAILED else "It is not known to meet"
        decided = " ".join(criteria[name].because for name in by_verdict[verdict])
        because = f"{word} the definition of {stage.upper()}. {decided}"
    return StageFound(
        stage,
        verdict,
        by_verdict[Verdict.MET],
        by_verdict[Verdict.FAILED],
        by_verdict[Verdict.UNKNOWN],
        because,
    )


def check_all(
    conditions: Sequence[Condition], facts: DefinitionFacts, found: Definitions
) -> tuple[Verdict, str]:
    """Check conditions that must all hold, for rules outside the definitions; say what decided."""
    looked = _Looked(facts, _SHIPPED, found.fit.possible, found.persona)
    checked = [_check(condition, looked) for condition in conditions]
    verdict = _combine([told for told, _ in checked], [])
    return verdict, say_list([words for told, words in checked if told is verdict])
