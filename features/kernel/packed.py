"""Packed histories: a lead's records as they lie in the kernel's memory, sixteen bytes each.

Whoever keeps them (a column of the store, a Parquet file) scores a lead without reading one event:
no parsing, no sorting. Codes are those of one catalogue's encoder; with another taxonomy or other
categories the histories are packed anew from the rows, which stay the truth.

A packed history holds what is known by now. It does not say since when, so it answers for moments
after the newest ``known_at`` of its records; any earlier moment is asked of the rows.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import PackedHistoryError
from features.kernel.encode import Encoder
from features.kernel.layout import (
    NOBODY_LATE,
    Columns,
    columns_of_records,
    put_in_order,
)
from features.kernel.record import CHANNEL_BITS, KIND_MASK, TIME_SHIFT

if TYPE_CHECKING:
    from features.contracts.records import LeadRecord, StageRecord

RECORD_BYTES = 16


class PackedLead(NamedTuple):
    """One lead, ready for the kernel."""

    created_at: int
    known_until: int
    """When the newest of its records became known, microseconds; the earliest moment is after."""
    records: bytes
    """Sixteen bytes each; further ones may be appended in any order."""
    version_moments: bytes
    """Eight bytes for each version: its ``known_at``."""
    version_cells: bytes
    """For each version eight bytes per attribute of the catalogue."""
    account_ids: tuple[str | None, ...] = ()
    """The account each version names."""
    colleagues: "tuple[PackedLead, ...] | None" = None
    """Leads that are, or were, of its account; None if nobody said."""
    known: bytes = b""
    """Eight bytes a record: when it became known. Only of a lead that has left an account, where some
    became known late: what becomes known after it has left is not that account's."""


def has_left_an_account(account_ids: Sequence[str | None]) -> bool:
    """Tell whether a lead, by the accounts its versions name, was ever of one that it left.

    >>> has_left_an_account([None, "acme", "acme"]), has_left_an_account(["acme", None])
    (False, True)
    """
    pairs = pairwise(account_ids)
    return any(before is not None and after != before for before, after in pairs)


def pack_lead(encoder: Encoder, lead: "LeadRecord") -> PackedLead:
    """Pack one lead, and the colleagues it brings along."""
    others = lead.colleagues
    columns = columns_of_records(encoder, [lead._replace(colleagues=None)])
    known = [e.known_at for e in lead.events] + [m.known_at for m in lead.stages]
    known += [v.known_at for v in lead.versions]
    in_time = sorted(lead.versions, key=lambda version: version.known_at)
    accounts = tuple(version.account_id for version in in_time)
    return PackedLead(
        lead.created_at,
        max([lead.created_at, *known]),
        columns.records.tobytes(),
        columns.version_known_at.tobytes(),
        columns.version_values.tobytes(),
        accounts,
        None if others is None else tuple(pack_lead(encoder, other) for other in others),
        columns.known_at.tobytes() if has_left_an_account(accounts) else b"",
    )


def _offsets(lengths: list[int]) -> NDArray[np.int64]:
    if len(lengths) == 1:  # the common case, and a microsecond of it
        return np.array((0, lengths[0]), np.int64)
    return np.array([0, *accumulate(lengths)], np.int64)


def _joined(parts: list[bytes], dtype: type[np.generic]) -> NDArray[Any]:
    # A bytearray, since the memory of bytes is read-only, which numba takes for another type.
    whole = bytearray(parts[0]) if len(parts) == 1 else bytearray().join(parts)
    return np.frombuffer(whole, dtype)


def _accounts(leads: Sequence[PackedLead], n_versions: int) -> NDArray[np.int64]:
    """Count accounts up; those of one lead's people are strangers to any other lead's."""
    if all(lead.colleagues is None for lead in leads):
        return np.full(n_versions, -1, np.int64)
    numbers: dict[tuple[int, str], int] = {}
    codes = []
    for scope, lead in enumerate(leads):
        for person in (lead, *(lead.colleagues or ())):
            codes += [
                -1
                if account is None or lead.colleagues is None
                else numbers.setdefault((scope, account), len(numbers))
                for account in person.account_ids
            ]
    return np.array(codes, np.int64)


def _moments_of_knowing(
    people: Sequence[PackedLead], words: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give when each record became known; where that counts for nothing, when it happened."""
    if not any(person.known for person in people):
        return NOBODY_LATE
    known_at = words[::2] >> TIME_SHIFT
    end = 0
    for person in people:
        begin, end = end, end + len(person.records) // RECORD_BYTES
        if person.known:
            known_at[begin:end] = np.frombuffer(person.known, np.int64)
    return known_at


def columns_of_packed_leads(
    encoder: Encoder, leads: Sequence[PackedLead], as_of: Sequence[int]
) -> Columns:
    """Lay out packed leads; the colleagues of each follow right behind it.

    Raises
    ------
    PackedHistoryError
        If one is asked about a moment at which part of it was not known yet.
    """
    people: list[PackedLead] = []
    for lead, moment in zip(leads, as_of, strict=True):
        own = (lead, *(lead.colleagues or ()))
        known_until = max([person.known_until for person in own])
        if moment <= known_until:
            raise PackedHistoryError(moment, known_until)
        people += own
    moments = _joined([p.version_moments for p in people], np.int64)
    words = _joined([p.records for p in people], np.int64)
    columns = Columns(
        np.array([p.created_at for p in people], np.int64),
        _offsets([len(p.records) // RECORD_BYTES for p in people]),
        words,
        _moments_of_knowing(people, words),
        _offsets([len(p.version_moments) // 8 for p in people]),
        moments,
        _joined([p.version_cells for p in people], np.float64).reshape(
            len(moments), len(encoder.catalog.attributes)
        ),
        _accounts(leads, len(moments)),
    )
    put_in_order(columns)
    return columns


class PackedFacts(NamedTuple):
    """What can be told of a packed lead without its rows, as of one moment."""

    moves: "tuple[StageRecord, ...]"
    """Its stage changes, in any order. Packed, they do not say since when they are known."""
    n_events: int
    last_at: int
    """When the newest thing happened that had happened by then; its creation if nothing had."""


def read_packed_facts(encoder: Encoder, lead: PackedLead, as_of: int) -> PackedFacts:
    """Read stage changes, number of events and latest moment out of a packed lead."""
    from features.contracts.records import StageRecord

    words = np.frombuffer(lead.records, np.int64)[::2]
    moments, kinds = words >> TIME_SHIFT, (words >> CHANNEL_BITS) & KIND_MASK
    is_move = kinds >= encoder.first_stage_code
    moves = tuple(
        StageRecord(at, at, *encoder.moves[kind])
        for at, kind in zip(moments[is_move].tolist(), kinds[is_move].tolist(), strict=True)
    )
    past = moments[moments < as_of]
    last_at = max(lead.created_at, int(past.max())) if len(past) else lead.created_at
    return PackedFacts(moves, len(words) - len(moves), last_at)
