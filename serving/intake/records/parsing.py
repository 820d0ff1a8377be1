"""From the JSON of one item to what lands, or to what is wrong with it. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from pydantic_core import PydanticCustomError

from features.catalog.manifest import Catalog
from features.lifecycle.stages import Stage
from features.taxonomy import OTHER, Taxonomy
from serving.errors import FieldProblem, InvalidBodyError
from serving.intake.records.items import (
    API,
    MOST_CHARACTERS,
    OWN,
    AttemptItem,
    EventItem,
    LeadItem,
    Record,
    StageItem,
)
from serving.intake.records.skew import FUTURE, NONE, Skew, correct, find_skew
from serving.scoring.moments import FIRST, read_moment
from serving.scoring.request.attributes import read_cells
from serving.settings import MOST_IDENTITY_KEYS
from serving.web_api.problems import format_field_problem
from serving.web_api.text_types import DOTS

MOST_ITEM_BYTES = 64 * 1024
"""An item larger than this is no record of what happened but a document."""

STAGES = frozenset(Stage)

_NUL = re.compile(rb"\\(?:(u0000)|.)", re.DOTALL)
_WHERE = re.compile(r" - at `\$\.?(.*)`$")
_VALIDATION_MESSAGE = re.compile(
    r"^Object (missing required|contains unknown) field `(.*)`$", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Reader:
    """What items are read with."""

    received_at: datetime
    taxonomy: Taxonomy
    catalog: Catalog | None = None
    """Of the champion, whose attributes have types; None where there is none."""
    skew: Skew = NONE


@dataclass(frozen=True, slots=True)
class Intake:
    """What items are taken in with."""

    taxonomy: Taxonomy
    catalog: Catalog | None
    """Of the champion; None where there is none."""
    received_at: datetime
    most_identity_keys: int = MOST_IDENTITY_KEYS
    """The most keys one person is known under by what tools say."""
    joins_refused: Counter[str] = field(default_factory=Counter)
    """Where joins that were not made are counted, by why."""

    def reader(
        self, sent_at: datetime | None = None, first_received_at: datetime | None = None
    ) -> Reader:
        """Give what items are read with."""
        skew = find_skew(sent_at, self.received_at, first_received_at)
        return Reader(self.received_at, self.taxonomy, self.catalog, skew)


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event that can land."""

    lead_id: str
    source: str
    id: str
    at: datetime
    kind: str
    sent_kind: str | None
    name: str | None
    channel: str | None
    value: float | None
    properties: str | None
    """As JSON."""


@dataclass(frozen=True, slots=True)
class ParsedStage:
    """A stage change that can land."""

    lead_id: str
    source: str
    id: str
    at: datetime
    stage: str
    signal: str | None
    reason: str | None
    actor: str | None
    amount: float | None
    propensity: float | None


@dataclass(frozen=True, slots=True)
class ParsedAttempt:
    """An attempt that can land."""

    lead_id: str
    source: str
    id: str
    at: datetime
    handoff_id: str | None
    channel: str
    result: str | None
    actor: str | None


@dataclass(frozen=True, slots=True)
class ParsedLead:
    """What was said of a lead."""

    lead_id: str
    source: str
    created_at: datetime | None
    account_id: str | None
    names_account: bool
    """Whether an account, or that there is none, was said at all."""
    attributes: Mapping[str, Any]
    changed_at: datetime | None

    @property
    def tells_time(self) -> bool:
        """Whether it has a time of the sender's clock."""
        return self.created_at is not None or self.changed_at is not None


ReadItem = ParsedEvent | ParsedStage | ParsedAttempt | ParsedLead


def _refuse(path: str, problem: str, fix: str) -> InvalidBodyError:
    return InvalidBodyError((FieldProblem(path, problem, fix),))


def _as_refusal(error: msgspec.ValidationError) -> InvalidBodyError:
    """Put the decoder's words into ours; they name types and fields, never a value."""
    words = str(error)
    found = _WHERE.search(words)
    path = found[1] if found else ""
    problem = _WHERE.sub("", words)
    matched = _VALIDATION_MESSAGE.match(problem)
    if matched is not None and matched[1] == "missing required":
        return _refuse(matched[2], "is missing", "Add the field.")
    if matched is not None:
        fix = "Remove it, or see /docs for the fields there are."
        return _refuse("", "has a field that is not of this record", fix)
    return _refuse(path, problem[:1].lower() + problem[1:], "See the description in /docs.")


def decode_item(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    """Decode the JSON of one item.

    Raises
    ------
    InvalidBodyError
        Saying what is wrong with it, without repeating what was sent.
    """
    if len(raw) > MOST_ITEM_BYTES:
        fix = "Send what happened; keep documents elsewhere."
        raise _refuse("", f"the item has more than {MOST_ITEM_BYTES:,} bytes", fix)
    if b"u0000" in raw and any(escape[1] for escape in _NUL.finditer(raw)):
        raise _refuse("", "has the character NUL in a text", "Leave that character out.")
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _as_refusal(error) from None
    except RecursionError:
        raise _refuse("", "is nested too deep", "Flatten it.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        fix = "Check it with a JSON checker; encode it as UTF-8."
        raise _refuse("", "is not JSON", fix) from None


def _moment(reader: Reader, field: str, sent: str) -> datetime:
    try:
        moment = read_moment(sent)
    except PydanticCustomError as error:
        problem = {"type": error.type, "loc": (field,), "msg": error.message()}
        raise InvalidBodyError((format_field_problem(problem),)) from None
    moment = correct(moment, reader.skew, reader.received_at)
    if moment > reader.received_at + FUTURE:
        fix = "Check the date; send what happened once it has."
        raise _refuse(field, "is more than a day in the future", fix)
    if moment < FIRST:
        raise _refuse(field, "is too far in the past to be right", "Check the year of the time.")
    return moment


def _clean(text: str | None) -> str | None:
    return (text.strip() or None) if text is not None else None


def _id(field: str, sent: str) -> str:
    cleaned = sent.strip()
    if not cleaned:
        raise _refuse(field, "is empty", "Send at least one character.")
    if cleaned in DOTS:
        raise _refuse(field, "cannot stand in an address", "Send an id that is more than dots.")
    return cleaned


def _source(sent: str) -> str:
    source = sent.strip() or API
    if source.lower() == OWN:
        raise _refuse("source", f"{OWN} is our own", "Name the system that says so.")
    return source


def _made_id(*parts: object) -> str:
    """Make the id of a record without one of what it says: said twice, it is the same."""
    text = msgspec.json.encode(parts)
    return f"sha256:{hashlib.sha256(text).hexdigest()[:40]}"


def _read_event(reader: Reader, item: EventItem) -> ParsedEvent:
    name, kind = _clean(item.name), _clean(item.kind)
    if name is None and kind is None:
        fix = "Say what happened: `name` as the source calls it, or `kind` of the taxonomy."
        raise _refuse("", "has neither name nor kind", fix)
    lead_id = _id("lead_id", item.lead_id)
    channel = reader.taxonomy.channel_of(item.channel)
    properties = None
    if item.properties:
        properties = msgspec.json.encode(item.properties).decode()
    return ParsedEvent(
        lead_id,
        _source(item.source),
        _clean(item.event_id)
        or _made_id(lead_id, item.occurred_at, name, kind, channel, item.value, properties),
        _moment(reader, "occurred_at", item.occurred_at),
        reader.taxonomy.kind_of_event(kind, name),
        kind,
        name,
        _clean(item.channel) if channel == OTHER else channel,
        item.value,
        properties,
    )


def _read_stage(reader: Reader, item: StageItem) -> ParsedStage:
    lead_id, stage = _id("lead_id", item.lead_id), item.stage.strip().lower()
    if stage not in STAGES:
        raise _refuse("stage", "is none of the stages", f"Use one of: {', '.join(Stage)}.")
    at = _moment(reader, "at", item.at)
    return ParsedStage(
        lead_id,
        _source(item.source),
        _clean(item.change_id) or _made_id(lead_id, item.at, stage),
        at,
        stage,
        _clean(item.signal),
        _clean(item.reason),
        _clean(item.actor),
        item.amount,
        item.propensity,
    )


def _read_attempt(reader: Reader, item: AttemptItem) -> ParsedAttempt:
    lead_id, channel = _id("lead_id", item.lead_id), _id("channel", item.channel).lower()
    return ParsedAttempt(
        lead_id,
        _source(item.source),
        _clean(item.attempt_id)
        or _made_id(lead_id, item.at, channel, item.result, item.actor, item.handoff_id),
        _moment(reader, "at", item.at),
        _clean(item.handoff_id),
        channel,
        _clean(item.result),
        _clean(item.actor),
    )


def _read_lead(reader: Reader, item: LeadItem) -> ParsedLead:
    for name, value in item.attributes.items():
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            problem = f"has more than {MOST_CHARACTERS:,} characters"
            raise _refuse(f"attributes.{name}", problem, "Send the fact, not the document.")
    if reader.catalog is not None:
        known = {attribute.name: attribute for attribute in reader.catalog.attributes}
        read_cells(item.attributes, known, "attributes")
    created, changed = item.created_at, item.changed_at
    account = item.account_id
    return ParsedLead(
        _id("lead_id", item.lead_id),
        _source(item.source),
        None if created is None else _moment(reader, "created_at", created),
        _clean(account) if isinstance(account, str) else None,
        account is not msgspec.UNSET,
        item.attributes,
        None if changed is None else _moment(reader, "changed_at", changed),
    )


_READERS: dict[Record, tuple[msgspec.json.Decoder[Any], Callable[[Reader, Any], ReadItem]]] = {
    "lead": (msgspec.json.Decoder(LeadItem), _read_lead),
    "event": (msgspec.json.Decoder(EventItem), _read_event),
    "stage": (msgspec.json.Decoder(StageItem), _read_stage),
    "attempt": (msgspec.json.Decoder(AttemptItem), _read_attempt),
}


def read_item(record: Record, raw: bytes, reader: Reader) -> ReadItem:
    """Read one item.

    Raises
    ------
    InvalidBodyError
        Saying what is wrong with it, without repeating what was sent.
    """
    decoder, read = _READERS[record]
    return read(reader, decode_item(decoder, raw))
