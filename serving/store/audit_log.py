"""The audit log: who did what, each entry chained to the one before by a hash.

A trigger refuses to change or delete an entry. Whoever gets round it breaks the chain, and
`verify` finds where. Cut off at its end, a chain is still whole: so every entry's hash goes to the
log of the process too, and `verify` takes one that must be in it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import structlog
from sqlalchemy import select, text

from serving.store.session import UnitOfWork
from serving.store.tables import AuditEntry

BEGINNING = bytes(32)
"""What the first entry is chained to."""

TURN = 0x6175646974
"""Key of the lock that lets one entry be added at a time, until its unit of work ends."""

CHUNK = 1_000

Fact = str | int | bool | None

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """Whether the chain is whole."""

    entries: int
    head: bytes
    """Hash of the last entry; worth noting down elsewhere."""
    broken_at: int | None
    because: str


def hash_entry(
    previous: bytes,
    at: datetime,
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: str | None,
    facts: Mapping[str, Fact],
) -> bytes:
    """Hash an entry with the hash of the one before."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    content = [previous.hex(), moment, actor, action, subject_kind, subject_id, dict(facts)]
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(written.encode()).digest()


def hash_lead(lead_id: str) -> str:
    """Give the reference by which entries name a lead: its id may be an address, and is erased."""
    return sha256(lead_id.encode()).hexdigest()


def note(
    work: UnitOfWork,
    *,
    by: str,
    action: str,
    subject_kind: str,
    at: datetime,
    subject_id: str | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> int:
    """Add an entry; it stays if the unit of work does.

    Entries are added one at a time, until the end of the unit of work that adds one: note what
    people decide, late in its transaction, and nothing that happens a thousand times a second.

    Parameters
    ----------
    work
        To write with.
    by
        Who did it, as `Principal.actor` says.
    action
        What, in words: ``erased``, ``merged``.
    subject_kind
        What it was done to: lead, key, person ...
    at
        When.
    subject_id
        Which: a reference, never personal data. A lead by `hash_lead`.
    facts
        What else must be known, references and counts only.

    Returns
    -------
    int
        The number of the entry.
    """
    work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN})
    newest = select(AuditEntry.entry_hash).order_by(AuditEntry.entry_number.desc()).limit(1)
    previous = work.session.execute(newest).scalar() or BEGINNING
    kept = dict(facts or {})
    hashed = hash_entry(previous, at, by, action, subject_kind, subject_id, kept)
    entry = AuditEntry(
        at=at,
        actor=by,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        facts=kept,
        previous_hash=previous,
        entry_hash=hashed,
    )
    work.session.add(entry)
    work.session.flush()
    log.info("audit_entry", number=entry.entry_number, action=action, hash=hashed.hex())
    return entry.entry_number


def list_entries(work: UnitOfWork, before: int | None, most: int) -> list[AuditEntry]:
    """List entries, newest first.

    Parameters
    ----------
    work
        To read with.
    before
        Only entries with smaller numbers; None for the newest.
    most
        How many at most.
    """
    asked = select(AuditEntry).order_by(AuditEntry.entry_number.desc()).limit(most)
    if before is not None:
        asked = asked.where(AuditEntry.entry_number < before)
    return list(work.session.scalars(asked))


def _read_all(work: UnitOfWork) -> Iterator[AuditEntry]:
    last = 0
    while True:
        asked = select(AuditEntry).order_by(AuditEntry.entry_number).limit(CHUNK)
        chunk = list(work.session.scalars(asked.where(AuditEntry.entry_number > last)))
        yield from chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1].entry_number
        work.session.expunge_all()


def _find_fault(entry: AuditEntry, previous: bytes) -> str | None:
    if entry.previous_hash != previous:
        return "the entry before it is not the one it was chained to"
    hashed = hash_entry(
        previous,
        entry.at,
        entry.actor,
        entry.action,
        entry.subject_kind,
        entry.subject_id,
        entry.facts,
    )
    return None if entry.entry_hash == hashed else "it was changed after it was written"


def verify(work: UnitOfWork, noted_head: bytes | None = None) -> ChainCheck:
    """Walk the chain from its beginning, and say whether it is whole.

    Parameters
    ----------
    work
        To read with.
    noted_head
        A hash noted down earlier: a chain that lacks it was cut off or made anew.
    """
    previous, count, has_noted = BEGINNING, 0, noted_head is None
    for entry in _read_all(work):
        fault = _find_fault(entry, previous)
        if fault is not None:
            return ChainCheck(count, previous, entry.entry_number, f"{fault}.")
        previous, count = entry.entry_hash, count + 1
        has_noted = has_noted or previous == noted_head
    if not has_noted:
        return ChainCheck(
            count, previous, 0, "the noted entry is missing: the end was cut off, or all replaced."
        )
    return ChainCheck(count, previous, None, "every entry is as it was written.")
