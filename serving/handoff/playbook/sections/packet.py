"""``[packet]``: what sales must be told with a lead, and the words it opens with."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from serving.handoff.playbook.sections.section import Count, Days, Name, Section, Words
from serving.handoff.playbook.sections.triggers import Trigger


class PacketField(StrEnum):
    """A piece of information that a packet may be required to hold."""

    PERSONA = "persona"
    SOURCE = "source"
    CAMPAIGN = "campaign"
    PRODUCT = "product"
    AWARENESS = "awareness"
    STAGE = "stage"
    SCORE = "score"
    TIMELINE = "timeline"
    WHY_NOW = "why_now"
    CONTACT = "contact"
    COMPANY = "company"
    JOB_TITLE = "job_title"


class Channel(StrEnum):
    """How sales reaches a lead; the channels of an attempt."""

    CALL = "call"
    EMAIL = "email"
    SOCIAL = "social"
    MEETING = "meeting"


PLACEHOLDERS = (
    "product",
    "company",
    "job_title",
    "persona",
    "source",
    "campaign",
    "last_activity",
    "last_activity_day",
)
"""Facts of the lead that a template may name in braces."""

IN_BRACES = re.compile(r"\{([^{}]*)\}")


class AwarenessLevel(Section):
    """``[[packet.awareness]]``: how much the lead knows of us, read off what it did."""

    name: Words
    """As people call it: "knows the product"."""
    kinds: tuple[Words, ...] = Field(min_length=1)
    """Kinds of events that show it."""
    at_least: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How many of them, together."""


class Template(Section):
    """``[packet.templates.NAME]``: standard words for one attempt."""

    channel: Channel
    """How they are said."""
    text: Words
    """The words; facts of the lead in braces, such as {product}. A sentence that names a fact nobody
    knows is left out whole."""

    @field_validator("text")
    @classmethod
    def _know_the_braces(cls, text: str) -> str:
        for named in IN_BRACES.findall(text):
            if named not in PLACEHOLDERS:
                known = ", ".join(PLACEHOLDERS)
                raise ValueError(f"{{{named}}} is no fact of a lead; use one of: {known}.")
        return text


class Opening(Section):
    """``[[packet.openings]]``: which template opens the conversation; the first that fits is taken."""

    template: Name
    """A name of `[packet.templates]`."""
    triggers: tuple[Trigger, ...] = ()
    """What handed the lead over; empty: whatever did."""
    personas: tuple[Words, ...] = ()
    """Whom it is for; empty: everyone."""


_SUPPLIERS = {
    PacketField.PERSONA: "marketing",
    PacketField.SOURCE: "marketing operations",
    PacketField.CAMPAIGN: "marketing operations",
    PacketField.PRODUCT: "marketing",
    PacketField.CONTACT: "marketing",
    PacketField.COMPANY: "marketing operations",
    PacketField.JOB_TITLE: "marketing",
}

_AWARENESS = (
    AwarenessLevel(name="asks for sales", kinds=("demo_request", "contact_request")),
    AwarenessLevel(
        name="weighs the product", kinds=("pricing_view", "product_use", "case_study_view")
    ),
    AwarenessLevel(
        name="knows the solution", kinds=("content_download", "webinar_attend", "form_submit")
    ),
    AwarenessLevel(
        name="knows the problem", kinds=("blog_view", "page_view", "email_click", "ad_click")
    ),
)

_TEMPLATES = {
    "call_requested": Template(
        channel=Channel.CALL,
        text="You asked us to get in touch. I have read what you wrote, so we can start there. "
        "You named {product} as your interest. What should be different half a year from now?",
    ),
    "call_first": Template(
        channel=Channel.CALL,
        text="I work with teams like yours at {company}. You were interested in {product}. "
        "What made you look into this now?",
    ),
    "email_first": Template(
        channel=Channel.EMAIL,
        text="Hello. On {last_activity_day} we noticed your {last_activity}. Many who look at "
        "{product} ask the same two questions; I have put short answers below. "
        "Would 15 minutes this week help?",
    ),
    "email_follow_up": Template(
        channel=Channel.EMAIL,
        text="Hello again. I tried to reach you by phone. Is {product} still on your list, or "
        "should I come back later in the year?",
    ),
    "social_follow_up": Template(
        channel=Channel.SOCIAL,
        text="I wrote to you about {product}. Happy to answer questions here, too.",
    ),
    "email_last": Template(
        channel=Channel.EMAIL,
        text="I have not reached you, so I will not write again for now. If {product} comes up, "
        "answer this mail and I will be there.",
    ),
}


class PacketSection(Section):
    """``[packet]``: what sales must be told."""

    required: tuple[PacketField, ...] = (
        PacketField.PERSONA,
        PacketField.SOURCE,
        PacketField.PRODUCT,
        PacketField.AWARENESS,
        PacketField.WHY_NOW,
    )
    """What a packet should hold; what it lacks is flagged with who should supply it."""
    held_without: tuple[PacketField, ...] = ()
    """Without these the packet is held back until they are supplied, such as ["contact"]."""
    hold_hand_raisers: bool = False
    """Whether the packet of a lead that asked for sales may be held back too; else it is flagged."""
    supplied_by: dict[PacketField, Words] = Field(default_factory=lambda: dict(_SUPPLIERS))
    """Who supplies what is missing."""
    supplied_else_by: Words = "marketing"
    """Who supplies whatever `supplied_by` does not name."""
    timeline_lines: Annotated[int, Field(ge=1, le=100)] = 10
    """Most lines of the timeline."""
    awareness_days: Days = 180.0
    """Days back in which events show awareness."""
    awareness: tuple[AwarenessLevel, ...] = _AWARENESS
    """Levels of awareness, the highest first; the first that is shown holds."""
    awareness_else: Words = "hardly knows us"
    """The level of a lead whose events show none of these."""
    templates: dict[Name, Template] = Field(default_factory=lambda: dict(_TEMPLATES))
    """Standard words by name; those that ship with Baton stay there beside a company's own."""
    openings: tuple[Opening, ...] = (
        Opening(template="call_requested", triggers=(Trigger.HAND_RAISER,)),
        Opening(template="call_first", triggers=(Trigger.TIMING, Trigger.MANUAL)),
        Opening(template="email_first"),
    )
    """Which template opens; the last one must fit everyone."""
    most_reasons: Count = 5
    """Most reasons of the score that are listed."""

    @field_validator("templates", mode="before")
    @classmethod
    def _keep_the_shipped(cls, given: Any) -> Any:
        return {**_TEMPLATES, **given} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _open_with_known_words(self) -> "PacketSection":
        for opening in self.openings:
            if opening.template not in self.templates:
                known = ", ".join(self.templates)
                raise ValueError(
                    f"openings: there is no template {opening.template!r}; add "
                    f"[packet.templates.{opening.template}] or use one of: {known}."
                )
        if not self.openings or self.openings[-1].triggers or self.openings[-1].personas:
            raise ValueError(
                "openings: the last one must fit everyone; add one with a template and nothing else."
            )
        return self
