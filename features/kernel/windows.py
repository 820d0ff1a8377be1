"""The windows: what lies before each of them, and what is left inside.

Hot path. Moments of looking ascend within a lead, so each window's beginning only moves forward:
every record passes out of a window once. What a window counts is what was seen less what has
passed; whole numbers only, so that the answer does not depend on which moments were asked for.
"""

import numpy as np
from numba import njit

from features.kernel.record import CHANNEL_BITS, KIND_MASK, TIME_SHIFT
from features.kernel.state import NEVER, WORTHS, Floats, Ints, Tally


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def pass_out(
    tally: Tally, low: Ints, windows_us: Ints, mask: Tally, seen: Ints, n_seen: int, as_of: int
) -> None:
    """Move the beginning of each window forward to the records that are still inside."""
    for w in range(windows_us.shape[0]):
        start = as_of - windows_us[w]
        i = low[w]
        while i < n_seen and (seen[i] >> TIME_SHIFT) < start:
            kind = (seen[i] >> CHANNEL_BITS) & KIND_MASK
            for g in range(mask.shape[1]):
                tally[w, g] += mask[kind, g]
            i += 1
        low[w] = i


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def window_start(windows_us: Ints, w: int, as_of: int) -> int:
    """Tell when a window begins; the lifetime begins just after never."""
    return as_of - windows_us[w] if w < np.uint64(windows_us.shape[0]) else NEVER + 1


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def count_spread(spread: Tally, s: int, seen: int, inside: int) -> int:
    """Count the days or visits of the latest ``inside`` of ``seen`` records."""
    return spread[s, seen - 1] - spread[s, seen - inside] + 1 if inside else 0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def count_channels(channel_last: Ints, s: int, start: int) -> int:
    """Count the channels met at or after a moment; column 0 stands for none."""
    n = 0
    for c in range(1, channel_last.shape[1]):
        n += channel_last[s, c] >= start
    return n


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def count_kinds(kind_last: Ints, slot_kinds: Ints, s: int, start: int) -> int:
    """Count a slot's kinds met at or after a moment."""
    n = 0
    for k in range(kind_last.shape[0]):
        n += slot_kinds[s, k] & (kind_last[k] >= start)
    return n


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def walk_values(
    sums: Floats, largest: Floats, traits: Ints, worth_at: Ints, worth: Floats, windows_us: Ints,
    s: int, as_of: int,
) -> None:  # fmt: skip
    """Sum the values in each window and find their largest, by a walk back from the newest."""
    n_windows = windows_us.shape[0]
    total, most, w = 0.0, -np.inf, 0
    for i in range(traits[s, WORTHS] - 1, -1, -1):
        age = as_of - worth_at[s, i]
        while w < n_windows and age > windows_us[w]:
            sums[w], largest[w] = total, most
            w += 1
        if w == n_windows:
            break
        total += worth[s, i]
        most = max(most, worth[s, i])
    while w < n_windows:
        sums[w], largest[w] = total, most
        w += 1
