"""Events of Snowplow trackers in our words. Pure.

Source: the tracker protocol (``com.snowplowanalytics.snowplow/tp2``), and what snowplow-tracker
sends: all values are text.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any

import msgspec

from features import clock
from features.contracts.identity_keys import IdentityKey, Join
from features.taxonomy import Taxonomy
from serving.intake.tools.parsed_message import (
    EventName,
    ParsedMessage,
    check_name,
    choose_name,
    name_view,
    refuse,
)

SOURCE = "snowplow"

Payload = Mapping[str, Any]

MOST_MILLISECONDS = 7_258_118_400_000
"""The year 2200: a later time is no time."""


def _text(payload: Payload, name: str) -> str | None:
    value = payload.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def _moment(payload: Payload, name: str) -> datetime | None:
    """Read milliseconds since the epoch, which come as text."""
    text = _text(payload, name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise refuse(name, "is not a time", "Send milliseconds since 1970.")
    return clock.from_us(min(int(text), MOST_MILLISECONDS) * 1_000)


def _about(payload: Payload) -> tuple[IdentityKey, tuple[Join, ...]]:
    user = check_name("uid", _text(payload, "uid"))
    # The cookie of the site first: the network's may be of several sites, or blocked.
    visitor = next((v for n in ("duid", "tnuid", "nuid") if (v := _text(payload, n))), None)
    if user is None and visitor is None:
        fix = "Have the tracker set a user id (uid) or a domain user id (duid)."
        raise refuse("", "has neither uid nor duid, tnuid or nuid", fix)
    check_name("duid", visitor)
    anonymous = None if visitor is None else IdentityKey("anonymous_id", visitor)
    if user is None:
        assert anonymous is not None  # noqa: S101 - one of the two is there
        return anonymous, ()
    known = IdentityKey("user_id", user)
    return known, () if anonymous is None else (Join(anonymous, known),)


def _unpack(payload: Payload) -> dict[str, Any]:
    """Read the self-describing event, in plain JSON or in base 64."""
    plain, packed = _text(payload, "ue_pr"), _text(payload, "ue_px")
    try:
        if plain is None and packed is not None:
            raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        else:
            raw = (plain or "").encode()
        outer = msgspec.json.decode(raw, type=dict[str, Any])
    except (binascii.Error, ValueError, RecursionError):
        fix = "Send the event as JSON (ue_pr), or that in base 64 (ue_px)."
        raise refuse("ue_pr", "is not a self-describing event", fix) from None
    inner = outer.get("data")
    if not isinstance(inner, dict):
        raise refuse("ue_pr", "has no event in it", "Send {schema, data: {schema, data}}.")
    return inner


def _schema_words(schema: Any) -> str:
    """Give the name in a schema: ``iglu:com.acme/demo_request/jsonschema/1-0-0``."""
    parts = schema.removeprefix("iglu:").split("/") if isinstance(schema, str) else []
    return parts[1].strip()[:200] if len(parts) > 1 and parts[1].strip() else "event"


Described = tuple[EventName, str | None, float | None, dict[str, Any]]
"""Name, channel, value and properties of an event."""

_STRUCTURED = {"category": "se_ca", "label": "se_la", "property": "se_pr"}
_WEB = frozenset({"web", "mob"})


def _page(payload: Payload) -> dict[str, Any]:
    found = {"url": _text(payload, "url"), "referrer": _text(payload, "refr")}
    return {name: value for name, value in found.items() if value is not None}


def _read_view(payload: Payload, taxonomy: Taxonomy) -> Described:
    named = name_view(taxonomy, [_text(payload, "page")], payload.get("url"))
    return named, "web", None, _page(payload)


def _read_ping(payload: Payload, taxonomy: Taxonomy) -> Described:
    del taxonomy
    return EventName("page ping"), "web", None, _page(payload)


def _read_structured(payload: Payload, taxonomy: Taxonomy) -> Described:
    category, action = _text(payload, "se_ca"), _text(payload, "se_ac")
    if action is None:
        raise refuse("se_ac", "is missing", "Send what was done as the action.")
    values = {name: _text(payload, key) for name, key in _STRUCTURED.items()}
    properties = {name: text for name, text in values.items() if text is not None}
    try:
        value = float(_text(payload, "se_va") or "nan")
    except ValueError:
        raise refuse("se_va", "is not a number", "Send a number.") from None
    candidates = [action, f"{category} {action}" if category else None, category]
    named = choose_name(taxonomy, candidates, EventName(action))
    return named, None, value if isfinite(value) else None, {**_page(payload), **properties}


def _read_described(payload: Payload, taxonomy: Taxonomy) -> Described:
    inner = _unpack(payload)
    name = _schema_words(inner.get("schema"))
    named = choose_name(taxonomy, [name, name.replace("_", " ")], EventName(name))
    data = inner.get("data")
    return named, None, None, {**_page(payload), **(data if isinstance(data, dict) else {})}


def _read_order(payload: Payload, taxonomy: Taxonomy) -> Described:
    del taxonomy
    order = _text(payload, "tr_id") or _text(payload, "ti_id")
    return EventName("transaction"), None, None, {} if order is None else {"order": order}


_READERS: dict[str, Callable[[Payload, Taxonomy], Described]] = {
    "pv": _read_view,
    "pp": _read_ping,
    "se": _read_structured,
    "ue": _read_described,
    "tr": _read_order,
    "ti": _read_order,
}


def translate(payload: Payload, taxonomy: Taxonomy) -> ParsedMessage:
    """Say an event in our words.

    Parameters
    ----------
    payload
        As the tracker sent it: short names, values in text.
    taxonomy
        Tells which of several names means something.

    Raises
    ------
    InvalidBodyError
        If it is of no known type, of nobody, or not readable.
    """
    read = _READERS.get(_text(payload, "e") or "")
    if read is None:
        raise refuse("e", "is none of the types of events", f"Use one of: {', '.join(_READERS)}.")
    about, joins = _about(payload)
    named, channel, value, properties = read(payload, taxonomy)
    true_time = _moment(payload, "ttm")
    occurred_at = true_time or _moment(payload, "dtm")
    event: dict[str, Any] = {
        "event_id": _text(payload, "eid"),
        "name": named.name,
        "kind": named.kind,
        "channel": channel or ("web" if _text(payload, "p") in _WEB else None),
        "value": value,
        "properties": properties or None,
        "source": SOURCE,
    }
    if occurred_at is not None:
        event["occurred_at"] = occurred_at.isoformat()
    # A true time is not of the device's clock, so no correction of that clock applies to it.
    sent_at = None if true_time is not None else _moment(payload, "stm")
    return ParsedMessage(about, sent_at, joins, event)
