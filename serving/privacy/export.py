"""All that is held on a person, to be given to them."""

import json
from datetime import datetime
from typing import Any

from serving.privacy.inventory import INVENTORY, find_rows, find_subject
from serving.store.audit_log import hash_lead, note
from serving.store.session import UnitOfWork

OURS = frozenset({"body_hash", "effect_number", "is_latest"})
"""Columns that say nothing of the person."""


def _shape(value: Any) -> Any:
    """Shape a value for JSON; bytes hold JSON themselves, or at least text."""
    if isinstance(value, memoryview):
        value = bytes(value)
    if not isinstance(value, bytes):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value.decode("utf-8", errors="replace")


def export(work: UnitOfWork, lead_id: str, *, by: str, at: datetime) -> dict[str, Any] | None:
    """Gather all that is held on a person; None if nothing is.

    Parameters
    ----------
    work
        To read with, and to note that it was read.
    lead_id
        Any of the person's ids.
    by
        Who asked for it.
    at
        Now.
    """
    subject = find_subject(work, lead_id)
    held: dict[str, Any] = {}
    for table_entry in INVENTORY:
        rows = find_rows(work, table_entry, subject) if table_entry.exported else []
        if rows:
            held[table_entry.table] = [
                {name: _shape(value) for name, value in row.items() if name not in OURS}
                for row in rows
            ]
    if not held:
        return None
    note(
        work,
        by=by,
        action="exported",
        subject_kind="lead",
        subject_id=hash_lead(lead_id),
        at=at,
        facts={"leads": len(subject.lead_ids)},
    )
    return {"lead_id": lead_id, "exported_at": at, "lead_ids": subject.lead_ids, "held": held}
