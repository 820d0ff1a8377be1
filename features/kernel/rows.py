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
from features.kernel.state import DAY, HOUR, State, new_state, reset, visit
from features.kernel.windows import clear_windows, close_windows, walk_back

# Where each operation's entries begin in the plan; numba freezes module integers into the code.
COUNT = OPS.index(Op.COUNT)
RECENCY = OPS.index(Op.RECENCY)
SINCE_FIRST = OPS.index(Op.SINCE_FIRST)
INTENSITY = OPS.index(Op.INTENSITY)
ACTIVE_DAYS = OPS.index(Op.ACTIVE_DAYS)
SESSIONS = OPS.index(Op.SESSIONS)
CHANNELS = OPS.index(Op.CHANNELS)
KINDS = OPS.index(Op.KINDS)
VALUE_SUM = OPS.index(Op.VALUE_SUM)
VALUE_MAX = OPS.index(Op.VALUE_MAX)
GAP_MEAN = OPS.index(Op.GAP_MEAN)
GAP_STD = OPS.index(Op.GAP_STD)
SILENCE = OPS.index(Op.SILENCE)
SHARE = OPS.index(Op.SHARE)
TREND = OPS.index(Op.TREND)
CALENDAR_SHARE = OPS.index(Op.CALENDAR_SHARE)
FIRST_CHANNEL = OPS.index(Op.FIRST_CHANNEL)
LAST_CHANNEL = OPS.index(Op.LAST_CHANNEL)
FIRST_KIND = OPS.index(Op.FIRST_KIND)
LAST_KIND = OPS.index(Op.LAST_KIND)
AGE = OPS.index(Op.AGE)
CREATED_WEEKDAY = OPS.index(Op.CREATED_WEEKDAY)
CREATED_HOUR = OPS.index(Op.CREATED_HOUR)
ATTRIBUTE = OPS.index(Op.ATTRIBUTE)
ATTRIBUTE_AGE = OPS.index(Op.ATTRIBUTE_AGE)
COMPLETENESS = OPS.index(Op.COMPLETENESS)


@njit(cache=True, nogil=True)
def _bit_count(bits: int) -> int:
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@njit(cache=True, nogil=True)
def _write_windows(state: State, plan: Plan, row: NDArray[np.float32]) -> None:
    start, col, grp, win = plan.op_start, plan.column, plan.group, plan.window
    for e in range(start[COUNT], start[COUNT + 1]):
        row[col[e]] = state.w_count[win[e], grp[e]]
    for e in range(start[ACTIVE_DAYS], start[ACTIVE_DAYS + 1]):
        row[col[e]] = state.w_days[win[e], grp[e]] if state.seen[grp[e]] else 0.0
    for e in range(start[SESSIONS], start[SESSIONS + 1]):
        row[col[e]] = state.w_visits[win[e], grp[e]] if state.seen[grp[e]] else 0.0
    for e in range(start[CHANNELS], start[CHANNELS + 1]):
        row[col[e]] = _bit_count(state.w_channels[win[e], grp[e]])
    for e in range(start[KINDS], start[KINDS + 1]):
        row[col[e]] = _bit_count(state.w_kinds[win[e], grp[e]])
    for e in range(start[VALUE_SUM], start[VALUE_SUM + 1]):
        row[col[e]] = state.w_value_sum[win[e], grp[e]]
    for e in range(start[VALUE_MAX], start[VALUE_MAX + 1]):
        row[col[e]] = state.w_value_max[win[e], grp[e]]
    for e in range(start[SHARE], start[SHARE + 1]):
        whole = state.w_count[plan.other_window[e], plan.other_group[e]]
        part = state.w_count[win[e], grp[e]]
        row[col[e]] = part / whole if whole else np.nan
    for e in range(start[TREND], start[TREND + 1]):
        if state.seen[grp[e]]:
            short, long = win[e], plan.other_window[e]
            recent = state.w_count[short, grp[e]]
            before = state.w_count[long, grp[e]] - recent
            row[col[e]] = recent / plan.window_days[short] - before / (
                plan.window_days[long] - plan.window_days[short]
            )
        else:
            row[col[e]] = np.nan


@njit(cache=True, nogil=True)
def _write_lifetime(state: State, plan: Plan, as_of: int, row: NDArray[np.float32]) -> None:
    start, col, grp = plan.op_start, plan.column, plan.group
    for e in range(start[RECENCY], start[RECENCY + 1]):
        g = grp[e]
        row[col[e]] = (as_of - state.last_at[g]) / DAY if state.seen[g] else np.nan
    for e in range(start[SINCE_FIRST], start[SINCE_FIRST + 1]):
        g = grp[e]
        row[col[e]] = (as_of - state.first_at[g]) / DAY if state.seen[g] else np.nan
    for e in range(start[INTENSITY], start[INTENSITY + 1]):
        g, h = grp[e], plan.argument[e]
        if state.seen[g]:
            fade = np.exp(-plan.decay_rates[h] * (as_of - state.last_at[g]))
            row[col[e]] = state.decayed[g, h] * fade
        else:
            row[col[e]] = 0.0
    for e in range(start[GAP_MEAN], start[GAP_MEAN + 1]):
        g = grp[e]
        row[col[e]] = state.gap_mean[g] if state.seen[g] > 1 else np.nan
    for e in range(start[GAP_STD], start[GAP_STD + 1]):
        g = grp[e]
        n = state.seen[g]
        row[col[e]] = np.sqrt(state.gap_m2[g] / (n - 2)) if n > 2 else np.nan
    for e in range(start[SILENCE], start[SILENCE + 1]):
        g = grp[e]
        rhythmic = state.seen[g] > 1 and state.gap_mean[g] > 0.0
        quiet = (as_of - state.last_at[g]) / DAY
        row[col[e]] = quiet / state.gap_mean[g] if rhythmic else np.nan
    for e in range(start[CALENDAR_SHARE], start[CALENDAR_SHARE + 1]):
        g = grp[e]
        n = state.seen[g]
        row[col[e]] = state.in_bin[g, plan.argument[e]] / n if n else np.nan
    for e in range(start[FIRST_CHANNEL], start[FIRST_CHANNEL + 1]):
        c = state.first_channel[grp[e]]
        row[col[e]] = c if c >= 0 else np.nan
    for e in range(start[LAST_CHANNEL], start[LAST_CHANNEL + 1]):
        c = state.last_channel[grp[e]]
        row[col[e]] = c if c >= 0 else np.nan
    for e in range(start[FIRST_KIND], start[FIRST_KIND + 1]):
        g = grp[e]
        row[col[e]] = state.first_kind[g] - plan.argument[e] if state.seen[g] else np.nan
    for e in range(start[LAST_KIND], start[LAST_KIND + 1]):
        g = grp[e]
        row[col[e]] = state.last_kind[g] - plan.argument[e] if state.seen[g] else np.nan


@njit(cache=True, nogil=True)
def _write_lead(
    columns: Columns, plan: Plan, lead: int, as_of: int, row: NDArray[np.float32]
) -> None:
    start, col = plan.op_start, plan.column
    created = columns.created_at[lead]
    for e in range(start[AGE], start[AGE + 1]):
        row[col[e]] = (as_of - created) / DAY
    for e in range(start[CREATED_WEEKDAY], start[CREATED_WEEKDAY + 1]):
        row[col[e]] = (created // DAY + 3) % 7
    for e in range(start[CREATED_HOUR], start[CREATED_HOUR + 1]):
        row[col[e]] = (created % DAY) // HOUR
    version = -1
    for v in range(columns.version_offsets[lead], columns.version_offsets[lead + 1]):
        if columns.version_known_at[v] >= as_of:
            break
        version = v
    for e in range(start[ATTRIBUTE], start[ATTRIBUTE + 1]):
        known = version >= 0
        row[col[e]] = columns.version_values[version, plan.argument[e]] if known else np.nan
    for e in range(start[ATTRIBUTE_AGE], start[ATTRIBUTE_AGE + 1]):
        known = version >= 0
        row[col[e]] = (
            (as_of - columns.version_values[version, plan.argument[e]]) / DAY if known else np.nan
        )
    for e in range(start[COMPLETENESS], start[COMPLETENESS + 1]):
        which = plan.argument[e]
        filled, asked = 0, 0
        for a in range(plan.asked.shape[1]):
            if plan.asked[which, a]:
                asked += 1
                if version >= 0:
                    cell = columns.version_values[version, a]
                    absent = which == CONTACT_COMPLETENESS and plan.is_flag[a] and cell == 0.0
                    filled += not np.isnan(cell) and not absent
        row[col[e]] = filled / asked if asked else np.nan


@njit(cache=True, nogil=True)
def _write_row(
    state: State,
    plan: Plan,
    columns: Columns,
    lead: int,
    as_of: int,
    row: NDArray[np.float32],
) -> None:
    close_windows(state, plan)
    _write_windows(state, plan, row)
    _write_lifetime(state, plan, as_of, row)
    _write_lead(columns, plan, lead, as_of, row)


@njit(cache=True, nogil=True)
def _punctual_rows(
    state: State,
    plan: Plan,
    columns: Columns,
    lead: int,
    as_of: NDArray[np.int64],
    rows: NDArray[np.float32],
) -> None:
    """Rows of a lead all of whose records were known as they happened."""
    low, high = columns.offsets[lead], columns.offsets[lead + 1]
    nxt = low
    reset(state)
    for s in range(as_of.shape[0]):
        while nxt < high and columns.at[nxt] < as_of[s]:
            visit(
                state,
                plan,
                columns.at[nxt],
                columns.kind[nxt],
                columns.channel[nxt],
                columns.value[nxt],
            )
            nxt += 1
        clear_windows(state)
        walk_back(
            state,
            plan,
            columns.at,
            columns.kind,
            columns.channel,
            columns.value,
            low,
            nxt,
            as_of[s],
        )
        _write_row(state, plan, columns, lead, as_of[s], rows[s])


@njit(cache=True, nogil=True)
def _late_rows(
    state: State,
    plan: Plan,
    columns: Columns,
    lead: int,
    as_of: NDArray[np.int64],
    rows: NDArray[np.float32],
) -> None:
    """Rows of a lead with late arrivals: each moment sees its own selection of the records."""
    low, high = columns.offsets[lead], columns.offsets[lead + 1]
    at = np.empty(high - low, np.int64)
    kind = np.empty(high - low, np.int64)
    channel = np.empty(high - low, np.int64)
    value = np.empty(high - low, np.float64)
    for s in range(as_of.shape[0]):
        n = 0
        reset(state)
        for i in range(low, high):
            if columns.at[i] < as_of[s] and columns.known_at[i] < as_of[s]:
                at[n] = columns.at[i]
                kind[n] = columns.kind[i]
                channel[n] = columns.channel[i]
                value[n] = columns.value[i]
                visit(state, plan, at[n], kind[n], channel[n], value[n])
                n += 1
        clear_windows(state)
        walk_back(state, plan, at, kind, channel, value, 0, n, as_of[s])
        _write_row(state, plan, columns, lead, as_of[s], rows[s])


@njit(cache=True, nogil=True)
def fill_rows(
    columns: Columns,
    plan: Plan,
    first_lead: int,
    snapshot_offsets: NDArray[np.int64],
    as_of: NDArray[np.int64],
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
    state = new_state(plan)
    for i in range(snapshot_offsets.shape[0] - 1):
        a, b = snapshot_offsets[i], snapshot_offsets[i + 1]
        if a == b:
            continue
        lead = first_lead + i
        if columns.late[lead]:
            _late_rows(state, plan, columns, lead, as_of[a:b], out[a:b])
        else:
            _punctual_rows(state, plan, columns, lead, as_of[a:b], out[a:b])
