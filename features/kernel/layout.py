"""Records as sorted columns: everything the hot path needs is decided and checked here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.kernel.encode import Encoder, sound_numbers

if TYPE_CHECKING:
    import pyarrow as pa

    from features.contracts.history import History
    from features.contracts.records import LeadRecord


class Columns(NamedTuple):
    """Leads and their records, sorted. Times are microseconds since the epoch.

    Lead ``i`` owns records ``offsets[i]:offsets[i + 1]`` and attribute versions
    ``version_offsets[i]:version_offsets[i + 1]``. Records are ordered by time, kind, channel and
    value, so that the order of arrival cannot matter, even among equal times. Of versions that
    became known at the same moment the one listed last holds.
    """

    created_at: NDArray[np.int64]  # (n_leads,)
    offsets: NDArray[np.int64]  # (n_leads + 1,)
    at: NDArray[np.int64]  # (n_records,) occurred_at
    known_at: NDArray[np.int64]
    kind: NDArray[np.int64]
    channel: NDArray[np.int64]  # -1 if missing
    value: NDArray[np.float64]  # NaN if missing
    late: NDArray[np.bool_]  # (n_leads,) whether any record became known after it happened
    version_offsets: NDArray[np.int64]  # (n_leads + 1,)
    version_known_at: NDArray[np.int64]
    version_values: NDArray[np.float64]  # (n_versions, n_attributes)


def _sort(
    lead: NDArray[np.int64],
    at: NDArray[np.int64],
    kind: NDArray[np.int64],
    channel: NDArray[np.int64],
    value: NDArray[np.float64],
) -> NDArray[np.int64]:
    return np.lexsort((value, channel, kind, at, lead))


def _offsets(lead: NDArray[np.int64], n_leads: int) -> NDArray[np.int64]:
    counts = np.bincount(lead, minlength=n_leads)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _late(
    lead: NDArray[np.int64], at: NDArray[np.int64], known_at: NDArray[np.int64], n_leads: int
) -> NDArray[np.bool_]:
    late = np.zeros(n_leads, np.bool_)
    late[lead[known_at > at]] = True
    return late


def assemble_columns(
    created_at: NDArray[np.int64],
    records: tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float64],
    ],
    versions: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
) -> Columns:
    """Sort records and versions into columns.

    Parameters
    ----------
    created_at : ndarray of shape (n_leads,)
    records
        Lead index, at, known_at, kind, channel, value; any order.
    versions
        Lead index, known_at, and values of shape (n_versions, n_attributes); any order.
    """
    lead, at, known_at, kind, channel, value = records
    n_leads = len(created_at)
    order = _sort(lead, at, kind, channel, value)
    version_lead, version_known_at, version_values = versions
    version_order = np.lexsort((version_known_at, version_lead))
    return Columns(
        created_at=np.ascontiguousarray(created_at, np.int64),
        offsets=_offsets(lead, n_leads),
        at=at[order],
        known_at=known_at[order],
        kind=kind[order],
        channel=channel[order],
        value=value[order],
        late=_late(lead, at, known_at, n_leads),
        version_offsets=_offsets(version_lead, n_leads),
        version_known_at=version_known_at[version_order],
        version_values=np.ascontiguousarray(version_values[version_order]),
    )


def _column_i8(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def columns_of_records(encoder: Encoder, leads: Sequence["LeadRecord"]) -> Columns:
    """Lay out leads that arrive as records."""
    lead, at, known, kind, channel, value = [], [], [], [], [], []
    version_lead, version_known, version_rows = [], [], []
    attributes = encoder.catalog.attributes
    for index, record in enumerate(leads):
        for event in record.events:
            lead.append(index)
            at.append(event.occurred_at)
            known.append(event.known_at)
            kind.append(encoder.kind_code(event.kind))
            channel.append(encoder.channel_code(event.channel))
            value.append(np.nan if event.value is None else event.value)
        for move in record.stages:
            lead.append(index)
            at.append(move.at)
            known.append(move.known_at)
            kind.append(encoder.stage_codes[move.stage])
            channel.append(-1)
            value.append(np.nan)
        for version in record.versions:
            version_lead.append(index)
            version_known.append(version.known_at)
            version_rows.append(
                [encoder.attribute_cell(a, version.attributes.get(a.name)) for a in attributes]
            )
    return assemble_columns(
        _column_i8([record.created_at for record in leads]),
        (
            _column_i8(lead),
            _column_i8(at),
            _column_i8(known),
            _column_i8(kind),
            _column_i8(channel),
            sound_numbers(np.array(value, np.float64)),
        ),
        (
            _column_i8(version_lead),
            _column_i8(version_known),
            np.array(version_rows, np.float64).reshape(len(version_rows), len(attributes)),
        ),
    )


def _times(column: "pa.ChunkedArray") -> NDArray[np.int64]:
    import pyarrow as pa

    return np.asarray(column.cast(pa.int64()).to_numpy())


def _codes(column: "pa.ChunkedArray", code_of: dict[str, int], missing: int) -> NDArray[np.int64]:
    """Code a text column by coding its distinct values once."""
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    table = np.array([code_of[str(v)] for v in encoded.dictionary.to_pylist()] or [0], np.int64)
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(indices < 0, missing, table[np.maximum(indices, 0)]).astype(np.int64)


def lead_index(leads: "pa.Table") -> dict[str, int]:
    """Give each lead of a lead table its row number, by first appearance."""
    ids: dict[str, int] = {}
    for lead_id in leads.column("lead_id").to_pylist():
        ids.setdefault(lead_id, len(ids))
    return ids


def creation_times(leads: "pa.Table", ids: dict[str, int]) -> NDArray[np.int64]:
    """Read when each lead was created, by row number, in microseconds since the epoch."""
    created = np.zeros(len(ids), np.int64)
    created[_codes(leads.column("lead_id"), ids, -1)] = _times(leads.column("created_at"))
    return created


def _version_values(encoder: Encoder, leads: "pa.Table") -> NDArray[np.float64]:
    import pyarrow as pa

    values = np.full((leads.num_rows, len(encoder.catalog.attributes)), np.nan)
    for position, attribute in enumerate(encoder.catalog.attributes):
        if attribute.name not in leads.column_names:
            continue
        column = leads.column(attribute.name)
        if attribute.type == "category":
            distinct = column.unique().drop_null().to_pylist()
            cells = {v: int(encoder.attribute_cell(attribute, v)) for v in distinct}
            codes = _codes(column, cells, -1)
            values[:, position] = np.where(codes < 0, np.nan, codes)
        else:
            if attribute.type == "time":
                column = column.cast(pa.int64())
            # Not safe: a far date has more microseconds than a double counts exactly, which is
            # what the online path gets as well.
            numbers = column.cast(pa.float64(), safe=False)
            values[:, position] = sound_numbers(numbers.to_numpy(zero_copy_only=False))
    return values


def columns_of_history(encoder: Encoder, history: "History") -> tuple[Columns, dict[str, int]]:
    """Lay out a whole history; also give the row number of each lead id."""
    ids = lead_index(history.leads)
    events, stages = history.events, history.stages
    kinds = {k: encoder.kind_code(k) for k in events.column("kind").unique().to_pylist()}
    channels = {
        c: encoder.channel_code(c)
        for c in events.column("channel").unique().drop_null().to_pylist()
    }
    event_lead = _codes(events.column("lead_id"), ids, -1)
    stage_lead = _codes(stages.column("lead_id"), ids, -1)
    version_lead = _codes(history.leads.column("lead_id"), ids, -1)
    created = creation_times(history.leads, ids)
    n_moves = stages.num_rows
    records = (
        np.concatenate([event_lead, stage_lead]),
        np.concatenate([_times(events.column("occurred_at")), _times(stages.column("at"))]),
        np.concatenate([_times(events.column("known_at")), _times(stages.column("known_at"))]),
        np.concatenate(
            [
                _codes(events.column("kind"), kinds, -1),
                _codes(stages.column("stage"), encoder.stage_codes, -1),
            ]
        ),
        np.concatenate([_codes(events.column("channel"), channels, -1), np.full(n_moves, -1)]),
        np.concatenate(
            [
                sound_numbers(events.column("value").to_numpy().astype(np.float64)),
                np.full(n_moves, np.nan),
            ]
        ),
    )
    versions = (
        version_lead,
        _times(history.leads.column("known_at")),
        _version_values(encoder, history.leads),
    )
    return assemble_columns(created, records, versions), ids
