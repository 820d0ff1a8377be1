"""The windows: a walk back from the moment of looking, over the visible records.

Hot path. Each record falls into the smallest window that holds it, so that recent windows end the
walk early; closing the windows then lets each hold what the shorter ones hold.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel.plan import Plan
from features.kernel.state import DAY, MIX, SESSION_BREAK, SPREAD, VALUES, State


@njit(cache=True, nogil=True)
def clear_windows(state: State) -> None:
    """Empty every window before a walk back."""
    state.w_count[:] = 0
    state.w_days[:] = 0
    state.w_visits[:] = 0
    state.w_value_sum[:] = 0.0
    state.w_value_max[:] = np.nan
    state.w_channels[:] = 0
    state.w_kinds[:] = 0
    state.newer_at[:] = -1


@njit(cache=True, nogil=True)
def walk_back(
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
def close_windows(state: State, plan: Plan) -> None:
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
