"""Which leads are to be scored: taken, put back, scheduled. Queries on ``score_due``."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from serving.store.session import UnitOfWork

URGENT, LATER = 0, 1
"""Lanes: what changed goes before what only time or a new model asks for, however long that waits."""

TIME, MODEL, COLLEAGUE, ASKED, LOADED = "time", "model", "colleague", "asked", "loaded"
NO_NEWS = frozenset({TIME, MODEL, COLLEAGUE, ASKED, LOADED})
"""Reasons that are no news to colleagues: they are due by themselves, or nothing changed. Whoever
lands records gives others: ``event``, ``attributes`` ..."""

# As an array, so that the planner cannot run the inner query, and lock, more than once.
TAKE = """
DELETE FROM score_due WHERE due_number = ANY(ARRAY(
    SELECT due_number FROM score_due WHERE lane = %(lane)s AND due_at <= %(at)s
    ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)) RETURNING lead_id, because
"""
# Duplicates of leads that are locked, and sweeps that this score makes needless. A row that another
# worker holds is left to it; one for a new model is left to whoever has that model.
CLEAR = """
DELETE FROM score_due WHERE due_number = ANY(ARRAY(
    SELECT due_number FROM score_due
    WHERE lead_id = ANY(%(ids)s) AND because <> 'model' AND (due_at <= %(at)s OR because = 'time')
    FOR UPDATE SKIP LOCKED
))
"""
ADD = """
INSERT INTO score_due (lead_id, due_at, because, lane)
SELECT lead_id, due_at, %(because)s, %(lane)s
FROM unnest(%(ids)s::text[], %(at)s::timestamptz[]) AS n (lead_id, due_at)
WHERE EXISTS (SELECT 1 FROM lead l WHERE l.lead_id = n.lead_id)
"""
ADD_COLLEAGUES = """
INSERT INTO score_due (lead_id, due_at, because, lane)
SELECT lead_id, %(at)s, 'colleague', 1 FROM unnest(%(ids)s::text[]) AS n (lead_id)
WHERE NOT EXISTS (
    SELECT 1 FROM score_due d WHERE d.lead_id = n.lead_id AND d.because = 'colleague'
)
"""
ADD_EVERYONE = """
WITH next AS (
    SELECT lead_id FROM lead WHERE lead_id > %(after)s AND merged_into IS NULL
    ORDER BY lead_id LIMIT %(most)s
), added AS (
    INSERT INTO score_due (lead_id, due_at, because, lane)
    SELECT lead_id, %(at)s, 'model', 1 FROM next
)
SELECT max(lead_id), count(*) FROM next
"""
STATE = """
SELECT count(*) FILTER (WHERE due_at <= %(at)s), min(due_at) FILTER (WHERE due_at <= %(at)s)
FROM (
    (SELECT due_at FROM score_due WHERE lane = 0 AND due_at <= %(at)s ORDER BY due_at LIMIT 10000)
    UNION ALL
    (SELECT due_at FROM score_due WHERE lane = 1 AND due_at <= %(at)s ORDER BY due_at LIMIT 10000)
) due
"""


def take_due(work: UnitOfWork, at: datetime, most: int) -> dict[str, set[str]]:
    """Take due leads away, the most urgent first; give each with what made it due.

    What was taken is back the moment the unit of work is undone: a worker that dies loses nothing.
    """
    taken: dict[str, set[str]] = {}
    left = most
    for lane in (URGENT, LATER):
        if left > 0:
            for lead_id, because in work.execute(TAKE, {"lane": lane, "at": at, "most": left}):
                taken.setdefault(lead_id, set()).add(because)
                left -= 1
    return taken


def clear_due(work: UnitOfWork, lead_ids: Sequence[str], at: datetime) -> None:
    """Take away what else is due of leads that are locked and about to be scored."""
    work.execute(CLEAR, {"ids": list(lead_ids), "at": at})


def add_due(
    work: UnitOfWork, moments: Mapping[str, datetime], because: str, lane: int = LATER
) -> None:
    """Say that leads are due, each from its own moment on; leads that are gone are left out."""
    if moments:
        values = {"ids": list(moments), "at": list(moments.values())}
        work.execute(ADD, {**values, "because": because, "lane": lane})


def add_colleagues_due(work: UnitOfWork, lead_ids: Iterable[str], at: datetime) -> None:
    """Say that colleagues of leads that changed are due, unless they are for that reason already."""
    ids = sorted(set(lead_ids))
    if ids:
        work.execute(ADD_COLLEAGUES, {"ids": ids, "at": at})


def add_everyone_due(
    work: UnitOfWork, at: datetime, after: str, most: int
) -> tuple[str | None, int]:
    """Say that the next leads by id are due for a new model; give the last of them and how many."""
    last, n = work.execute(ADD_EVERYONE, {"at": at, "after": after, "most": most}).one()
    return last, n


def read_due_state(work: UnitOfWork, at: datetime) -> tuple[int, datetime | None]:
    """Count what is due, up to twenty thousand, and find since when the oldest of it is."""
    n, oldest = work.execute(STATE, {"at": at}).one()
    return n, oldest
