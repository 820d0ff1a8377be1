"""GET /v1/audit: who did what."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from serving.auth.guard import require
from serving.store.audit_log import list_entries
from serving.store.dependencies import Reading
from serving.store.tables import AuditEntry
from serving.web_api.openapi import describe_problems

MOST_ENTRIES = 1_000

router = APIRouter(prefix="/v1", tags=["audit log"], dependencies=[require("audit_log:read")])


class AuditEntryOut(BaseModel):
    """Who did what to what: references only, no personal data."""

    number: int
    at: datetime
    actor: str = Field(description="Who: `key:<id>`, `person:<id>`, `token`, `local`, `command`.")
    action: str
    subject_kind: str
    subject_id: str | None = Field(
        description="Which. A lead by the SHA-256 of its id, so that the log outlives erasure."
    )
    facts: dict[str, Any]
    hash: str = Field(description="Of this entry and the one before, in hexadecimal.")


class AuditPage(BaseModel):
    """Entries, newest first."""

    entries: list[AuditEntryOut]
    next_before: int | None = Field(description="`before` of the next page; null on the last.")


def shape_entry(entry: AuditEntry) -> AuditEntryOut:
    """Shape an entry for those who read it."""
    return AuditEntryOut(
        number=entry.entry_number,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject_kind=entry.subject_kind,
        subject_id=entry.subject_id,
        facts=entry.facts,
        hash=entry.entry_hash.hex(),
    )


@router.get(
    "/audit",
    summary="Who did what",
    responses=describe_problems(422, 503),
)
def audit_log(
    work: Reading,
    before: Annotated[
        int | None, Query(ge=1, lt=2**63, description="Entries before this.")
    ] = None,
    most: Annotated[int, Query(ge=1, le=MOST_ENTRIES, description="How many at most.")] = 100,
) -> AuditPage:
    """Give entries of the audit log, newest first. `baton audit-log verify` checks the chain."""
    entries = [shape_entry(entry) for entry in list_entries(work, before, most)]
    more = entries[-1].number if len(entries) == most and entries[-1].number > 1 else None
    return AuditPage(entries=entries, next_before=more)
