"""Packed histories: a lead's records as they lie in the kernel's memory, sixteen bytes each.

Whoever keeps them (a column of the store, a Parquet file) scores a lead without reading one event:
no parsing, no sorting. Codes are those of one catalogue's encoder; with another taxonomy or other
categories the histories are packed anew from the rows, which stay the truth.

A packed history holds what is known by now. It does not say since when, so it answers for moments
after the newest ``known_at`` of its records; any earlier moment is asked of the rows.
"""

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import PackedHistoryError
from features.kernel.encode import Encoder
from features.kernel.layout import (
    NOBODY_LATE,
    Columns,
    Versions,
    assemble_versions,
    columns_of_records,
    own_array,
    put_in_order,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from features.contracts.records import LeadRecord

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


def pack_lead(encoder: Encoder, lead: "LeadRecord") -> PackedLead:
    """Pack one lead, and the colleagues it brings along."""
    others = lead.colleagues
    columns = columns_of_records(encoder, [lead._replace(colleagues=None)])
    known = [e.known_at for e in lead.events] + [m.known_at for m in lead.stages]
    known += [v.known_at for v in lead.versions]
    in_time = sorted(lead.versions, key=lambda version: version.known_at)
    return PackedLead(
        lead.created_at,
        max([lead.created_at, *known]),
        columns.records.tobytes(),
        columns.version_known_at.tobytes(),
        columns.version_values.tobytes(),
        tuple(version.account_id for version in in_time),
        None if others is None else tuple(pack_lead(encoder, other) for other in others),
    )


def _offsets(lengths: list[int]) -> NDArray[np.int64]:
    if len(lengths) == 1:  # the common case, and a microsecond of it
        return np.array((0, lengths[0]), np.int64)
    return np.array([0, *accumulate(lengths)], np.int64)


def _joined(parts: list[bytes], dtype: type[np.generic]) -> NDArray[Any]:
    # A bytearray, since the memory of bytes is read-only, which numba takes for another type.
    whole = bytearray(parts[0]) if len(parts) == 1 else bytearray().join(parts)
    return np.frombuffer(whole, dtype)


def _accounts(people: tuple[PackedLead, ...], n_versions: int) -> NDArray[np.int64]:
    if people[0].colleagues is None:
        return np.full(n_versions, -1, np.int64)
    numbers: dict[str | None, int] = {None: -1}
    codes = [numbers.setdefault(a, len(numbers) - 1) for p in people for a in p.account_ids]
    return np.array(codes, np.int64)


def columns_of_packed_lead(encoder: Encoder, lead: PackedLead, as_of: int) -> Columns:
    """Lay out one packed lead; its colleagues follow behind it.

    Raises
    ------
    PackedHistoryError
        If it is asked about a moment at which part of it was not known yet.
    """
    people = (lead, *(lead.colleagues or ()))
    known_until = max([person.known_until for person in people])
    if as_of <= known_until:
        raise PackedHistoryError(as_of, known_until)
    moments = _joined([p.version_moments for p in people], np.int64)
    columns = Columns(
        np.array([p.created_at for p in people], np.int64),
        _offsets([len(p.records) // RECORD_BYTES for p in people]),
        _joined([p.records for p in people], np.int64),
        NOBODY_LATE,
        _offsets([len(p.version_moments) // 8 for p in people]),
        moments,
        _joined([p.version_cells for p in people], np.float64).reshape(
            len(moments), len(encoder.catalog.attributes)
        ),
        _accounts(people, len(moments)),
    )
    put_in_order(columns)
    return columns


def pack_columns(columns: Columns) -> "pa.LargeBinaryArray":
    """Pack many leads: one binary value each, the whole without a copy."""
    import pyarrow as pa

    offsets = columns.offsets * RECORD_BYTES
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(columns.records)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def columns_of_packed(
    created_at: NDArray[np.int64], packed: "pa.LargeBinaryArray", versions: Versions
) -> Columns:
    """Lay out many packed leads.

    Parameters
    ----------
    created_at : ndarray of shape (n_leads,)
    packed
        One value per lead, as ``pack_columns`` gives them.
    versions
        Lead index, known_at, values; in any order.
    """
    _, offsets, data = packed.buffers()
    begins = np.frombuffer(offsets, np.int64)[packed.offset : packed.offset + len(packed) + 1]
    words = np.frombuffer(data, np.int64)[begins[0] // 8 : begins[-1] // 8].copy()
    columns = Columns(
        own_array(created_at, np.int64),
        (begins - begins[0]) // RECORD_BYTES,
        words,
        NOBODY_LATE,
        *assemble_versions(versions, len(created_at)),
    )
    put_in_order(columns)
    return columns
