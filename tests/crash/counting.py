"""After the kills: what was confirmed is counted in the tables, what was said is computed anew."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from features import clock
from serving.champion import ModelHolder
from serving.scoring.models_in_use import ModelCache
from serving.scoring.replay import replay
from serving.settings import ServingSettings
from serving.store.packed import find_differences
from serving.store.session import Store, UnitOfWork
from tests.crash.effects import Receiver, find_effect_key
from tests.crash.load import Tally

ROWS = {
    "event": ("event", "event_id"),
    "stage": ("stage_change", "change_id"),
    "attempt": ("attempt", "attempt_id"),
}
UNDONE = """
SELECT (SELECT count(*) FROM score_due WHERE due_at <= now() + interval '1 second' AND lane = 0)
     + (SELECT count(*) FROM score_due WHERE due_at <= now() AND lane = 1)
     + (SELECT count(*) FROM outbox_effect WHERE state = 'waiting')
     + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
        AND task_name NOT LIKE 'baton.tidy%%')
"""
LEASED = """
SELECT (SELECT count(*) FROM outbox_effect WHERE leased_by IS NOT NULL)
     + (SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing')
"""
LATEST = """
SELECT l.lead_id, s.as_of, s.answer, p.known_until
FROM lead l LEFT JOIN score s ON s.lead_id = l.lead_id AND s.is_latest
LEFT JOIN packed_history p ON p.lead_id = l.lead_id ORDER BY l.lead_id
"""


@dataclass
class Count:
    """What was found; everything but the first four must be nought."""

    offered: int = 0
    acked: int = 0
    leads: int = 0
    effects: int = 0
    lost: int = 0
    """Confirmed, and not stored."""
    doubled: int = 0
    """Stored more than once, or never offered."""
    packed_apart: int = 0
    """Leads whose packed history is not what their rows give."""
    scores_apart: int = 0
    """Leads whose latest score is not the one computed anew from the rows, to the byte."""
    scores_behind: int = 0
    """Leads without a score, or with one that is older than what is known of them."""
    effects_missing: int = 0
    """Decided by a score, and not in the outbox, or not arrived."""
    effects_doubled: int = 0
    """In the outbox more than once, or arrived without having been decided."""
    effects_repeated: int = 0
    """Arrived more than once under one key, which tells the other side: allowed, and told."""
    leased: int = 0
    undone: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def breaches(self) -> dict[str, int]:
        """What must be nought and is not."""
        names = (
            "lost", "doubled", "packed_apart", "scores_apart", "scores_behind", "effects_missing",
            "effects_doubled", "leased", "undone",
        )  # fmt: skip
        found = {name: int(getattr(self, name)) for name in names}
        found["refused"] = len(self.refused)
        return {name: n for name, n in found.items() if n}


def wait_until_done(store: Store, seconds: float) -> int:
    """Wait until nothing is left to do; give what is left after all."""
    end = time.monotonic() + seconds
    left = -1
    while time.monotonic() < end:
        with store.work(read_only=True) as work:
            left = int(work.execute(UNDONE).scalar())
        if left == 0:
            return 0
        time.sleep(0.2)
    return left


def count(settings: dict[str, Any], tally: Tally, receiver: Receiver, undone: int) -> Count:
    """Count what is stored against what was confirmed, and compute anew what was said."""
    given = ServingSettings(**settings)
    store = Store(given)
    store.open()
    try:
        with store.work() as work:
            found = Count(undone=undone, refused=tally.refused)
            _count_rows(work, tally, found)
            _count_effects(work, receiver, found)
            _count_scores(work, given, found)
            found.leased = int(work.execute(LEASED).scalar())
    finally:
        store.close()
    return found


def _count_rows(work: UnitOfWork, tally: Tally, found: Count) -> None:
    for record, (table, column) in ROWS.items():
        ids = list(work.execute(f"SELECT {column} FROM {table}").scalars())  # noqa: S608 - our own names
        stored = set(ids)
        found.offered += len(tally.offered[record])
        found.acked += len(tally.acked[record])
        found.lost += len(tally.acked[record] - stored)
        found.doubled += len(ids) - len(stored) + len(stored - tally.offered[record])


def _count_effects(work: UnitOfWork, receiver: Receiver, found: Count) -> None:
    scores = work.execute("SELECT lead_id, points FROM score")
    decided = {find_effect_key(lead, points) for lead, points in scores} - {None}
    kept = list(work.execute("SELECT effect_key FROM outbox_effect").scalars())
    found.effects = len(kept)
    found.effects_missing = len(decided - set(kept)) + len(set(kept) - set(receiver.came))
    found.effects_doubled = (
        len(kept) - len(set(kept)) + len(set(kept) - decided) + len(set(receiver.came) - set(kept))
    )
    found.effects_repeated = sum(n - 1 for n in receiver.came.values())


def _count_scores(work: UnitOfWork, settings: ServingSettings, found: Count) -> None:
    holder = ModelHolder(settings.champion)
    holder.refresh(clock.now())
    catalog = holder.get_champion().bundle.catalog
    model_cache = ModelCache(settings.served)
    rows: Sequence[Any] = list(work.execute(LATEST))
    found.leads = len(rows)
    found.packed_apart = len(find_differences(work, catalog, [row[0] for row in rows]))
    for lead_id, as_of, answer, known_until in rows:
        if as_of is None or known_until is None or as_of <= known_until:
            found.scores_behind += 1
            continue
        anew = replay(work, model_cache, [holder], lead_id, as_of, anew=True)
        found.scores_apart += anew != bytes(answer)
