"""The windows: a walk back from the moment of looking, over the visible records.

Hot path. Each record falls into the smallest window that holds it, so that recent windows end the
walk early; closing the windows then lets each hold what the shorter ones hold. The last window is
the lifetime, taken from the running state.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel.state import (
    CHANNEL_BITS,
    DAY,
    DAYS,
    KIND_BITS,
    SEEN,
    SESSION_BREAK,
    VALUE_MAX,
    VALUE_SUM,
    VISITS,
    WANTS_MIX,
    WANTS_SPREAD,
    WANTS_VALUES,
    Flags,
    Floats,
    Ints,
)

Counts = NDArray[np.int64]
"""(n_windows + 1, n_groups) records in each window."""
Spreads = NDArray[np.int64]
"""(n_windows + 1, n_groups, N_SPREADS) what else is whole; only rows of rich groups are used."""
Sums = NDArray[np.float64]
"""(n_windows + 1, n_groups, 2) sum and largest value."""

# Columns of the spreads; the first window's row also keeps the walk's newer neighbour.
W_DAYS, W_VISITS, W_CHANNELS, W_KINDS, W_NEWER = range(5)
N_SPREADS = 5
W_SUM, W_MAX = 0, 1


@njit(cache=True, nogil=True, inline="always")
def clear_windows(counts: Counts, spreads: Spreads, sums: Sums, rich: Ints) -> None:
    """Empty every window before a walk back."""
    counts[:] = 0
    for w in range(counts.shape[0]):
        for r in range(rich.shape[0]):
            spreads[w, rich[r], :] = 0
            sums[w, rich[r], W_SUM] = 0.0
            sums[w, rich[r], W_MAX] = np.nan
    for r in range(rich.shape[0]):
        spreads[0, rich[r], W_NEWER] = -1


@njit(cache=True, nogil=True, inline="always")
def _spread(spreads: Spreads, w: int, g: int, at: int) -> None:
    newer = spreads[0, g, W_NEWER]
    spreads[w, g, W_DAYS] += newer < 0 or newer // DAY != at // DAY
    spreads[w, g, W_VISITS] += newer < 0 or newer - at > SESSION_BREAK
    spreads[0, g, W_NEWER] = at


@njit(cache=True, nogil=True, inline="always")
def walk_back(
    counts: Counts,
    spreads: Spreads,
    sums: Sums,
    windows_us: Ints,
    kind_start: Ints,
    kind_group: Ints,
    rich_start: Ints,
    rich_group: Ints,
    wants: Flags,
    at: Ints,
    kind: Ints,
    channel: Ints,
    value: Floats,
    low: int,
    high: int,
    as_of: int,
) -> None:
    """Put each record into the smallest window that holds it."""
    n_windows = windows_us.shape[0]
    w = 0
    for i in range(high - 1, low - 1, -1):
        age = as_of - at[i]
        while w < n_windows and age > windows_us[w]:
            w += 1
        if w == n_windows:
            break
        k, x = kind[i], value[i]
        for e in range(kind_start[k], kind_start[k + 1]):
            counts[w, kind_group[e]] += 1
        for e in range(rich_start[k], rich_start[k + 1]):
            g = rich_group[e]
            if wants[g, WANTS_SPREAD]:
                _spread(spreads, w, g, at[i])
            if wants[g, WANTS_VALUES] and not np.isnan(x):
                sums[w, g, W_SUM] += x
                if not sums[w, g, W_MAX] >= x:
                    sums[w, g, W_MAX] = x
            if wants[g, WANTS_MIX]:
                if channel[i] >= 0:
                    spreads[w, g, W_CHANNELS] |= 1 << channel[i]
                spreads[w, g, W_KINDS] |= 1 << k


@njit(cache=True, nogil=True, inline="always")
def _close_rich(
    spreads: Spreads, sums: Sums, ints: Ints, floats: Floats, g: int, n_windows: int
) -> None:
    for w in range(1, n_windows):
        spreads[w, g, W_DAYS] += spreads[w - 1, g, W_DAYS]
        spreads[w, g, W_VISITS] += spreads[w - 1, g, W_VISITS]
        spreads[w, g, W_CHANNELS] |= spreads[w - 1, g, W_CHANNELS]
        spreads[w, g, W_KINDS] |= spreads[w - 1, g, W_KINDS]
        sums[w, g, W_SUM] += sums[w - 1, g, W_SUM]
        shorter = sums[w - 1, g, W_MAX]
        if not np.isnan(shorter) and not sums[w, g, W_MAX] >= shorter:
            sums[w, g, W_MAX] = shorter
    spreads[n_windows, g, W_DAYS] = ints[g, DAYS]
    spreads[n_windows, g, W_VISITS] = ints[g, VISITS]
    spreads[n_windows, g, W_CHANNELS] = ints[g, CHANNEL_BITS]
    spreads[n_windows, g, W_KINDS] = ints[g, KIND_BITS]
    sums[n_windows, g, W_SUM] = floats[g, VALUE_SUM]
    sums[n_windows, g, W_MAX] = floats[g, VALUE_MAX]


@njit(cache=True, nogil=True, inline="always")
def close_windows(
    counts: Counts, spreads: Spreads, sums: Sums, ints: Ints, floats: Floats, rich: Ints
) -> None:
    """Let each window hold what the shorter ones hold; the last one is the lifetime."""
    n_windows, n_groups = counts.shape[0] - 1, counts.shape[1]
    for w in range(1, n_windows):
        for g in range(n_groups):
            counts[w, g] += counts[w - 1, g]
    for g in range(n_groups):
        counts[n_windows, g] = ints[g, SEEN]
    for r in range(rich.shape[0]):
        _close_rich(spreads, sums, ints, floats, rich[r], n_windows)
