"""What is odd in a history: records that came late, are missing, doubled or impossible."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY_US
from features.contracts.leads import attribute_types

LATE_US = DAY_US
"""A record that became known more than this after it happened came late."""

KEYS = {
    "events": ("lead_id", "occurred_at", "kind", "name"),
    "stages": ("lead_id", "at", "stage"),
    "attempts": ("lead_id", "at", "channel", "result", "actor"),
}
"""What makes two records the same: the lead, the time, and what happened."""


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


class QualityCounter:
    """Counts what is odd, one partition after the other."""

    def __init__(self) -> None:
        self._late = Counter(dict.fromkeys(KEYS, 0))
        self._doubled = Counter(dict.fromkeys(KEYS, 0))
        self._impossible = Counter(dict.fromkeys(KEYS, 0))
        self._missing: Counter[str] = Counter()
        self._lead_rows = 0

    def add_leads(self, leads: pa.Table) -> None:
        """Count in the leads of a partition."""
        self._lead_rows += leads.num_rows
        for name in attribute_types(leads):
            self._missing[name] += leads.column(name).null_count

    def add(self, name: str, table: pa.Table) -> None:
        """Count in the records of a partition, sorted by lead, then time."""
        at, known = (table.column(n).cast(pa.int64()) for n in (KEYS[name][1], "known_at"))
        delay = pc.subtract(known, at)
        self._late[name] += _count_true(pc.greater(delay, LATE_US))
        self._impossible[name] += _count_true(pc.less(delay, 0))
        self._doubled[name] += _count_doubled(table, KEYS[name])

    def counts(self) -> QualityCounts:
        """Give the counts."""
        rows = max(self._lead_rows, 1)
        return QualityCounts(
            late=dict(self._late),
            missing={name: count / rows for name, count in self._missing.items()},
            doubled=dict(self._doubled),
            impossible=dict(self._impossible),
        )


def _count_true(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _count_doubled(table: pa.Table, keys: tuple[str, ...]) -> int:
    """Count records that repeat another: only neighbours of one lead and time can."""
    if table.num_rows < 2:
        return 0
    lead, at = (table.column(name).combine_chunks() for name in keys[:2])
    alike = pc.and_(pc.equal(at[1:], at[:-1]), pc.equal(lead[1:], lead[:-1]))
    if not pc.any(alike).as_py():
        return 0
    no = pa.array([False])
    beside = pc.or_(_joined(alike, no), _joined(no, alike))
    found = table.select(list(keys)).filter(beside)
    return int(found.num_rows - found.group_by(list(keys)).aggregate([]).num_rows)


def _joined(first: pa.Array, second: pa.Array) -> pa.Array:
    return pa.concat_arrays([*_chunks(first), *_chunks(second)])


def _chunks(flags: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return flags.chunks if isinstance(flags, pa.ChunkedArray) else [flags]
