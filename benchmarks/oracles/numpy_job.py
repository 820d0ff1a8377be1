"""The feature job in vectorised NumPy: prefix sums where they are exact, expanded pairs elsewhere."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.job_log import N_CHANNELS, N_FAMILIES, WINDOWS_DAYS, JobLog
from features.clock import DAY_US, HOUR_US, MINUTE_US

NEVER = np.iinfo(np.int64).min


def _times(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy()


class _Sorted:
    """Events by lead, time, type, channel and value; and which of them each moment sees."""

    def __init__(self, job: JobLog) -> None:
        events, leads = pq.read_table(job.events), pq.read_table(job.leads)
        moments = pq.read_table(job.moments)
        ids = leads.column("lead").to_numpy()
        lead = np.searchsorted(ids, events.column("lead").to_numpy())
        at, kind = _times(events.column("ts")), events.column("type").to_numpy()
        channel = events.column("channel").fill_null(-1).to_numpy()
        value = events.column("value").to_numpy()
        order = np.lexsort((value, channel, kind, at, lead))
        self.lead, self.at, self.kind = lead[order], at[order], kind[order].astype(np.int64)
        self.channel, self.value = channel[order].astype(np.int64), value[order]
        self.first = np.searchsorted(self.lead, np.arange(len(ids)))
        self.begin = self.at[self.first]
        self.span = int((self.at - self.begin[self.lead]).max()) + 1
        self.keys = self._key(self.lead, self.at)
        self.asking = np.searchsorted(ids, moments.column("lead").to_numpy())
        self.as_of = _times(moments.column("as_of"))
        self.age = self.as_of - _times(leads.column("created_at"))[self.asking]
        self.low = self.first[self.asking]
        self.high = self._find(self.as_of)
        self.windows = [
            np.maximum(self._find(self.as_of - d * DAY_US), self.low) for d in WINDOWS_DAYS
        ]
        self.windows.append(self.low)

    def _key(self, lead: np.ndarray, moment: np.ndarray) -> np.ndarray:
        """Put lead and time in one word: time on the lead's own clock, from its first record.

        On a common clock ten million events would not fit, and would wrap without a word.
        """
        own = np.clip(moment - self.begin[lead], 0, self.span).astype(np.uint64)
        bits = int(self.span).bit_length()
        if bits + len(self.first).bit_length() > 64:
            raise OverflowError("too many leads, or too long a log, for one word")
        return (lead.astype(np.uint64) << np.uint64(bits)) | own

    def _find(self, moment: np.ndarray) -> np.ndarray:
        """Find the first record of each moment's lead at or after a time."""
        return np.searchsorted(self.keys, self._key(self.asking, moment))

    def before(self, counted: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Count what is true before each position."""
        return np.concatenate([[0], np.cumsum(counted)])[position]


def _counts(log: _Sorted) -> list[np.ndarray]:
    family = log.kind % N_FAMILIES
    seen = [np.concatenate([[0], np.cumsum(family == f)]) for f in range(N_FAMILIES)]
    return [seen[f][log.high] - seen[f][low] for low in log.windows for f in range(N_FAMILIES)]


def _ordinals(starts: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    number = np.cumsum(starts)
    some = high > low
    inside = number[np.maximum(high - 1, 0)] - number[np.minimum(low, len(number) - 1)] + 1
    return np.where(some, inside, 0)


def _spreads(log: _Sorted) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    fresh = np.ones(len(log.at), bool)
    fresh[1:] = log.lead[1:] != log.lead[:-1]
    gap = np.diff(log.at, prepend=0)
    day = log.at // DAY_US
    new_day = fresh | (np.diff(day, prepend=0) != 0)
    new_visit = fresh | (gap > 30 * MINUTE_US)
    days = [_ordinals(new_day, log.windows[w], log.high) for w in (1, 2)]
    visits = [_ordinals(new_visit, log.windows[w], log.high) for w in (2, 4)]
    channels = [_count_channels(log, log.windows[w]) for w in (2, 4)]
    return [*days, *channels, *visits], fresh, gap


def _count_channels(log: _Sorted, low: np.ndarray) -> np.ndarray:
    met = np.zeros(len(log.as_of), np.int64)
    for c in range(N_CHANNELS):
        seen = np.concatenate([[0], np.cumsum(log.channel == c)])
        met += seen[log.high] > seen[low]
    return met


def _latest(log: _Sorted, chosen: np.ndarray) -> np.ndarray:
    """Find each moment's newest visible record that is chosen; -1 without one."""
    last = np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), -1))
    found = np.where(log.high > 0, last[np.maximum(log.high - 1, 0)], -1)
    return np.where(found >= log.low, found, -1)


def _recencies(log: _Sorted) -> list[np.ndarray]:
    columns = []
    for chosen in (*(log.kind % N_FAMILIES == f for f in range(N_FAMILIES)), log.kind >= 0):
        found = _latest(log, chosen)
        columns.append(np.where(found >= 0, (log.as_of - log.at[found]) / DAY_US, np.nan))
    return columns


def _pairs(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = high - low
    moment = np.repeat(np.arange(len(n)), n)
    return moment, np.arange(len(moment)) - np.repeat(np.cumsum(n) - n - low, n)


def _over_pairs(log: _Sorted, fresh: np.ndarray, gap: np.ndarray) -> list[np.ndarray]:
    """Compute intensities and gaps, which prefix sums would spoil by rounding."""
    moment, record = _pairs(log.low, log.high)
    n = len(log.as_of)
    age = (log.as_of[moment] - log.at[record]) / DAY_US
    slot = moment * 4 + log.kind[record] % N_FAMILIES // 2
    columns = []
    for half_life in (3.0, 14.0):
        faded = np.bincount(slot, np.exp2(-age / half_life), 4 * n).reshape(n, 4)
        columns += list(faded.T)
    inner = ~fresh[record]
    days = gap[record][inner] / DAY_US
    n_gaps = np.bincount(moment[inner], minlength=n)
    mean = np.bincount(moment[inner], days, n) / np.where(n_gaps, n_gaps, np.nan)
    away = np.bincount(moment[inner], (days - mean[moment[inner]]) ** 2, n)
    return [*columns, mean, np.sqrt(away / np.where(n_gaps > 1, n_gaps - 1, np.nan))]


def _calendar(log: _Sorted) -> list[np.ndarray]:
    hour = log.at % DAY_US // HOUR_US
    weekday = (log.at // DAY_US + 3) % 7
    inside = [hour // 6 == q for q in range(4)]
    inside += [weekday >= 5, (weekday < 5) & (hour >= 9) & (hour < 17)]
    n = np.where(log.high > log.low, log.high - log.low, np.nan)
    return [(log.before(x, log.high) - log.before(x, log.low)) / n for x in inside]


def _touches(log: _Sorted) -> list[np.ndarray]:
    known = log.channel >= 0
    last = _latest(log, known)
    where = np.flatnonzero(known)
    nth = np.minimum(np.searchsorted(where, log.low), len(where) - 1)
    first = where[nth]
    visible = (first >= log.low) & (first < log.high)
    return [
        np.where(visible, log.channel[first], np.nan),
        np.where(last >= 0, log.channel[last], np.nan),
    ]


def _values(log: _Sorted) -> list[np.ndarray]:
    sums, most = [], []
    for low in (log.windows[2], log.low):
        moment, record = _pairs(low, log.high)
        known = ~np.isnan(log.value[record])
        moment, value = moment[known], log.value[record][known]
        sums.append(np.bincount(moment, value, len(log.as_of)))
        largest = np.full(len(log.as_of), np.nan)
        np.fmax.at(largest, moment, value)
        most.append(largest)
    return [*sums, *most]


def run_numpy(job: JobLog) -> np.ndarray:
    """Do the whole job."""
    log = _Sorted(job)
    counts = _counts(log)
    spreads, fresh, gap = _spreads(log)
    pairs = _over_pairs(log, fresh, gap)
    n7, n30 = (log.high - log.windows[w] for w in (1, 2))
    some = log.high > log.low
    trend = np.where(some, n7 / 7 - (n30 - n7) / 23, np.nan)
    share = np.where(n30 > 0, n7 / np.maximum(n30, 1), np.nan)
    columns = [
        *counts, *spreads, *_recencies(log), *pairs, trend, share, log.age / DAY_US,
        *_calendar(log), *_touches(log), *_values(log),
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float64)
