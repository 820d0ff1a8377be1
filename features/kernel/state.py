"""The running state of one lead: everything that is remembered from its first record on.

Hot path: arrays and integers, no options, no checks. ``layout`` sorts and checks, ``plan`` compiles
the catalogue, ``reference`` says in plain Python what every number means.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
