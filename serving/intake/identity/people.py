"""People in the store: leads locked with all they are one with, and merges written many at a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from features.contracts.provenance import TOOLS
from serving.intake.identity.joining import JoinedPerson, MergeDecision, People
from serving.intake.records.ingest import mark_due
from serving.store.packed import mark_stale
from serving.store.session import UnitOfWork

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
# Each of a person's leads is looked up by an index, once: so this grows with them and not faster.
PEOPLE = """
WITH member AS (
    SELECT lead_id, lead_id AS survivor, last_scored_as_of FROM lead
    WHERE lead_id = ANY(%(survivors)s)
    UNION ALL
    SELECT lead_id, merged_into, last_scored_as_of FROM lead WHERE merged_into = ANY(%(survivors)s)
)
SELECT survivor,
    bool_or(EXISTS (
        SELECT 1 FROM lead_version v WHERE v.lead_id = member.lead_id AND v.source <> ALL(%(tools)s)
    )),
    sum((SELECT count(*) FROM identity i WHERE i.lead_id = member.lead_id))::bigint,
    greatest(
        max(last_scored_as_of) + interval '1 microsecond',
        max((
            SELECT max(greatest(m.merged_at, m.undone_at)) FROM merge m
            WHERE m.merged_lead_id = member.lead_id
        )),
        max((
            SELECT max(greatest(m.merged_at, m.undone_at)) FROM merge m
            WHERE m.kept_lead_id = member.lead_id
        ))
    )
FROM member GROUP BY survivor
"""
UNDONE = """
SELECT kept_lead_id, merged_lead_id FROM merge WHERE undone_at IS NOT NULL
    AND merged_lead_id = ANY(%(ids)s) AND kept_lead_id = ANY(%(ids)s)
"""
# Two statements: of one with OR, PostgreSQL reads the whole table.
MOVE_MEMBERS = """
UPDATE lead SET merged_into = n.kept
FROM unnest(%(merged)s::text[], %(kept)s::text[]) AS n (merged, kept)
WHERE lead.merged_into = n.merged
"""
MOVE = """
UPDATE lead SET merged_into = n.kept
FROM unnest(%(merged)s::text[], %(kept)s::text[]) AS n (merged, kept)
WHERE lead.lead_id = n.merged
"""
ADD = """
INSERT INTO merge (kept_lead_id, merged_lead_id, because, merged_at, merged_by)
SELECT kept, merged, because, at, by FROM unnest(%(kept)s::text[], %(merged)s::text[],
    %(because)s::text[], %(at)s::timestamptz[], %(by)s::text[])
    WITH ORDINALITY AS n (kept, merged, because, at, by, place)
ORDER BY place RETURNING merge_id
"""
FORGET = """
WITH packed AS (DELETE FROM packed_history WHERE lead_id = ANY(%(merged)s))
DELETE FROM score_due WHERE due_number IN (
    SELECT due_number FROM score_due WHERE lead_id = ANY(%(merged)s) FOR UPDATE SKIP LOCKED
)
"""


class MergeNote(NamedTuple):
    """A merge that was decided on, with what is written down of it."""

    decision: MergeDecision
    because: str
    by: str


class Written(NamedTuple):
    """A merge that was written."""

    merge_id: int
    at: datetime


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


def read_people(work: UnitOfWork, lead_ids: Iterable[str]) -> People:
    """Read what decides whether leads are merged; without those that do not exist.

    The caller holds the locks of the leads and of all they are one with.
    """
    asked = sorted(set(lead_ids))
    survivors = {row[0]: row[1] for row in work.execute(SURVIVORS, {"ids": asked})}
    ids = sorted(set(survivors) | set(survivors.values()))
    if not ids:
        return People({}, ())
    values = {"survivors": sorted(set(survivors.values())), "tools": list(TOOLS)}
    people = [JoinedPerson(*row) for row in work.execute(PEOPLE, values)]
    undone = [(row[0], row[1]) for row in work.execute(UNDONE, {"ids": ids})]
    survivors |= {survivor: survivor for survivor in survivors.values()}
    return People(survivors, people, undone)


def write_merges(
    work: UnitOfWork, people: People, notes: Sequence[MergeNote], at: datetime
) -> list[Written]:
    """Write merges that were decided on, in their order, with a few statements for all of them.

    The history of each survivor becomes stale: whoever scores it next packs it, once for all merges.
    """
    if not notes:
        return []
    merged = [note.decision.merged for note in notes]
    finally_kept = [people.find_survivor(lead_id) for lead_id in merged]
    # After every look at one of them, and not before anything that made or parted them: as of every
    # moment, the merges that held then form a forest, and say what was seen then.
    moments = [max(at, people.find_person(lead_id).latest or at) for lead_id in merged]
    moved = {"merged": merged, "kept": finally_kept}
    work.execute(MOVE_MEMBERS, moved)
    work.execute(MOVE, moved)
    values = {
        "kept": [note.decision.kept for note in notes],
        "merged": merged,
        "because": [note.because for note in notes],
        "at": moments,
        "by": [note.by for note in notes],
    }
    numbers = list(work.execute(ADD, values).scalars())
    work.execute(FORGET, {"merged": merged})
    refresh(work, set(finally_kept), at)
    return [Written(*one) for one in zip(numbers, moments, strict=True)]


def refresh(work: UnitOfWork, lead_ids: Iterable[str], at: datetime) -> None:
    """Have leads packed and scored anew, whose forest has changed."""
    ordered = sorted(set(lead_ids))
    mark_stale(work, ordered)
    mark_due(work, ordered, at, "merge")
