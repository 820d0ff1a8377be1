"""Whether a lead is handed over now: triggers, suppressions, and the sentence that says why. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

import numpy as np

from serving.handoff.decision.activity import Activity, fold_name
from serving.handoff.decision.cooling_down import EarlierHandoff, Rest, find_rest
from serving.handoff.playbook.sections.returns import Returns
from serving.handoff.playbook.sections.triggers import Suppression, Trigger, Triggers


class HandoffVerdict(StrEnum):
    """What was decided."""

    HAND_OFF = "hand_off"
    PROPOSE = "propose"
    """It would be handed over, had both sides agreed to a playbook."""
    KEEP = "keep"
    """Marketing keeps it; the sentence says why."""


@dataclass(frozen=True)
class ScoreFacts:
    """The lead's score at the moment of looking."""

    points: float | None
    """0 to 100; None if not enough is known."""
    band: str | None
    unknown_because: str | None = None


@dataclass(frozen=True)
class TimingFacts:
    """What the timing model says."""

    verdict: Literal["now", "wait", "let_go"]
    because: str


@dataclass(frozen=True)
class ManualRequest:
    """Somebody wants the lead handed over."""

    by: str
    reason: str


@dataclass(frozen=True)
class Drawn:
    """What is known of the exploration."""

    this_week: int = 0
    """Handoffs by exploration in the last seven days, of all leads."""
    last_at: datetime | None = None
    """When this lead was last in a draw."""


@dataclass(frozen=True)
class HandoffFacts:
    """What is known of a lead when it is decided about. What nobody knows suppresses nothing."""

    at: datetime
    """The moment of looking."""
    score: ScoreFacts | None = None
    timing: TimingFacts | None = None
    mql: Literal["met", "failed", "unknown"] = "unknown"
    """Whether it meets the agreed definition."""
    mql_because: str = ""
    activities: Sequence[Activity] = ()
    manual: ManualRequest | None = None
    open_handoff: str | None = None
    """Id of a handoff that is not closed."""
    earlier: EarlierHandoff | None = None
    """The last handoff that ended."""
    customer: bool = False
    competitor: bool = False
    do_not_contact: bool = False
    drawn: Drawn = Drawn()


@dataclass(frozen=True)
class Rules:
    """What of a playbook decides, and which version of it that is."""

    triggers: Triggers
    returns: Returns
    version: str
    hands_over: bool = True
    """Whether leads go to sales without a person's word; otherwise they are only proposed."""


@dataclass(frozen=True)
class HandoffDecision:
    """Hand off, propose or keep, and why. All kinds are stored."""

    verdict: HandoffVerdict
    because: str
    """One sentence."""
    trigger: Trigger | None
    """What handed it over; of several the first in the order of `Trigger`."""
    triggers: tuple[Trigger, ...]
    """All that spoke for it: they make one handoff."""
    suppressions: tuple[Suppression, ...]
    """All that spoke against it, passed over or not."""
    propensity: float | None
    """Chance of the draw the lead was in, drawn or not; None if it was in none."""
    version: str
    at: datetime


@dataclass(frozen=True)
class _Argument:
    """A trigger or a suppression, and the words for it."""

    what: Trigger | Suppression
    words: str


def decide(facts: HandoffFacts, rules: Rules, rng: np.random.Generator) -> HandoffDecision:
    """Decide whether a lead is handed over now.

    Parameters
    ----------
    facts
        What is known of the lead.
    rules
        The playbook's.
    rng
        For the draw of the exploration, which only leads are in that no other trigger hands over.
    """
    against = _find_suppressions(facts, rules)
    triggers = _find_triggers(facts, rules.triggers)
    standing = [t for t in triggers if not _blocking(t, against, rules.triggers)]
    if standing:
        return _hand_off(facts, rules, standing, triggers, against, None)
    # Nothing is drawn of what would only be proposed: a draw that moves nobody teaches nothing.
    is_drawn = rules.hands_over and not triggers
    chance = _find_chance(facts, rules.triggers, against) if is_drawn else None
    if chance is not None and rng.random() < chance:
        drawn = _Argument(Trigger.EXPLORATION, f"drawn at random (chance {chance:g})")
        return _hand_off(facts, rules, [drawn], [drawn], against, chance)
    return HandoffDecision(
        HandoffVerdict.KEEP,
        _describe_keep(facts, rules.triggers, triggers, against),
        None,
        tuple(Trigger(t.what) for t in triggers),
        tuple(Suppression(s.what) for s in against),
        chance,
        rules.version,
        facts.at,
    )


def _hand_off(
    facts: HandoffFacts,
    rules: Rules,
    standing: Sequence[_Argument],
    triggers: Sequence[_Argument],
    against: Sequence[_Argument],
    propensity: float | None,
) -> HandoffDecision:
    goes = rules.hands_over or any(t.what is Trigger.MANUAL for t in standing)
    because = "Handed over" if goes else "Would be handed over"
    because += f": {'; '.join(t.words for t in standing)}"
    passed = [s for s in against if s.words]
    if passed:
        because += f" (although {'; '.join(s.words for s in passed)})"
    if not goes:
        because += "; it waits until marketing and sales have agreed to a playbook"
    return HandoffDecision(
        HandoffVerdict.HAND_OFF if goes else HandoffVerdict.PROPOSE,
        because + ".",
        Trigger(standing[0].what),
        tuple(Trigger(t.what) for t in triggers),
        tuple(Suppression(s.what) for s in against),
        propensity,
        rules.version,
        facts.at,
    )


def _find_triggers(facts: HandoffFacts, section: Triggers) -> list[_Argument]:
    """Find what speaks for a handoff, in the order of `Trigger`."""
    asked = find_hand_raise(section, facts)
    found = []
    if asked is not None:
        what = (asked.name or asked.kind).replace("_", " ")
        words = f"it asked for sales itself ({what}, {asked.at:%Y-%m-%d})"
        found.append(_Argument(Trigger.HAND_RAISER, words))
    request = facts.manual
    if request and len(request.reason.strip()) >= max(section.manual_reason_letters, 1):
        reason_words = request.reason.strip().rstrip(".")
        found.append(_Argument(Trigger.MANUAL, f'{request.by} decided it ("{reason_words}")'))
    if section.timing_now and facts.timing and facts.timing.verdict == "now":
        reason_words = facts.timing.because.rstrip(".")
        found.append(_Argument(Trigger.TIMING, f"the timing model says now ({reason_words})"))
    reached = _find_score(section, facts.score)
    if reached:
        found.append(_Argument(Trigger.SCORE, reached))
    return found


def find_hand_raise(section: Triggers, facts: HandoffFacts) -> Activity | None:
    """Find the newest request for sales that still counts and that no handoff has answered."""
    names = {fold_name(name) for name in section.hand_raiser_names}
    begin = facts.at - timedelta(days=section.hand_raiser_days)
    answered = facts.earlier.ended_at if facts.earlier else None
    asked = [
        a
        for a in facts.activities
        if begin <= a.at < facts.at
        and (answered is None or a.at > answered)
        and (a.kind in section.hand_raiser_kinds or (a.name and fold_name(a.name) in names))
    ]
    return max(asked, key=lambda a: a.at, default=None)


def _find_score(section: Triggers, score: ScoreFacts | None) -> str | None:
    if not section.score_gate or score is None or score.points is None:
        return None
    if score.points >= section.score_from:
        return f"its score {score.points:.1f} is at least {section.score_from:g}"
    if score.band in section.bands:
        return f"its score {score.points:.1f} is in band {score.band}"
    return None


def _find_suppressions(facts: HandoffFacts, rules: Rules) -> list[_Argument]:
    """Find what speaks against a handoff, in the order of `Suppression`."""
    rest = _find_rest(facts, rules.returns)
    asked = rules.triggers.mql
    fails = facts.mql == "failed" if asked == "not_failed" else facts.mql != "met"
    score = facts.score
    unknown = score is not None and score.points is None
    why_unknown = (score.unknown_because if score else None) or "no score could be given"
    why_fails = f" ({facts.mql_because.rstrip('.')})" if facts.mql_because else ""
    verb = "fails" if facts.mql == "failed" else "is not known to meet"
    listed = (
        (
            facts.open_handoff is not None,
            Suppression.ALREADY_IN_HAND,
            f"it is already in hand (handoff {facts.open_handoff})",
        ),
        (facts.do_not_contact, Suppression.DO_NOT_CONTACT, "it asked not to be contacted"),
        (facts.customer, Suppression.CUSTOMER, "it is a customer"),
        (facts.competitor, Suppression.COMPETITOR, "it belongs to a competitor"),
        (
            rest is not None and rest.resting,
            Suppression.COOLING_DOWN,
            rest.because if rest else "",
        ),
        (
            asked != "ignored" and fails,
            Suppression.FAILS_MQL,
            f"it {verb} the agreed MQL definition{why_fails}",
        ),
        (
            unknown,
            Suppression.NOT_ENOUGH_KNOWN,
            f"not enough is known of it ({why_unknown.rstrip('.')})",
        ),
    )
    return [_Argument(what, words) for holds, what, words in listed if holds]


def _find_rest(facts: HandoffFacts, section: Returns) -> Rest | None:
    if facts.earlier is None:
        return None
    return find_rest(section, facts.earlier, facts.activities, facts.at)


def _passes(trigger: Trigger, section: Triggers) -> Collection[Suppression]:
    """List what does not keep back a lead that this trigger speaks for."""
    if trigger is Trigger.HAND_RAISER:
        return section.hand_raisers_pass
    if trigger is Trigger.MANUAL:
        return section.manual_passes
    if trigger is Trigger.EXPLORATION:
        return section.exploration.passes
    return ()


def _blocking(
    trigger: _Argument, against: Sequence[_Argument], section: Triggers
) -> list[_Argument]:
    passed = _passes(Trigger(trigger.what), section)
    return [suppression for suppression in against if suppression.what not in passed]


def _find_chance(
    facts: HandoffFacts, section: Triggers, against: Sequence[_Argument]
) -> float | None:
    """Find the chance of the draw this lead is in; None if it is in none."""
    rules = section.exploration
    if not rules.chance or any(s.what not in rules.passes for s in against):
        return None
    if facts.drawn.this_week >= rules.most_per_week:
        return None
    last = facts.drawn.last_at
    if last is not None and facts.at < last + timedelta(days=rules.every_days):
        return None
    return rules.chance


def _describe_keep(
    facts: HandoffFacts,
    section: Triggers,
    triggers: Sequence[_Argument],
    against: Sequence[_Argument],
) -> str:
    if triggers:
        blocking = _blocking(triggers[0], against, section)
        kept = "; ".join(s.words for s in blocking)
        return f"Not handed over: {kept}, although {'; '.join(t.words for t in triggers)}."
    parts = [s.words for s in against] or _describe_lacking(facts, section)
    return f"Not handed over: {'; '.join(parts)}."


def _describe_lacking(facts: HandoffFacts, section: Triggers) -> list[str]:
    """Say what would have handed it over, and did not."""
    parts = []
    score = facts.score
    if not section.score_gate:
        parts.append("the playbook hands nobody over by score")
    elif score is None:
        parts.append("it has no score")
    elif score.points is not None:
        parts.append(f"its score {score.points:.1f} is below {section.score_from:g}")
    if facts.timing and facts.timing.verdict != "now":
        reason_words = facts.timing.because.rstrip(".")
        parts.append(
            f"the timing model says {facts.timing.verdict.replace('_', ' ')} ({reason_words})"
        )
    if facts.manual:
        least = section.manual_reason_letters
        parts.append(f"{facts.manual.by} gave no reason of at least {least} letters")
    parts.append("it did not ask for sales")
    return parts
