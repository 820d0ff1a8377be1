"""Leads and their colleagues for scoring: from packed histories now, or from the rows as of then."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import LeadRecord
from features.kernel.packed import PackedLead, pack_lead
from serving.store.histories import find_colleagues, read_histories
from serving.store.packed import encoder_of, read_packed
from serving.store.session import UnitOfWork


def asks_for_accounts(catalog: Catalog) -> bool:
    """Tell whether a catalogue counts what colleagues do."""
    return any(feature.family == "account" for feature in catalog.features)


def _pack_from_rows(
    work: UnitOfWork, catalog: Catalog, lead_ids: Sequence[str], known_before: datetime | None
) -> dict[str, PackedLead]:
    records = read_histories(work, lead_ids, catalog, known_before=known_before)
    encoder = encoder_of(catalog)
    return {lead_id: pack_lead(encoder, record) for lead_id, record in records.items()}


def _gather(
    packed: Mapping[str, PackedLead],
    colleagues: Mapping[str, Sequence[str]] | None,
    lead_ids: Sequence[str],
) -> dict[str, PackedLead]:
    if colleagues is None:
        return {i: packed[i] for i in lead_ids if i in packed}
    return {
        i: packed[i]._replace(colleagues=tuple(packed[c] for c in colleagues[i] if c in packed))
        for i in lead_ids
        if i in packed
    }


def read_people(
    work: UnitOfWork,
    catalog: Catalog,
    lead_ids: Sequence[str],
    *,
    keep: bool,
    colleagues: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, PackedLead]:
    """Read leads as they are known by now, with colleagues if the catalogue asks for them.

    Parameters
    ----------
    work, catalog
        To read with; of the model that will score.
    lead_ids
        Leads that are not merged into others; unknown ones are left out.
    keep
        Whether the packed histories of the store are of this catalogue, and those that are stale may
        be packed anew and kept: the caller holds the locks. Otherwise everything is packed from the
        rows, and forgotten.
    colleagues
        As ``find_colleagues`` found them, if that was asked already.
    """
    if not asks_for_accounts(catalog):
        colleagues = None
    elif colleagues is None:
        colleagues = find_colleagues(work, lead_ids)
    histories = list(
        dict.fromkeys([*lead_ids, *(c for cs in (colleagues or {}).values() for c in cs)])
    )
    if keep:
        packed = read_packed(work, catalog, histories)
    else:
        packed = _pack_from_rows(work, catalog, histories, None)
    return _gather(packed, colleagues, lead_ids)


def read_people_as_of(
    work: UnitOfWork, catalog: Catalog, lead_id: str, as_of: datetime
) -> PackedLead:
    """Read a lead from its rows as it was known before a moment.

    Parameters
    ----------
    work, catalog
        To read with; of the model that will score.
    lead_id
        A lead that was part of no other at that moment.
    as_of
        The moment. The lead may not have been created by then.

    Raises
    ------
    KeyError
        If there is no such lead.
    """
    colleagues = find_colleagues(work, [lead_id], as_of) if asks_for_accounts(catalog) else None
    histories = [lead_id, *(colleagues or {}).get(lead_id, [])]
    packed = _pack_from_rows(work, catalog, histories, as_of)
    found = _gather(packed, colleagues, [lead_id])[lead_id]
    return leave_out_not_yet_created(found, clock.to_us(as_of))


def read_record_as_of(
    work: UnitOfWork, catalog: Catalog, lead_id: str, as_of: datetime
) -> LeadRecord:
    """Read the records that ``read_people_as_of`` packs.

    Raises
    ------
    KeyError
        If there is no such lead.
    """
    asks, colleagues = asks_for_accounts(catalog), list[str]()
    if asks:
        colleagues = find_colleagues(work, [lead_id], as_of)[lead_id]
    records = read_histories(work, [lead_id, *colleagues], catalog, known_before=as_of)
    own = records[lead_id]
    if not asks:
        return own
    moment = clock.to_us(as_of)
    others = [records[c] for c in colleagues if c in records and records[c].created_at < moment]
    return own._replace(colleagues=tuple(others))


def leave_out_not_yet_created(lead: PackedLead, as_of: int) -> PackedLead:
    """Leave out colleagues whose creation lies at or after the moment of looking."""
    if not lead.colleagues:
        return lead
    created = tuple(other for other in lead.colleagues if other.created_at < as_of)
    return lead if len(created) == len(lead.colleagues) else lead._replace(colleagues=created)


def find_moment(lead: PackedLead, earliest: int) -> int:
    """Find the earliest moment, not before the one given, at which all that is known counts.

    Microseconds since the epoch. Colleagues that are not created by then are not waited for.
    """
    moment = max(earliest, lead.known_until + 1)
    while True:
        created = [
            other.known_until for other in lead.colleagues or () if other.created_at < moment
        ]
        after = max([moment, *(known + 1 for known in created)])
        if after == moment:
            return moment
        moment = after
