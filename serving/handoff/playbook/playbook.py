"""The playbook as a whole: its sections, what must go together across them, its fingerprint. Pure."""

import hashlib
import json
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Any

from pydantic import Field, field_validator

from features.errors import TaxonomyError
from features.taxonomy import Taxonomy, default_taxonomy, read_taxonomy
from serving.handoff.playbook.across import (
    CrossProblem,
    find_unknown_kinds,
    find_unknown_templates,
)
from serving.handoff.playbook.problem import PlaybookProblem
from serving.handoff.playbook.public_holidays import find_country_problem
from serving.handoff.playbook.sections.condition import Condition
from serving.handoff.playbook.sections.goals import Goals
from serving.handoff.playbook.sections.notifications import Digest, Notifications
from serving.handoff.playbook.sections.oversight import Oversight
from serving.handoff.playbook.sections.packet import Opening, PacketSection
from serving.handoff.playbook.sections.profile import Profile
from serving.handoff.playbook.sections.pursuit import Plan, Pursuit
from serving.handoff.playbook.sections.returns import Returns
from serving.handoff.playbook.sections.routing import PlaybookSeller, Routing, RoutingRule
from serving.handoff.playbook.sections.scale import Bands, Points
from serving.handoff.playbook.sections.section import Section, describe_known
from serving.handoff.playbook.sections.sla import Priority, Sla
from serving.handoff.playbook.sections.sources import Sources
from serving.handoff.playbook.sections.stages import Stages
from serving.handoff.playbook.sections.triggers import Triggers

ASKS_FOR_SALES = "hand_raiser"
"""The segment of leads that asked for sales, beside that of the profile."""


class Playbook(Section):
    """What marketing and sales agreed on. Without a word said, what ships with Baton."""

    goals: Goals = Goals()
    profile: Profile = Profile()
    stages: Stages = Stages()
    taxonomy: dict[str, Any] = Field(default_factory=dict)
    """Kinds of events, their groups and names, in place of those that ship with Baton."""
    points: Points = Points()
    bands: Bands = Bands()
    triggers: Triggers = Triggers()
    packet: PacketSection = PacketSection()
    routing: Routing = Routing()
    sla: Sla = Sla()
    pursuit: Pursuit = Pursuit()
    returns: Returns = Returns()
    oversight: Oversight = Oversight()
    notifications: Notifications = Notifications()
    sources: Sources = Sources()

    @field_validator("taxonomy")
    @classmethod
    def _read_taxonomy(cls, given: dict[str, Any]) -> dict[str, Any]:
        try:
            _ = given and read_taxonomy(given)
        except (TaxonomyError, AttributeError, TypeError) as problem:
            raise ValueError(
                f"the taxonomy cannot be read ({problem}); write it as features/default_taxonomy.toml."
            ) from problem
        return given

    @cached_property
    def kinds(self) -> Taxonomy:
        """The taxonomy that holds: the playbook's own, or the one that ships with Baton."""
        return read_taxonomy(self.taxonomy) if self.taxonomy else default_taxonomy()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what it says, first 12 hex digits: comments and order of keys do not count."""
        values = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(values, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def find_problems(playbook: Playbook, unread: Collection[str] = ()) -> Iterator[PlaybookProblem]:
    """Find what does not go together across sections.

    Parameters
    ----------
    playbook
        The playbook; sections that could not be read are as they ship with Baton.
    unread
        The names of these: nothing is said of them, nor of what others ask of them.

    Yields
    ------
    PlaybookProblem
        In the order of the sections.
    """
    for asked, problems in (
        (None, _find_strange_names(playbook, unread)),
        ("taxonomy", _find_strange_kinds(playbook)),
        (None, _find_strange_countries(playbook)),
        ("taxonomy", _find_unknown_kinds(playbook)),
        ("packet", find_unknown_templates(playbook.packet, playbook.pursuit)),
    ):
        if asked not in unread:
            for found in problems:
                if found.section not in unread:
                    yield PlaybookProblem(found.section, found.field, found.problem, found.fix)


def _find_unknown_kinds(playbook: Playbook) -> Iterator[CrossProblem]:
    return find_unknown_kinds(
        playbook.kinds.kind_names, playbook.triggers, playbook.packet, playbook.returns
    )


_HOMES = {"calendar": "sla", "segment": "profile", "persona": "profile"}
"""In which section each has its name."""

_NAMES: tuple[tuple[type[Section], str, str], ...] = (
    (PlaybookSeller, "calendar", "calendar"),
    (Digest, "calendar", "calendar"),
    (RoutingRule, "segments", "segment"),
    (Priority, "segments", "segment"),
    (Plan, "segments", "segment"),
    (Opening, "personas", "persona"),
    (Condition, "persona", "persona"),
)
"""Which field of which table names what of another section."""


def list_sections(table: object, place: str = "") -> Iterator[tuple[str, Section]]:
    """List every table within a playbook or a section, with the way to it."""
    if isinstance(table, Section):
        yield place, table
        dot = "." if place else ""
        for name in type(table).model_fields:
            yield from list_sections(getattr(table, name), f"{place}{dot}{name}")
    elif isinstance(table, tuple):
        for number, entry in enumerate(table):
            yield from list_sections(entry, f"{place}[{number}]")
    elif isinstance(table, dict):
        for name, entry in table.items():
            yield from list_sections(entry, f"{place}.{name}")


def _find_strange_names(playbook: Playbook, unread: Collection[str]) -> Iterator[PlaybookProblem]:
    segments = (ASKS_FOR_SALES, *(segment.name for segment in playbook.profile.segments))
    known = {
        "calendar": ("[sla.calendars.{}]", tuple(playbook.sla.calendars)),
        "segment": ("[[profile.segments]] with name {!r}", segments),
        "persona": (
            "[[profile.personas]] with name {!r}",
            tuple(persona.name for persona in playbook.profile.personas),
        ),
    }
    for place, table in list_sections(playbook):
        for kind, field, what in _NAMES:
            if isinstance(table, kind) and _HOMES[what] not in unread:
                where, names = known[what]
                value = getattr(table, field)
                for name in (value,) if isinstance(value, str) else value:
                    if name not in names:
                        yield _describe_strange(
                            place, field, f"there is no {what} {name!r}", where.format(name), names
                        )


def _find_strange_kinds(playbook: Playbook) -> Iterator[PlaybookProblem]:
    known = (*playbook.kinds.kind_names, *playbook.kinds.group_words)
    for place, table in list_sections(playbook):
        if isinstance(table, Condition) and table.events not in {None, *known}:
            problem = f"{table.events!r} is no kind and no group of events"
            yield _describe_strange(place, "events", problem, "it to [taxonomy]", known)


def _describe_strange(
    place: str, field: str, problem: str, where: str, known: tuple[str, ...]
) -> PlaybookProblem:
    section, _, rest = f"{place}.{field}".partition(".")
    fix = f"Add {where}, or use one of: {describe_known(known)}."
    return PlaybookProblem(section, rest, problem, fix)


def _find_strange_countries(playbook: Playbook) -> Iterator[PlaybookProblem]:
    for name, calendar in playbook.sla.calendars.items():
        problem = find_country_problem(calendar.country, calendar.subdivision)
        if problem is not None:
            field, words, fix = problem
            yield PlaybookProblem("sla", f"calendars.{name}.{field}", words, fix)
