"""Accepted events on their way to partitions: kept on disk by partition, each read back once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
from numpy.typing import NDArray

from features.contracts.columns import TIME
from features.contracts.events import EVENT_SCHEMA
from features.sources.history.partitions import LeadPlaces
from features.taxonomy import Taxonomy

RUN_ROWS = 500_000
"""Events that are gathered in memory before they are written as a run."""

BUCKET_BITS = 7
"""A run is split by the first bits of the lead's hash; partitions are made of whole buckets, or
of parts of one."""

SPILLED = pa.schema(
    [
        pa.field("lead", pa.int32()),
        pa.field("occurred_at", pa.int64()),
        pa.field("known_at", pa.int64()),
        pa.field("kind", pa.int8()),
        pa.field("channel", pa.int8()),
        pa.field("value", pa.float64()),
        pa.field("name", pa.string()),
        pa.field("event_id", pa.string()),
        pa.field("properties", pa.string()),
    ]
)
"""Events with leads by number, kinds and channels by their place in the taxonomy."""

PACKED = ipc.IpcWriteOptions(compression="lz4")


class EventSpill:
    """Takes events in the order of their arrival, gives them back by partition in that order."""

    def __init__(self, folder: Path, taxonomy: Taxonomy) -> None:
        self._folder = folder
        self._kinds = pa.array(taxonomy.kind_names, pa.string())
        self._channels = pa.array(taxonomy.channels, pa.string())
        self._places: LeadPlaces | None = None
        self._buckets: NDArray[np.int64] = np.empty(0, np.int64)
        self._early: ipc.RecordBatchStreamWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._runs: list[Path] = []
        self.count = 0

    def sort_by(self, places: LeadPlaces) -> None:
        """Learn where each lead belongs; events that came before that are taken in now."""
        self._places = places
        self._buckets = places.partitions(BUCKET_BITS)
        if self._early is not None:
            self._early.close()
            with pa.OSFile(str(self._early_path), "rb") as stream:
                for batch in ipc.open_stream(stream):
                    self.add_records(batch)
            self._early_path.unlink()
            self._early = None

    def add_records(self, events: pa.RecordBatch) -> None:
        """Take events of the contract's shape."""
        if self._places is not None:
            self.add(self.packed(events))
            return
        if self._early is None:
            self._early = ipc.new_stream(str(self._early_path), EVENT_SCHEMA, options=PACKED)
        self._early.write_batch(events)

    def add(self, events: pa.RecordBatch) -> None:
        """Take events of the shape ``SPILLED``, once it is known where leads belong."""
        self._waiting.append(events)
        self._waiting_rows += events.num_rows
        self.count += events.num_rows
        if self._waiting_rows >= RUN_ROWS:
            self._write_run()

    def read(self, bits: int, partition: int) -> pa.Table:
        """Read the events of one partition of ``2 ** bits``, in the order of their arrival."""
        if self._waiting:
            self._write_run()
        table = pa.Table.from_batches(self._read_buckets(bits, partition), SPILLED)
        if bits > BUCKET_BITS and self._places is not None:
            own = self._places.partitions(bits)[np.asarray(table.column("lead"))] == partition
            table = table.filter(pa.array(own))
        return table

    def as_records(self, table: pa.Table, lead_ids: pa.Array) -> pa.Table:
        """Give events of the shape ``SPILLED`` the contract's shape."""
        columns = {
            "event_id": table.column("event_id"),
            "lead_id": lead_ids.take(table.column("lead")),
            "occurred_at": table.column("occurred_at").cast(TIME),
            "known_at": table.column("known_at").cast(TIME),
            "kind": self._kinds.take(table.column("kind")),
            "name": table.column("name"),
            "channel": self._channels.take(table.column("channel")),
            "value": table.column("value"),
            "properties": table.column("properties"),
        }
        return pa.table(columns, schema=EVENT_SCHEMA)

    @property
    def _early_path(self) -> Path:
        return self._folder / "early.arrows"

    def packed(self, events: pa.RecordBatch) -> pa.RecordBatch:
        """Give events of the contract's shape the shape ``SPILLED``."""
        if self._places is None:
            raise RuntimeError("Leads come first.")
        table = pa.Table.from_batches([events])
        lead = self._places.find("event", table.column("lead_id"))
        columns = [
            pa.array(lead, pa.int32()),
            events.column("occurred_at").cast(pa.int64()),
            events.column("known_at").cast(pa.int64()),
            pc.index_in(events.column("kind"), self._kinds).cast(pa.int8()),
            pc.index_in(events.column("channel"), self._channels).cast(pa.int8()),
            *(events.column(n) for n in ("value", "name", "event_id", "properties")),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SPILLED)

    def _write_run(self) -> None:
        table = pa.Table.from_batches(self._waiting, SPILLED).combine_chunks()
        self._waiting, self._waiting_rows = [], 0
        bucket = self._buckets[np.asarray(table.column("lead"))]
        order = np.argsort(bucket.astype(np.int16), kind="stable")
        batch = table.take(pa.array(order)).combine_chunks().to_batches()
        whole = batch[0] if batch else pa.RecordBatch.from_pylist([], SPILLED)
        ends = np.zeros((1 << BUCKET_BITS) + 1, np.int64)
        np.cumsum(np.bincount(bucket, minlength=1 << BUCKET_BITS), out=ends[1:])
        path = self._folder / f"run-{len(self._runs)}.arrow"
        with ipc.new_file(str(path), SPILLED, options=PACKED) as writer:
            for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
                writer.write_batch(whole.slice(start, end - start))
        self._runs.append(path)

    def _read_buckets(self, bits: int, partition: int) -> Iterator[pa.RecordBatch]:
        if bits > BUCKET_BITS:
            buckets = range(
                partition >> (bits - BUCKET_BITS), (partition >> (bits - BUCKET_BITS)) + 1
            )
        else:
            width = 1 << (BUCKET_BITS - bits)
            buckets = range(partition * width, (partition + 1) * width)
        for path in self._runs:
            with pa.OSFile(str(path), "rb") as stream, ipc.open_file(stream) as run:
                for bucket in buckets:
                    yield run.get_batch(bucket)
