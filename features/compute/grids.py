"""Grids: at which moments leads are looked at.

Moments ascend within each lead, lie after its creation and not after the end of what was
observed. Nothing here loops over leads.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalog.journey import stage_group
from features.clock import DAY_US, from_us
from features.compute.errors import GridError
from features.compute.offline import Snapshots
from features.contracts.columns import TIME
from features.kernel.encode import Encoder
from features.kernel.layout import Columns
from features.kernel.record import CHANNEL_BITS, KIND_MASK, TIME_SHIFT
from features.lifecycle.stages import Stage

WEEK_US = 7 * DAY_US


@dataclass(frozen=True)
class Look:
    """The snapshots of a partition's leads."""

    snapshots: Snapshots
    left_out: int = 0
    """Moments before or at the creation of their lead, or after the end of observation."""


class Grid(Protocol):
    """When the leads of a partition are looked at."""

    @property
    def words(self) -> str:
        """Say it, for people."""

    def of_partition(self, position: int) -> "Grid":
        """Give what is needed of the grid for one partition."""

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:
        """Place the snapshots of one partition's leads."""


def _bounded(
    columns: Columns, lead: NDArray[np.int64], as_of: NDArray[np.int64], until_us: int
) -> Look:
    """Leave out moments beyond the bounds, and what is asked twice."""
    within = (as_of > columns.created_at[lead]) & (as_of <= until_us)
    lead, as_of = lead[within], as_of[within]
    fresh = np.ones(len(lead), np.bool_)
    fresh[1:] = (lead[1:] != lead[:-1]) | (as_of[1:] != as_of[:-1])
    return Look(Snapshots(lead[fresh], as_of[fresh]), int(len(within) - within.sum()))


def _lead_of_records(columns: Columns, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    counts = np.diff(columns.offsets)
    return np.repeat(np.arange(len(counts)), counts)[chosen]


def _kinds(columns: Columns) -> NDArray[np.int64]:
    return np.asarray((columns.records[::2] >> CHANNEL_BITS) & KIND_MASK)


class _Same:
    """A grid that is the same rule for every partition."""

    def of_partition(self, position: int) -> Self:  # noqa: ARG002
        return self


@dataclass(frozen=True)
class Periodic(_Same):
    """A day after creation, and from then on once in every period."""

    period_us: int
    for_us: int | None = None
    """Ages above this are not looked at; None: until the end of observation."""

    @property
    def words(self) -> str:
        """Say it, for people."""
        often = {DAY_US: "daily", WEEK_US: "weekly"}.get(
            self.period_us, f"every {self.period_us / DAY_US:g} days"
        )
        ends = f", up to {self.for_us / DAY_US:g} days of age" if self.for_us else ""
        return f"one day after creation and {often} from then on{ends}"

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:  # noqa: ARG002
        """Place the snapshots of one partition's leads."""
        first = columns.created_at + DAY_US
        last = np.full(len(first), until_us, np.int64)
        if self.for_us is not None:
            last = np.minimum(last, columns.created_at + self.for_us)
        counts = np.maximum((last - first) // self.period_us + 1, 0)
        begin = np.cumsum(counts) - counts
        step = np.arange(int(counts.sum())) - np.repeat(begin, counts)
        lead = np.repeat(np.arange(len(first)), counts)
        return Look(Snapshots(lead, first[lead] + step * self.period_us))


@dataclass(frozen=True)
class AtEvents(_Same):
    """Right after each event became known: the row sees it, and all that was known with it.

    ``as_of`` is one microsecond after ``known_at``, because a row sees what was known strictly
    before ``as_of``. Events that became known at one moment give one row.
    """

    words: str = "right after each event became known"

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:
        """Place the snapshots of one partition's leads."""
        chosen = _kinds(columns) < encoder.first_stage_code
        lead = _lead_of_records(columns, chosen)
        if len(columns.known_at):
            as_of = columns.known_at[chosen] + 1
            order = np.lexsort((as_of, lead))
            lead, as_of = lead[order], as_of[order]
        else:
            as_of = (columns.records[::2][chosen] >> TIME_SHIFT) + 1
        return _bounded(columns, lead, as_of, until_us)


@dataclass(frozen=True)
class AtHandoffs(_Same):
    """At each move to a stage, MQL by default: the moment somebody decided to hand over.

    ``as_of`` is the moment of the move itself, so the row sees what was known before it and not
    the move.
    """

    stage: Stage = Stage.MQL

    @property
    def words(self) -> str:
        """Say it, for people."""
        return f"at each move to {self.stage.upper()}"

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:
        """Place the snapshots of one partition's leads."""
        chosen = np.isin(_kinds(columns), encoder.group_members(stage_group(self.stage)))
        as_of = columns.records[::2][chosen] >> TIME_SHIFT
        return _bounded(columns, _lead_of_records(columns, chosen), as_of, until_us)


@dataclass(frozen=True)
class AtMoment(_Same):
    """Everyone at one moment, such as now."""

    as_of_us: int

    @property
    def words(self) -> str:
        """Say it, for people."""
        return f"at {from_us(self.as_of_us):%Y-%m-%d %H:%M} UTC"

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:  # noqa: ARG002
        """Place the snapshots of one partition's leads; those created later are left out."""
        everyone = np.arange(len(columns.created_at))
        return _bounded(columns, everyone, np.full(len(everyone), self.as_of_us), until_us)


@dataclass(frozen=True)
class ChosenOfPartition(_Same):
    """Moments that somebody chose, of one partition's leads, by lead, then time."""

    lead_index: NDArray[np.int32]
    as_of: NDArray[np.int64]
    words: str

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:  # noqa: ARG002
        """Place the snapshots of one partition's leads."""
        return _bounded(columns, self.lead_index.astype(np.int64), self.as_of, until_us)


@dataclass(frozen=True)
class Chosen:
    """Moments that somebody chose, of all leads."""

    parts: tuple[ChosenOfPartition, ...]
    words: str

    def of_partition(self, position: int) -> ChosenOfPartition:
        """Give the moments of one partition's leads."""
        return self.parts[position]

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:
        """Place the snapshots of the only partition."""
        (only,) = self.parts
        return only.look(encoder, columns, until_us)


def read_moments(path: Path) -> pa.Table:
    """Read a list of moments: ``lead_id`` and ``as_of``.

    Raises
    ------
    GridError
        If the file is missing, lacks a column, or has a moment without a zone.
    """
    try:
        if path.suffix.lower() == ".csv":
            types = {"lead_id": pa.string(), "as_of": TIME}
            options = pa_csv.ConvertOptions(column_types=types, include_columns=list(types))
            table = pa_csv.read_csv(path, convert_options=options)
        else:
            with pq.ParquetFile(path, read_dictionary=["lead_id"]) as file:
                table = file.read(["lead_id", "as_of"])
        as_of = table.column("as_of")
    except (pa.ArrowException, OSError, KeyError) as error:
        raise GridError(str(path), str(error).splitlines()[0]) from error
    if not pa.types.is_timestamp(as_of.type) or as_of.type.tz is None:
        raise GridError(str(path), f"as_of is {as_of.type}, not a time with a zone")
    for column in table.columns:
        if column.null_count:
            raise GridError(str(path), f"{column.null_count} cells are empty")
    return table.set_column(1, "as_of", as_of.cast(TIME, safe=False))


def choose_moments(table: pa.Table, lead_ids: list[pa.Array], path: str) -> Chosen:
    """Split moments among partitions.

    Parameters
    ----------
    table
        From ``read_moments``.
    lead_ids
        The leads of each partition, in the order of its lead table.
    path
        Where the moments came from.

    Raises
    ------
    GridError
        If a lead is not in the history.
    """
    lead = _find_leads(table.column("lead_id"), lead_ids, path)
    as_of = np.asarray(table.column("as_of").cast(pa.int64()))
    later = (lead[1:] > lead[:-1]) | ((lead[1:] == lead[:-1]) & (as_of[1:] >= as_of[:-1]))
    if not later.all():
        order = np.lexsort((as_of, lead))
        lead, as_of = lead[order], as_of[order]
    words = f"at the moments of {Path(path).name}"
    return split_moments(lead, as_of, [len(own) for own in lead_ids], words)


def _find_leads(asked: pa.ChunkedArray, lead_ids: list[pa.Array], path: str) -> NDArray[np.int32]:
    """Find each asked lead's number among the leads of all partitions."""
    if not pa.types.is_dictionary(asked.type):
        asked = asked.cast(pa.string()).dictionary_encode()
    coded = asked.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # of no chunk at all
        return np.empty(0, np.int32)
    number = pc.index_in(coded.dictionary, value_set=pa.concat_arrays([*lead_ids, _nobody()]))
    if number.null_count:
        strange = coded.dictionary.filter(number.is_null())
        problem = f"{len(strange)} leads are not in the history, such as {strange[0].as_py()!r}"
        raise GridError(path, problem)
    return np.asarray(np.asarray(number, np.int32)[np.asarray(coded.indices)])


def split_moments(
    lead: NDArray[np.integer], as_of: NDArray[np.int64], leads_of_partitions: list[int], words: str
) -> Chosen:
    """Split moments of the leads of a whole history, by lead, then time, among its partitions."""
    starts = np.cumsum([0, *leads_of_partitions])
    cuts = np.searchsorted(lead, starts)
    parts = tuple(
        ChosenOfPartition((lead[begin:end] - start).astype(np.int32), as_of[begin:end], words)
        for begin, end, start in zip(cuts[:-1], cuts[1:], starts[:-1], strict=True)
    )
    return Chosen(parts, words)


def _nobody() -> pa.Array:
    return pa.array([], pa.string())
