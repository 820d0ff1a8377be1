"""Bodies cut into the JSON of their items, so that one bad item leaves the others alone. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from pydantic_core import PydanticCustomError

from serving.errors import FieldProblem, InvalidBodyError
from serving.intake.errors import TooManyItemsError
from serving.intake.records.items import Sent
from serving.scoring.moments import read_moment
from serving.scoring.request.batches import MOST_VALUES, spoil_halves

FIELDS: dict[Sent, str] = {
    "lead": "leads",
    "event": "events",
    "stage": "stages",
    "attempt": "attempts",
    "segment": "batch",
    "snowplow": "data",
}
"""The field in which a batch of each comes."""

SENT_AT: dict[Sent, str] = {"segment": "sentAt"}
"""The field that tells when it was sent, where it is not ``sent_at``."""


OTHERS: frozenset[Sent] = frozenset({"segment", "snowplow"})
"""Batches of other people's tools, which add fields of their own that nobody here need know."""


class Envelope(NamedTuple):
    """A body, cut."""

    items: list[bytes]
    is_batch: bool
    sent_at: datetime | None


def _envelope_of(record: Sent, *, strict: bool) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        f"_{record.title()}s",
        [
            (FIELDS[record], list[msgspec.Raw] | msgspec.UnsetType, msgspec.UNSET),
            ("sent_at", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET),
        ],
        rename={"sent_at": SENT_AT.get(record, "sent_at")},
        forbid_unknown_fields=strict,
    )


_DECODERS = {r: msgspec.json.Decoder(_envelope_of(r, strict=False)) for r in FIELDS}
_STRICT = {r: msgspec.json.Decoder(_envelope_of(r, strict=r not in OTHERS)) for r in FIELDS}


def _read(record: Sent, body: bytes) -> tuple[msgspec.Struct, bool]:
    """Read a body, and tell whether all its fields are those of a batch."""
    try:
        return _STRICT[record].decode(body), True
    except msgspec.ValidationError:  # at the first field of an item sent alone: that costs nothing
        return _DECODERS[record].decode(body), False


def _decode(record: Sent, body: bytes) -> tuple[msgspec.Struct, bool, bytes]:
    try:
        return *_read(record, body), body
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Half a character in one item makes the reader give up on all of them.
        spoiled = spoil_halves(body)
        if spoiled == body:
            raise
        return *_read(record, spoiled), spoiled


def _refuse(problem: str, fix: str) -> InvalidBodyError:
    return InvalidBodyError((FieldProblem("", problem, fix),))


def _as_sent(items: Sequence[msgspec.Raw], read: bytes, body: bytes) -> list[bytes]:
    """Give the items as they came, where they had to be read spoiled."""
    found = [bytes(item) for item in items]
    if read is body:
        return found
    cut, place = [], 0
    for item in found:
        # Spoiling keeps lengths, so what stands in a place came in that place.
        place = read.index(item, place)
        cut.append(body[place : place + len(item)])
        place += len(item)
    return cut


def _read_sent_at(raw: object) -> datetime | None:
    """Read when it was sent; None if that cannot be read: then no clock is put right by it."""
    if not isinstance(raw, msgspec.Raw):
        return None
    try:
        return read_moment(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, PydanticCustomError):
        return None


def open_envelope(record: Sent, body: bytes, most: int) -> Envelope:
    """Cut a body: an item, or an object with a list of them.

    Raises
    ------
    InvalidBodyError
        If it is not JSON, no object, or a batch with fields of its own.
    TooManyItemsError
        If it has too many items.
    """
    if body.count(b",") > MOST_VALUES:
        raise _refuse(f"the body has more than {MOST_VALUES:,} values", "Split the batch.")
    name = FIELDS[record]
    try:
        opened, is_known, read = _decode(record, body)
    except msgspec.ValidationError:
        raise _refuse(
            f'the body is neither one {record} nor of the form {{"{name}": [...]}}',
            f"Send an object: a {record}, or one with a list of them under `{name}`.",
        ) from None
    except RecursionError:
        raise _refuse("the body is nested too deep", "See /docs for its form.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        fix = "Check it with a JSON checker; encode it as UTF-8."
        raise _refuse("the body is not JSON", fix) from None
    items = getattr(opened, name)
    if items is msgspec.UNSET:
        return Envelope([body], is_batch=False, sent_at=None)
    if len(items) > most:
        raise TooManyItemsError(len(items), most)
    if not is_known:  # what they were meant to do would not be done
        fix = f"A batch has `{name}` and `sent_at`; all else belongs into its items."
        raise _refuse("the batch has fields that no batch has", fix)
    sent_at = _read_sent_at(opened.sent_at)  # type: ignore[attr-defined]
    return Envelope(_as_sent(items, read, body), is_batch=True, sent_at=sent_at)
