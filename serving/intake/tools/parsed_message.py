"""What a message of a tool says, in the words of our own records. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from features.contracts.identity_keys import MOST_CHARACTERS, IdentityKey, Join
from features.taxonomy import OTHER, Taxonomy
from serving.errors import FieldProblem, InvalidBodyError
from serving.scoring.moments import read_moment
from serving.web_api.text_types import DOTS


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """One message: whom it is about, what they did, who they are."""

    about: IdentityKey
    """Whose history it belongs to."""
    sent_at: datetime | None
    """By the sender's clock, where the message tells."""
    joins: tuple[Join, ...] = ()
    event: Mapping[str, Any] | None = None
    """Fields of an event, but for its lead; without ``occurred_at`` it happens now."""
    lead: Mapping[str, Any] | None = None
    """Fields of a lead, but for its id."""
    first_received_at: datetime | None = None
    """By the clock of whoever took the message first and passed it on, where it tells."""


@dataclass(frozen=True, slots=True)
class EventName:
    """What an event is called."""

    name: str
    kind: str | None = None


def refuse(path: str, problem: str, fix: str) -> InvalidBodyError:
    """Build the refusal of a message."""
    return InvalidBodyError((FieldProblem(path, problem, fix),))


def check_name(field: str, name: str | None) -> str | None:
    """Check that a name is one that can be asked for, and give it back.

    Raises
    ------
    InvalidBodyError
        If it is.
    """
    if name is not None and len(name) > MOST_CHARACTERS:
        fix = f"Send at most {MOST_CHARACTERS} characters, such as a UUID."
        raise refuse(field, "is too long for a name", fix)
    if name in DOTS:
        raise refuse(field, "cannot stand in an address", "Send an id that is more than dots.")
    return name


def find_moment(sent: object) -> datetime | None:
    """Find the time a text tells; None if it tells none."""
    try:
        return read_moment(sent)
    except PydanticCustomError:
        return None


def choose_name(
    taxonomy: Taxonomy, candidates: Sequence[str | None], fallback: EventName
) -> EventName:
    """Choose what an event is called: the first name the taxonomy knows, or else the fallback."""
    for raw in candidates:
        if raw and taxonomy.kind_of(raw) != OTHER:
            return EventName(raw)
    return fallback


def name_view(taxonomy: Taxonomy, names: Sequence[str | None], url: object) -> EventName:
    """Name the view of a page: by what the page is called, or where it lies.

    >>> from features.taxonomy import default_taxonomy
    >>> name_view(default_taxonomy(), ["Plans"], "https://acme.example/pricing?x=1")
    EventName(name='pricing', kind=None)
    >>> name_view(default_taxonomy(), ["About us"], "https://acme.example/about")
    EventName(name='About us', kind='page')
    """
    places = _places(url)
    own = next((name for name in names if name), None)
    fallback = EventName(own or (places[0] if places else "page"), "page")
    return choose_name(taxonomy, [*names, *places], fallback)


def _places(url: object) -> list[str]:
    """List the parts of an address's path, from the front."""
    if not isinstance(url, str):
        return []
    try:
        path = urlsplit(url).path
    except ValueError:
        return []
    parts = [part.replace("-", " ").replace("_", " ").strip() for part in path.split("/")]
    return [part[:200] for part in parts if part][:5]
