"""Packed histories in the store: appended to as records land, made anew from the rows when stale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_records
from features.kernel.packed import RECORD_BYTES, PackedLead, has_left_an_account, pack_lead
from serving.store.histories import read_histories
from serving.store.session import Store, UnitOfWork

APPEND = """
UPDATE packed_history AS p SET
    fingerprint = CASE WHEN p.fingerprint = %(print)s THEN p.fingerprint ELSE '' END,
    known_until = greatest(p.known_until, n.known_until),
    records = CASE WHEN p.fingerprint = %(print)s THEN p.records || n.records ELSE '' END,
    version_moments = p.version_moments || n.moments,
    version_cells = p.version_cells || n.cells,
    account_ids = p.account_ids || CASE WHEN n.moments = '' THEN '{}' ELSE ARRAY[n.account] END
FROM unnest(%(leads)s::text[], %(known)s::timestamptz[], %(records)s::bytea[],
    %(moments)s::bytea[], %(cells)s::bytea[], %(accounts)s::text[])
    AS n (lead_id, known_until, records, moments, cells, account)
WHERE p.lead_id = n.lead_id
"""
PUT = """
INSERT INTO packed_history AS p (lead_id, fingerprint, known_until, records, version_moments,
    version_cells, account_ids)
VALUES (%(lead)s, %(print)s, %(known)s, %(records)s, %(moments)s, %(cells)s, %(accounts)s::text[])
ON CONFLICT (lead_id) DO UPDATE SET fingerprint = excluded.fingerprint,
    known_until = excluded.known_until, records = excluded.records,
    version_moments = excluded.version_moments, version_cells = excluded.version_cells,
    account_ids = excluded.account_ids
"""
MARK_STALE = """
UPDATE packed_history SET fingerprint = '', records = '' WHERE lead_id = ANY(%(leads)s)
"""
NEXT = """
SELECT lead_id FROM lead WHERE merged_into IS NULL AND lead_id > %(after)s
ORDER BY lead_id LIMIT %(limit)s FOR NO KEY UPDATE
"""
GET = """
SELECT l.lead_id, l.created_at, p.fingerprint, p.known_until, p.records, p.version_moments,
    p.version_cells, p.account_ids
FROM lead l LEFT JOIN packed_history p USING (lead_id)
WHERE l.lead_id = ANY(%(ids)s)
"""


@lru_cache(maxsize=8)
def encoder_of(catalog: Catalog) -> Encoder:
    """Give the encoder of a catalogue, made once."""
    return Encoder(catalog)


@dataclass
class Addition:
    """What landed of one lead."""

    known_at: datetime
    events: list[EventRecord] = field(default_factory=list)
    stages: list[StageRecord] = field(default_factory=list)
    version: LeadVersion | None = None
    created_at: datetime | None = None
    """Given if the lead itself is new."""


def append_packed(
    work: UnitOfWork, catalog: Catalog | None, additions: Mapping[str, Addition]
) -> None:
    """Append what landed to the packed histories, under the locks of the leads.

    A lead without a packed history gets one only if it is new: of an older one the rows know more,
    and it is packed when somebody asks. Without a catalogue there are no codes: what is there
    becomes stale.
    """
    if catalog is None:
        mark_stale(work, [i for i, addition in additions.items() if addition.created_at is None])
        return
    encoder = encoder_of(catalog)
    leads = [
        LeadRecord(
            lead_id,
            clock.to_us(addition.created_at or addition.known_at),
            _versions_of(addition),
            tuple(addition.events),
            tuple(addition.stages),
        )
        for lead_id, addition in additions.items()
    ]
    columns = columns_of_records(encoder, leads)
    width = 8 * len(catalog.attributes)
    records, moments, cells = (
        columns.records.tobytes(),
        columns.version_known_at.tobytes(),
        columns.version_values.tobytes(),
    )
    ends, versions = columns.offsets.tolist(), columns.version_offsets.tolist()
    parts = [
        (
            records[RECORD_BYTES * ends[i] : RECORD_BYTES * ends[i + 1]],
            moments[8 * versions[i] : 8 * versions[i + 1]],
            cells[width * versions[i] : width * versions[i + 1]],
        )
        for i in range(len(leads))
    ]
    old = [i for i, addition in enumerate(additions.values()) if addition.created_at is None]
    if old:
        _append(work, catalog, additions, old, parts)
    new: list[dict[str, Any]] = []
    for i, (lead, addition) in enumerate(zip(leads, additions.values(), strict=True)):
        if addition.created_at is not None:
            accounts = [version.account_id for version in lead.versions]
            # Attempts are no features: of a lead known by them alone, nothing but its creation counts.
            tells = addition.events or addition.stages or addition.version is not None
            known = max(addition.known_at if tells else addition.created_at, addition.created_at)
            new.append(_name_parts(catalog, lead.lead_id, known, parts[i], accounts))
    if new:
        work.execute(PUT, new)


def _versions_of(addition: Addition) -> tuple[LeadVersion, ...]:
    own = () if addition.version is None else (addition.version,)
    if addition.created_at is None:
        return own
    created = clock.to_us(addition.created_at)
    if own and own[0].known_at <= created:
        return own
    return (LeadVersion(created, {}), *own)


def _append(
    work: UnitOfWork,
    catalog: Catalog,
    additions: Mapping[str, Addition],
    old: Sequence[int],
    parts: Sequence[tuple[bytes, bytes, bytes]],
) -> None:
    landed = list(additions.items())
    versions = [landed[i][1].version for i in old]
    work.execute(
        APPEND,
        {
            "print": catalog.fingerprint,
            "leads": [landed[i][0] for i in old],
            "known": [landed[i][1].known_at for i in old],
            "records": [parts[i][0] for i in old],
            "moments": [parts[i][1] for i in old],
            "cells": [parts[i][2] for i in old],
            "accounts": [None if v is None else v.account_id for v in versions],
        },
    )


def _name_parts(
    catalog: Catalog,
    lead_id: str,
    known_until: datetime,
    part: tuple[bytes, bytes, bytes],
    accounts: Sequence[str | None],
) -> dict[str, Any]:
    return {
        "lead": lead_id,
        "print": catalog.fingerprint,
        "known": known_until,
        "records": part[0],
        "moments": part[1],
        "cells": part[2],
        "accounts": list(accounts),
    }


def mark_stale(work: UnitOfWork, lead_ids: Sequence[str]) -> None:
    """Say that packed histories no longer tell everything: whoever reads them packs anew."""
    if lead_ids:
        work.execute(MARK_STALE, {"leads": list(lead_ids)})


def pack_anew(
    work: UnitOfWork, catalog: Catalog, lead_ids: Sequence[str]
) -> dict[str, PackedLead]:
    """Pack leads from their rows. The caller holds the leads' locks."""
    encoder, packed = encoder_of(catalog), {}
    rows = []
    for lead_id, record in read_histories(work, lead_ids, catalog).items():
        one = packed[lead_id] = pack_lead(encoder, record)
        part = (one.records, one.version_moments, one.version_cells)
        known = clock.from_us(one.known_until)
        rows.append(_name_parts(catalog, lead_id, known, part, one.account_ids))
    if rows:
        work.execute(PUT, rows)
    return packed


def read_packed(
    work: UnitOfWork, catalog: Catalog, lead_ids: Sequence[str]
) -> dict[str, PackedLead]:
    """Read packed leads, without colleagues; those that are stale are packed anew first.

    The caller holds the leads' locks, since packing anew writes.
    """
    found: dict[str, PackedLead] = {}
    stale, left = [], []
    for lead_id, created_at, print_, known, records, moments, cells, accounts in work.execute(
        GET, {"ids": list(lead_ids)}
    ):
        if print_ != catalog.fingerprint:
            stale.append(lead_id)
            continue
        if has_left_an_account(accounts):
            left.append(lead_id)
            continue
        created = clock.to_us(created_at)
        # The first version is as of creation, so its moment is the earliest of the lead itself.
        first = min(created, int(np.frombuffer(moments, np.int64)[0]))
        found[lead_id] = PackedLead(
            first, clock.to_us(known), records, moments, cells, tuple(accounts)
        )
    if stale:
        found |= pack_anew(work, catalog, stale)
    if left:
        # Whose a record is depends on when it became known, which the bytes do not say.
        encoder = encoder_of(catalog)
        rows = read_histories(work, left, catalog)
        found |= {lead_id: pack_lead(encoder, record) for lead_id, record in rows.items()}
    return found


def check_packed(store: Store, catalog: Catalog, leads_at_once: int = 500) -> tuple[int, int]:
    """Compare all packed histories with their rows; pack anew what is stale or differs.

    Returns
    -------
    tuple of int
        How many were compared, and how many differed.
    """
    checked = different = 0
    after = ""
    while True:
        with store.work() as work:
            asked = {"after": after, "limit": leads_at_once}
            ids = list(work.execute(NEXT, asked).scalars())
            wrong = find_differences(work, catalog, ids)
            mark_stale(work, wrong)
            read_packed(work, catalog, ids)
        if not ids:
            return checked, different
        checked, different, after = checked + len(ids), different + len(wrong), ids[-1]


def find_differences(work: UnitOfWork, catalog: Catalog, lead_ids: Sequence[str]) -> list[str]:
    """Find leads whose packed history, if it is not stale, is not what their rows give."""
    encoder = encoder_of(catalog)
    rows = read_histories(work, lead_ids, catalog)
    different = []
    for lead_id, _, print_, known, records, moments, cells, accounts in work.execute(
        GET, {"ids": list(lead_ids)}
    ):
        if print_ != catalog.fingerprint or lead_id not in rows:
            continue
        true = pack_lead(encoder, rows[lead_id])
        stored = (_sorted(records), moments, cells, tuple(accounts), clock.to_us(known))
        if stored != (
            _sorted(true.records),
            true.version_moments,
            true.version_cells,
            true.account_ids,
            true.known_until,
        ):
            different.append(lead_id)
    return different


def _sorted(records: bytes) -> list[bytes]:
    """Sort records: they may be appended in any order."""
    whole = bytes(records)
    return sorted(whole[i : i + RECORD_BYTES] for i in range(0, len(whole), RECORD_BYTES))
