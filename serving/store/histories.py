"""A lead's history from its rows: the truth, for packing anew, for replay, for comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from serving.store.cells import read_cells
from serving.store.session import UnitOfWork

# What was one with a lead at a moment: the merges that held then, walked down from the lead. They are
# made and undone after every look, and at the latest when the next look is.
MEMBERS = """
WITH RECURSIVE member (lead_id, kept, since) AS (
    SELECT lead_id, lead_id, '-infinity'::timestamptz FROM lead WHERE lead_id = ANY(%(ids)s)
    UNION ALL
    SELECT m.merged_lead_id, member.kept, greatest(member.since, m.merged_at)
    FROM merge m JOIN member ON m.kept_lead_id = member.lead_id
    WHERE m.merged_at <= %(before)s AND coalesce(m.undone_at, 'infinity') > %(before)s
)
SELECT member.lead_id, kept, nullif(since, '-infinity'), created_at
FROM member JOIN lead USING (lead_id) ORDER BY member.lead_id
"""
VERSIONS = """
SELECT lead_id, known_at, account_id, attributes FROM lead_version
WHERE lead_id = ANY(%(ids)s) AND known_at < %(before)s ORDER BY known_at, version_id
"""
EVENTS = """
SELECT lead_id, occurred_at, known_at, kind, channel, value FROM event
WHERE lead_id = ANY(%(ids)s) AND known_at < %(before)s
"""
MOVES = """
SELECT lead_id, at, known_at, stage, reason FROM stage_change
WHERE lead_id = ANY(%(ids)s) AND known_at < %(before)s
"""
COLLEAGUES = """
WITH RECURSIVE member (lead_id) AS (
    SELECT %(lead)s::text
    UNION SELECT m.merged_lead_id FROM merge m JOIN member ON m.kept_lead_id = member.lead_id
    WHERE m.merged_at <= %(before)s AND coalesce(m.undone_at, 'infinity') > %(before)s
), named (lead_id) AS (
    SELECT v.lead_id FROM lead_version v WHERE v.known_at < %(before)s AND v.account_id IN (
        SELECT w.account_id FROM lead_version w JOIN member USING (lead_id)
        WHERE w.account_id IS NOT NULL AND w.known_at < %(before)s
    )
    UNION SELECT m.kept_lead_id FROM merge m JOIN named ON m.merged_lead_id = named.lead_id
    WHERE m.merged_at <= %(before)s AND coalesce(m.undone_at, 'infinity') > %(before)s
)
SELECT lead_id FROM named WHERE lead_id <> %(lead)s AND NOT EXISTS (
    SELECT 1 FROM merge m WHERE m.merged_lead_id = named.lead_id
        AND m.merged_at <= %(before)s AND coalesce(m.undone_at, 'infinity') > %(before)s
) ORDER BY 1
"""
EVER = datetime.max.replace(tzinfo=clock.EPOCH.tzinfo, year=9000)


StoredVersion = tuple[str, datetime, str | None, dict[str, Any]]
"""Lead, known_at, account and attributes, as they are stored."""


@dataclass
class _Person:
    """A lead and those that were merged into it."""

    created_at: datetime
    versions: list[StoredVersion] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    stages: list[StageRecord] = field(default_factory=list)


def _later(known_at: datetime, since: datetime | None) -> datetime:
    return known_at if since is None else max(known_at, since)


def merge_versions(
    lead_id: str, created_at: datetime, versions: Sequence[StoredVersion]
) -> list[tuple[datetime, str | None, dict[str, Any]]]:
    """Merge the versions of a lead and of those merged into it: moment, account, attributes.

    The first is as of creation, be there anything known or not; each is the whole of what was known.
    """
    read: list[tuple[datetime, str | None, dict[str, Any]]] = []
    states: dict[str, tuple[str | None, dict[str, Any]]] = {}
    for member, known_at, account, attributes in sorted(versions, key=itemgetter(1)):
        states[member] = (account, attributes)
        # What is known of the surviving lead stands over what is known of those merged into it.
        ordered = sorted(states.items(), key=lambda state: state[0] == lead_id)
        merged: dict[str, Any] = {}
        named = None
        for _, (of_account, known) in ordered:
            merged |= {name: value for name, value in known.items() if value is not None}
            named = of_account or named
        read.append((max(known_at, created_at), named, merged))
    if not read or read[0][0] > created_at:
        read.insert(0, (created_at, None, {}))
    return read


def _read_versions(lead_id: str, person: _Person, catalog: Catalog) -> tuple[LeadVersion, ...]:
    return tuple(
        LeadVersion(clock.to_us(known_at), read_cells(catalog.attributes, attributes), account)
        for known_at, account, attributes in merge_versions(
            lead_id, person.created_at, person.versions
        )
    )


def read_histories(
    work: UnitOfWork,
    lead_ids: Sequence[str],
    catalog: Catalog,
    *,
    known_before: datetime | None = None,
) -> dict[str, LeadRecord]:
    """Read leads with all that happened to them, and to those merged into them.

    Parameters
    ----------
    work
        To read with.
    lead_ids
        Leads that are not merged into others, or were not at the moment that is asked for.
    catalog
        Whose attributes are read.
    known_before
        Leave out what became known at this moment or later; nothing, if left out. What a lead
        brought into another one was known of that one from their merge on, and until it was undone.

    Returns
    -------
    dict
        By lead; without those that do not exist. Without colleagues.
    """
    people: dict[str, _Person] = {}
    whose: dict[str, tuple[_Person, datetime | None]] = {}
    asked: dict[str, Any] = {"ids": list(lead_ids), "before": known_before or EVER}
    for lead_id, kept, since, created_at in work.execute(MEMBERS, asked):
        person = people.setdefault(kept, _Person(created_at))
        person.created_at = min(person.created_at, created_at)
        whose[lead_id] = (person, since)
    asked["ids"] = list(whose)
    to_us = clock.to_us
    for lead_id, known_at, *said in work.execute(VERSIONS, asked):
        person, since = whose[lead_id]
        person.versions.append((lead_id, _later(known_at, since), *said))
    for lead_id, at, known_at, kind, channel, value in work.execute(EVENTS, asked):
        person, since = whose[lead_id]
        known_us = to_us(_later(known_at, since))
        person.events.append(EventRecord(to_us(at), known_us, kind, channel, value))
    for lead_id, at, known_at, stage, reason in work.execute(MOVES, asked):
        person, since = whose[lead_id]
        known_us = to_us(_later(known_at, since))
        person.stages.append(StageRecord(to_us(at), known_us, stage, reason))
    return {
        lead_id: LeadRecord(
            lead_id,
            to_us(person.created_at),
            _read_versions(lead_id, person, catalog),
            tuple(person.events),
            tuple(person.stages),
        )
        for lead_id, person in people.items()
    }


def find_colleagues(
    work: UnitOfWork, lead_id: str, known_before: datetime | None = None
) -> list[str]:
    """Find the leads that are, or were, of one of the lead's accounts."""
    asked = {"lead": lead_id, "before": known_before or EVER}
    return list(work.execute(COLLEAGUES, asked).scalars())
