"""The hot path: one pass over a lead's sorted records, one row of features per moment.

Arrays in, rows out; no options, no checks, no Python objects. ``layout`` sorts and checks,
``plan`` compiles the catalogue, ``reference`` says in plain Python what every number means.
Records are visited once in order of time; running state holds the lifetime statistics, and a walk
back from each moment of looking fills the windows. State depends on the visible records only,
never on which moments were asked for, so one row asked alone equals the same row among many.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel.layout import Columns
from features.kernel.plan import Plan

DAY = 86_400_000_000
HOUR = 3_600_000_000
SESSION_BREAK = 1_800_000_000
"""Half an hour without activity ends a visit (Google Analytics' and Segment's default)."""

# Positions of Plan.wants; numba freezes module integers into the code.
DECAY, GAPS, CALENDAR, SPREAD, VALUES, MIX = 0, 1, 2, 3, 4, 5


class State(NamedTuple):
    """What is remembered of one lead; one entry per group unless said otherwise."""

    seen: NDArray[np.int64]  # records so far
    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    decayed: NDArray[np.float64]  # (n_groups, n_half_lives) intensity at last_at
    gap_mean: NDArray[np.float64]  # Welford's running mean, in days
    gap_m2: NDArray[np.float64]  # Welford's sum of squared deviations
    in_bin: NDArray[np.int64]  # (n_groups, 6) records per calendar bin
    days: NDArray[np.int64]
    visits: NDArray[np.int64]
    value_sum: NDArray[np.float64]
    value_max: NDArray[np.float64]
    channel_bits: NDArray[np.int64]
    kind_bits: NDArray[np.int64]
    first_channel: NDArray[np.int64]
    last_channel: NDArray[np.int64]
    first_kind: NDArray[np.int64]
    last_kind: NDArray[np.int64]
    # The windows: (n_windows + 1, n_groups); the last row is the lifetime.
    w_count: NDArray[np.int64]
    w_days: NDArray[np.int64]
    w_visits: NDArray[np.int64]
    w_value_sum: NDArray[np.float64]
    w_value_max: NDArray[np.float64]
    w_channels: NDArray[np.int64]
    w_kinds: NDArray[np.int64]
    newer_at: NDArray[np.int64]  # the walk back's newer neighbour within the group; -1 for none


@njit(cache=True, nogil=True)
def new_state(plan: Plan) -> State:
    """Allocate the state once; ``reset`` clears it between leads."""
    g, h, w = plan.wants.shape[0], plan.decay_rates.shape[0], plan.windows_us.shape[0] + 1
    return State(
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros((g, h), np.float64),
        np.zeros(g, np.float64),
        np.zeros(g, np.float64),
        np.zeros((g, 6), np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.float64),
        np.zeros(g, np.float64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros(g, np.int64),
        np.zeros((w, g), np.int64),
        np.zeros((w, g), np.int64),
        np.zeros((w, g), np.int64),
        np.zeros((w, g), np.float64),
        np.zeros((w, g), np.float64),
        np.zeros((w, g), np.int64),
        np.zeros((w, g), np.int64),
        np.zeros(g, np.int64),
    )


@njit(cache=True, nogil=True)
def reset(state: State) -> None:
    """Forget the lead. Whatever is only read after a first record is left as it is."""
    state.seen[:] = 0
    state.gap_mean[:] = 0.0
    state.gap_m2[:] = 0.0
    state.in_bin[:] = 0
    state.days[:] = 0
    state.visits[:] = 0
    state.value_sum[:] = 0.0
    state.value_max[:] = np.nan
    state.channel_bits[:] = 0
    state.kind_bits[:] = 0
    state.first_channel[:] = -1
    state.last_channel[:] = -1


@njit(cache=True, nogil=True)
def _bins(state: State, g: int, at: int) -> None:
    day = at // DAY
    hour = (at - day * DAY) // HOUR
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    state.in_bin[g, hour // 6] += 1
    if weekday >= 5:
        state.in_bin[g, 4] += 1
    elif 9 <= hour < 17:
        state.in_bin[g, 5] += 1


@njit(cache=True, nogil=True)
def _gap(state: State, g: int, at: int) -> None:
    gap = (at - state.last_at[g]) / DAY
    n = state.seen[g]  # records before this one = gaps including this one
    delta = gap - state.gap_mean[g]
    state.gap_mean[g] += delta / n
    state.gap_m2[g] += delta * (gap - state.gap_mean[g])


@njit(cache=True, nogil=True)
def _mix(state: State, g: int, kind: int, channel: int) -> None:
    if channel >= 0:
        state.channel_bits[g] |= 1 << channel
        if state.first_channel[g] < 0:
            state.first_channel[g] = channel
        state.last_channel[g] = channel
    state.kind_bits[g] |= 1 << kind
    if state.seen[g] == 0:
        state.first_kind[g] = kind
    state.last_kind[g] = kind


@njit(cache=True, nogil=True)
def visit(state: State, plan: Plan, at: int, kind: int, channel: int, value: float) -> None:
    """Take in the next visible record."""
    for e in range(plan.kind_start[kind], plan.kind_start[kind + 1]):
        g = plan.kind_group[e]
        if plan.wants[g, MIX]:
            _mix(state, g, kind, channel)
        if plan.wants[g, CALENDAR]:
            _bins(state, g, at)
        if plan.wants[g, VALUES] and not np.isnan(value):
            state.value_sum[g] += value
            if not state.value_max[g] >= value:  # true as well while there is no maximum
                state.value_max[g] = value
        if state.seen[g] == 0:
            state.first_at[g] = at
            state.days[g] = 1
            state.visits[g] = 1
            for h in range(plan.decay_rates.shape[0]):
                state.decayed[g, h] = 1.0
        else:
            if plan.wants[g, SPREAD]:
                state.days[g] += at // DAY != state.last_at[g] // DAY
                state.visits[g] += at - state.last_at[g] > SESSION_BREAK
            if plan.wants[g, GAPS]:
                _gap(state, g, at)
            if plan.wants[g, DECAY]:
                elapsed = at - state.last_at[g]
                for h in range(plan.decay_rates.shape[0]):
                    fade = np.exp(-plan.decay_rates[h] * elapsed)
                    state.decayed[g, h] = state.decayed[g, h] * fade + 1.0
        state.seen[g] += 1
        state.last_at[g] = at


@njit(cache=True, nogil=True)
def _clear_windows(state: State) -> None:
    state.w_count[:] = 0
    state.w_days[:] = 0
    state.w_visits[:] = 0
    state.w_value_sum[:] = 0.0
    state.w_value_max[:] = np.nan
    state.w_channels[:] = 0
    state.w_kinds[:] = 0
    state.newer_at[:] = -1


@njit(cache=True, nogil=True)
def _walk_back(
    state: State,
    plan: Plan,
    at: NDArray[np.int64],
    kind: NDArray[np.int64],
    channel: NDArray[np.int64],
    value: NDArray[np.float64],
    low: int,
    high: int,
    as_of: int,
) -> None:
    """Put each record into the smallest window that holds it: recent windows end the walk early."""
    n_windows = plan.windows_us.shape[0]
    w = 0
    for i in range(high - 1, low - 1, -1):
        age = as_of - at[i]
        while w < n_windows and age > plan.windows_us[w]:
            w += 1
        if w == n_windows:
            break
        for e in range(plan.kind_start[kind[i]], plan.kind_start[kind[i] + 1]):
            g = plan.kind_group[e]
            state.w_count[w, g] += 1
            if plan.wants[g, SPREAD]:
                newer = state.newer_at[g]
                state.w_days[w, g] += newer < 0 or newer // DAY != at[i] // DAY
                state.w_visits[w, g] += newer < 0 or newer - at[i] > SESSION_BREAK
                state.newer_at[g] = at[i]
            if plan.wants[g, VALUES] and not np.isnan(value[i]):
                state.w_value_sum[w, g] += value[i]
                if not state.w_value_max[w, g] >= value[i]:
                    state.w_value_max[w, g] = value[i]
            if plan.wants[g, MIX]:
                if channel[i] >= 0:
                    state.w_channels[w, g] |= 1 << channel[i]
                state.w_kinds[w, g] |= 1 << kind[i]


@njit(cache=True, nogil=True)
def _close_windows(state: State, plan: Plan) -> None:
    """Let each window hold what the shorter ones hold; the last one is the lifetime."""
    n_windows, n_groups = plan.windows_us.shape[0], plan.wants.shape[0]
    for w in range(1, n_windows):
        for g in range(n_groups):
            state.w_count[w, g] += state.w_count[w - 1, g]
            state.w_days[w, g] += state.w_days[w - 1, g]
            state.w_visits[w, g] += state.w_visits[w - 1, g]
            state.w_value_sum[w, g] += state.w_value_sum[w - 1, g]
            shorter = state.w_value_max[w - 1, g]
            if not np.isnan(shorter) and not state.w_value_max[w, g] >= shorter:
                state.w_value_max[w, g] = shorter
            state.w_channels[w, g] |= state.w_channels[w - 1, g]
            state.w_kinds[w, g] |= state.w_kinds[w - 1, g]
    for g in range(n_groups):
        state.w_count[n_windows, g] = state.seen[g]
        state.w_days[n_windows, g] = state.days[g]
        state.w_visits[n_windows, g] = state.visits[g]
        state.w_value_sum[n_windows, g] = state.value_sum[g]
        state.w_value_max[n_windows, g] = state.value_max[g]
        state.w_channels[n_windows, g] = state.channel_bits[g]
        state.w_kinds[n_windows, g] = state.kind_bits[g]


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
    for e in range(start[0], start[1]):  # COUNT
        row[col[e]] = state.w_count[win[e], grp[e]]
    for e in range(start[4], start[5]):  # ACTIVE_DAYS
        row[col[e]] = state.w_days[win[e], grp[e]] if state.seen[grp[e]] else 0.0
    for e in range(start[5], start[6]):  # SESSIONS
        row[col[e]] = state.w_visits[win[e], grp[e]] if state.seen[grp[e]] else 0.0
    for e in range(start[6], start[7]):  # CHANNELS
        row[col[e]] = _bit_count(state.w_channels[win[e], grp[e]])
    for e in range(start[7], start[8]):  # KINDS
        row[col[e]] = _bit_count(state.w_kinds[win[e], grp[e]])
    for e in range(start[8], start[9]):  # VALUE_SUM
        row[col[e]] = state.w_value_sum[win[e], grp[e]]
    for e in range(start[9], start[10]):  # VALUE_MAX
        row[col[e]] = state.w_value_max[win[e], grp[e]]
    for e in range(start[13], start[14]):  # SHARE
        whole = state.w_count[plan.other_window[e], plan.other_group[e]]
        part = state.w_count[win[e], grp[e]]
        row[col[e]] = part / whole if whole else np.nan
    for e in range(start[14], start[15]):  # TREND
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
    for e in range(start[1], start[2]):  # RECENCY
        g = grp[e]
        row[col[e]] = (as_of - state.last_at[g]) / DAY if state.seen[g] else np.nan
    for e in range(start[2], start[3]):  # SINCE_FIRST
        g = grp[e]
        row[col[e]] = (as_of - state.first_at[g]) / DAY if state.seen[g] else np.nan
    for e in range(start[3], start[4]):  # INTENSITY
        g, h = grp[e], plan.argument[e]
        if state.seen[g]:
            fade = np.exp(-plan.decay_rates[h] * (as_of - state.last_at[g]))
            row[col[e]] = state.decayed[g, h] * fade
        else:
            row[col[e]] = 0.0
    for e in range(start[10], start[11]):  # GAP_MEAN
        g = grp[e]
        row[col[e]] = state.gap_mean[g] if state.seen[g] > 1 else np.nan
    for e in range(start[11], start[12]):  # GAP_STD
        g = grp[e]
        n = state.seen[g]
        row[col[e]] = np.sqrt(state.gap_m2[g] / (n - 2)) if n > 2 else np.nan
    for e in range(start[12], start[13]):  # SILENCE
        g = grp[e]
        rhythmic = state.seen[g] > 1 and state.gap_mean[g] > 0.0
        quiet = (as_of - state.last_at[g]) / DAY
        row[col[e]] = quiet / state.gap_mean[g] if rhythmic else np.nan
    for e in range(start[15], start[16]):  # CALENDAR_SHARE
        g = grp[e]
        n = state.seen[g]
        row[col[e]] = state.in_bin[g, plan.argument[e]] / n if n else np.nan
    for e in range(start[16], start[17]):  # FIRST_CHANNEL
        c = state.first_channel[grp[e]]
        row[col[e]] = c if c >= 0 else np.nan
    for e in range(start[17], start[18]):  # LAST_CHANNEL
        c = state.last_channel[grp[e]]
        row[col[e]] = c if c >= 0 else np.nan
    for e in range(start[18], start[19]):  # FIRST_KIND
        g = grp[e]
        row[col[e]] = state.first_kind[g] - plan.argument[e] if state.seen[g] else np.nan
    for e in range(start[19], start[20]):  # LAST_KIND
        g = grp[e]
        row[col[e]] = state.last_kind[g] - plan.argument[e] if state.seen[g] else np.nan


@njit(cache=True, nogil=True)
def _write_lead(
    columns: Columns, plan: Plan, lead: int, as_of: int, row: NDArray[np.float32]
) -> None:
    start, col = plan.op_start, plan.column
    created = columns.created_at[lead]
    for e in range(start[20], start[21]):  # AGE
        row[col[e]] = (as_of - created) / DAY
    for e in range(start[21], start[22]):  # CREATED_WEEKDAY
        row[col[e]] = (created // DAY + 3) % 7
    for e in range(start[22], start[23]):  # CREATED_HOUR
        row[col[e]] = (created % DAY) // HOUR
    version = -1
    for v in range(columns.version_offsets[lead], columns.version_offsets[lead + 1]):
        if columns.version_known_at[v] >= as_of:
            break
        version = v
    for e in range(start[23], start[24]):  # ATTRIBUTE
        known = version >= 0
        row[col[e]] = columns.version_values[version, plan.argument[e]] if known else np.nan
    for e in range(start[24], start[25]):  # ATTRIBUTE_AGE
        known = version >= 0
        row[col[e]] = (
            (as_of - columns.version_values[version, plan.argument[e]]) / DAY if known else np.nan
        )
    for e in range(start[25], start[26]):  # COMPLETENESS
        filled, asked = 0, 0
        for a in range(plan.in_completeness.shape[0]):
            if plan.in_completeness[a]:
                asked += 1
                if version >= 0 and not np.isnan(columns.version_values[version, a]):
                    filled += 1
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
    _close_windows(state, plan)
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
        _clear_windows(state)
        _walk_back(
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
        _clear_windows(state)
        _walk_back(state, plan, at, kind, channel, value, 0, n, as_of[s])
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
