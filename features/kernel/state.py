"""The running state of one lead: everything that is remembered from its first record on.

Hot path: arrays and integers, no options, no checks. ``layout`` sorts and checks, ``plan`` compiles
the catalogue, ``reference`` says in plain Python what every number means.

State is two arrays, a row per group: whole numbers and floating ones, columns named below. Passing
them as plain arrays matters: numba counts references on every field it takes from a tuple, which
made a first version of this kernel three times slower.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DAY = 86_400_000_000
HOUR = 3_600_000_000
SESSION_BREAK = 1_800_000_000
"""Half an hour without activity ends a visit (Google Analytics' and Segment's default)."""

# Positions of Plan.wants; numba freezes module integers into the code.
WANTS_DECAY, WANTS_GAPS, WANTS_CALENDAR, WANTS_SPREAD, WANTS_VALUES, WANTS_MIX = range(6)

# Columns of the whole numbers: (n_groups, N_INTS).
SEEN = 0  # records so far
FIRST_AT, LAST_AT = 1, 2
DAYS, VISITS = 3, 4
CHANNEL_BITS, KIND_BITS = 5, 6
FIRST_CHANNEL, LAST_CHANNEL = 7, 8  # -1 for none
FIRST_KIND, LAST_KIND = 9, 10
BINS = 11  # six columns, one per calendar bin
N_INTS = 17

# Columns of the floating numbers: (n_groups, N_FLOATS + n_half_lives).
GAP_MEAN, GAP_M2 = 0, 1  # Welford's running mean, in days, and sum of squared deviations
VALUE_SUM, VALUE_MAX = 2, 3
DECAYED = 4  # from here on: the intensity at LAST_AT, one column per half-life
N_FLOATS = 4


@njit(cache=True, nogil=True, inline="always")
def reset(ints: Ints, floats: Floats) -> None:
    """Forget the lead. Whatever is only read after a first record is left as it is."""
    ints[:] = 0
    ints[:, FIRST_CHANNEL] = -1
    ints[:, LAST_CHANNEL] = -1
    floats[:] = 0.0
    floats[:, VALUE_MAX] = np.nan


@njit(cache=True, nogil=True, inline="always")
def _count_bins(ints: Ints, g: int, at: int) -> None:
    day = at // DAY
    hour = (at - day * DAY) // HOUR
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    ints[g, BINS + hour // 6] += 1
    if weekday >= 5:
        ints[g, BINS + 4] += 1
    elif 9 <= hour < 17:
        ints[g, BINS + 5] += 1


@njit(cache=True, nogil=True, inline="always")
def _count_mix(ints: Ints, g: int, kind: int, channel: int) -> None:
    if channel >= 0:
        ints[g, CHANNEL_BITS] |= 1 << channel
        if ints[g, FIRST_CHANNEL] < 0:
            ints[g, FIRST_CHANNEL] = channel
        ints[g, LAST_CHANNEL] = channel
    ints[g, KIND_BITS] |= 1 << kind
    if ints[g, SEEN] == 0:
        ints[g, FIRST_KIND] = kind
    ints[g, LAST_KIND] = kind


@njit(cache=True, nogil=True, inline="always")
def _take_gap(ints: Ints, floats: Floats, g: int, elapsed: int) -> None:
    gap = elapsed / DAY
    n = ints[g, SEEN]  # records before this one = gaps including this one
    delta = gap - floats[g, GAP_MEAN]
    floats[g, GAP_MEAN] += delta / n
    floats[g, GAP_M2] += delta * (gap - floats[g, GAP_MEAN])


@njit(cache=True, nogil=True, inline="always")
def _take_spread(ints: Ints, g: int, at: int) -> None:
    if ints[g, SEEN] == 0:
        ints[g, DAYS] = 1
        ints[g, VISITS] = 1
    else:
        last = ints[g, LAST_AT]
        ints[g, DAYS] += at // DAY != last // DAY
        ints[g, VISITS] += at - last > SESSION_BREAK


@njit(cache=True, nogil=True, inline="always")
def _take_value(floats: Floats, g: int, value: float) -> None:
    if not np.isnan(value):
        floats[g, VALUE_SUM] += value
        if not floats[g, VALUE_MAX] >= value:  # true as well while there is no maximum
            floats[g, VALUE_MAX] = value


@njit(cache=True, nogil=True, inline="always")
def _decay(ints: Ints, floats: Floats, decay_rates: Floats, g: int, at: int) -> None:
    elapsed = at - ints[g, LAST_AT]
    first = ints[g, SEEN] == 0
    for h in range(decay_rates.shape[0]):
        faded = 0.0 if first else floats[g, DECAYED + h] * np.exp(-decay_rates[h] * elapsed)
        floats[g, DECAYED + h] = faded + 1.0


@njit(cache=True, nogil=True, inline="always")
def visit(
    ints: Ints,
    floats: Floats,
    kind_start: Ints,
    kind_group: Ints,
    rich_start: Ints,
    rich_group: Ints,
    wants: Flags,
    decay_rates: Floats,
    at: int,
    kind: int,
    channel: int,
    value: float,
) -> None:
    """Take in the next visible record: what goes beyond counts first, then the counts move on."""
    for e in range(rich_start[kind], rich_start[kind + 1]):
        g = rich_group[e]
        if wants[g, WANTS_MIX]:
            _count_mix(ints, g, kind, channel)
        if wants[g, WANTS_CALENDAR]:
            _count_bins(ints, g, at)
        if wants[g, WANTS_VALUES]:
            _take_value(floats, g, value)
        if wants[g, WANTS_SPREAD]:
            _take_spread(ints, g, at)
        if wants[g, WANTS_GAPS] and ints[g, SEEN] > 0:
            _take_gap(ints, floats, g, at - ints[g, LAST_AT])
        if wants[g, WANTS_DECAY]:
            _decay(ints, floats, decay_rates, g, at)
    for e in range(kind_start[kind], kind_start[kind + 1]):
        g = kind_group[e]
        if ints[g, SEEN] == 0:
            ints[g, FIRST_AT] = at
        ints[g, SEEN] += 1
        ints[g, LAST_AT] = at
