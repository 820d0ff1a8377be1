"""Segment's tracking messages, RudderStack's among them, in our words. Pure.

Source: Segment's spec (track, page, screen, identify, group, alias) and what the libraries send:
either of ``userId`` and ``anonymousId`` may be null, RudderStack puts traits into the context.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from features.contracts.identity_keys import IdentityKey, Join, read_email
from features.taxonomy import Taxonomy
from serving.intake.tools.attribute_mapping import map_attributes, map_group_attributes
from serving.intake.tools.parsed_message import (
    EventName,
    ParsedMessage,
    check_name,
    find_moment,
    name_view,
    refuse,
)

SOURCE = "segment"

Id = str | int | None
Fields = dict[str, Any] | None


class SegmentMessage(msgspec.Struct, rename="camel", kw_only=True):
    """A message, with the fields that are read; others may come along."""

    type: str | None = None
    message_id: Id = None
    user_id: Id = None
    anonymous_id: Id = None
    previous_id: Id = None
    group_id: Id = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: Fields = None
    traits: Fields = None
    context: Fields = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None
    received_at: str | None = None


def _part(fields: Fields, name: str) -> dict[str, Any]:
    found = (fields or {}).get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _id(value: Id) -> str | None:
    return None if value is None else _text(str(value))


def _named(message: SegmentMessage) -> tuple[IdentityKey | None, IdentityKey | None]:
    """Give the anonymous and the known name of a message's person."""
    anonymous = check_name("anonymousId", _id(message.anonymous_id))
    user = check_name("userId", _id(message.user_id))
    return (
        None if anonymous is None else IdentityKey("anonymous_id", anonymous),
        None if user is None else IdentityKey("user_id", user),
    )


def _about(message: SegmentMessage) -> tuple[IdentityKey, tuple[Join, ...]]:
    """Tell whom a message is about, and which names it says to be one person's."""
    anonymous, user = _named(message)
    if user is not None:
        return user, () if anonymous is None else (Join(anonymous, user),)
    if anonymous is None:
        fix = "Send `userId`, `anonymousId`, or both."
        raise refuse("", "has neither userId nor anonymousId", fix)
    return anonymous, ()


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _happening(message: SegmentMessage, named: EventName, channel: str | None) -> dict[str, Any]:
    sent = message.properties or {}
    # Where it came from is kept; address and browser of the person are not.
    page = {k: v for k, v in _part(message.context, "page").items() if k in {"url", "referrer"}}
    campaign = _part(message.context, "campaign")
    properties = {**page, **({"campaign": campaign} if campaign else {}), **sent}
    value = next(
        (n for k in ("value", "revenue") if (n := _number(sent.get(k))) is not None), None
    )
    event: dict[str, Any] = {
        "event_id": _id(message.message_id),
        "name": named.name,
        "kind": named.kind,
        "channel": _text(sent.get("channel")) or channel,
        "value": value,
        "properties": properties or None,
        "source": SOURCE,
    }
    occurred_at = message.original_timestamp or message.timestamp or message.sent_at
    if occurred_at is not None:
        event["occurred_at"] = occurred_at
    return event


def _sent_at(message: SegmentMessage, sent_at: datetime | None) -> datetime | None:
    return find_moment(message.sent_at) or sent_at


def _read_track(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    del taxonomy
    name = _text(message.event)
    if name is None:
        raise refuse("event", "is missing", "Send the name of what happened as `event`.")
    is_mail = name.casefold().startswith(("email ", "e-mail "))
    seen_on = "web" if _part(message.context, "page") else None
    event = _happening(message, EventName(name), "email" if is_mail else seen_on)
    about, joins = _about(message)
    return ParsedMessage(about, sent_at, joins, event)


def _read_page(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    sent = message.properties or {}
    own = _text(message.name) or _text(sent.get("name"))
    names = [own, _text(message.category), _text(sent.get("title"))]
    page = _part(message.context, "page")
    url = sent.get("url") or sent.get("path") or page.get("url") or page.get("path")
    about, joins = _about(message)
    event = _happening(message, name_view(taxonomy, names, url), "web")
    return ParsedMessage(about, sent_at, joins, event)


def _read_screen(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    del taxonomy
    own = _text(message.name) or _text((message.properties or {}).get("name"))
    about, joins = _about(message)
    # A screen is of an app: whoever sees it uses the product.
    named = EventName(own or "screen", "product_use")
    return ParsedMessage(about, sent_at, joins, _happening(message, named, "product"))


def _when(message: SegmentMessage) -> dict[str, Any]:
    changed_at = message.original_timestamp or message.timestamp
    return {"source": SOURCE} | ({} if changed_at is None else {"changed_at": changed_at})


def _company_of(traits: Mapping[str, Any]) -> dict[str, Any]:
    company = traits.get("company")
    found = _id(company.get("id")) if isinstance(company, dict) else None
    return {} if found is None else {"account_id": found}


def _read_identify(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    del taxonomy
    traits = {**_part(message.context, "traits"), **(message.traits or {})}
    about, joins = _about(message)
    email = read_email(traits.get("email"))
    if email is not None:
        joins = (*joins, Join(about, email))
    created = find_moment(traits.get("createdAt") or traits.get("created_at"))
    attributes = map_attributes(traits)
    lead = None
    if attributes or created is not None or about.kind == "user_id":
        lead = {"attributes": attributes, **_company_of(traits), **_when(message)}
        lead |= {} if created is None else {"created_at": created.isoformat()}
    return ParsedMessage(about, sent_at, joins, lead=lead)


def _read_group(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    del taxonomy
    group = _id(message.group_id)
    if group is None:
        raise refuse("groupId", "is missing", "Send the account as `groupId`.")
    about, joins = _about(message)
    attributes = map_group_attributes(message.traits or {})
    lead = {"account_id": group, "attributes": attributes, **_when(message)}
    return ParsedMessage(about, sent_at, joins, lead=lead)


def _read_alias(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    del taxonomy
    previous = check_name("previousId", _id(message.previous_id))
    _, user = _named(message)
    if previous is None or user is None:
        missing = "previousId" if previous is None else "userId"
        fix = "Send both: `previousId`, the former name, and `userId`, the one that stays."
        raise refuse(missing, "is missing", fix)
    if previous == user.value:
        fix = "Send the former name as `previousId`, or nothing at all."
        raise refuse("previousId", "is the same as userId", fix)
    # Either kind of name: who aliases a user id means the user, if there is one.
    former = IdentityKey("anonymous_id", previous)
    return ParsedMessage(user, sent_at, (Join(former, user, is_asked=True),))


_READERS: dict[str, Callable[[SegmentMessage, Taxonomy, datetime | None], ParsedMessage]] = {
    "track": _read_track,
    "page": _read_page,
    "screen": _read_screen,
    "identify": _read_identify,
    "group": _read_group,
    "alias": _read_alias,
}
TYPES = tuple(_READERS)


def translate(
    message: SegmentMessage, taxonomy: Taxonomy, sent_at: datetime | None
) -> ParsedMessage:
    """Say a message in our words.

    Parameters
    ----------
    message
        As it came.
    taxonomy
        Tells which of several names of a page means something.
    sent_at
        When the batch was sent, by the sender's clock; the message's own word comes first.

    Raises
    ------
    InvalidBodyError
        If it is of no known type, or says nothing of anybody.
    """
    read = _READERS.get((message.type or "").strip().lower())
    if read is None:
        raise refuse(
            "type", "is none of the types of messages", f"Use one of: {', '.join(TYPES)}."
        )
    parsed = read(message, taxonomy, _sent_at(message, sent_at))
    return replace(parsed, first_received_at=find_moment(message.received_at))
