"""What is odd in a history: records that came late, are missing, doubled or impossible."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY_US
from features.contracts.history import History
from features.contracts.leads import attribute_types

LATE_US = DAY_US
"""A record that became known more than this after it happened came late."""


@dataclass(frozen=True)
class QualityCounts:
    """Counts of what is odd but was kept."""

    late: dict[str, int]
    """By table: records known more than a day after they happened."""
    missing: dict[str, float]
    """By attribute: share of lead rows, 0 to 1, in which it is unknown."""
    doubled: dict[str, int]
    """By table: records that repeat another one in all but their id."""
    impossible: dict[str, int]
    """By table: records known before they happened."""


def count_quality(history: History) -> QualityCounts:
    """Count what is odd in a history."""
    tables = {
        "events": (history.events, "occurred_at", ["lead_id", "occurred_at", "kind", "name"]),
        "stages": (history.stages, "at", ["lead_id", "at", "stage"]),
        "attempts": (history.attempts, "at", ["lead_id", "at", "channel", "result", "actor"]),
    }
    delays = {name: _delays_us(table, at) for name, (table, at, _) in tables.items()}
    return QualityCounts(
        late={name: _count_true(pc.greater(delay, LATE_US)) for name, delay in delays.items()},
        missing=_missing_shares(history.leads),
        doubled={name: _count_doubled(table, keys) for name, (table, _, keys) in tables.items()},
        impossible={name: _count_true(pc.less(delay, 0)) for name, delay in delays.items()},
    )


def _delays_us(table: pa.Table, at: str) -> pa.ChunkedArray:
    known = table.column("known_at").cast(pa.int64())
    return pc.subtract(known, table.column(at).cast(pa.int64()))


def _count_true(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _count_doubled(table: pa.Table, keys: list[str]) -> int:
    different = table.group_by(keys).aggregate([]).num_rows
    return int(table.num_rows - different)


def _missing_shares(leads: pa.Table) -> dict[str, float]:
    rows = max(leads.num_rows, 1)
    return {name: leads.column(name).null_count / rows for name in attribute_types(leads)}
