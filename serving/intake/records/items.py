"""What the intake takes and what it answers: the shapes, as /docs shows them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from serving.intake.records.skew import Clock

Record = Literal["lead", "event", "stage", "attempt"]
Tool = Literal["segment", "snowplow"]
"""A tool whose messages we take as they are."""
Sent = Record | Tool
"""What a body may bring."""

Id = Annotated[str, Meta(min_length=1, max_length=500)]
Word = Annotated[str, Meta(max_length=500)]
Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="Which system says so; ids need only be unique within their source.",
    ),
]
Moment = Annotated[
    str,
    Meta(
        max_length=64,
        description="A time with its zone, e.g. 2026-03-01T09:00:00Z.",
        extra_json_schema={"format": "date-time"},
    ),
]
API = "api"
"""The source of what names none."""

OWN = "baton"
"""The source of what handoffs do. Nobody else may name it: clocks and plans go by it."""

Value = float | str | bool | None
MOST_ATTRIBUTES, MOST_CHARACTERS = 1_000, 2_000


class EventItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Something the lead did or received. Stored once by `source` and `event_id`."""

    lead_id: Id
    occurred_at: Moment
    event_id: Word | None = None
    """Left out, an event that is the same in everything is stored once."""
    name: Word | None = None
    kind: Word | None = None
    channel: Word | None = None
    value: float | None = None
    properties: dict[str, Any] | None = None
    source: Source = API


class StageItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A move of the lead. Stored once by `source` and `change_id`, or by lead, moment and stage."""

    lead_id: Id
    stage: Annotated[str, Meta(max_length=50)]
    at: Moment
    change_id: Word | None = None
    signal: Word | None = None
    reason: Annotated[str, Meta(max_length=200)] | None = None
    actor: Word | None = None
    amount: float | None = None
    propensity: Annotated[float, Meta(ge=0, le=1)] | None = None
    source: Source = API


class AttemptItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What sales did to reach the lead. Stored once by `source` and `attempt_id`."""

    lead_id: Id
    at: Moment
    channel: Annotated[str, Meta(min_length=1, max_length=100)]
    attempt_id: Word | None = None
    handoff_id: Word | None = None
    result: Word | None = None
    actor: Word | None = None
    source: Source = API


class LeadItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who a lead is. What is left out stays as it was; null says that it is not known any more."""

    lead_id: Id
    created_at: Moment | None = None
    account_id: Word | UnsetType | None = UNSET
    attributes: Annotated[dict[Id, Value], Meta(max_length=MOST_ATTRIBUTES)] = {}
    changed_at: Moment | None = None
    """When it changed at the source; a change older than the one held changes nothing."""
    source: Source = API


class NamedLead(LeadItem, forbid_unknown_fields=True, kw_only=True):
    """Who a lead is, where the address says which: an id sent beside it counts nothing."""

    lead_id: Id = ""


class EventBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Many events, each judged on its own."""

    events: list[EventItem]
    sent_at: Moment | None = None
    """When the sender's clock says it was sent: if that lies ahead of ours, times are put right."""


class StageBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Many stage changes, each judged on its own."""

    stages: list[StageItem]
    sent_at: Moment | None = None


class AttemptBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Many attempts, each judged on its own."""

    attempts: list[AttemptItem]
    sent_at: Moment | None = None


class LeadBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Many leads, each judged on its own."""

    leads: list[LeadItem]
    sent_at: Moment | None = None


Status = Literal["landed", "repeated", "unchanged", "outdated", "erased", "quarantined"]


class ItemResult(msgspec.Struct, omit_defaults=True):
    """What became of one item."""

    status: Status
    """`landed`; `repeated`: it had landed before; `unchanged`: nothing new; `outdated`: something
    newer is held; `erased`: of a person who was erased, so not kept; `quarantined`: not readable, kept
    in the quarantine with its problem."""
    lead_id: str | None = None
    id: str | None = None
    """The id under which it landed."""
    item_number: int | None = None
    """Its number in the quarantine."""
    problem: dict[str, Any] | None = None
    """What is wrong with it: a Problem."""
    clock: Clock | None = None
    """`corrected`: the sender's clock is off, and the times were put right by as much; `doubtful`: it
    came long after it was sent, or long before, which no clock explains: the times stand as sent."""


class Landed(msgspec.Struct):
    """What became of each item, in their order."""

    counts: dict[str, int]
    results: list[ItemResult]


class WaitingItem(msgspec.Struct):
    """An item in the quarantine."""

    item_number: int
    record: str
    source: str
    lead_id: str | None
    received_at: str
    state: str
    tries: int
    problem: dict[str, Any]
    body: str | None = None
    """As it came; bytes that are no text are shown as �."""


class WaitingItems(msgspec.Struct):
    """Items in the quarantine, oldest first."""

    items: list[WaitingItem]
    next_after: int | None
    """Ask with `after` set to this for those that follow; null at the end."""


DESCRIBED = (
    EventItem,
    StageItem,
    AttemptItem,
    LeadItem,
    NamedLead,
    EventBatch,
    StageBatch,
    AttemptBatch,
    LeadBatch,
    Landed,
    WaitingItem,
    WaitingItems,
)
