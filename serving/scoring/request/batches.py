"""Batches cut into the JSON of their leads, so that one bad lead leaves the others alone. Pure."""

import re

import msgspec

from serving.errors import BatchTooLargeError, FieldProblem, InvalidBodyError

_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""Every escape of JSON; ``half`` is half a character, which stands for nothing."""

_NO_TEXT = b"\xff"
"""A byte that no text in UTF-8 has."""


MOST_VALUES = 4_000_000
"""Values a batch can have, its commas counted: each costs memory before the leads are counted."""


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    leads: list[msgspec.Raw]


class _OnlyId(msgspec.Struct):
    lead_id: str | None = None


def spoil_halves(body: bytes) -> bytes:
    """Turn half characters to bytes that spoil only the lead they stand in.

    The reader gives up on a whole batch at half a character, but passes over broken bytes; those
    are refused when their lead is read.
    """

    def spoil(escape: re.Match[bytes]) -> bytes:
        return _NO_TEXT * len(escape[0]) if escape["half"] else escape[0]

    return _ESCAPES.sub(spoil, body)


def _read_envelope(body: bytes) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(body, type=_Envelope).leads
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        spoiled = spoil_halves(body)
        if spoiled == body:
            raise
        return msgspec.json.decode(spoiled, type=_Envelope).leads


def split_batch(body: bytes, most_leads: int) -> list[msgspec.Raw]:
    """Cut a batch into the JSON of its leads, without reading them yet.

    Raises
    ------
    InvalidBodyError
        If it is not an object with a list of leads.
    BatchTooLargeError
        If it has too many.
    """
    if body.count(b",") > MOST_VALUES:
        fix = "Split the batch into smaller ones."
        problem = f"the batch has more than {MOST_VALUES:,} values"
        raise InvalidBodyError((FieldProblem("", problem, fix),))
    try:
        leads = _read_envelope(body)
    except msgspec.ValidationError:
        problem = 'the body is not of the form {"leads": [...]}'
        fix = "Send an object whose only field is a list of leads."
        raise InvalidBodyError((FieldProblem("", problem, fix),)) from None
    except RecursionError:
        fix = "Send leads of the form that /docs describes."
        raise InvalidBodyError((FieldProblem("", "the body is nested too deep", fix),)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        fix = "Check it with a JSON checker; encode it as UTF-8."
        raise InvalidBodyError((FieldProblem("", "the body is not JSON", fix),)) from None
    if len(leads) > most_leads:
        raise BatchTooLargeError(len(leads), most_leads)
    return leads


def find_id(raw: bytes) -> str | None:
    """Find the id of a lead that could not be read; None if that cannot be read either."""
    try:
        return msgspec.json.decode(raw, type=_OnlyId).lead_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
