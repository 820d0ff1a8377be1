"""The packet: everything sales must be told with a lead, in one structure. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from serving.explain.reasons import Reason
from serving.handoff.decision.activity import Activity
from serving.handoff.decision.cooling_down import EarlierHandoff
from serving.handoff.decision.rules import HandoffDecision
from serving.handoff.packet.openings import Opened, OpeningFacts, choose_opening
from serving.handoff.packet.timeline import KindWords, Moment, TimelineLine, build_timeline
from serving.handoff.playbook.sections.packet import PacketField, PacketSection
from serving.handoff.playbook.sections.triggers import Trigger
from serving.handoff.wording import format_count, format_day


@dataclass(frozen=True)
class PacketFacts:
    """What is known of a lead that is handed over. None and empty mean: not known."""

    lead_id: str
    at: datetime
    decision: HandoffDecision
    stage: str
    stage_since: datetime | None = None
    persona: str | None = None
    persona_because: str = ""
    job_title: str | None = None
    company: str | None = None
    source: str | None = None
    """What brought the lead, as its record says; else the first touch tells."""
    campaign: str | None = None
    product: str | None = None
    """Product or service it named itself."""
    can_be_called: bool | None = None
    can_be_written: bool | None = None
    points: float | None = None
    band: str | None = None
    reasons: Sequence[Reason] = ()
    """Ranked, as ``serving.explain`` gives them."""
    activities: Sequence[Activity] = ()
    moments: Sequence[Moment] = ()
    """Moves and attempts, for the timeline."""
    earlier: Sequence[EarlierHandoff] = ()
    """Handoffs of the lead that have ended, oldest first."""
    kind_words: KindWords | None = None
    """Words for kinds of activity; None: their names."""


@dataclass(frozen=True)
class Touch:
    """Where the lead came from, once."""

    day: str
    words: str
    campaign: str | None


@dataclass(frozen=True)
class Awareness:
    """How much the lead knows of us, and what shows it."""

    level: str
    because: str


@dataclass(frozen=True)
class Missing:
    """Information the playbook requires and nobody has."""

    field: PacketField
    supplier: str
    """Who should supply it."""
    holds: bool
    """Whether the packet is held back for it."""


@dataclass(frozen=True)
class Packet:
    """What sales is told with a lead."""

    lead_id: str
    at: datetime
    playbook_version: str
    why_now: str
    trigger: Trigger | None
    persona: str | None
    persona_because: str
    job_title: str | None
    company: str | None
    source: str | None
    campaign: str | None
    first_touch: Touch | None
    last_touch: Touch | None
    product: str | None
    awareness: Awareness
    stage: str
    score: float | None
    band: str | None
    reasons: tuple[str, ...]
    timeline: tuple[TimelineLine, ...]
    earlier: tuple[str, ...]
    """Earlier handoffs of the lead, each in a sentence."""
    opening: Opened
    missing: tuple[Missing, ...]

    @property
    def held(self) -> bool:
        """Whether it stays with marketing until something is supplied."""
        return any(missing.holds for missing in self.missing)

    def to_json(self) -> dict[str, Any]:
        """Shape it for JSON."""
        shaped = asdict(self)
        shaped["at"] = self.at.isoformat()
        shaped["held"] = self.held
        return shaped


def build_packet(facts: PacketFacts, section: PacketSection) -> Packet:
    """Assemble the packet of a lead.

    Parameters
    ----------
    facts
        What is known; activities after ``facts.at`` do not count.
    section
        ``[packet]`` of the playbook.
    """
    activities = sorted((a for a in facts.activities if a.at < facts.at), key=lambda a: a.at)
    words = facts.kind_words or KindWords()
    touches = [a for a in activities if a.engaging or a.channel]
    first = _describe_touch(touches[0], words) if touches else None
    awareness = _find_awareness(section, activities, facts.at, words)
    opening = choose_opening(section, _opening_facts(facts, activities, words))
    return Packet(
        lead_id=facts.lead_id,
        at=facts.at,
        playbook_version=facts.decision.version,
        why_now=facts.decision.because,
        trigger=facts.decision.trigger,
        persona=facts.persona,
        persona_because=facts.persona_because,
        job_title=facts.job_title,
        company=facts.company,
        source=facts.source or (touches[0].channel if touches else None),
        campaign=facts.campaign or next((a.campaign for a in activities if a.campaign), None),
        first_touch=first,
        last_touch=_describe_touch(touches[-1], words) if touches else None,
        product=facts.product,
        awareness=awareness,
        stage=_describe_stage(facts),
        score=facts.points,
        band=facts.band,
        reasons=tuple(r.words for r in facts.reasons[: section.most_reasons]),
        timeline=build_timeline(activities, facts.moments, words, section.timeline_lines),
        earlier=tuple(e.words for e in facts.earlier),
        opening=opening,
        missing=_find_missing(facts, section, known_source=bool(facts.source or touches)),
    )


def _describe_touch(activity: Activity, words: KindWords) -> Touch:
    through = f" through {activity.channel}" if activity.channel else ""
    sentence = f"{words.one(activity.kind)}{through}"
    return Touch(format_day(activity.at), sentence, activity.campaign)


def _describe_stage(facts: PacketFacts) -> str:
    since = f" since {format_day(facts.stage_since)}" if facts.stage_since else ""
    before = format_count(len(facts.earlier), "earlier handoff", "earlier handoffs")
    return f"{facts.stage}{since}{f', {before}' if facts.earlier else ''}"


def _find_awareness(
    section: PacketSection, activities: Sequence[Activity], at: datetime, words: KindWords
) -> Awareness:
    """Find the highest level that the lead's own doing shows, and state how."""
    begin = at - timedelta(days=section.awareness_days)
    recent = [a for a in activities if a.at >= begin and a.engaging]
    for level in section.awareness:
        shown = [a for a in recent if a.kind in level.kinds]
        if len(shown) >= level.at_least:
            counts = {k: sum(a.kind == k for a in shown) for k in level.kinds}
            sentence = ", ".join(words.many(kind, n) for kind, n in counts.items() if n)
            return Awareness(level.name, f"{sentence} in the last {section.awareness_days:g} days")
    many = format_count(len(recent), "activity", "activities")
    return Awareness(
        section.awareness_else,
        f"{many} in the last {section.awareness_days:g} days, none that shows more",
    )


def _opening_facts(
    facts: PacketFacts, activities: Sequence[Activity], words: KindWords
) -> OpeningFacts:
    last = next((a for a in reversed(activities) if a.engaging), None)
    return OpeningFacts(
        trigger=facts.decision.trigger,
        persona=facts.persona,
        can_be_called=facts.can_be_called,
        can_be_written=facts.can_be_written,
        known={
            "product": facts.product,
            "company": facts.company,
            "job_title": facts.job_title,
            "persona": facts.persona,
            "source": facts.source,
            "campaign": facts.campaign,
            "last_activity": words.one(last.kind) if last else None,
            "last_activity_day": format_day(last.at) if last else None,
        },
    )


def _find_missing(
    facts: PacketFacts, section: PacketSection, *, known_source: bool
) -> tuple[Missing, ...]:
    known: Mapping[PacketField, bool] = {
        PacketField.PERSONA: bool(facts.persona),
        PacketField.SOURCE: known_source,
        PacketField.CAMPAIGN: bool(facts.campaign or any(a.campaign for a in facts.activities)),
        PacketField.PRODUCT: bool(facts.product),
        PacketField.AWARENESS: bool(facts.activities),
        PacketField.STAGE: bool(facts.stage),
        PacketField.SCORE: facts.points is not None,
        PacketField.TIMELINE: bool(facts.activities or facts.moments),
        PacketField.WHY_NOW: bool(facts.decision.because),
        PacketField.CONTACT: bool(facts.can_be_called or facts.can_be_written),
        PacketField.COMPANY: bool(facts.company),
        PacketField.JOB_TITLE: bool(facts.job_title),
    }
    asked_itself = facts.decision.trigger is Trigger.HAND_RAISER
    may_hold = section.hold_hand_raisers or not asked_itself
    wanted = (*section.held_without, *section.required)
    return tuple(
        Missing(
            field,
            section.supplied_by.get(field, section.supplied_else_by),
            may_hold and field in section.held_without,
        )
        for field in dict.fromkeys(wanted)
        if not known[field]
    )
