"""A lead's history from its rows: the truth, for packing anew, for replay, for comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.provenance import Facts, combine_facts
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from serving.store.cells import read_cells
from serving.store.session import UnitOfWork

# Merges are made and undone after every look at the leads, and at the latest when the next look is:
# so a merge that begins at the moment of a look held for it, and one that ends then did not.
HOLDS = "m.merged_at <= %(before)s AND coalesce(m.undone_at, 'infinity') > %(before)s"
# What was merged into the leads: directly, found by their ids, and step by step what was merged into that.
BELOW = f"""
below (lead_id, survivor, since) AS (
    SELECT m.merged_lead_id, m.kept_lead_id, m.merged_at FROM merge m
    WHERE m.kept_lead_id = ANY(%(ids)s) AND {HOLDS}
    UNION ALL
    SELECT m.merged_lead_id, survivor, greatest(since, m.merged_at)
    FROM below JOIN merge m ON m.kept_lead_id = below.lead_id AND {HOLDS}
), member (lead_id, survivor, since) AS (
    SELECT id, id, NULL FROM unnest(%(ids)s::text[]) AS n (id) UNION ALL SELECT * FROM below
)
"""  # noqa: S608 - our own condition
CREATED = """
CASE WHEN created_known_at >= %(before)s THEN taken_as_created_at ELSE created_at END
"""
"""When a lead came to be, as far as that was known before a moment."""
MEMBERS = f"""
WITH RECURSIVE {BELOW}
SELECT member.lead_id, survivor, since, {CREATED}
FROM member JOIN lead USING (lead_id) ORDER BY member.lead_id
"""  # noqa: S608 - likewise
VERSIONS = """
SELECT lead_id, known_at, source, account_id, attributes, origins, account_source FROM lead_version
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
# From all that was one with the leads to the accounts that named, to the leads that named those, to what
# these were part of. By ANY(ARRAY(...)), each step finds its rows by an index, however many merges and
# versions there are: of a join of the steps, PostgreSQL expects too many rows and reads the whole table.
COLLEAGUES = f"""
WITH RECURSIVE {BELOW}, own AS (
    SELECT DISTINCT survivor, account_id FROM member JOIN lead_version v USING (lead_id)
    WHERE v.lead_id = ANY(ARRAY(SELECT lead_id FROM member))
        AND account_id IS NOT NULL AND known_at < %(before)s
), named AS (
    SELECT DISTINCT account_id, lead_id FROM lead_version
    WHERE account_id = ANY(ARRAY(SELECT account_id FROM own)) AND known_at < %(before)s
), above (lead_id, whole, steps) AS (
    SELECT m.merged_lead_id, m.kept_lead_id, 1 FROM merge m
    WHERE m.merged_lead_id = ANY(ARRAY(SELECT lead_id FROM named)) AND {HOLDS}
    UNION ALL
    SELECT above.lead_id, m.kept_lead_id, steps + 1
    FROM above JOIN merge m ON m.merged_lead_id = above.whole AND {HOLDS}
), wholes AS (
    SELECT DISTINCT ON (lead_id) lead_id, whole FROM above ORDER BY lead_id, steps DESC
)
SELECT survivor, colleague FROM (
    SELECT *, row_number() OVER (PARTITION BY survivor ORDER BY colleague) AS place FROM (
        SELECT DISTINCT survivor, coalesce(whole, lead_id) AS colleague
        FROM own JOIN named USING (account_id) LEFT JOIN wholes USING (lead_id)
    ) pairs WHERE colleague <> survivor
) numbered WHERE place <= %(most)s ORDER BY survivor, colleague
"""  # noqa: S608 - likewise
SURVIVOR = f"""
WITH RECURSIVE whole (lead_id, steps) AS (
    SELECT %(lead)s::text, 0
    UNION ALL
    SELECT m.kept_lead_id, steps + 1
    FROM whole JOIN merge m ON m.merged_lead_id = whole.lead_id AND {HOLDS}
)
SELECT lead_id FROM whole ORDER BY steps DESC LIMIT 1
"""  # noqa: S608 - likewise
MOST_COLLEAGUES = 1_000
"""Colleagues of one lead that count, by the order of their ids: a mail provider taken for an account
must not make each of its leads as dear as all of them."""

EVER = datetime.max.replace(tzinfo=clock.EPOCH.tzinfo, year=9000)


StoredVersion = tuple[str, datetime, Facts]
"""Lead, known_at, and what is stored as known of it from then on."""


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
    states: dict[str, Facts] = {}
    for member, known_at, facts in sorted(versions, key=itemgetter(1)):
        states[member] = facts
        # What is known of the surviving lead stands over what is known of those merged into it.
        ordered = sorted(states, key=lambda state: state == lead_id)
        known = combine_facts([states[one] for one in ordered])
        read.append((max(known_at, created_at), known.account_id, known.attributes))
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
    for lead_id, survivor, since, created_at in work.execute(MEMBERS, asked):
        person = people.setdefault(survivor, _Person(created_at))
        person.created_at = min(person.created_at, created_at)
        whose[lead_id] = (person, since)
    asked["ids"] = list(whose)
    to_us = clock.to_us
    for lead_id, known_at, *facts in work.execute(VERSIONS, asked):
        person, since = whose[lead_id]
        person.versions.append((lead_id, _later(known_at, since), Facts(*facts)))
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
    work: UnitOfWork, lead_ids: Sequence[str], known_before: datetime | None = None
) -> dict[str, list[str]]:
    """Find, for each lead, those that are, or were, of one of its accounts.

    Parameters
    ----------
    work
        To read with.
    lead_ids
        Leads that are not merged into others, or were not at the moment that is asked for.
    known_before
        Count the accounts that were known before this moment, and the merges that held at it; those
        of now, if left out.

    Returns
    -------
    dict
        By lead, at most ``MOST_COLLEAGUES`` each, in the order of their ids. A colleague that was
        part of another lead is given as that one.
    """
    asked = {"ids": list(lead_ids), "before": known_before or EVER, "most": MOST_COLLEAGUES}
    found: dict[str, list[str]] = {lead_id: [] for lead_id in lead_ids}
    for lead_id, colleague in work.execute(COLLEAGUES, asked):
        found[lead_id].append(colleague)
    return found


def find_survivor_then(work: UnitOfWork, lead_id: str, moment: datetime) -> str:
    """Find which lead a lead was part of at a moment; itself if of none."""
    found: str = work.execute(SURVIVOR, {"lead": lead_id, "before": moment}).scalar()
    return found
