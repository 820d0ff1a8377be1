"""Two leads become one, and two again. No record changes its lead, so nothing is lost by either.

Merges form a forest: a lead has at most one merge that holds, into the lead it became part of, and
a merge is only ever of two leads that are part of none. So any merge can be undone at any time:
without it, the forest says whose each lead is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from serving.errors import RefusedError
from serving.intake.errors import (
    BothKnownError,
    LeadErasedError,
    MergedElsewhereError,
    MergeUndoneError,
    NoSuchLeadError,
    NoSuchMergeError,
    OneAlreadyError,
    OnlyClaimedError,
    SameLeadError,
    TooManyIdentityKeysError,
    UndoneBeforeError,
)
from serving.intake.identity.joining import MergeVerdict, People, decide_join
from serving.intake.identity.people import (
    MergeNote,
    lock_people,
    read_people,
    refresh,
    write_merges,
)
from serving.store.session import UnitOfWork
from serving.store.tombstones import find_erased

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
    MergeVerdict.TOO_MANY_KEYS: TooManyIdentityKeysError,
    MergeVerdict.ONLY_CLAIMED: OnlyClaimedError,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who merges, and when."""

    by: str
    at: datetime


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


def _check_there(work: UnitOfWork, people: People, *lead_ids: str) -> None:
    missing = [lead_id for lead_id in lead_ids if lead_id not in people]
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
    people = read_people(work, [kept, merged])
    _check_there(work, people, kept, merged)
    one, other = people.get_candidate(merged), people.get_candidate(kept)
    decision = decide_join(one, other, is_certain=True)
    if decision.verdict is not MergeVerdict.MERGE:
        raise REFUSALS[decision.verdict]
    if other.lead_id != other.survivor:
        raise MergedElsewhereError
    if one.is_known and other.is_known and not both_known:
        raise BothKnownError
    people.merge(decision)
    (written,) = write_merges(work, people, [MergeNote(decision, because, actor.by)], actor.at)
    return MergeRecord(written.merge_id, kept, merged, because, written.at, actor.by)


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
    person = read_people(work, [merge.kept_lead_id]).find_person(merge.kept_lead_id)
    at = max(actor.at, person.latest or actor.at)
    work.execute(UNDO, {"merge": merge_id, "at": at, "by": actor.by})
    work.execute(PART, {"merged": merge.merged_lead_id})
    refresh(work, [person.lead_id, merge.merged_lead_id], actor.at)
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
    _check_there(work, read_people(work, [lead_id]), lead_id)
    return [_read_merge(row) for row in work.execute(LIST, {"lead": lead_id})]
