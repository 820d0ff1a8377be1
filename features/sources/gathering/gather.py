"""Records as they are gathered: the checks between them, and the four tables they become."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.clock import to_us
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.leads import ATTRIBUTE_ARROW_TYPES, LEAD_SCHEMA, AttributeType
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.stages import Stage
from features.sources.cells.convert import LATEST_US, UnusableCellError
from features.sources.gathering.event_ids import EventIds, UniqueIds
from features.sources.gathering.event_spill import EventSpill
from features.sources.gathering.lead_index import UNKNOWN, LeadIndex
from features.sources.history.partitions import LeadPlaces
from features.sources.mapping.model import Record
from features.sources.rejects import Reason
from features.taxonomy import Taxonomy

BATCH = 100_000
"""Rows that are kept as Python values before they become a batch of columns."""

MOST_AS_DICT = 500_000
"""Leads from which on the times of their creation move out of Python's memory."""

MOST_STRANGE = 10_000
"""Different reasons that are counted: a column of free text has no end of them."""

FIRST_CREATED_US = to_us(datetime(1980, 1, 1, tzinfo=UTC))
"""No lead is older: an earlier time is an empty date, such as 1970-01-01, written as one."""

STAGES = frozenset(stage.value for stage in Stage)

AttributeValue = tuple[str, Any, int | None]
"""An attribute's name, its value, and since when it is known (None: since creation)."""


class TableBuffer:
    """Rows on their way to a table."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []
        self.append = self._rows.append

    def flush(self, at_least: int = 1) -> None:
        """Turn the waiting rows into columns, if there are enough of them."""
        if len(self._rows) < at_least:
            return
        columns = [
            pa.array(column, field.type)
            for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
        ]
        self._batches.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._rows.clear()

    def drain(self, at_least: int = 1) -> list[pa.RecordBatch]:
        """Give the rows that wait as columns, if there are enough of them, and forget them."""
        self.flush(at_least)
        batches, self._batches = self._batches, []
        return batches

    def table(self) -> pa.Table:
        """Give all rows as one table."""
        self.flush()
        return pa.Table.from_batches(self._batches, schema=self._schema)


class _CreatedByIndex(Mapping[str, int]):
    """When each lead was created, in a tenth of a dictionary's memory and more time."""

    def __init__(self, index: LeadIndex, created_us: NDArray[np.int64]) -> None:
        self._index = index
        self._created_us = created_us

    def __getitem__(self, lead_id: str) -> int:
        number = int(self._index.find(pa.array([lead_id]))[0])
        if number == UNKNOWN:
            raise KeyError(lead_id)
        return int(self._created_us[number])

    def __iter__(self) -> Iterator[str]:
        return iter(self._index.lead_ids.to_pylist())

    def __len__(self) -> int:
        return len(self._created_us)


class Gathering:
    """Takes records one by one; each is checked against those before it.

    ``take`` returns True once the record is in and False if its lead is not known *yet*; both
    ``take`` and ``take_lead`` raise ``UnusableCellError`` if the record can never be in.
    """

    def __init__(
        self,
        attributes: dict[str, AttributeType],
        taxonomy: Taxonomy,
        *,
        events: EventSpill,
        event_ids: EventIds,
        observed_until_us: int | None,
    ) -> None:
        self.taxonomy = taxonomy
        self.events = events
        self.event_ids: EventIds = event_ids
        self._until_us = LATEST_US if observed_until_us is None else observed_until_us
        self.limit_us = self._until_us
        self._created: dict[str, int] | _CreatedByIndex = {}
        self._lead_index: LeadIndex | None = None
        self._created_us: NDArray[np.int64] = np.empty(0, np.int64)
        self.places: LeadPlaces | None = None
        self._attribute_place = {name: n for n, name in enumerate(attributes)}
        self.leads_complete = False
        """Whether every lead has been read: from then on an unknown lead stays unknown."""
        self.latest_us: int | None = None
        self.events_before_creation = 0
        self.strange_reasons: Counter[str] = Counter()
        """Reasons of returns that the taxonomy does not know, and how often each was given."""
        lead_fields = [pa.field(n, ATTRIBUTE_ARROW_TYPES[t]) for n, t in attributes.items()]
        self.tables = {
            Record.LEAD: TableBuffer(pa.schema([*LEAD_SCHEMA, *lead_fields])),
            Record.EVENT: TableBuffer(EVENT_SCHEMA),
            Record.STAGE: TableBuffer(STAGE_SCHEMA),
            Record.ATTEMPT: TableBuffer(ATTEMPT_SCHEMA),
        }

    def look_at(self, now_us: int | None) -> None:
        """Set the moment of the import: records from after it are refused. None refuses none."""
        if now_us is not None:
            self.limit_us = min(self._until_us, now_us + 1)

    @property
    def lead_count(self) -> int:
        """How many leads are in."""
        return len(self._created)

    def flush(self) -> None:
        """Turn long buffers into columns, to keep memory in bounds."""
        for record, table in self.tables.items():
            if record is not Record.EVENT:
                table.flush(BATCH)
        for batch in self.tables[Record.EVENT].drain(BATCH):
            self.events.add_records(batch)

    def complete_leads(self) -> None:
        """Learn that every lead has been read: where each belongs is now known."""
        self.leads_complete = True
        if not isinstance(self._created, dict) or not self._created:
            return
        self.places = LeadPlaces(self.tables[Record.LEAD].table())
        self._lead_index = LeadIndex(self.places.lead_ids)
        self._created_us = np.fromiter(self._created.values(), np.int64, len(self._created))
        if len(self._created) > MOST_AS_DICT:
            self._created = _CreatedByIndex(self._lead_index, self._created_us)
        self.events.sort_by(self.places)
        # Coding millions of lead ids takes room for a moment; it is given back before events come.
        pa.default_memory_pool().release_unused()

    def flush_events(self) -> None:
        """Pass on all events that were taken one by one."""
        for batch in self.tables[Record.EVENT].drain():
            self.events.add_records(batch)

    def forget_ids(self) -> None:
        """Give back what told ids apart: every row has been read."""
        self.event_ids, self._lead_index = UniqueIds(), None

    def find_leads(self, lead_ids: pa.Array) -> NDArray[np.int32]:
        """Give the numbers of leads, once all have been read; ``UNKNOWN`` where in doubt."""
        if self._lead_index is None:
            return np.full(len(lead_ids), UNKNOWN, np.int32)
        return self._lead_index.find(lead_ids)

    def take_columns(
        self, events: pa.RecordBatch, numbers: NDArray[np.int64], judged: list[int]
    ) -> None:
        """Take checked events, in their order among those of them that were taken one by one.

        Parameters
        ----------
        events
            In the shape of ``SPILLED``; their ids are in ``event_ids`` already.
        numbers, judged
            The row numbers of these events, and of those taken one by one since the last call.
        """
        occurred, known = (np.asarray(events.column(n)) for n in ("occurred_at", "known_at"))
        if len(occurred):
            created = self._created_us[np.asarray(events.column("lead"))]
            self.events_before_creation += int((occurred < created).sum())
            self._note_latest(int(max(occurred.max(), known.max())))
        if not judged:
            self.events.add(events)
            return
        taken = [self.events.packed(batch) for batch in self.tables[Record.EVENT].drain()]
        order = np.argsort(np.concatenate([numbers, judged]), kind="stable")
        merged = pa.Table.from_batches([events, *taken]).take(pa.array(order))
        for batch in merged.combine_chunks().to_batches():
            self.events.add(batch)

    def take(self, record: Record, values: Sequence[Any]) -> bool:
        """Take an event, stage change or attempt, its values in the order of ``FIELDS``."""
        if record is Record.EVENT:
            return self._take_event(*values)
        if record is Record.STAGE:
            return self._take_stage(*values)
        return self._take_attempt(*values)

    def take_lead(
        self, values: Sequence[Any], read_attributes: Callable[[int], list[AttributeValue]]
    ) -> None:
        """Take a lead; its attributes are read only once the lead itself is sound."""
        lead_id, created_us, account_id = values
        self._check_new_lead(lead_id, created_us)
        if isinstance(self._created, dict):
            self._created[lead_id] = created_us
        self._note_latest(created_us)
        state: list[Any] = [None] * len(self._attribute_place)
        later: dict[int, list[tuple[int, Any]]] = {}
        for name, value, known_us in read_attributes(created_us):
            place = self._attribute_place[name]
            if known_us is None or known_us <= created_us:
                state[place] = value
            else:
                later.setdefault(known_us, []).append((place, value))
        append = self.tables[Record.LEAD].append
        append((lead_id, created_us, created_us, account_id, *state))
        for known_us in sorted(later):
            for place, value in later[known_us]:
                state[place] = value
            self._note_latest(known_us)
            append((lead_id, known_us, created_us, account_id, *state))

    def _check_new_lead(self, lead_id: str | None, created_us: int | None) -> None:
        if lead_id is None:
            raise UnusableCellError("lead_id", Reason.MISSING_ID)
        if created_us is None:
            raise UnusableCellError("created_at", Reason.MISSING_TIME)
        if created_us < FIRST_CREATED_US:
            raise UnusableCellError("created_at", Reason.BEFORE_1980)
        self.check_in_time("created_at", created_us)
        if lead_id in self._created:
            raise UnusableCellError("lead_id", Reason.DUPLICATE_ID)

    def check_in_time(self, field: str, moment_us: int) -> None:
        """Check that a moment is before the cut, and not after the moment of the import."""
        if moment_us >= self.limit_us:
            after_cut = moment_us >= self._until_us
            raise UnusableCellError(field, Reason.AFTER_CUT if after_cut else Reason.IN_THE_FUTURE)

    def _take_event(
        self,
        lead_id: str | None,
        occurred_us: int | None,
        known_us: int | None,
        event_id: str | None,
        kind: str | None,
        name: str | None,
        channel: str | None,
        value: float | None,
        properties: str | None,
    ) -> bool:
        occurred_us, known_us = self._checked_times("occurred_at", occurred_us, known_us)
        if event_id is None:
            raise UnusableCellError("event_id", Reason.MISSING_ID)
        created_us = self._find_created(lead_id)
        if created_us is None:
            return False
        if not self.event_ids.add(event_id):
            raise UnusableCellError("event_id", Reason.DUPLICATE_ID)
        # What an anonymous visitor did before becoming a lead is part of the story.
        self.events_before_creation += occurred_us < created_us
        kind, channel = (
            self.taxonomy.kind_of_event(kind, name),
            self.taxonomy.channel_of(channel),
        )
        self._note_latest(max(occurred_us, known_us))
        self.tables[Record.EVENT].append(
            (event_id, lead_id, occurred_us, known_us, kind, name, channel, value, properties)
        )
        return True

    def _take_stage(
        self,
        lead_id: str | None,
        at_us: int | None,
        known_us: int | None,
        stage: str | None,
        signal: str | None,
        reason: str | None,
        actor: str | None,
        amount: float | None,
        propensity: float | None,
    ) -> bool:
        at_us, known_us = self._checked_times("at", at_us, known_us)
        if stage is None:
            raise UnusableCellError("stage", Reason.MISSING_VALUE)
        if stage not in STAGES:
            raise UnusableCellError("stage", Reason.UNKNOWN_STAGE)
        created_us = self._find_created(lead_id)
        if created_us is None:
            return False
        if at_us < created_us:
            raise UnusableCellError("at", Reason.BEFORE_CREATION)
        if propensity is not None and not 0.0 < propensity <= 1.0:
            raise UnusableCellError("propensity", Reason.NO_CHANCE)
        self._note_latest(max(at_us, known_us))
        if stage == Stage.RETURNED and reason and self.taxonomy.find_reason(reason) is None:
            self._note_strange(reason)
        self.tables[Record.STAGE].append(
            (lead_id, at_us, known_us, stage, signal, reason, actor, amount, propensity)
        )
        return True

    def _take_attempt(
        self,
        lead_id: str | None,
        at_us: int | None,
        known_us: int | None,
        channel: str | None,
        handoff_id: str | None,
        result: str | None,
        actor: str | None,
    ) -> bool:
        at_us, known_us = self._checked_times("at", at_us, known_us)
        if channel is None:
            raise UnusableCellError("channel", Reason.MISSING_VALUE)
        created_us = self._find_created(lead_id)
        if created_us is None:
            return False
        if at_us < created_us:
            raise UnusableCellError("at", Reason.BEFORE_CREATION)
        self._note_latest(max(at_us, known_us))
        self.tables[Record.ATTEMPT].append(
            (lead_id, handoff_id, at_us, known_us, channel, result, actor)
        )
        return True

    def _checked_times(
        self, field: str, at_us: int | None, known_us: int | None
    ) -> tuple[int, int]:
        if at_us is None:
            raise UnusableCellError(field, Reason.MISSING_TIME)
        known_us = at_us if known_us is None else known_us
        self.check_in_time(field, at_us)
        self.check_in_time("known_at", known_us)
        return at_us, known_us

    def _find_created(self, lead_id: str | None) -> int | None:
        """Find when a lead was created; None if it may still come."""
        if lead_id is None:
            raise UnusableCellError("lead_id", Reason.MISSING_ID)
        created_us = self._created.get(lead_id)
        if created_us is None and self.leads_complete:
            raise UnusableCellError("lead_id", Reason.UNKNOWN_LEAD)
        return created_us

    def _note_strange(self, reason: str) -> None:
        if reason in self.strange_reasons or len(self.strange_reasons) < MOST_STRANGE:
            self.strange_reasons[reason] += 1

    def _note_latest(self, moment_us: int) -> None:
        if self.latest_us is None or moment_us > self.latest_us:
            self.latest_us = moment_us
