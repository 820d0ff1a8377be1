"""Packed histories: a lead's records as they lie in the kernel's memory, sixteen bytes each.

Whoever keeps them (a column of the store, a Parquet file) scores a lead without reading one event:
no parsing, no sorting. Codes are those of one catalogue's encoder; with another taxonomy or other
categories the histories are packed anew from the rows, which stay the truth.

A packed history holds what is known by now. It does not say since when, so it answers for moments
after the newest ``known_at`` of its records; any earlier moment is asked of the rows.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import PackedHistoryError
from features.kernel.encode import Encoder
from features.kernel.layout import NOBODY_LATE, Columns, Versions, assemble_versions, put_in_order

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
    versions: bytes
    """Eight bytes for ``known_at``, then eight for each attribute of the catalogue."""


def pack_lead(encoder: Encoder, lead: "LeadRecord") -> PackedLead:
    """Pack one lead."""
    from features.kernel.layout import columns_of_records

    columns = columns_of_records(encoder, [lead])
    known = [e.known_at for e in lead.events] + [m.known_at for m in lead.stages]
    known += [v.known_at for v in lead.versions]
    moments = columns.version_known_at.view(np.float64)[:, None]
    return PackedLead(
        lead.created_at,
        max([lead.created_at, *known]),
        columns.records.tobytes(),
        np.hstack([moments, columns.version_values]).tobytes(),
    )


def columns_of_packed_lead(encoder: Encoder, lead: PackedLead, as_of: int) -> Columns:
    """Lay out one packed lead.

    Raises
    ------
    PackedHistoryError
        If it is asked about a moment at which part of it was not known yet.
    """
    if as_of <= lead.known_until:
        raise PackedHistoryError(as_of, lead.known_until)
    records = np.frombuffer(lead.records, np.int64).copy()
    cells = np.frombuffer(lead.versions, np.float64).reshape(
        -1, 1 + len(encoder.catalog.attributes)
    )
    columns = Columns(
        np.array([lead.created_at], np.int64),
        np.array([0, len(records) // 2], np.int64),
        records,
        NOBODY_LATE,
        np.array([0, len(cells)], np.int64),
        cells[:, 0].copy().view(np.int64),
        cells[:, 1:].copy(),
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
        np.ascontiguousarray(created_at, np.int64),
        (begins - begins[0]) // RECORD_BYTES,
        words,
        NOBODY_LATE,
        *assemble_versions(versions, len(created_at)),
    )
    put_in_order(columns)
    return columns
