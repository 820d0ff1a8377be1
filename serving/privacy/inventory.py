"""Where the store holds something on a person: the one list that export and erasure both walk."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from serving.store.session import UnitOfWork
from serving.store.tombstones import ErasableName

SHORTEST_BARE = 4
"""Names shorter than this only count in quotes: ``7`` is no trace of the lead 7."""

GROUP = """
SELECT lead_id FROM lead
WHERE lead_id = %(id)s OR merged_into = %(id)s
    OR lead_id = (SELECT merged_into FROM lead WHERE lead_id = %(id)s)
    OR merged_into = (SELECT merged_into FROM lead WHERE lead_id = %(id)s)
ORDER BY lead_id
"""
NAMES = "SELECT DISTINCT kind, value FROM identity WHERE lead_id = ANY(%(ids)s) ORDER BY 1, 2"


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, by everything they are known under."""

    lead_ids: tuple[str, ...]
    """The lead and all that were merged with it."""
    names: tuple[ErasableName, ...]

    @property
    def spoken(self) -> tuple[str, ...]:
        """Every name as it may stand in a text."""
        return tuple(dict.fromkeys([*self.lead_ids, *(value for _, value in self.names)]))


def find_subject(work: UnitOfWork, lead_id: str, *, lock: bool = False) -> Subject:
    """Find who a lead is; a lead nobody knows is known by its id alone.

    Parameters
    ----------
    work
        To read with.
    lead_id
        Any of the person's ids.
    lock
        Whether to lock the leads for deletion.
    """
    asked = f"{GROUP} FOR UPDATE" if lock else GROUP
    found = list(work.execute(asked, {"id": lead_id}).scalars())
    names = work.execute(NAMES, {"ids": found})
    return Subject(tuple(found or [lead_id]), tuple((kind, value) for kind, value in names))


def spell(name: str) -> list[bytes]:
    """Spell a name as it may stand in a body, an answer or a path."""
    spelled = {name, json.dumps(name)[1:-1], quote(name, safe=""), quote(name)}
    return sorted(one.encode() for one in spelled)


def build_pattern(names: Sequence[str]) -> re.Pattern[bytes]:
    """Build what finds a name in bytes, and not where it is a part of another.

    >>> found = build_pattern(["lead-1"])
    >>> [bool(found.search(text)) for text in (b'"lead-1"', b"lead-10", b"a-lead-1", b"/lead-1/x")]
    [True, False, False, True]
    """
    wholes = []
    for name in names:
        for spelled in spell(name):
            word = re.escape(spelled)
            if len(name) < SHORTEST_BARE:
                wholes.append(rb'(?<=")' + word + rb'(?=")')
            else:
                wholes.append(rb"(?<![\w@+-])(?<!\w\.)" + word + rb"(?!\.?[\w@+-])")
    return re.compile(b"|".join(wholes))


ErasureAction = Literal["goes with the lead", "delete", "empty"]


@dataclass(frozen=True, slots=True)
class PersonalDataTable:
    """A table that holds something on people."""

    table: str
    key: str
    """Its primary key, in SQL."""
    by_lead: str | None = None
    """What in SQL tells whose a row is, given ``%(ids)s``; None if only its text does."""
    texts: tuple[str, ...] = ()
    """Columns, as bytes in SQL, whose text may name the person."""
    action: ErasureAction = "goes with the lead"
    """What erasure does to a row: it is deleted with the lead it refers to, by itself, or emptied."""
    emptied: str = ""
    """How it is emptied, in SQL."""
    exported: bool = True
    """Whether it is given out; what is only computed from other rows is not."""


def _text(column: str) -> str:
    return f"convert_to({column}::text, 'UTF8')"


OWN = "lead_id = ANY(%(ids)s)"
OF_HANDOFF = "handoff_id IN (SELECT handoff_id FROM handoff WHERE lead_id = ANY(%(ids)s))"
OF_SCORE = "score_number IN (SELECT score_number FROM score WHERE lead_id = ANY(%(ids)s))"
OF_CASE = f"case_id IN (SELECT case_id FROM oversight_case WHERE {OF_HANDOFF})"  # noqa: S608 - our own names

INVENTORY: tuple[PersonalDataTable, ...] = (
    PersonalDataTable("lead", "lead_id", OWN),
    PersonalDataTable("lead_version", "version_id", OWN),
    PersonalDataTable("identity", "(kind, value)", OWN),
    PersonalDataTable(
        "merge", "merge_id", "(kept_lead_id = ANY(%(ids)s) OR merged_lead_id = ANY(%(ids)s))"
    ),
    PersonalDataTable("event", "event_number", OWN),
    PersonalDataTable("stage_change", "change_number", OWN),
    PersonalDataTable("attempt", "attempt_number", OWN),
    PersonalDataTable("packed_history", "lead_id", OWN, exported=False),
    PersonalDataTable("score", "score_number", OWN),
    PersonalDataTable("scored_row", "row_number", OF_SCORE, exported=False),
    PersonalDataTable("score_due", "due_number", OWN),
    PersonalDataTable("handoff", "handoff_id", OWN),
    PersonalDataTable("handoff_move", "move_number", OF_HANDOFF),
    PersonalDataTable("assignment", "assignment_number", OF_HANDOFF),
    PersonalDataTable("clock_action", "(handoff_id, clock, started_at, action)", OF_HANDOFF),
    PersonalDataTable("decision", "decision_number", OWN),
    PersonalDataTable("nurture_track", "lead_id", OWN),
    PersonalDataTable("oversight_case", "case_id", OF_HANDOFF),
    PersonalDataTable("oversight_finding", "finding_number", OF_CASE),
    PersonalDataTable(
        "quarantined_item", "item_number", OWN, ("body", _text("problem")), "delete"
    ),
    PersonalDataTable(
        "idempotency_key",
        "(scope, key)",
        None,
        (_text("scope"), _text("key"), "answer"),
        "delete",
    ),
    PersonalDataTable(
        "outbox_effect",
        "effect_number",
        OWN,
        (_text("payload"), _text("effect_key"), _text("last_problem")),
        "empty",
        # The key stays, as a hash: an effect that was decided once is never decided again.
        "lead_id = NULL, payload = '{}', last_problem = NULL, "
        "effect_key = 'erased:' || encode(sha256(convert_to(effect_key, 'UTF8')), 'hex'), "
        "state = CASE state WHEN 'waiting' THEN 'given_up' ELSE state END, "
        "settled_at = coalesce(settled_at, %(at)s)",
    ),
    PersonalDataTable(
        "procrastinate_jobs",
        "id",
        None,
        (_text("args"), _text("lock"), _text("queueing_lock")),
        "empty",
        "args = '{}', lock = NULL, queueing_lock = NULL",
    ),
)


def find_rows(
    work: UnitOfWork, table_entry: PersonalDataTable, subject: Subject
) -> list[dict[str, Any]]:
    """Find the rows of a place that hold something on a person.

    Rows that only mention them in a text are read and looked through: that is slow, and exact.
    """
    ids = list(subject.lead_ids)
    own = table_entry.by_lead or "false"
    if not table_entry.texts:
        asked = f"SELECT * FROM {table_entry.table} WHERE {own}"  # noqa: S608 - our own names
        return [dict(row) for row in work.execute(asked, {"ids": ids}).mappings()]
    spelled = [one for name in subject.spoken for one in spell(name)]
    texts = [f"coalesce({column}, '')" for column in table_entry.texts]
    mentions = " OR ".join(f"position(n IN {text}) > 0" for text in texts)
    whole = " || '\\x0a'::bytea || ".join(texts)
    asked = (
        f"SELECT *, ({own}) AS is_own, {whole} AS whole_text FROM {table_entry.table} WHERE {own} "  # noqa: S608
        f"OR EXISTS (SELECT 1 FROM unnest(%(spelled)s::bytea[]) AS n WHERE {mentions})"
    )
    pattern = build_pattern(subject.spoken)
    rows = []
    for row in work.execute(asked, {"ids": ids, "spelled": spelled}).mappings():
        held = dict(row)
        is_own, text = held.pop("is_own"), bytes(held.pop("whole_text"))
        if is_own or pattern.search(text):
            rows.append(held)
    return rows
