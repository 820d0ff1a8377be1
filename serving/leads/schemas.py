"""What the routes about leads give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.scoring.moments import Moment
from serving.web_api.text_types import NO_NUL

Word = Annotated[str, Query(min_length=1, max_length=500, pattern=NO_NUL)]
Limit = Annotated[int, Query(ge=1, le=200, description="Most entries of the page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=4_000, description="`next` of the page before; first if left out."),
]
AsOf = Annotated[
    Moment | None, Query(description="A moment with its zone; write a plus sign as %2B.")
]
ContractIn = Annotated[
    Word | None,
    Query(description="Which score, by its words; that of the main model if left out."),
]


class Shaped(BaseModel):
    """Root of the answers: docstrings of fields go into the description."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class ScoreInShort(Shaped):
    """A lead's latest score of one contract."""

    contract: str
    as_of: datetime
    status: Literal["scored", "not_enough_known"]
    points: float | None
    probability: float | None
    band: str | None
    model_version: str


class ListedLead(Shaped):
    """A lead of a list."""

    lead_id: str
    account_id: str | None
    created_at: datetime
    stage: str | None
    """Where it stands, as far as stage changes were sent."""
    score: ScoreInShort | None
    """The latest; null for a lead that has none yet."""


class LeadPage(Shaped):
    """A page of leads."""

    leads: list[ListedLead]
    next: str | None
    """Cursor of the next page; null if there is none."""


class LeadCard(Shaped):
    """A lead at a glance."""

    lead_id: str
    """The lead; if the requested one was merged, the surviving lead."""
    asked_for: str
    also: list[str]
    """Leads that were merged into this one."""
    account_id: str | None
    created_at: datetime
    first_known_at: datetime
    attributes: dict[str, Any]
    """As known now: those of the lead itself stand over those of leads merged into it, and what a
    trusted source has stated over what a tracker claims."""
    attribute_sources: dict[str, str]
    """By attribute, which source stated it."""
    stage: str | None
    stage_since: datetime | None
    events: int
    stages: int
    attempts: int
    last_event_at: datetime | None
    scores: list[ScoreInShort]
    """The latest of each contract."""
    last_scored_as_of: datetime | None
    """When it was last scored."""
    due_at: datetime | None
    """When it is scored next, if nothing happens before."""


class StoredScoreOut(Shaped):
    """A stored score."""

    number: int
    contract: str
    as_of: datetime
    scored_at: datetime
    because: str
    """What made it due: `event`, `attributes`, `time`, `model`, `colleague`, `asked` ..."""
    model_version: str
    playbook_version: str | None
    status: Literal["scored", "not_enough_known"]
    points: float | None
    probability: float | None
    band: str | None


class ScorePage(Shaped):
    """A lead's scores, newest first."""

    lead_id: str
    scores: list[StoredScoreOut]
    next: str | None


class TimelineEntry(Shaped):
    """Something that happened to a lead, or a score of it."""

    what: Literal["event", "stage", "attempt", "score"]
    at: datetime
    """When it happened; of a score, its `as_of`."""
    known_at: datetime
    """When it became known."""
    lead_id: str
    """The lead it was sent for: this one, or one that was merged into it."""
    name: str
    """Kind of the event, stage, channel of the attempt, or contract of the score."""
    number: int
    facts: dict[str, Any]
    """What else is known of it; only what has a value."""


class Timeline(Shaped):
    """What happened to a lead, newest first."""

    lead_id: str
    entries: list[TimelineEntry]
    next: str | None


class ScoredMoment(Shaped):
    """A score at one end of a change."""

    as_of: datetime
    status: Literal["scored", "not_enough_known"]
    """Points are computed either way, so that the parts add up; a score is only claimed of the first."""
    points: float
    """Cut to 0-100, as people see it."""
    points_uncut: float
    band: str
    model_version: str


class ChangePart(Shaped):
    """One part of the difference."""

    what: Literal["time", "merge", "field", "account", "events", "stages", "model"]
    name: str | None
    """The field, the kind of event, or the version of the model."""
    count: int
    points: float
    words: str


class Changes(Shaped):
    """Why a score moved between two moments."""

    lead_id: str
    contract: str
    before: ScoredMoment
    after: ScoredMoment
    delta: float
    """Of the uncut points; the parts add up to it."""
    parts: list[ChangePart]
    """In the order in which each was put on top of those before: time, fields, account, events by kind,
    stages, model. What two say together goes to the later one."""


class NextEventIn(BaseModel):
    """A possible next event."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    kind: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """A kind of the taxonomy, or a name it knows."""
    channel: Annotated[str, StringConstraints(max_length=200)] | None = None
    value: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None


class WhatIfIn(BaseModel):
    """Which events to try; every kind of the taxonomy if left out."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    events: Annotated[list[NextEventIn], Field(min_length=1, max_length=50)] | None = None


class OutcomeOut(Shaped):
    """The score a lead would have if an event happened now."""

    kind: str
    channel: str | None
    words: str
    seen_before: int
    """How often this lead has had the event so far."""
    points: float
    points_added: float
    """To the uncut points."""
    probability: float
    band: str


class WhatIf(Shaped):
    """How next events would change a lead's score, by comparison with similar leads; not a causal claim."""

    lead_id: str
    contract: str
    as_of: datetime
    model_version: str
    points: float
    points_uncut: float
    outcomes: list[OutcomeOut]
    """Those that raise the score most first."""
