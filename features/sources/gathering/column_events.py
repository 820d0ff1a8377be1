"""Events by columns: the rows about which nothing can be wrong at once, all others one by one.

The row reader is the judge. A row is taken by columns only if the judge would surely take it, or
surely leave it to another source; every other row is handed to the judge itself, in order, so
that rejects, counts and values are the judge's.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.sources.cells.column_cells import (
    CodedTexts,
    ColumnReaders,
    Flags,
    Marks,
    ReadTimes,
    Times,
    has_plain_times,
)
from features.sources.gathering.event_ids import HashedIds
from features.sources.gathering.event_spill import SPILLED
from features.sources.gathering.gather import Gathering
from features.sources.gathering.lead_index import UNKNOWN
from features.sources.gathering.read_source import SourceReader
from features.sources.mapping.model import Cell, Record, SourceMapping
from features.sources.readers.batches import RowBatch
from features.sources.readers.rows import RawRow


def can_be_read(source: SourceMapping) -> bool:
    """Tell whether a source's fields can be read by columns."""
    cells: list[Cell] = list(source.fields.values())
    if any(cell.from_line is not None or cell.rows_between is not None for cell in cells):
        return False
    times = [source.fields[n] for n in ("occurred_at", "known_at") if n in source.fields]
    return source.record is Record.EVENT and all(map(has_plain_times, times))


def list_columns(source: SourceMapping) -> list[str]:
    """List the columns that are read of a source."""
    cells = [column for cell in source.fields.values() for column in cell.columns_read]
    return [*cells, *source.where, *source.where_not]


class ColumnEvents:
    """Reads the events of one source from one file, a batch of rows at a time."""

    def __init__(
        self,
        source: SourceMapping,
        judge: SourceReader,
        reject_unread: Callable[[RawRow], None],
    ) -> None:
        context = judge.context
        self._count = judge.count
        self._gathering: Gathering = context.gathering
        self._judge = judge
        self._reject_unread = reject_unread
        self._name = context.name
        self._taxonomy = context.gathering.taxonomy
        make = ColumnReaders(context.converters, context.rows.key_of)
        self._filters = [
            make.filter(column, words, wanted=wanted)
            for filters, wanted in ((source.where, True), (source.where_not, False))
            for column, words in filters.items()
        ]
        fields = source.fields
        self._texts = {
            name: make.texts(name, fields[name])
            for name in ("kind", "name", "channel")
            if name in fields
        }
        self._lead_ids = make.ids("lead_id", fields["lead_id"])
        self._event_ids = (
            make.ids("event_id", fields["event_id"]) if "event_id" in fields else None
        )
        self._times: dict[str, ReadTimes] = {
            name: make.times(fields[name])
            for name in ("occurred_at", "known_at")
            if name in fields
        }
        self._value = make.numbers("value", fields["value"]) if "value" in fields else None
        properties = fields.get("properties")
        self._properties = make.properties(properties) if properties is not None else None

    def read(self, batch: RowBatch) -> None:
        """Take the rows of a batch."""
        n_rows = len(batch.lines)
        events, sure, asked = None, np.zeros(0, np.bool_), np.zeros(0, np.bool_)
        if n_rows:
            events, sure, asked = self._read_columns(batch)
        judged = self._ask(batch, np.flatnonzero(asked))
        if events is None:
            self._gathering.flush_events()
        else:
            self._gathering.take_columns(
                events if sure.all() else events.filter(pa.array(sure)),
                batch.numbers[sure],
                judged,
            )

    def _read_columns(self, batch: RowBatch) -> tuple[pa.RecordBatch, Flags, Flags]:
        """Read a batch; give its events, and which of its rows are sure, or have to be asked."""
        n_rows = len(batch.lines)
        marks, others = Marks.of(n_rows), np.zeros(n_rows, np.bool_)
        for is_other in self._filters:
            others |= is_other(batch)
        texts = {name: read(batch, marks) for name, read in self._texts.items()}
        lead_ids = self._lead_ids(batch, marks)
        event_ids = self._default_ids(batch)
        if self._event_ids is not None:
            event_ids = self._event_ids(batch, marks)
        occurred, known = self._read_times(batch, marks)
        value = pa.nulls(n_rows, pa.float64())
        if self._value is not None:
            value = self._value(batch, marks)
        properties = pa.nulls(n_rows, pa.string())
        if self._properties is not None:
            properties = self._properties(batch, marks)
        # A filter comes before all cells; a map's "not this" comes after them.
        others |= marks.not_this & ~marks.unsure
        lead = self._gathering.find_leads(lead_ids)
        limit_us = self._gathering.limit_us
        late = (occurred >= limit_us) | (known >= limit_us)
        asked = ~others & (marks.unsure | (lead == UNKNOWN) | late)
        asked |= ~others & event_ids.is_null().to_numpy(zero_copy_only=False)
        sure = ~others & ~asked
        repeated = self._find_repeated(event_ids, sure, asked)
        sure &= ~repeated
        asked |= repeated
        n_others, n_sure = int(others.sum()), int(sure.sum())
        self._count.read += n_others + n_sure
        self._count.not_this += n_others
        self._count.accepted += n_sure
        kind, name, channel = self._read_words(texts, n_rows)
        columns = [
            pa.array(lead, pa.int32()),
            pa.array(occurred),
            pa.array(known),
            pa.array(kind),
            pa.array(channel, mask=channel < 0),
            value,
            name,
            event_ids,
            properties,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SPILLED), sure, asked

    def _read_times(self, batch: RowBatch, marks: Marks) -> tuple[Times, Times]:
        occurred, there = self._times["occurred_at"](batch, marks)
        marks.unsure |= ~there
        if "known_at" not in self._times:
            return occurred, occurred
        known, stated = self._times["known_at"](batch, marks)
        return occurred, np.where(stated, known, occurred)

    def _default_ids(self, batch: RowBatch) -> pa.Array:
        lines = pa.array(batch.lines).cast(pa.string())
        return pc.binary_join_element_wise(pa.scalar(self._name), lines, ":")

    def _find_repeated(self, event_ids: pa.Array, sure: Flags, asked: Flags) -> Flags:
        """Find rows whose event id was met before, or may be that of a row that has to be asked.

        The ids of all others are taken in.
        """
        repeated = np.zeros(len(sure), np.bool_)
        ids = self._gathering.event_ids
        if not isinstance(ids, HashedIds):
            return repeated
        words, checks = ids.hashes(event_ids)
        if asked.any():
            repeated = sure & np.isin(words, words[asked])
        rows = np.flatnonzero(sure & ~repeated)
        repeated[rows[~ids.add_all(words[rows], checks[rows])]] = True
        return repeated

    def _read_words(
        self, texts: dict[str, CodedTexts], n_rows: int
    ) -> tuple[NDArray[np.int8], pa.Array, NDArray[np.int8]]:
        """Read kind, name and channel; the taxonomy is asked once for each pair of words."""
        none = CodedTexts([None], np.zeros(n_rows, np.int32))
        stated, name = texts.get("kind", none), texts.get("name", none)
        pairs = stated.codes.astype(np.int64) * len(name.values) + name.codes
        distinct, place = _distinct(pairs, len(stated.values) * len(name.values))
        kinds = [
            self._taxonomy.kind_names.index(
                self._taxonomy.kind_of_event(
                    stated.values[pair // len(name.values)], name.values[pair % len(name.values)]
                )
            )
            for pair in distinct.tolist()
        ]
        channel = texts.get("channel", none)
        meant = [self._taxonomy.channel_of(raw) for raw in channel.values]
        channels = [-1 if c is None else self._taxonomy.channels.index(c) for c in meant]
        return (
            np.array(kinds, np.int8)[place],
            name.array(),
            np.array(channels, np.int8)[channel.codes],
        )

    def _ask(self, batch: RowBatch, asked: NDArray[np.int64]) -> list[int]:
        """Hand rows to the judge, in order; give the numbers of those it took."""
        odd = iter(batch.odd)
        waiting = next(odd, None)
        taken: list[int] = []
        for row in batch.rows_at(asked.tolist()):
            while waiting is not None and waiting.number < row.number:
                self._judge_one(waiting, taken)
                waiting = next(odd, None)
            self._judge_one(row, taken)
        while waiting is not None:
            self._judge_one(waiting, taken)
            waiting = next(odd, None)
        return taken

    def _judge_one(self, row: RawRow, taken: list[int]) -> None:
        if row.problem is not None:
            self._reject_unread(row)
            return
        before = self._count.accepted
        self._judge.read(row)
        if self._count.accepted > before:
            taken.append(row.number)


def _distinct(
    codes: NDArray[np.int64], n_codes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the distinct codes, and each row's place among them."""
    if n_codes > 16 * len(codes):
        found, place = np.unique(codes, return_inverse=True)
        return found, place
    seen = np.zeros(n_codes, np.bool_)
    seen[codes] = True
    distinct = np.flatnonzero(seen)
    places = np.zeros(n_codes, np.int64)
    places[distinct] = np.arange(len(distinct))
    return distinct, places[codes]
