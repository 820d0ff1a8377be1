"""Whose word counts where sources differ about a lead. Pure.

Write keys of trackers lie in web pages, where anybody can read them: what comes by one is a claim. A claim
fills what no trusted source has stated, and never stands over it. Live scores, replays and training
read facts by the same functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TOOLS = ("segment", "snowplow")
"""Sources whose write keys are public."""

EVERY_OTHER = "*"
"""Stands for every source that a precedence does not name."""

Precedence = tuple[tuple[str, ...], ...]
"""Groups of sources: the first stands over the second, and so on; within a group the newest word counts."""

DEFAULT_PRECEDENCE: Precedence = ((EVERY_OTHER,), TOOLS)


def is_trusted(source: str) -> bool:
    """Tell whether a source's word is more than a claim.

    >>> is_trusted("crm"), is_trusted("segment")
    (True, False)
    """
    return source not in TOOLS


def find_rank(precedence: Precedence, source: str) -> int:
    """Find the group of a source; 0 stands over all others.

    >>> find_rank((("crm",), ("*",), ("segment", "snowplow")), "import")
    1
    """
    named = {name: rank for rank, group in enumerate(precedence) for name in group}
    return named.get(source, named.get(EVERY_OTHER, len(precedence)))


def find_precedence_problem(precedence: Precedence) -> str | None:
    """Find what is wrong with a precedence, and what to do; None if nothing is.

    >>> find_precedence_problem((("segment",), ("*",), ("snowplow",)))
    "segment would stand over '*'; put trackers into a later group: whoever opens the page has their key."
    """
    named = [name for group in precedence for name in group]
    if len(named) != len(set(named)):
        return "a source stands in it twice; name each source once."
    if EVERY_OTHER not in named:
        return "no group holds '*'; put '*' where the sources belong that are not named."
    if missing := [tool for tool in TOOLS if tool not in named]:
        return f"no group holds {' and '.join(missing)}; add them as the last group."
    trusted = {name: find_rank(precedence, name) for name in named if is_trusted(name)}
    for tool in TOOLS:
        for name, rank in trusted.items():
            if find_rank(precedence, tool) <= rank:
                return (
                    f"{tool} would stand over {name!r}; put trackers into a later group: whoever "
                    "opens the page has their key."
                )
    return None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known of one lead from one moment on, and who had stated each of it."""

    source: str
    """Who stated all that is not in ``origins``."""
    account_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """The whole of what was known."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """By attribute, who stated it, where that is another source."""
    account_source: str | None = None
    """Who named the account, where that is another source."""

    def find_source(self, name: str) -> str:
        """Find who stated an attribute."""
        return self.origins.get(name, self.source)

    @property
    def source_of_account(self) -> str:
        """Who named the account."""
        return self.account_source or self.source


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """What one source states of a lead now."""

    source: str
    attributes: Mapping[str, Any]
    account_id: str | None = None
    names_account: bool = False
    """Whether it says anything of the account: then null says that there is none."""


def take_facts(held: Facts | None, stated: StatedFacts, precedence: Precedence) -> Facts:
    """Take in what a source states; what a source of an earlier group has stated stays.

    A null takes back what sources of the same group have stated, and nothing else: a CRM that sends its
    empty fields knows nothing of them.

    Examples
    --------
    >>> held = Facts("crm", attributes={"seniority": "vp"})
    >>> stated = StatedFacts("segment", {"seniority": "intern", "job_title": "VP Sales"})
    >>> took = take_facts(held, stated, DEFAULT_PRECEDENCE)
    >>> took.attributes, took.find_source("seniority"), took.find_source("job_title")
    ({'seniority': 'vp', 'job_title': 'VP Sales'}, 'crm', 'segment')
    """
    held = held or Facts(stated.source)
    rank = find_rank(precedence, stated.source)

    def counts(value: Any, holds: Any, by: str) -> bool:
        if holds is None:
            return True
        of_held = find_rank(precedence, by)
        return rank == of_held if value is None else rank <= of_held

    attributes = dict(held.attributes)
    sources = {name: held.find_source(name) for name in attributes}
    for name, value in stated.attributes.items():
        if counts(value, attributes.get(name), sources.get(name, "")):
            # Who states again what a source of the same group has stated changes nothing.
            is_again = name in attributes and attributes[name] == value
            if not (is_again and find_rank(precedence, sources[name]) == rank):
                attributes[name], sources[name] = value, stated.source
    account, account_source = held.account_id, held.source_of_account
    if stated.names_account and counts(stated.account_id, account, account_source):
        is_again = account == stated.account_id
        if not (is_again and find_rank(precedence, account_source) == rank):
            account, account_source = stated.account_id, stated.source
    origins = {name: by for name, by in sources.items() if by != stated.source}
    other = None if account_source == stated.source else account_source
    return Facts(stated.source, account, attributes, origins, other)


def state_same(one: Facts, other: Facts) -> bool:
    """Tell whether two say the same of a lead, each fact by the same source."""
    return (
        one.account_id == other.account_id
        and one.attributes == other.attributes
        and all(one.find_source(name) == other.find_source(name) for name in one.attributes)
        and (one.account_id is None or one.source_of_account == other.source_of_account)
    )


@dataclass(frozen=True, slots=True)
class CombinedFacts:
    """What was known of a person whose leads are one."""

    account_id: str | None
    attributes: dict[str, Any]
    sources: dict[str, str]
    """By attribute, who stated it."""


def combine_facts(parts: Sequence[Facts]) -> CombinedFacts:
    """Combine what is known of leads that are one person.

    Parameters
    ----------
    parts
        Of each lead; later ones stand over earlier ones. What a trusted source has stated of any of
        them stands over what trackers claim of any. Nulls say nothing.
    """
    attributes: dict[str, Any] = {}
    sources: dict[str, str] = {}
    account = None
    for trusted in (False, True):
        for part in parts:
            for name, value in _list_facts(part, trusted=trusted):
                attributes[name], sources[name] = value, part.find_source(name)
            if part.account_id is not None and is_trusted(part.source_of_account) is trusted:
                account = part.account_id
    return CombinedFacts(account, attributes, sources)


def _list_facts(part: Facts, *, trusted: bool) -> Iterable[tuple[str, Any]]:
    return (
        (name, value)
        for name, value in part.attributes.items()
        if value is not None and is_trusted(part.find_source(name)) is trusted
    )
