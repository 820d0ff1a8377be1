"""Landing leads: what is said of one becomes a version of it, if it says anything new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import LeadVersion
from serving.intake.records.ingest import Locked, lock_leads, mark_due
from serving.intake.records.parsing import ParsedLead
from serving.store.cells import read_cells
from serving.store.packed import Addition, append_packed, mark_stale
from serving.store.session import UnitOfWork

NEWEST = """
SELECT DISTINCT ON (l.lead_id) l.lead_id, l.created_at, l.is_bare, v.known_at, v.changed_at,
    v.account_id, v.attributes, l.merged_into IS NOT NULL
        OR EXISTS (SELECT 1 FROM lead m WHERE m.merged_into = l.lead_id)
FROM lead l LEFT JOIN lead_version v USING (lead_id) WHERE l.lead_id = ANY(%(ids)s)
ORDER BY l.lead_id, v.known_at DESC, v.version_id DESC
"""
ADD_VERSIONS = """
INSERT INTO lead_version (lead_id, known_at, changed_at, source, account_id, attributes)
SELECT * FROM unnest(%(ids)s::text[], %(known)s::timestamptz[], %(changed)s::timestamptz[],
    %(sources)s::text[], %(accounts)s::text[], %(attributes)s::text[]::jsonb[])
"""
UPDATE = """
UPDATE lead SET created_at = n.created_at, is_bare = false, account_id = n.account_id
FROM unnest(%(ids)s::text[], %(created)s::timestamptz[], %(accounts)s::text[])
    AS n (lead_id, created_at, account_id)
WHERE lead.lead_id = n.lead_id
"""


@dataclass
class _State:
    """What is held of a lead."""

    created_at: datetime
    is_bare: bool
    known_at: datetime | None
    changed_at: datetime | None
    account_id: str | None
    attributes: dict[str, Any]
    is_merged: bool
    """Whether it is one with another lead."""
    has_moved: bool = False
    """Whether its creation is another than it was."""
    versions: int = 0
    """How many versions were added just now."""


@dataclass(frozen=True)
class _Version:
    lead_id: str
    known_at: datetime
    parsed: ParsedLead
    account_id: str | None
    attributes: dict[str, Any]


def _take(state: _State, parsed: ParsedLead, lead: Locked) -> str | _Version:
    """Take in what was said of a lead; tell what became of it."""
    held, stated_at = state.changed_at, parsed.changed_at
    if held is not None and stated_at is not None and stated_at < held:
        return "outdated"
    if parsed.created_at is not None and state.is_bare and parsed.created_at != state.created_at:
        state.created_at, state.has_moved = parsed.created_at, True
    account = parsed.account_id if parsed.names_account else state.account_id
    attributes = {**state.attributes, **parsed.attributes}
    is_first = state.is_bare or state.known_at is None
    if not is_first and (account, attributes) == (state.account_id, state.attributes):
        return "unchanged"
    # Never before the version held: versions are read in the order of these moments.
    known_at = max(lead.known_at, state.known_at or lead.known_at)
    state.is_bare, state.known_at, state.changed_at = False, known_at, stated_at or held
    state.account_id, state.attributes = account, attributes
    state.versions += 1
    return _Version(parsed.lead_id, known_at, parsed, account, attributes)


def _read_states(work: UnitOfWork, lead_ids: Sequence[str]) -> dict[str, _State]:
    found = {}
    for lead_id, created, bare, known, changed, account, attributes, is_merged in work.execute(
        NEWEST, {"ids": list(lead_ids)}
    ):
        known_so_far = dict(attributes or {})
        found[lead_id] = _State(created, bare, known, changed, account, known_so_far, is_merged)
    return found


def ingest_leads(
    work: UnitOfWork, items: Sequence[ParsedLead], at: datetime, catalog: Catalog | None
) -> list[str]:
    """Land what was said of leads.

    Returns
    -------
    list of str
        For each item: landed, unchanged, outdated or erased.
    """
    first_seen: dict[str, datetime] = {}
    for item in items:
        first_seen.setdefault(item.lead_id, item.created_at or at)
    locked = lock_leads(work, first_seen, at, bare=True)
    held = _read_states(work, sorted(locked))
    statuses: list[str] = []
    versions: list[_Version] = []
    for item in items:
        if item.lead_id not in locked:
            statuses.append("erased")
            continue
        taken = _take(held[item.lead_id], item, locked[item.lead_id])
        if isinstance(taken, _Version):
            versions.append(taken)
        statuses.append("landed" if isinstance(taken, _Version) else taken)
    if versions:
        _write(work, versions, held)
        _follow(work, versions, held, locked, at, catalog)
    return statuses


def _write(work: UnitOfWork, versions: Sequence[_Version], held: Mapping[str, _State]) -> None:
    work.execute(
        ADD_VERSIONS,
        {
            "ids": [version.lead_id for version in versions],
            "known": [version.known_at for version in versions],
            "changed": [version.parsed.changed_at for version in versions],
            "sources": [version.parsed.source for version in versions],
            "accounts": [version.account_id for version in versions],
            "attributes": [msgspec.json.encode(v.attributes).decode() for v in versions],
        },
    )
    changed = sorted({version.lead_id for version in versions})
    work.execute(
        UPDATE,
        {
            "ids": changed,
            "created": [held[lead_id].created_at for lead_id in changed],
            "accounts": [held[lead_id].account_id for lead_id in changed],
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
        if state.is_merged or state.versions > 1 or (state.has_moved and not lead.is_new):
            stale.add(lead.survivor)
        elif catalog is not None:
            known_at = max(clock.to_us(version.known_at), clock.to_us(state.created_at))
            cells = read_cells(catalog.attributes, version.attributes)
            own = LeadVersion(known_at, cells, version.account_id)
            created = state.created_at if lead.is_new else None
            addition = Addition(version.known_at, version=own, created_at=created)
            additions[version.lead_id] = addition
        else:
            stale.add(version.lead_id)
    if additions:
        append_packed(work, catalog, {i: additions[i] for i in sorted(additions)})
    mark_stale(work, sorted(stale))
    mark_due(work, sorted({locked[v.lead_id].survivor for v in versions}), at, "attributes")
