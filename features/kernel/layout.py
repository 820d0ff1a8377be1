"""Records as sorted columns: everything the hot path needs is decided and checked here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.kernel.encode import UNKNOWN_CODE, Encoder, sound_numbers
from features.kernel.order import any_late, count_records, mend_order, place_records
from features.kernel.table_columns import codes, distinct, lead_ids, leads_of, times

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
    records: NDArray[np.int64]  # (2 n_records,) two words each, see ``record``
    known_at: NDArray[np.int64]  # (n_records,), or empty if each was known when it happened
    version_offsets: NDArray[np.int64]  # (n_leads + 1,)
    version_known_at: NDArray[np.int64]
    version_values: NDArray[np.float64]  # (n_versions, n_attributes)
    version_account: NDArray[np.int64]  # (n_versions,) number of the account, -1 if not known


Records = tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int16],
    NDArray[np.int16],
    NDArray[np.float64],
]
"""Lead index, at, known_at, kind code, channel code (-1 if missing), value (NaN if missing).

Other types of whole numbers are taken as well, and cast.
"""

Versions = (
    tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
    | tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
)
"""Lead index, known_at, values of shape (n_versions, n_attributes); account, -1 if not known."""

NOBODY_LATE = np.empty(0, np.int64)


def _sort_lead(columns: Columns, lead: int) -> None:
    """Sort one lead's records as a whole."""
    own = slice(int(columns.offsets[lead]), int(columns.offsets[lead + 1]))
    pairs = columns.records.reshape(-1, 2)[own]
    order = np.lexsort((pairs[:, 1].copy().view(np.float64), pairs[:, 0]))
    pairs[:] = pairs[order]
    if len(columns.known_at):
        columns.known_at[own] = columns.known_at[own][order]


def _is_late(batch: Records) -> bool:
    at, known_at = batch[1], batch[2]
    return known_at is not at and bool(any_late(at, known_at))


def _offsets(leads: list[NDArray[np.int64]], n_leads: int) -> NDArray[np.int64]:
    counts = np.zeros(n_leads + 1, np.int64)
    for lead in leads:
        count_records(lead, counts)
    return np.cumsum(counts, out=counts)


def own_array(values: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Give values the type, order and writability the compiled code was made for.

    Arrow lends its memory read-only, which numba takes for another type: without this it would
    compile a second version of the kernel in the middle of a run.
    """
    return np.require(values, dtype, ["C", "W"])


def _as_read(batch: Records) -> Records:
    lead, at, known_at, kind, channel, value = batch
    times = own_array(at, np.int64)
    return (
        own_array(lead, np.int64),
        times,
        times if known_at is at else own_array(known_at, np.int64),
        own_array(kind, np.int16),
        own_array(channel, np.int16),
        own_array(value, np.float64),
    )


def _place(
    batches: list[Records], n_leads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give offsets, words and moments of knowing, the records placed but not yet in order."""
    read = [_as_read(batch) for batch in batches]
    offsets = _offsets([batch[0] for batch in read], n_leads)
    n_records = int(offsets[-1])
    words = np.empty(2 * n_records, np.int64)
    late = any(_is_late(batch) for batch in read)
    placed = np.empty(n_records, np.int64) if late else NOBODY_LATE
    place = offsets[:-1].copy()
    for batch in read:
        place_records(place, *batch, words, placed)
    return offsets, words, placed


def assemble_versions(
    versions: Versions, n_leads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Sort versions by lead and moment; give offsets, moments, values and accounts."""
    lead, known_at, values = versions[:3]
    account = versions[3] if len(versions) == 4 else np.full(len(lead), -1, np.int64)
    if len(lead) > 1:
        order = np.lexsort((known_at, lead))
        lead, known_at = lead[order], known_at[order]
        values, account = values[order], account[order]
    return (
        _offsets([own_array(lead, np.int64)], n_leads),
        own_array(known_at, np.int64),
        own_array(values, np.float64),
        own_array(account, np.int64),
    )


def put_in_order(columns: Columns) -> None:
    """Sort each lead's records in place; next to nothing if they are in order."""
    unsorted = np.zeros(len(columns.created_at), np.bool_)
    if mend_order(columns.offsets, columns.records, columns.known_at, unsorted):
        for lead in np.flatnonzero(unsorted).tolist():
            _sort_lead(columns, lead)


def assemble_columns(
    created_at: NDArray[np.int64], records: Records, versions: Versions, *more: Records
) -> Columns:
    """Sort records and versions into columns.

    Parameters
    ----------
    created_at : ndarray of shape (n_leads,)
    records, versions, more
        In any order. Passing one array as both ``at`` and ``known_at`` says that all are punctual.
    """
    n_leads = len(created_at)
    offsets, words, known_at = _place([records, *more], n_leads)
    columns = Columns(
        own_array(created_at, np.int64),
        offsets,
        words,
        known_at,
        *assemble_versions(versions, n_leads),
    )
    put_in_order(columns)
    return columns


class _Gathered:
    """Records of several leads, column by column."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.lead: list[int] = []
        self.at: list[int] = []
        self.known_at: list[int] = []
        self.kind: list[int] = []
        self.channel: list[int] = []
        self.value: list[float | None] = []

    def take(self, index: int, record: "LeadRecord") -> None:
        """Take in the events and stage changes of one lead."""
        if record.events:
            at, known_at, kinds, channels, values = zip(*record.events, strict=True)
            self.at += at
            self.known_at += known_at
            self.kind += self._encoder.kinds(kinds)
            self.channel += self._encoder.channels(channels)
            self.value += values
        for move in record.stages:
            self.at.append(move.at)
            self.known_at.append(move.known_at)
            self.kind.append(self._encoder.move(move.stage, move.reason))
        n_new = len(record.events) + len(record.stages)
        self.lead += [index] * n_new
        self.channel += [UNKNOWN_CODE] * len(record.stages)
        self.value += [None] * len(record.stages)

    def records(self) -> Records:
        """Give the columns."""
        return (
            np.array(self.lead, np.int64),
            np.array(self.at, np.int64),
            np.array(self.known_at, np.int64),
            np.array(self.kind, np.int16),
            np.array(self.channel, np.int16),
            np.array(self.value, np.float64),
        )


def columns_of_records(encoder: Encoder, leads: Sequence["LeadRecord"]) -> Columns:
    """Lay out leads that arrive as records.

    The colleagues that a lead brings along follow right behind it, as leads of their own. An
    account is that of one lead's people alone: what another lead brings along is not mixed in.
    """
    gathered = _Gathered(encoder)
    version_lead: list[int] = []
    version_known_at, version_rows = [], []
    created_at: list[int] = []
    accounts: dict[tuple[int, str], int] = {}
    account: list[int] = []
    attributes = encoder.catalog.attributes
    for asked in leads:
        scope = len(created_at)
        for record in (asked, *(asked.colleagues or ())):
            gathered.take(len(created_at), record)
            for version in record.versions:
                version_lead.append(len(created_at))
                version_known_at.append(version.known_at)
                version_rows.append(
                    [encoder.attribute_cell(a, version.attributes.get(a.name)) for a in attributes]
                )
                named = version.account_id is not None and asked.colleagues is not None
                key = (scope, str(version.account_id))
                account.append(accounts.setdefault(key, len(accounts)) if named else -1)
            created_at.append(record.created_at)
    return assemble_columns(
        np.array(created_at, np.int64),
        gathered.records(),
        (
            np.array(version_lead, np.int64),
            np.array(version_known_at, np.int64),
            np.array(version_rows, np.float64).reshape(len(version_rows), len(attributes)),
            np.array(account, np.int64),
        ),
    )


def lead_index(leads: "pa.Table") -> dict[str, int]:
    """Give each lead of a lead table its row number, by first appearance."""
    return {lead_id: n for n, lead_id in enumerate(lead_ids(leads)[0].to_pylist())}


def creation_times(leads: "pa.Table") -> NDArray[np.int64]:
    """Read when each lead was created, by row number, in microseconds since the epoch."""
    ids, number = lead_ids(leads)
    created = np.zeros(len(ids), np.int64)
    created[number] = times(leads.column("created_at"))
    return created


def _version_values(encoder: Encoder, leads: "pa.Table") -> NDArray[np.float64]:
    import pyarrow as pa

    values = np.full((leads.num_rows, len(encoder.catalog.attributes)), np.nan)
    for position, attribute in enumerate(encoder.catalog.attributes):
        if attribute.name not in leads.column_names:
            continue
        column = leads.column(attribute.name)
        if attribute.type == "category":
            named, positions = distinct(column)
            cells = [encoder.attribute_cell(attribute, v) for v in named.to_pylist()]
            values[:, position] = np.array([*cells, np.nan])[positions]
        else:
            if attribute.type == "time":
                column = column.cast(pa.int64())
            # Not safe: a far date has more microseconds than a double counts exactly, which is
            # what the online path gets as well.
            numbers = column.cast(pa.float64(), safe=False)
            values[:, position] = sound_numbers(numbers.to_numpy(zero_copy_only=False))
    return values


def _codes_of_accounts(leads: "pa.Table") -> NDArray[np.int64]:
    return distinct(leads.column("account_id"))[1].astype(np.int64)


def _move_codes(encoder: Encoder, stages: "pa.Table") -> NDArray[np.int16]:
    moved = stages.column("stage")
    found = codes(moved, lambda names: [encoder.stage_codes[name] for name in names])
    reasons = stages.column("reason")
    explained = (found == encoder.return_code) & reasons.is_valid().to_numpy()
    if explained.any():
        found[explained] = codes(reasons, encoder.returns)[explained]
    return found


def columns_of_history(encoder: Encoder, history: "History") -> Columns:
    """Lay out a whole history; leads in the order of their first appearance in the lead table.

    Raises
    ------
    ContractError
        If an event or stage change names a lead that the lead table lacks.
    """
    events, stages = history.events, history.stages
    ids, version_lead = lead_ids(history.leads)
    moves = (
        leads_of("stage change", stages.column("lead_id"), ids),
        times(stages.column("at")),
        times(stages.column("known_at")),
        _move_codes(encoder, stages),
        np.full(stages.num_rows, UNKNOWN_CODE, np.int16),
        np.full(stages.num_rows, np.nan),
    )
    records = (
        leads_of("event", events.column("lead_id"), ids),
        times(events.column("occurred_at")),
        times(events.column("known_at")),
        codes(events.column("kind"), encoder.kinds),
        codes(events.column("channel"), encoder.channels),
        events.column("value").to_numpy(),
    )
    versions = (
        version_lead,
        times(history.leads.column("known_at")),
        _version_values(encoder, history.leads),
        _codes_of_accounts(history.leads),
    )
    return assemble_columns(creation_times(history.leads), records, versions, moves)
