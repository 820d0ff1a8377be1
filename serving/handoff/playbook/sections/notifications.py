"""``[notifications]``: who hears of what, over which channel, and the digests of each role."""

import re
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from serving.handoff.playbook.sections.section import Name, Section

Role = Literal["seller", "sales_lead", "marketing", "marketing_lead", "overseer"]
Medium = Literal["mail", "chat", "webhook"]
NotificationEvent = Literal[
    "handed_over", "accepted", "returned", "reassigned", "reminder", "breached", "waiting",
    "supplied", "packet_incomplete", "withdrawn", "nobody_free", "sql", "won", "lost", "band_changed",
    "finding", "playbook_proposed", "playbook_agreed",
]  # fmt: skip
"""What may be told."""

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class NotificationRule(Section):
    """``[[notifications.rules]]``: who hears of what at once."""

    on: tuple[NotificationEvent, ...] = Field(min_length=1)
    """What happened."""
    to: tuple[Role, ...] = Field(min_length=1)
    """Who is told."""
    by: tuple[Medium, ...] = ("mail",)
    """How; addresses and secrets are settings, not part of the agreement."""


class Digest(Section):
    """``[[notifications.digests]]``: numbers and lists sent regularly."""

    name: Name
    to: Role
    holds: tuple[
        Literal["queue", "overdue", "due_today", "scoreboard", "returns", "findings"], ...
    ] = Field(min_length=1)
    """What stands in it."""
    every: Literal["working_day", "week", "month"] = "working_day"
    """How often; weekly and monthly ones come on the first working day."""
    at: Annotated[str, Field(max_length=5)] = "08:30"
    """Time of day by the calendar."""
    calendar: Name = "office"
    """A name of `[sla.calendars]`."""

    @field_validator("at")
    @classmethod
    def _read_clock(cls, text: str) -> str:
        if not _CLOCK.fullmatch(text):
            raise ValueError(f'{text!r} is no time of day; write it as "08:30".')
        return text


_RULES = (
    NotificationRule(
        on=("handed_over", "reassigned", "reminder", "supplied", "withdrawn"), to=("seller",)
    ),
    NotificationRule(on=("breached", "nobody_free"), to=("sales_lead",), by=("mail", "chat")),
    NotificationRule(
        on=("returned", "waiting", "packet_incomplete", "sql", "lost"), to=("marketing",)
    ),
    NotificationRule(
        on=("playbook_proposed", "playbook_agreed", "finding"),
        to=("marketing_lead", "sales_lead"),
    ),
)
_DIGESTS = (
    Digest(name="daily_queue", to="seller", holds=("queue", "overdue", "due_today")),
    Digest(name="joint_sales", to="sales_lead", holds=("scoreboard", "returns"), every="week"),
    Digest(
        name="joint_marketing", to="marketing_lead", holds=("scoreboard", "returns"), every="week"
    ),
    Digest(name="oversight", to="overseer", holds=("findings",), every="month"),
)


class Notifications(Section):
    """``[notifications]``: who hears of what."""

    rules: tuple[NotificationRule, ...] = _RULES
    """What is told at once."""
    digests: tuple[Digest, ...] = _DIGESTS
    """What is told regularly."""

    @model_validator(mode="after")
    def _name_once(self) -> Self:
        names = [digest.name for digest in self.digests]
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"digests: two are called {name!r}; give one another name.")
        return self
