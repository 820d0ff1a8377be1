"""Which standard words open the conversation, filled with the lead's facts. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from serving.handoff.playbook.sections.packet import (
    IN_BRACES,
    Channel,
    Opening,
    PacketSection,
    Template,
)
from serving.handoff.playbook.sections.triggers import Trigger

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class OpeningFacts:
    """What decides how sales opens."""

    trigger: Trigger | None
    persona: str | None
    can_be_called: bool | None
    can_be_written: bool | None
    known: Mapping[str, str | None]
    """Facts for the braces of templates; None or empty: not known."""


@dataclass(frozen=True)
class Opened:
    """How sales opens."""

    channel: Channel
    template: str
    text: str
    because: str


def fill_template(template: Template, known: Mapping[str, str | None]) -> str:
    """Fill a template; a sentence that names a fact nobody knows is left out whole.

    >>> words = Template(channel=Channel.CALL, text="Hello. You read about {product}. Shall we talk?")
    >>> fill_template(words, {"product": None})
    'Hello. Shall we talk?'
    """
    words = []
    for sentence in SENTENCE_END.split(template.text):
        named = IN_BRACES.findall(sentence)
        if all(known.get(name) for name in named):
            # One pass: a fact that holds braces of its own is not filled again.
            words.append(IN_BRACES.sub(lambda found: known[found[1]] or "", sentence))
    return " ".join(words)


def choose_opening(section: PacketSection, facts: OpeningFacts) -> Opened:
    """Choose the first opening that is for this lead and whose channel can reach it.

    If no channel can, the first that is for it is suggested all the same, and that is said.
    """
    suitable = [opening for opening in section.openings if _suits(opening, facts)]
    able = [o for o in suitable if _reaches(section.templates[o.template].channel, facts)]
    opening = (able or suitable)[0]
    template = section.templates[opening.template]
    return Opened(
        template.channel,
        opening.template,
        fill_template(template, facts.known),
        _describe_choice(opening, facts, reachable=bool(able), first=opening is suitable[0]),
    )


def _suits(opening: Opening, facts: OpeningFacts) -> bool:
    for_trigger = not opening.triggers or facts.trigger in opening.triggers
    return for_trigger and (not opening.personas or facts.persona in opening.personas)


def _reaches(channel: Channel, facts: OpeningFacts) -> bool:
    if channel is Channel.CALL:
        return facts.can_be_called is not False
    return channel is not Channel.EMAIL or facts.can_be_written is not False


def _describe_choice(
    opening: Opening, facts: OpeningFacts, *, reachable: bool, first: bool
) -> str:
    parts = []
    if opening.triggers and facts.trigger:
        parts.append(f"handed over by {facts.trigger.value.replace('_', ' ')}")
    if opening.personas:
        parts.append(f"persona {facts.persona}")
    if not reachable:
        parts.append("its contact data are missing")
    elif not first:
        parts.append("contact data for the usual channel are missing")
    return "; ".join(parts) or "the playbook's usual opening"
