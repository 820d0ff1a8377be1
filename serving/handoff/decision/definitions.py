"""The agreed definitions, run on a lead: criteria that hold, fail or are unknown, each in a sentence.

What is not known is neither met nor failed. So a lead has the grades of fit that are still possible,
and a definition that rests on something unknown is unknown itself, unless the rest decides it. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from features.contracts.records import LeadRecord
from features.lifecycle.stages import Stage, funnel_position
from serving.handoff.decision.conditions import (
    GRADES,
    SHIPPED_TAXONOMY,
    ConditionContext,
    ConditionFacts,
    ConditionResult,
    Value,
    check,
    combine,
    match,
)
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.condition import Condition, Grade, Matching
from serving.handoff.playbook.sections.profile import Profile
from serving.handoff.playbook.wording import format_list


@dataclass(frozen=True)
class QualificationAnswer:
    """Something sales recorded after contact, such as the budget."""

    known_at: int
    """Microseconds since the epoch."""
    name: str
    value: Value
    """None takes back what was recorded before."""


@dataclass(frozen=True)
class CriterionResult:
    """Whether a criterion holds, and why."""

    name: str
    verdict: ConditionResult
    because: str


@dataclass(frozen=True)
class Fit:
    """How well a lead fits the ideal customer profile."""

    grade: Grade | None
    """None while more than one is possible."""
    possible: tuple[Grade, ...]
    """Best first."""
    findings: tuple[CriterionResult, ...]
    """One for each thing that the ideal customer is."""
    because: str


@dataclass(frozen=True)
class PersonaFound:
    """Who the lead is."""

    name: str | None
    words: str | None
    verdict: ConditionResult
    """Failed: it is known to be none of the personas."""
    because: str


@dataclass(frozen=True)
class StageFound:
    """Whether a lead meets the agreed definition of a stage."""

    stage: Stage
    verdict: ConditionResult
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
    criteria: Mapping[str, CriterionResult]
    mql: StageFound
    sal: StageFound
    sql: StageFound


def facts_at(
    lead: LeadRecord,
    as_of: int,
    *,
    answers: Iterable[QualificationAnswer] = (),
    score: float | None = None,
) -> ConditionFacts:
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
    in_order = sorted((a for a in answers if a.known_at < as_of), key=lambda a: a.known_at)
    known_stages = (s for s in lead.stages if s.at < as_of and s.known_at < as_of)
    return ConditionFacts(
        as_of=as_of,
        attributes=dict(newest.attributes) if newest else {},
        events=tuple(e for e in lead.events if e.occurred_at < as_of and e.known_at < as_of),
        stages=tuple(sorted(known_stages, key=lambda s: (s.at, funnel_position(s.stage)))),
        answers={answer.name: answer.value for answer in in_order},
        score=score,
    )


def run_definitions(playbook: Playbook, facts: ConditionFacts) -> Definitions:
    """Run every agreed definition on what was known of a lead."""
    context = ConditionContext(facts, playbook.kinds if playbook.taxonomy else SHIPPED_TAXONOMY)
    fit = _grade(playbook.profile, context)
    context = replace(context, grades=fit.possible)
    persona = _find_persona(playbook.profile, context)
    context = replace(context, persona=persona.name, persona_verdict=persona.verdict)
    criteria = {
        name: _judge(name, criterion.words, criterion, context)
        for name, criterion in playbook.stages.criteria.items()
    }
    stages = playbook.stages
    return Definitions(
        fit=fit,
        persona=persona,
        segment=_find_segment(playbook.profile, context),
        criteria=criteria,
        mql=_define(Stage.MQL, stages.mql.all, stages.mql.any, criteria),
        sal=_define(Stage.SAL, stages.sal.all, stages.sal.any, criteria),
        sql=_define(Stage.SQL, stages.sql.all, stages.sql.any, criteria),
    )


def _judge(
    name: str, words: str, matching: Matching, context: ConditionContext
) -> CriterionResult:
    verdict, decided = match(matching, context)
    statement = format_list(list(dict.fromkeys(words for _, words in decided)))
    starts = {
        ConditionResult.MET: f"The lead {words}",
        ConditionResult.FAILED: f'Not met: "{words}"',
        ConditionResult.UNKNOWN: f'Not known: "{words}"',
    }
    return CriterionResult(name, verdict, f"{starts[verdict]}: {statement}.")


def _grade(profile: Profile, context: ConditionContext) -> Fit:
    findings, known, open_, failed_must, open_must = [], 0.0, 0.0, False, False
    for rule in profile.ideal:
        verdict, statement = check(rule.when, context)
        findings.append(
            CriterionResult(rule.words, verdict, f"{rule.words}: {verdict.value}, {statement}.")
        )
        known += rule.weight * (verdict is ConditionResult.MET)
        open_ += rule.weight * (verdict is ConditionResult.UNKNOWN)
        failed_must |= rule.must and verdict is ConditionResult.FAILED
        open_must |= rule.must and verdict is ConditionResult.UNKNOWN
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
        _describe_fit(possible, findings),
    )


def _grade_of(profile: Profile, share: float) -> Grade:
    # Weights add up in binary fractions; a share that is just reached must not be missed by them.
    edges = profile.grades
    reached = [share >= edge - 1e-9 for edge in (edges.A, edges.B, edges.C)]
    return GRADES[reached.index(True)] if any(reached) else "D"


def _describe_fit(possible: Sequence[Grade], findings: Sequence[CriterionResult]) -> str:
    def named(verdict: ConditionResult) -> list[str]:
        return [finding.name for finding in findings if finding.verdict is verdict]

    parts = [
        f"{words} {format_list(names)}"
        for words, names in (
            ("it is", named(ConditionResult.MET)),
            ("it is not", named(ConditionResult.FAILED)),
            ("it is not known to be", named(ConditionResult.UNKNOWN)),
        )
        if names
    ]
    return f"Fit {format_list(possible, 'or')}: {'; '.join(parts)}."


def _find_persona(profile: Profile, context: ConditionContext) -> PersonaFound:
    for persona in profile.personas:
        verdict, decided = match(persona, context)
        statement = format_list(list(dict.fromkeys(words for _, words in decided)))
        if verdict is ConditionResult.MET:
            return PersonaFound(
                persona.name, persona.words, verdict, f"{persona.words}: {statement}."
            )
        if verdict is ConditionResult.UNKNOWN:
            because = f"It may be {persona.words}: {statement}."
            return PersonaFound(None, None, verdict, because)
    return PersonaFound(None, None, ConditionResult.FAILED, "It is none of the personas.")


def _find_segment(profile: Profile, context: ConditionContext) -> str | None:
    """Find the first segment that a lead is known to be in, unless it may be in one before it."""
    for segment in profile.segments:
        verdict, _ = match(segment, context)
        if verdict is not ConditionResult.FAILED:
            return segment.name if verdict is ConditionResult.MET else None
    return None


def _define(
    stage: Stage,
    every: Sequence[str],
    some: Sequence[str],
    criteria: Mapping[str, CriterionResult],
) -> StageFound:
    verdict = combine(
        [criteria[name].verdict for name in every], [criteria[name].verdict for name in some]
    )
    named = dict.fromkeys((*every, *some))
    by_verdict = {
        asked: tuple(name for name in named if criteria[name].verdict is asked)
        for asked in ConditionResult
    }
    if verdict is ConditionResult.MET:
        because = f"Meets the definition of {stage.upper()}."
    else:
        word = "Does not meet" if verdict is ConditionResult.FAILED else "It is not known to meet"
        decided = " ".join(criteria[name].because for name in by_verdict[verdict])
        because = f"{word} the definition of {stage.upper()}. {decided}"
    return StageFound(
        stage,
        verdict,
        by_verdict[ConditionResult.MET],
        by_verdict[ConditionResult.FAILED],
        by_verdict[ConditionResult.UNKNOWN],
        because,
    )


def check_all(
    conditions: Sequence[Condition], facts: ConditionFacts, found: Definitions
) -> tuple[ConditionResult, str]:
    """Check conditions that must all hold, for rules outside the definitions; say what decided."""
    context = ConditionContext(
        facts, SHIPPED_TAXONOMY, found.fit.possible, found.persona.name, found.persona.verdict
    )
    checked = [check(condition, context) for condition in conditions]
    verdict = combine([verdict_of_rule for verdict_of_rule, _ in checked], [])
    return verdict, format_list(
        [words for verdict_of_rule, words in checked if verdict_of_rule is verdict]
    )
