"""Erasing a person everywhere, for good."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from serving.privacy.inventory import (
    INVENTORY,
    PersonalDataTable,
    Subject,
    find_rows,
    find_subject,
)
from serving.store.audit_log import hash_lead, note
from serving.store.session import UnitOfWork
from serving.store.tombstones import bury, lift, wait_for_adders

DELETE_LEADS = "DELETE FROM lead WHERE lead_id = ANY(%(ids)s)"
COLLEAGUES = """
INSERT INTO score_due (lead_id, due_at, because)
SELECT l.lead_id, %(at)s, 'colleague erased' FROM lead l WHERE l.merged_into IS NULL
    AND l.account_id IN (SELECT account_id FROM lead WHERE lead_id = ANY(%(ids)s))
    AND l.lead_id <> ALL(%(ids)s)
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased."""

    leads: int
    """The lead, and those that were merged with it."""
    rows: dict[str, int]
    """Rows deleted or emptied, by table."""
    erased_at: datetime


def _remove(
    work: UnitOfWork, table_entry: PersonalDataTable, rows: list[dict[str, Any]], at: datetime
) -> None:
    columns = [column.strip() for column in table_entry.key.strip("()").split(",")]
    found = " AND ".join(f"{column} = %({column})s" for column in columns)
    for row in rows:
        values = {column: row[column] for column in columns}
        if table_entry.action == "delete":
            work.execute(f"DELETE FROM {table_entry.table} WHERE {found}", values)  # noqa: S608 - our own names
        else:
            emptied = f"UPDATE {table_entry.table} SET {table_entry.emptied} WHERE {found}"  # noqa: S608 - likewise
            work.execute(emptied, {**values, "at": at})


def _remove_all(work: UnitOfWork, subject: Subject, at: datetime) -> dict[str, int]:
    removed: dict[str, int] = {}
    for table_entry in INVENTORY:
        rows = find_rows(work, table_entry, subject)
        if rows:
            removed[table_entry.table] = len(rows)
        if table_entry.action != "goes with the lead":
            _remove(work, table_entry, rows, at)
    return removed


def erase(work: UnitOfWork, lead_id: str, *, by: str, at: datetime) -> Erased:
    """Erase a person: the lead, all that was merged with it, and every mention in the store.

    Somebody nobody knows can be erased, too: nothing is held on them, and nothing ever will be.

    Parameters
    ----------
    work
        To write with.
    lead_id
        Any of the person's ids.
    by
        Who asked for it.
    at
        Now.
    """
    find_subject(work, lead_id, lock=True)
    # Whoever was adding a lead of theirs has finished after this, and is seen by the second look.
    wait_for_adders(work)
    subject = find_subject(work, lead_id, lock=True)
    ids = list(subject.lead_ids)
    work.execute(COLLEAGUES, {"ids": ids, "at": at})
    rows = _remove_all(work, subject, at)
    work.execute(DELETE_LEADS, {"ids": ids})
    bury(work, ids, subject.names, at)
    note(
        work,
        by=by,
        action="erased",
        subject_kind="lead",
        subject_id=hash_lead(lead_id),
        at=at,
        facts={"leads": len(ids), "rows": sum(rows.values())},
    )
    log.info("lead_erased", leads=len(ids), rows=rows)
    return Erased(len(ids), rows, at)


def readmit(work: UnitOfWork, lead_id: str, *, by: str, at: datetime) -> bool:
    """Let somebody who was erased come in again under an id; tell whether they had been."""
    wait_for_adders(work)
    was_erased = lift(work, lead_id)
    if was_erased:
        note(
            work,
            by=by,
            action="readmitted",
            subject_kind="lead",
            subject_id=hash_lead(lead_id),
            at=at,
        )
    return was_erased
