"""Landing leads: what is said of one becomes a version of it, if it says anything new."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.identity_keys import IdentityKey, read_email
from features.contracts.provenance import (
    Facts,
    Precedence,
    StatedFacts,
    find_rank,
    is_trusted,
    state_same,
    take_facts,
)
from features.contracts.records import LeadVersion
from serving.intake.records.ingest import Locked, lock_leads, mark_due
from serving.intake.records.parsing import ParsedLead
from serving.store.cells import read_cells
from serving.store.packed import Addition, append_packed, mark_stale
from serving.store.precedence import read_precedence
from serving.store.session import UnitOfWork
from serving.store.tombstones import ErasableName, find_erased_names

NEWEST = """
SELECT DISTINCT ON (l.lead_id) l.lead_id, l.created_at, l.is_bare,
    l.merged_into IS NOT NULL OR EXISTS (SELECT 1 FROM lead m WHERE m.merged_into = l.lead_id),
    v.known_at, v.source, v.account_id, v.attributes, v.origins, v.account_source
FROM lead l LEFT JOIN lead_version v USING (lead_id) WHERE l.lead_id = ANY(%(ids)s)
ORDER BY l.lead_id, v.known_at DESC, v.version_id DESC
"""
# By source: a tracker's clock must not make what the CRM says out of date.
CHANGED = """
SELECT lead_id, source, max(changed_at) FROM lead_version
WHERE lead_id = ANY(%(ids)s) AND changed_at IS NOT NULL GROUP BY 1, 2
"""
ADD_VERSIONS = """
INSERT INTO lead_version (lead_id, known_at, changed_at, source, account_id, attributes, origins,
    account_source)
SELECT * FROM unnest(%(ids)s::text[], %(known)s::timestamptz[], %(changed)s::timestamptz[],
    %(sources)s::text[], %(accounts)s::text[], %(attributes)s::text[]::jsonb[],
    %(origins)s::text[]::jsonb[], %(account_sources)s::text[])
"""
UPDATE = """
UPDATE lead SET created_at = n.created_at, is_bare = n.is_bare, account_id = n.account_id,
    created_known_at = coalesce(n.created_known_at, lead.created_known_at),
    taken_as_created_at = coalesce(n.taken_as_created_at, lead.taken_as_created_at)
FROM unnest(%(ids)s::text[], %(created)s::timestamptz[], %(bare)s::boolean[], %(accounts)s::text[],
    %(created_known)s::timestamptz[], %(taken)s::timestamptz[])
    AS n (lead_id, created_at, is_bare, account_id, created_known_at, taken_as_created_at)
WHERE lead.lead_id = n.lead_id
"""


@dataclass
class _State:
    """What is held of a lead."""

    created_at: datetime
    is_bare: bool
    """Whether no trusted source has sent it yet."""
    is_merged: bool
    """Whether it is one with another lead."""
    known_at: datetime | None = None
    facts: Facts | None = None
    changed_at: dict[str, datetime] = field(default_factory=dict)
    """By source, when what it says changed there."""
    taken_as_created_at: datetime | None = None
    """What was taken for its creation before a trusted source said another moment just now."""
    created_known_at: datetime | None = None
    versions: int = 0
    """How many versions were added just now."""


@dataclass(frozen=True)
class _Version:
    lead_id: str
    known_at: datetime
    changed_at: datetime | None
    facts: Facts


def _take(
    state: _State, parsed: ParsedLead, lead: Locked, precedence: Precedence
) -> str | _Version:
    """Take in what was said of a lead; tell what became of it."""
    source, stated_at = parsed.source, parsed.changed_at
    if stated_at is not None and _is_outdated(state, source, stated_at, precedence):
        return "outdated"
    stated = StatedFacts(source, parsed.attributes, parsed.account_id, parsed.names_account)
    facts = take_facts(state.facts, stated, precedence)
    is_first = state.facts is None or (state.is_bare and is_trusted(source))
    if not is_first and state.facts is not None and state_same(facts, state.facts):
        return "unchanged"
    # Never before the version held: versions are read in the order of these moments.
    known_at = max(lead.known_at, state.known_at or lead.known_at)
    if is_trusted(source) and state.is_bare and parsed.created_at not in {None, state.created_at}:
        # Earlier looks took another moment for it, and go on doing so when they are replayed.
        state.taken_as_created_at, state.created_known_at = state.created_at, known_at
        state.created_at = parsed.created_at
    # What a tracker says of a lead leaves it bare: when it came to be, the CRM knows better.
    state.is_bare &= not is_trusted(source)
    state.known_at, state.facts = known_at, facts
    if stated_at is not None:
        state.changed_at[source] = stated_at
    state.versions += 1
    return _Version(parsed.lead_id, known_at, stated_at, facts)


def _is_outdated(state: _State, source: str, stated_at: datetime, precedence: Precedence) -> bool:
    rank = find_rank(precedence, source)
    return any(
        stated_at < held
        for by, held in state.changed_at.items()
        if find_rank(precedence, by) == rank
    )


def _read_states(work: UnitOfWork, lead_ids: Sequence[str]) -> dict[str, _State]:
    found = {}
    asked = {"ids": list(lead_ids)}
    for lead_id, created, bare, is_merged, known, *facts in work.execute(NEWEST, asked):
        held = None if known is None else Facts(*facts)
        found[lead_id] = _State(created, bare, is_merged, known, held)
    for lead_id, source, changed_at in work.execute(CHANGED, asked):
        found[lead_id].changed_at[source] = changed_at
    return found


def ingest_leads(
    work: UnitOfWork, items: Sequence[ParsedLead], at: datetime, catalog: Catalog | None
) -> list[str]:
    """Land what was said of leads.

    Nobody who was erased comes back by their e-mail address: neither as a new lead, nor as the address of
    one that had another before.

    Returns
    -------
    list of str
        For each item: landed, unchanged, outdated or erased.
    """
    first_seen: dict[str, datetime] = {}
    brought: dict[str, set[IdentityKey]] = defaultdict(set)
    emails = [read_email(item.attributes.get("email")) for item in items]
    for item, email in zip(items, emails, strict=True):
        first_seen.setdefault(item.lead_id, item.created_at or at)
        if email is not None:
            brought[item.lead_id].add(email)
    locked = lock_leads(work, first_seen, at, bare=True, brought=brought)
    held = _read_states(work, sorted(locked))
    erased = _find_erased_emails(work, items, emails, held)
    statuses: list[str] = []
    versions: list[_Version] = []
    precedence = read_precedence(work)
    for item, email in zip(items, emails, strict=True):
        if item.lead_id not in locked or email in erased:
            statuses.append("erased")
            continue
        taken = _take(held[item.lead_id], item, locked[item.lead_id], precedence)
        if isinstance(taken, _Version):
            versions.append(taken)
        statuses.append("landed" if isinstance(taken, _Version) else taken)
    if versions:
        _write(work, versions, held)
        _follow(work, versions, held, locked, at, catalog)
    return statuses


def _find_erased_emails(
    work: UnitOfWork,
    items: Sequence[ParsedLead],
    emails: Sequence[IdentityKey | None],
    held: Mapping[str, _State],
) -> set[ErasableName]:
    """Find which addresses, new to leads that are there already, are those of somebody erased."""
    new: set[ErasableName] = set()
    for item, email in zip(items, emails, strict=True):
        state = held.get(item.lead_id)
        if email is None or state is None or state.facts is None:
            continue
        if read_email(state.facts.attributes.get("email")) != email:
            new.add(email)
    return find_erased_names(work, new) if new else set()


def _write_json(values: Mapping[str, Any]) -> str:
    return msgspec.json.encode(values).decode()


def _write(work: UnitOfWork, versions: Sequence[_Version], held: Mapping[str, _State]) -> None:
    work.execute(
        ADD_VERSIONS,
        {
            "ids": [version.lead_id for version in versions],
            "known": [version.known_at for version in versions],
            "changed": [version.changed_at for version in versions],
            "sources": [version.facts.source for version in versions],
            "accounts": [version.facts.account_id for version in versions],
            "attributes": [_write_json(version.facts.attributes) for version in versions],
            "origins": [_write_json(version.facts.origins) for version in versions],
            "account_sources": [version.facts.account_source for version in versions],
        },
    )
    accounts = {version.lead_id: version.facts.account_id for version in versions}
    changed = sorted(accounts)
    work.execute(
        UPDATE,
        {
            "ids": changed,
            "created": [held[lead_id].created_at for lead_id in changed],
            "bare": [held[lead_id].is_bare for lead_id in changed],
            "created_known": [held[lead_id].created_known_at for lead_id in changed],
            "taken": [held[lead_id].taken_as_created_at for lead_id in changed],
            "accounts": [accounts[lead_id] for lead_id in changed],
        },
    )


def _follow(
    work: UnitOfWork,
    versions: Sequence[_Version],
    held: Mapping[str, _State],
    locked: Mapping[str, Locked],
    at: datetime,
    catalog: Catalog | None,
) -> None:
    """Pack what landed, and have the leads scored."""
    additions: dict[str, Addition] = {}
    stale: set[str] = set()
    for version in versions:
        lead, state = locked[version.lead_id], held[version.lead_id]
        # What cannot be told by appending is packed anew when somebody asks.
        if (
            state.is_merged
            or state.versions > 1
            or (state.created_known_at is not None and not lead.is_new)
        ):
            stale.add(lead.survivor)
        elif catalog is not None:
            known_at = max(clock.to_us(version.known_at), clock.to_us(state.created_at))
            cells = read_cells(catalog.attributes, version.facts.attributes)
            own = LeadVersion(known_at, cells, version.facts.account_id)
            created = state.created_at if lead.is_new else None
            addition = Addition(version.known_at, version=own, created_at=created)
            additions[version.lead_id] = addition
        else:
            stale.add(version.lead_id)
    if additions:
        append_packed(work, catalog, {i: additions[i] for i in sorted(additions)})
    mark_stale(work, sorted(stale))
    mark_due(work, sorted({locked[v.lead_id].survivor for v in versions}), at, "attributes")
