"""Rows of features: one pass over a lead's sorted records, one row per moment of looking.

Hot path: arrays in, rows out. Records are visited once in order of time; running state holds the
lifetime statistics, and a walk back from each moment fills the windows. Both depend on the visible
records only, never on which moments were asked for, so a row asked alone equals the same row among
many. ``reference`` says in plain Python what every number means.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.catalog.fit import CONTACT_COMPLETENESS
from features.kernel.layout import Columns
from features.kernel.plan import OPS, Plan
from features.kernel.state import (
    BINS,
    DAY,
    DECAYED,
    FIRST_AT,
    FIRST_CHANNEL,
    FIRST_KIND,
    GAP_M2,
    GAP_MEAN,
    HOUR,
    LAST_AT,
    LAST_CHANNEL,
    LAST_KIND,
    N_FLOATS,
    N_INTS,
    SEEN,
    Flags,
    Floats,
    Ints,
    reset,
    visit,
)
from features.kernel.windows import (
    N_SPREADS,
    W_CHANNELS,
    W_DAYS,
    W_KINDS,
    W_MAX,
    W_SUM,
    W_VISITS,
    Counts,
    Spreads,
    Sums,
    clear_windows,
    close_windows,
    walk_back,
)

Row = NDArray[np.float32]

# Where each operation's entries begin in the plan; numba freezes module integers into the code.
OP_COUNT = OPS.index(Op.COUNT)
OP_RECENCY = OPS.index(Op.RECENCY)
OP_SINCE_FIRST = OPS.index(Op.SINCE_FIRST)
OP_INTENSITY = OPS.index(Op.INTENSITY)
OP_ACTIVE_DAYS = OPS.index(Op.ACTIVE_DAYS)
OP_SESSIONS = OPS.index(Op.SESSIONS)
OP_CHANNELS = OPS.index(Op.CHANNELS)
OP_KINDS = OPS.index(Op.KINDS)
OP_VALUE_SUM = OPS.index(Op.VALUE_SUM)
OP_VALUE_MAX = OPS.index(Op.VALUE_MAX)
OP_GAP_MEAN = OPS.index(Op.GAP_MEAN)
OP_GAP_STD = OPS.index(Op.GAP_STD)
OP_SILENCE = OPS.index(Op.SILENCE)
OP_SHARE = OPS.index(Op.SHARE)
OP_TREND = OPS.index(Op.TREND)
OP_CALENDAR_SHARE = OPS.index(Op.CALENDAR_SHARE)
OP_FIRST_CHANNEL = OPS.index(Op.FIRST_CHANNEL)
OP_LAST_CHANNEL = OPS.index(Op.LAST_CHANNEL)
OP_FIRST_KIND = OPS.index(Op.FIRST_KIND)
OP_LAST_KIND = OPS.index(Op.LAST_KIND)
OP_AGE = OPS.index(Op.AGE)
OP_CREATED_WEEKDAY = OPS.index(Op.CREATED_WEEKDAY)
OP_CREATED_HOUR = OPS.index(Op.CREATED_HOUR)
OP_ATTRIBUTE = OPS.index(Op.ATTRIBUTE)
OP_ATTRIBUTE_AGE = OPS.index(Op.ATTRIBUTE_AGE)
OP_COMPLETENESS = OPS.index(Op.COMPLETENESS)


@njit(cache=True, nogil=True, inline="always")
def _bit_count(bits: int) -> int:
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@njit(cache=True, nogil=True, inline="always")
def _write_windows(
    row: Row,
    counts: Counts,
    spreads: Spreads,
    sums: Sums,
    start: Ints,
    col: Ints,
    grp: Ints,
    win: Ints,
    other_grp: Ints,
    other_win: Ints,
    window_days: Floats,
) -> None:
    for e in range(start[OP_COUNT], start[OP_COUNT + 1]):
        row[col[e]] = counts[win[e], grp[e]]
    for e in range(start[OP_ACTIVE_DAYS], start[OP_ACTIVE_DAYS + 1]):
        row[col[e]] = spreads[win[e], grp[e], W_DAYS]
    for e in range(start[OP_SESSIONS], start[OP_SESSIONS + 1]):
        row[col[e]] = spreads[win[e], grp[e], W_VISITS]
    for e in range(start[OP_CHANNELS], start[OP_CHANNELS + 1]):
        row[col[e]] = _bit_count(spreads[win[e], grp[e], W_CHANNELS])
    for e in range(start[OP_KINDS], start[OP_KINDS + 1]):
        row[col[e]] = _bit_count(spreads[win[e], grp[e], W_KINDS])
    for e in range(start[OP_VALUE_SUM], start[OP_VALUE_SUM + 1]):
        row[col[e]] = sums[win[e], grp[e], W_SUM]
    for e in range(start[OP_VALUE_MAX], start[OP_VALUE_MAX + 1]):
        row[col[e]] = sums[win[e], grp[e], W_MAX]
    for e in range(start[OP_SHARE], start[OP_SHARE + 1]):
        whole = counts[other_win[e], other_grp[e]]
        row[col[e]] = counts[win[e], grp[e]] / whole if whole else np.nan
    lifetime = counts.shape[0] - 1
    for e in range(start[OP_TREND], start[OP_TREND + 1]):
        g, short, long = grp[e], win[e], other_win[e]
        if counts[lifetime, g]:
            recent = counts[short, g]
            before = (counts[long, g] - recent) / (window_days[long] - window_days[short])
            row[col[e]] = recent / window_days[short] - before
        else:
            row[col[e]] = np.nan


@njit(cache=True, nogil=True, inline="always")
def _write_lifetime(
    row: Row,
    ints: Ints,
    floats: Floats,
    start: Ints,
    col: Ints,
    grp: Ints,
    arg: Ints,
    decay_rates: Floats,
    as_of: int,
) -> None:
    for e in range(start[OP_RECENCY], start[OP_RECENCY + 1]):
        g = grp[e]
        row[col[e]] = (as_of - ints[g, LAST_AT]) / DAY if ints[g, SEEN] else np.nan
    for e in range(start[OP_SINCE_FIRST], start[OP_SINCE_FIRST + 1]):
        g = grp[e]
        row[col[e]] = (as_of - ints[g, FIRST_AT]) / DAY if ints[g, SEEN] else np.nan
    for e in range(start[OP_INTENSITY], start[OP_INTENSITY + 1]):
        g, h = grp[e], arg[e]
        if ints[g, SEEN]:
            fade = np.exp(-decay_rates[h] * (as_of - ints[g, LAST_AT]))
            row[col[e]] = floats[g, DECAYED + h] * fade
        else:
            row[col[e]] = 0.0
    for e in range(start[OP_GAP_MEAN], start[OP_GAP_MEAN + 1]):
        g = grp[e]
        row[col[e]] = floats[g, GAP_MEAN] if ints[g, SEEN] > 1 else np.nan
    for e in range(start[OP_GAP_STD], start[OP_GAP_STD + 1]):
        g = grp[e]
        n = ints[g, SEEN]
        row[col[e]] = np.sqrt(floats[g, GAP_M2] / (n - 2)) if n > 2 else np.nan
    for e in range(start[OP_SILENCE], start[OP_SILENCE + 1]):
        g = grp[e]
        rhythmic = ints[g, SEEN] > 1 and floats[g, GAP_MEAN] > 0.0
        quiet = (as_of - ints[g, LAST_AT]) / DAY
        row[col[e]] = quiet / floats[g, GAP_MEAN] if rhythmic else np.nan
    for e in range(start[OP_CALENDAR_SHARE], start[OP_CALENDAR_SHARE + 1]):
        g = grp[e]
        n = ints[g, SEEN]
        row[col[e]] = ints[g, BINS + arg[e]] / n if n else np.nan


@njit(cache=True, nogil=True, inline="always")
def _write_touches(row: Row, ints: Ints, start: Ints, col: Ints, grp: Ints, arg: Ints) -> None:
    for e in range(start[OP_FIRST_CHANNEL], start[OP_FIRST_CHANNEL + 1]):
        c = ints[grp[e], FIRST_CHANNEL]
        row[col[e]] = c if c >= 0 else np.nan
    for e in range(start[OP_LAST_CHANNEL], start[OP_LAST_CHANNEL + 1]):
        c = ints[grp[e], LAST_CHANNEL]
        row[col[e]] = c if c >= 0 else np.nan
    for e in range(start[OP_FIRST_KIND], start[OP_FIRST_KIND + 1]):
        g = grp[e]
        row[col[e]] = ints[g, FIRST_KIND] - arg[e] if ints[g, SEEN] else np.nan
    for e in range(start[OP_LAST_KIND], start[OP_LAST_KIND + 1]):
        g = grp[e]
        row[col[e]] = ints[g, LAST_KIND] - arg[e] if ints[g, SEEN] else np.nan


@njit(cache=True, nogil=True, inline="always")
def _completeness(values: Floats, version: int, asked: Flags, is_flag: Flags, which: int) -> float:
    filled, wanted = 0, 0
    for a in range(asked.shape[1]):
        if asked[which, a]:
            wanted += 1
            if version >= 0:
                cell = values[version, a]
                absent = which == CONTACT_COMPLETENESS and is_flag[a] and cell == 0.0
                filled += not np.isnan(cell) and not absent
    return filled / wanted if wanted else np.nan


@njit(cache=True, nogil=True, inline="always")
def _write_lead(
    row: Row,
    created: int,
    version: int,
    values: Floats,
    start: Ints,
    col: Ints,
    arg: Ints,
    asked: Flags,
    is_flag: Flags,
    as_of: int,
) -> None:
    for e in range(start[OP_AGE], start[OP_AGE + 1]):
        row[col[e]] = (as_of - created) / DAY
    for e in range(start[OP_CREATED_WEEKDAY], start[OP_CREATED_WEEKDAY + 1]):
        row[col[e]] = (created // DAY + 3) % 7
    for e in range(start[OP_CREATED_HOUR], start[OP_CREATED_HOUR + 1]):
        row[col[e]] = (created % DAY) // HOUR
    for e in range(start[OP_ATTRIBUTE], start[OP_ATTRIBUTE + 1]):
        row[col[e]] = values[version, arg[e]] if version >= 0 else np.nan
    for e in range(start[OP_ATTRIBUTE_AGE], start[OP_ATTRIBUTE_AGE + 1]):
        row[col[e]] = (as_of - values[version, arg[e]]) / DAY if version >= 0 else np.nan
    for e in range(start[OP_COMPLETENESS], start[OP_COMPLETENESS + 1]):
        row[col[e]] = _completeness(values, version, asked, is_flag, arg[e])


@njit(cache=True, nogil=True, inline="always")
def _newest_version(known_at: Ints, low: int, high: int, as_of: int) -> int:
    version = -1
    for v in range(low, high):
        if known_at[v] >= as_of:
            break
        version = v
    return version


@njit(cache=True, nogil=True)
def fill_rows(
    columns: Columns,
    plan: Plan,
    first_lead: int,
    snapshot_offsets: Ints,
    as_of: Ints,
    out: NDArray[np.float32],
) -> None:
    """Compute the features of consecutive leads at their moments of looking.

    Parameters
    ----------
    columns, plan
        From ``layout`` and ``plan``.
    first_lead
        Index in ``columns`` of the lead that owns the first moments.
    snapshot_offsets : ndarray of shape (n_leads + 1,), int64
        Lead ``first_lead + i`` is looked at at ``as_of[offsets[i]:offsets[i + 1]]``.
    as_of : ndarray of shape (n_snapshots,), int64
        Microseconds since the epoch, ascending within each lead.
    out : ndarray of shape (n_snapshots, n_features), float32
        Filled row by row; NaN where a feature is not known.
    """
    # Every array is taken from its tuple once, here; see `state` for why.
    kind_start, kind_group = plan.kind_start, plan.kind_group
    rich_start, rich_group, rich, wants = plan.rich_start, plan.rich_group, plan.rich, plan.wants
    windows_us, window_days, decay_rates = plan.windows_us, plan.window_days, plan.decay_rates
    start, col, grp, win = plan.op_start, plan.column, plan.group, plan.window
    other_grp, other_win, arg = plan.other_group, plan.other_window, plan.argument
    asked, is_flag = plan.asked, plan.is_flag
    offsets, late = columns.offsets, columns.late
    all_at, all_known_at = columns.at, columns.known_at
    all_kind, all_channel, all_value = columns.kind, columns.channel, columns.value
    version_offsets, version_known_at = columns.version_offsets, columns.version_known_at
    version_values, created_at = columns.version_values, columns.created_at

    n_groups, n_windows = wants.shape[0], windows_us.shape[0] + 1
    ints = np.zeros((n_groups, N_INTS), np.int64)
    floats = np.zeros((n_groups, N_FLOATS + decay_rates.shape[0]), np.float64)
    counts = np.zeros((n_windows, n_groups), np.int64)
    spreads = np.zeros((n_windows, n_groups, N_SPREADS), np.int64)
    sums = np.zeros((n_windows, n_groups, 2), np.float64)
    most = 0
    for i in range(snapshot_offsets.shape[0] - 1):
        lead = first_lead + i
        if late[lead]:
            most = max(most, offsets[lead + 1] - offsets[lead])
    at, kind = np.empty(most, np.int64), np.empty(most, np.int64)
    channel, value = np.empty(most, np.int64), np.empty(most, np.float64)

    for i in range(snapshot_offsets.shape[0] - 1):
        lead = first_lead + i
        low, high = offsets[lead], offsets[lead + 1]
        nxt = low
        is_late = late[lead]
        reset(ints, floats)
        for s in range(snapshot_offsets[i], snapshot_offsets[i + 1]):
            now = as_of[s]
            n = 0
            if is_late:
                # Each moment sees its own selection of the records: start over.
                reset(ints, floats)
                nxt = low
            while nxt < high and all_at[nxt] < now:
                if not is_late or all_known_at[nxt] < now:
                    visit(
                        ints, floats, kind_start, kind_group, rich_start, rich_group, wants,
                        decay_rates, all_at[nxt], all_kind[nxt], all_channel[nxt], all_value[nxt],
                    )  # fmt: skip
                    if is_late:
                        at[n], kind[n] = all_at[nxt], all_kind[nxt]
                        channel[n], value[n] = all_channel[nxt], all_value[nxt]
                        n += 1
                nxt += 1
            clear_windows(counts, spreads, sums, rich)
            if is_late:
                walk_back(
                    counts, spreads, sums, windows_us, kind_start, kind_group, rich_start,
                    rich_group, wants, at, kind, channel, value, 0, n, now,
                )  # fmt: skip
            else:
                walk_back(
                    counts, spreads, sums, windows_us, kind_start, kind_group, rich_start,
                    rich_group, wants, all_at, all_kind, all_channel, all_value, low, nxt, now,
                )  # fmt: skip
            close_windows(counts, spreads, sums, ints, floats, rich)
            row = out[s]
            _write_windows(
                row, counts, spreads, sums, start, col, grp, win, other_grp, other_win, window_days
            )
            _write_lifetime(row, ints, floats, start, col, grp, arg, decay_rates, now)
            _write_touches(row, ints, start, col, grp, arg)
            version = _newest_version(
                version_known_at, version_offsets[lead], version_offsets[lead + 1], now
            )
            _write_lead(
                row,
                created_at[lead],
                version,
                version_values,
                start,
                col,
                arg,
                asked,
                is_flag,
                now,
            )
