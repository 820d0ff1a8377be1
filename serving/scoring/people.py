"""Leads and their colleagues for scoring: from packed histories now, or from the rows as of then."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from features import clock
from features.catalog.manifest import Catalog
from features.contracts.records import LeadRecord
from features.kernel.packed import PackedLead, pack_lead
from serving.store.histories import EVER, read_histories
from serving.store.packed import encoder_of, read_packed
from serving.store.session import UnitOfWork

MOST_COLLEAGUES = 1_000
"""Colleagues of one lead that count, by the order of their ids: a mail provider taken for an account
must not make each of its leads as dear as all of them."""

COLLEAGUES = """
SELECT lead_id, colleague FROM (
    SELECT *, row_number() OVER (PARTITION BY lead_id ORDER BY colleague) AS place FROM (
        SELECT DISTINCT own.lead_id, coalesce(l.merged_into, l.lead_id) AS colleague FROM (
            SELECT DISTINCT coalesce(m.merged_into, m.lead_id) AS lead_id, w.account_id
            FROM lead m JOIN lead_version w ON w.lead_id = m.lead_id
            WHERE (m.lead_id = ANY(%(ids)s) OR m.merged_into = ANY(%(ids)s))
                AND w.account_id IS NOT NULL AND w.known_at < %(before)s
        ) own
        JOIN lead_version v ON v.account_id = own.account_id AND v.known_at < %(before)s
        JOIN lead l ON l.lead_id = v.lead_id
    ) pairs WHERE colleague <> lead_id
) numbered WHERE place <= %(most)s ORDER BY lead_id, colleague
"""


def asks_for_accounts(catalog: Catalog) -> bool:
    """Tell whether a catalogue counts what colleagues do."""
    return any(feature.family == "account" for feature in catalog.features)


def find_all_colleagues(
    work: UnitOfWork, lead_ids: Sequence[str], known_before: datetime | None = None
) -> dict[str, list[str]]:
    """Find, for each lead, those that are, or were, of one of its accounts."""
    asked = {"ids": list(lead_ids), "before": known_before or EVER, "most": MOST_COLLEAGUES}
    found: dict[str, list[str]] = {lead_id: [] for lead_id in lead_ids}
    for lead_id, colleague in work.execute(COLLEAGUES, asked):
        found[lead_id].append(colleague)
    return found


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
        As ``find_all_colleagues`` found them, if that was asked already.
    """
    if not asks_for_accounts(catalog):
        colleagues = None
    elif colleagues is None:
        colleagues = find_all_colleagues(work, lead_ids)
    people = list(
        dict.fromkeys([*lead_ids, *(c for cs in (colleagues or {}).values() for c in cs)])
    )
    if keep:
        packed = read_packed(work, catalog, people)
    else:
        packed = _pack_from_rows(work, catalog, people, None)
    return _gather(packed, colleagues, lead_ids)


def read_people_as_of(
    work: UnitOfWork, catalog: Catalog, lead_id: str, as_of: datetime
) -> PackedLead | None:
    """Read a lead from its rows as it was known before a moment; None if it was not there yet."""
    colleagues = (
        find_all_colleagues(work, [lead_id], as_of) if asks_for_accounts(catalog) else None
    )
    people = [lead_id, *(colleagues or {}).get(lead_id, [])]
    packed = _pack_from_rows(work, catalog, people, as_of)
    found = _gather(packed, colleagues, [lead_id]).get(lead_id)
    return None if found is None else leave_out_unborn(found, clock.to_us(as_of))


def read_record_as_of(
    work: UnitOfWork, catalog: Catalog, lead_id: str, as_of: datetime
) -> LeadRecord | None:
    """Read a lead's records, and its colleagues', as known before a moment; None if not there."""
    colleagues: list[str] = []
    if asks_for_accounts(catalog):
        colleagues = find_all_colleagues(work, [lead_id], as_of)[lead_id]
    records = read_histories(work, [lead_id, *colleagues], catalog, known_before=as_of)
    own = records.get(lead_id)
    if own is None or not asks_for_accounts(catalog):
        return own
    moment = clock.to_us(as_of)
    others = [records[c] for c in colleagues if c in records and records[c].created_at < moment]
    return own._replace(colleagues=tuple(others))


def leave_out_unborn(lead: PackedLead, as_of: int) -> PackedLead:
    """Leave out colleagues whose creation lies at or after the moment of looking."""
    if not lead.colleagues:
        return lead
    born = tuple(other for other in lead.colleagues if other.created_at < as_of)
    return lead if len(born) == len(lead.colleagues) else lead._replace(colleagues=born)


def find_moment(lead: PackedLead, earliest: int) -> int:
    """Find the earliest moment, not before the one given, at which all that is known counts.

    Microseconds since the epoch. Colleagues that are not born by then are not waited for.
    """
    moment = max(earliest, lead.known_until + 1)
    while True:
        born = [other.known_until for other in lead.colleagues or () if other.created_at < moment]
        after = max([moment, *(known + 1 for known in born)])
        if after == moment:
            return moment
        moment = after
