"""Landing records: the leads locked, each record once, the packed history and the due score with it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import EventRecord, StageRecord
from serving.intake.records.parsing import ParsedAttempt, ParsedEvent, ParsedStage
from serving.store.packed import Addition, append_packed
from serving.store.session import UnitOfWork
from serving.store.tombstones import ErasableName, find_erased

# In the order of their ids, here and in all that follows: who locks in one order never deadlocks.
LOCK = """
SELECT lead_id, merged_into, last_scored_as_of FROM lead WHERE lead_id = ANY(%(ids)s)
ORDER BY lead_id FOR NO KEY UPDATE
"""
KNOWN = "SELECT lead_id FROM lead WHERE lead_id = ANY(%(ids)s)"
# Before any row is locked, and in one order: whoever held a lead and waited for the creation of another
# would deadlock with whoever adds that one. By shards, for the locks of a database are numbered.
LOCK_ROW_CREATION = """
SELECT pg_advisory_xact_lock(%(space)s, shard) FROM (
    SELECT DISTINCT hashtext(id) & 255 AS shard FROM unnest(%(ids)s::text[]) AS n (id) ORDER BY 1
) AS shards
"""
ROW_CREATION = 0x6C656164
"""First part of the keys of these advisory locks."""
ADD_BARE = """
INSERT INTO lead (lead_id, created_at, first_known_at, is_bare)
SELECT *, %(known)s, %(bare)s FROM unnest(%(ids)s::text[], %(created)s::timestamptz[])
ON CONFLICT (lead_id) DO NOTHING RETURNING lead_id
"""
ADD_DUE = """
INSERT INTO score_due (lead_id, due_at, because) SELECT unnest(%(ids)s::text[]), %(at)s, %(because)s
"""
ADD_EVENTS = """
INSERT INTO event (source, event_id, lead_id, occurred_at, known_at, kind, sent_kind, name, channel,
    value, properties)
SELECT * FROM unnest(%(source)s::text[], %(id)s::text[], %(lead_id)s::text[], %(at)s::timestamptz[],
    %(known_at)s::timestamptz[], %(kind)s::text[], %(sent_kind)s::text[], %(name)s::text[],
    %(channel)s::text[], %(value)s::float8[], %(properties)s::text[]::jsonb[])
ON CONFLICT (source, event_id) DO NOTHING RETURNING source, event_id
"""
ADD_STAGES = """
INSERT INTO stage_change (source, change_id, lead_id, at, known_at, stage, signal, reason, actor,
    amount, propensity)
SELECT * FROM unnest(%(source)s::text[], %(id)s::text[], %(lead_id)s::text[], %(at)s::timestamptz[],
    %(known_at)s::timestamptz[], %(stage)s::text[], %(signal)s::text[], %(reason)s::text[],
    %(actor)s::text[], %(amount)s::float8[], %(propensity)s::float8[])
ON CONFLICT (source, change_id) DO NOTHING RETURNING source, change_id
"""
ADD_ATTEMPTS = """
INSERT INTO attempt (source, attempt_id, lead_id, at, known_at, handoff_id, channel, result, actor)
SELECT * FROM unnest(%(source)s::text[], %(id)s::text[], %(lead_id)s::text[], %(at)s::timestamptz[],
    %(known_at)s::timestamptz[], %(handoff_id)s::text[], %(channel)s::text[], %(result)s::text[],
    %(actor)s::text[])
ON CONFLICT (source, attempt_id) DO NOTHING RETURNING source, attempt_id
"""
_ADDING = {ParsedEvent: ADD_EVENTS, ParsedStage: ADD_STAGES, ParsedAttempt: ADD_ATTEMPTS}

Happening = ParsedEvent | ParsedStage | ParsedAttempt


@dataclass(frozen=True, slots=True)
class Locked:
    """A lead whose row is ours until the unit of work ends."""

    survivor: str
    """The lead it is by now: itself, or the one it was merged into."""
    known_at: datetime
    """The moment from which what lands of it now counts: ours, and after every look at it."""
    is_new: bool


def lock_row_creation(work: UnitOfWork, lead_ids: Iterable[str]) -> None:
    """Wait until nobody else is making those of some leads that are not there, and keep others out."""
    asked = set(lead_ids)
    not_yet_created = asked - set(work.execute(KNOWN, {"ids": sorted(asked)}).scalars())
    if not_yet_created:
        work.execute(LOCK_ROW_CREATION, {"space": ROW_CREATION, "ids": sorted(not_yet_created)})


def lock_leads(
    work: UnitOfWork,
    first_seen: Mapping[str, datetime],
    at: datetime,
    *,
    bare: bool,
    brought: Mapping[str, Collection[ErasableName]] = MappingProxyType({}),
) -> dict[str, Locked]:
    """Lock leads, making those that are not there; without those that were erased.

    Parameters
    ----------
    work
        To lock with.
    first_seen
        By lead, when it was first seen: its creation, if it is new.
    at
        Now.
    bare
        Whether new leads are known by their records alone.
    brought
        By lead, further names that come with it: somebody erased does not come back by them.
    """
    ids, added = list(first_seen), set[str]()
    lock_row_creation(work, ids)
    found = {row[0]: row for row in work.execute(LOCK, {"ids": ids})}
    missing = sorted(first_seen.keys() - found.keys())
    if missing:
        erased = find_erased(work, missing, brought)
        missing = [lead_id for lead_id in missing if lead_id not in erased]
        created = [first_seen[lead_id] for lead_id in missing]
        values = {"ids": missing, "created": created, "known": at, "bare": bare}
        added = set(work.execute(ADD_BARE, values).scalars())
        found |= {row[0]: row for row in work.execute(LOCK, {"ids": missing})}
    kept = sorted({row[1] for row in found.values() if row[1] is not None} - found.keys())
    survivors = {row[0]: row for row in work.execute(LOCK, {"ids": kept})} if kept else {}
    locked = {}
    for lead_id, (_, merged_into, _) in found.items():
        last_scored_as_of = (found.get(merged_into or lead_id) or survivors[merged_into])[2]
        known_at = at if last_scored_as_of is None else max(at, last_scored_as_of)
        locked[lead_id] = Locked(merged_into or lead_id, known_at, lead_id in added)
    return locked


def mark_due(work: UnitOfWork, lead_ids: Iterable[str], at: datetime, because: str) -> None:
    """Say that leads are to be scored."""
    work.execute(ADD_DUE, {"ids": list(lead_ids), "at": at, "because": because})


def _columns(items: Sequence[Happening], locked: Mapping[str, Locked]) -> dict[str, list[Any]]:
    names = type(items[0]).__slots__
    columns = {name: [getattr(item, name) for item in items] for name in names}
    return {**columns, "known_at": [locked[item.lead_id].known_at for item in items]}


def ingest_records(
    work: UnitOfWork, items: Sequence[Happening], at: datetime, catalog: Catalog | None
) -> list[str]:
    """Land events, stage changes or attempts, all of one sort.

    Returns
    -------
    list of str
        For each item: landed, repeated or erased.
    """
    first_seen: dict[str, datetime] = {}
    for item in items:
        first_seen[item.lead_id] = min(first_seen.get(item.lead_id, at), item.at)
    locked = lock_leads(work, first_seen, at, bare=True)
    kept = sorted(
        (i for i, item in enumerate(items) if item.lead_id in locked),
        key=lambda i: (items[i].source, items[i].id),
    )
    statuses = ["repeated" if item.lead_id in locked else "erased" for item in items]
    if not kept:
        return statuses
    adding = _ADDING[type(items[0])]
    columns = _columns([items[i] for i in kept], locked)
    new = {(source, id_) for source, id_ in work.execute(adding, columns)}
    landed = []
    for i in kept:
        key = (items[i].source, items[i].id)
        if key in new:
            new.remove(key)
            landed.append(items[i])
            statuses[i] = "landed"
    _follow(work, landed, locked, first_seen, at, catalog)
    return statuses


def _follow(
    work: UnitOfWork,
    landed: Sequence[Happening],
    locked: Mapping[str, Locked],
    first_seen: Mapping[str, datetime],
    at: datetime,
    catalog: Catalog | None,
) -> None:
    """Pack what landed, and have its leads scored."""
    additions: dict[str, Addition] = {}
    for lead_id, lead in locked.items():
        if lead.is_new:
            additions[lead_id] = Addition(lead.known_at, created_at=first_seen[lead_id])
    for item in landed:
        if isinstance(item, ParsedAttempt):
            continue
        lead = locked[item.lead_id]
        addition = additions.setdefault(lead.survivor, Addition(lead.known_at))
        known_at = clock.to_us(lead.known_at)
        if isinstance(item, ParsedEvent):
            record = EventRecord(
                clock.to_us(item.at), known_at, item.kind, item.channel, item.value
            )
            addition.events.append(record)
        else:
            move = StageRecord(clock.to_us(item.at), known_at, item.stage, item.reason)
            addition.stages.append(move)
    if additions:
        ordered = {lead_id: additions[lead_id] for lead_id in sorted(additions)}
        append_packed(work, catalog, ordered)
        mark_due(work, ordered, at, "event")
