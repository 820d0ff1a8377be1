"""Two leads become one, and two again. No record changes its lead, so nothing is lost by either.

Merges form a forest: a lead has at most one merge that holds, into the lead it became part of, and
a merge is only ever of two leads that are part of none. So any merge can be undone at any time:
without it, the forest says whose each lead is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from features.catalog.manifest import Catalog
from serving.errors import RefusedError
from serving.intake.errors import (
    BothKnownError,
    LeadErasedError,
    MergedElsewhereError,
    MergeUndoneError,
    NoSuchLeadError,
    NoSuchMergeError,
    OneAlreadyError,
    SameLeadError,
    UndoneBeforeError,
)
from serving.intake.identity.joining import (
    TOOLS,
    MergeCandidate,
    MergeDecision,
    MergeVerdict,
    decide_join,
)
from serving.intake.records.ingest import mark_due
from serving.store.packed import mark_stale, pack_anew
from serving.store.session import UnitOfWork
from serving.store.tombstones import find_erased

LOCK = """
WITH asked AS (
    SELECT lead_id, coalesce(merged_into, lead_id) AS kept FROM lead WHERE lead_id = ANY(%(ids)s)
), people AS (
    SELECT lead_id FROM asked
    UNION SELECT kept FROM asked
    UNION SELECT lead.lead_id FROM lead JOIN asked ON lead.merged_into = asked.kept
)
SELECT lead_id, merged_into FROM lead WHERE lead_id = ANY(ARRAY(SELECT lead_id FROM people))
ORDER BY lead_id FOR NO KEY UPDATE
"""
SURVIVORS = """
SELECT lead_id, coalesce(merged_into, lead_id) FROM lead WHERE lead_id = ANY(%(ids)s)
"""
SIDES = """
SELECT l.lead_id, s.lead_id, EXISTS (
    SELECT 1 FROM lead m JOIN lead_version v USING (lead_id)
    WHERE (m.lead_id = s.lead_id OR m.merged_into = s.lead_id) AND v.source <> ALL(%(tools)s)
)
FROM lead l JOIN lead s ON s.lead_id = coalesce(l.merged_into, l.lead_id)
WHERE l.lead_id = ANY(%(ids)s)
"""
WAS_UNDONE = """
SELECT EXISTS (SELECT 1 FROM merge WHERE undone_at IS NOT NULL AND (
    kept_lead_id = ANY(%(kept)s) AND merged_lead_id = %(merged)s
    OR merged_lead_id = ANY(%(kept)s) AND kept_lead_id = %(merged)s
))
"""
# After every look at one of them, and not before anything that made or parted them: as of every
# moment, the merges that held then form a forest, and say what was seen then.
MOMENT = """
SELECT greatest(%(at)s, max(l.last_scored_as_of) + interval '1 microsecond',
    max(m.merged_at), max(m.undone_at))
FROM lead l LEFT JOIN merge m ON l.lead_id IN (m.kept_lead_id, m.merged_lead_id)
WHERE l.lead_id = ANY(%(ids)s) OR l.merged_into = ANY(%(ids)s)
"""
MOVE = """
UPDATE lead SET merged_into = %(kept)s WHERE lead_id = %(merged)s OR merged_into = %(merged)s
RETURNING lead_id
"""
ADD = """
INSERT INTO merge (kept_lead_id, merged_lead_id, moved, because, merged_at, merged_by)
VALUES (%(kept)s, %(merged)s, %(moved)s::jsonb, %(because)s, %(at)s, %(by)s) RETURNING merge_id
"""
FORGET = """
WITH packed AS (DELETE FROM packed_history WHERE lead_id = %(merged)s)
DELETE FROM score_due WHERE due_number IN (
    SELECT due_number FROM score_due WHERE lead_id = %(merged)s FOR UPDATE SKIP LOCKED
)
"""
COLUMNS = """
merge_id, kept_lead_id, merged_lead_id, because, merged_at, merged_by, undone_at, undone_by
"""
FIND = f"SELECT {COLUMNS} FROM merge WHERE merge_id = %(merge)s"  # noqa: S608 - our own columns
LIST = f"""
SELECT {COLUMNS} FROM merge WHERE kept_lead_id = %(lead)s OR merged_lead_id = %(lead)s
ORDER BY merge_id
"""  # noqa: S608 - likewise
UNDO = """
UPDATE merge SET undone_at = %(at)s, undone_by = %(by)s WHERE merge_id = %(merge)s
"""
PART = """
WITH RECURSIVE part (lead_id) AS (
    SELECT %(merged)s::text
    UNION SELECT m.merged_lead_id FROM merge m JOIN part ON m.kept_lead_id = part.lead_id
    WHERE m.undone_at IS NULL
)
UPDATE lead SET merged_into = nullif(%(merged)s, lead.lead_id)
FROM part WHERE part.lead_id = lead.lead_id
"""

REFUSALS: dict[MergeVerdict, type[RefusedError]] = {
    MergeVerdict.ONE_ALREADY: OneAlreadyError,
    MergeVerdict.ELSEWHERE: MergedElsewhereError,
    MergeVerdict.UNDONE_BEFORE: UndoneBeforeError,
    MergeVerdict.BOTH_KNOWN: BothKnownError,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who merges, when, and with which catalogue histories are packed."""

    by: str
    at: datetime
    catalog: Catalog | None


class MergeRecord(msgspec.Struct):
    """That two leads became one."""

    merge_id: int
    kept_lead_id: str
    """The lead that remained."""
    merged_lead_id: str
    """The lead that became part of it."""
    because: str
    merged_at: datetime
    merged_by: str
    undone_at: datetime | None = None
    """Since when they are two again; null as long as the merge holds."""
    undone_by: str | None = None


def lock_people(work: UnitOfWork, lead_ids: Iterable[str]) -> None:
    """Lock leads with all they are one with, in the order of their ids."""
    asked = set(lead_ids)
    while True:
        found = {row[0]: row[1] for row in work.execute(LOCK, {"ids": sorted(asked)})}
        # While we waited for a lock, whoever held it may have made the lead part of another.
        strange = {kept for kept in found.values() if kept is not None} - found.keys()
        if not strange:
            return
        asked |= strange


def find_survivors(work: UnitOfWork, lead_ids: Iterable[str]) -> dict[str, str]:
    """Find which lead each lead is by now; without those that do not exist."""
    rows = work.execute(SURVIVORS, {"ids": sorted(set(lead_ids))})
    return {row[0]: row[1] for row in rows}


def read_sides(work: UnitOfWork, lead_ids: Iterable[str]) -> dict[str, MergeCandidate]:
    """Read what decides whether leads are merged; without those that do not exist."""
    asked = {"ids": sorted(set(lead_ids)), "tools": list(TOOLS)}
    return {row[0]: MergeCandidate(*row) for row in work.execute(SIDES, asked)}


def _was_undone(work: UnitOfWork, merged: MergeCandidate, kept: MergeCandidate) -> bool:
    asked = {"merged": merged.survivor, "kept": [kept.lead_id, kept.survivor]}
    return bool(work.execute(WAS_UNDONE, asked).scalar())


def _pack(work: UnitOfWork, actor: Actor, lead_ids: list[str]) -> None:
    if actor.catalog is None:
        mark_stale(work, lead_ids)
    else:
        pack_anew(work, actor.catalog, lead_ids)
    mark_due(work, lead_ids, actor.at, "merge")


def _find_moment(work: UnitOfWork, actor: Actor, *lead_ids: str) -> datetime:
    found: datetime = work.execute(MOMENT, {"at": actor.at, "ids": list(lead_ids)}).scalar()
    return found


def _merge(work: UnitOfWork, decision: MergeDecision, because: str, actor: Actor) -> MergeRecord:
    kept, merged = decision.kept, decision.merged
    at = _find_moment(work, actor, kept, merged)
    moved = set(work.execute(MOVE, {"kept": kept, "merged": merged}).scalars()) - {merged}
    values = {"kept": kept, "merged": merged, "because": because, "at": at, "by": actor.by}
    as_json = msgspec.json.encode(sorted(moved)).decode()
    merge_id = int(work.execute(ADD, {**values, "moved": as_json}).scalar())
    work.execute(FORGET, {"merged": merged})
    _pack(work, actor, [kept])
    return MergeRecord(merge_id, kept, merged, because, at, actor.by)


def join_leads(work: UnitOfWork, merged: str, kept: str, actor: Actor) -> MergeDecision:
    """Merge two leads of which a tool says that they are one, if nothing speaks against it.

    The caller holds the locks of both and of all they are one with.
    """
    sides = read_sides(work, [merged, kept])
    was_undone = _was_undone(work, sides[merged], sides[kept])
    decision = decide_join(sides[merged], sides[kept], was_undone=was_undone)
    if decision.verdict is MergeVerdict.MERGE:
        _merge(work, decision, f"{actor.by}: {decision.because}", actor)
    return decision


def _check_there(work: UnitOfWork, sides: dict[str, MergeCandidate], *lead_ids: str) -> None:
    missing = [lead_id for lead_id in lead_ids if lead_id not in sides]
    if not missing:
        return
    if find_erased(work, missing):
        raise LeadErasedError
    raise NoSuchLeadError


def merge_leads(
    work: UnitOfWork,
    kept: str,
    merged: str,
    because: str,
    actor: Actor,
    *,
    both_known: bool = False,
) -> MergeRecord:
    """Merge two leads because a person says that they are one.

    Parameters
    ----------
    work
        To merge with.
    kept, merged
        The lead that remains, and the one that becomes part of it.
    because
        Why, in a sentence.
    actor
        Who says so, and when.
    both_known
        Whether they are to be merged although each was sent as a lead of its own.

    Raises
    ------
    SameLeadError, NoSuchLeadError, LeadErasedError
        If there are not two leads.
    OneAlreadyError, MergedElsewhereError, BothKnownError
        If they are one, part of a third, or need ``both_known``.
    """
    if kept == merged:
        raise SameLeadError
    lock_people(work, [kept, merged])
    sides = read_sides(work, [kept, merged])
    _check_there(work, sides, kept, merged)
    one, other = sides[merged], sides[kept]
    decision = decide_join(one, other, is_certain=True)
    if decision.verdict is MergeVerdict.MERGE:
        if other.lead_id != other.survivor:
            raise MergedElsewhereError
        if one.is_known and other.is_known and not both_known:
            raise BothKnownError
        return _merge(work, decision, because, actor)
    raise REFUSALS[decision.verdict]


def undo_merge(work: UnitOfWork, merge_id: int, actor: Actor) -> MergeRecord:
    """Make two leads of one again: each has what it had, and what came for it since.

    Any merge may be undone, also one that others were built on.

    Raises
    ------
    NoSuchMergeError, MergeUndoneError
        If there is none of that number that holds.
    """
    merge = _get_merge(work, merge_id)
    lock_people(work, [merge.kept_lead_id, merge.merged_lead_id])
    merge = _get_merge(work, merge_id)  # with the locks held: nobody else undoes it meanwhile
    if merge.undone_at is not None:
        raise MergeUndoneError(merge_id)
    survivor = read_sides(work, [merge.kept_lead_id])[merge.kept_lead_id].survivor
    at = _find_moment(work, actor, survivor)
    work.execute(UNDO, {"merge": merge_id, "at": at, "by": actor.by})
    work.execute(PART, {"merged": merge.merged_lead_id})
    _pack(work, actor, sorted([survivor, merge.merged_lead_id]))
    merge.undone_at, merge.undone_by = at, actor.by
    return merge


def _read_merge(row: Any) -> MergeRecord:
    return MergeRecord(*row)


def _get_merge(work: UnitOfWork, merge_id: int) -> MergeRecord:
    row = work.execute(FIND, {"merge": merge_id}).first()
    if row is None:
        raise NoSuchMergeError(merge_id)
    return _read_merge(row)


def list_merges(work: UnitOfWork, lead_id: str) -> list[MergeRecord]:
    """List the merges a lead took part in, undone ones too, oldest first.

    Raises
    ------
    NoSuchLeadError, LeadErasedError
        If there is no such lead.
    """
    _check_there(work, read_sides(work, [lead_id]), lead_id)
    return [_read_merge(row) for row in work.execute(LIST, {"lead": lead_id})]
