"""The running state of one lead: everything that is remembered from its first record on.

Hot path: arrays and integers, no options, no checks. ``layout`` sorts and checks, ``plan`` compiles
the catalogue, ``reference`` says in plain Python what every number means.

Counting is dense: a row of ones and zeros says which groups count a kind, and is added as a whole,
which a vector register does at once, whereas a loop over the right groups would be mispredicted.
State is plain arrays, their columns named below: numba counts references on every field it takes
from a tuple, which made a first version of this kernel three times slower.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Tally = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.uint64]

DAY = 86_400_000_000
HOUR = 3_600_000_000
SESSION_BREAK = 1_800_000_000
"""Half an hour without activity ends a visit (Google Analytics' and Segment's default)."""

NEVER = -(1 << 62)
"""Before any moment there is."""

CALENDAR_ORIGIN = 8000 * 7 * DAY
"""Whole weeks added to make every time positive: unsigned division needs no correction."""

U_DAY, U_HOUR = np.uint64(DAY), np.uint64(HOUR)
U3, U5, U6, U7, U9, U17, U24 = (np.uint64(n) for n in (3, 5, 6, 7, 9, 17, 24))

# Positions of Plan.wants; numba freezes module integers into the code.
WANTS_GAPS, WANTS_CALENDAR, WANTS_SPREAD, WANTS_VALUES, WANTS_MIX = range(5)

# Columns of Plan.entries.
COLUMN, GROUP, WINDOW, OTHER_GROUP, OTHER_WINDOW, ARGUMENT = range(6)
LAST_CATEGORY = OTHER_GROUP  # of first and last kinds: later ones count as this one

# Columns of a slot's whole numbers: (n_slots, N_TRAITS).
FIRST_AT, LAST_AT, LAST_DAY = 0, 1, 2
DAYS, VISITS = 3, 4
FIRST_CHANNEL, LAST_CHANNEL = (
    5,
    6,
)  # as in a record's word: 0 for none, else one more than the code
FIRST_KIND, LAST_KIND = 7, 8
WORTHS = 9  # records with a value
N_TRAITS = 10

# Columns of a slot's floating numbers: (n_slots, N_REALS).
GAP_MEAN, GAP_M2 = 0, 1  # Welford's running mean, in days, and sum of squared deviations
VALUE_SUM, VALUE_MAX = 2, 3  # the maximum of nothing is minus infinity
N_REALS = 4

# What holds for a lead until its next version.
WEEKDAY, HOUR_OF_DAY, FILLED = 0, 1, 2  # from FILLED on one share per set of attributes
N_FACTS = 4


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def reset(
    tally: Tally,
    group_last: Ints,
    kind_last: Ints,
    channel_last: Ints,
    traits: Ints,
    bins: Ints,
    reals: Floats,
    decayed: Floats,
    low: Ints,
) -> None:
    """Forget the lead."""
    tally[:] = 0
    group_last[:] = NEVER
    kind_last[:] = NEVER
    channel_last[:] = NEVER
    traits[:] = 0
    reals[:] = 0.0
    for s in range(traits.shape[0]):
        reals[s, VALUE_MAX] = -np.inf
    bins[:] = 0
    decayed[:] = 0.0
    low[:] = 0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _count_bins(bins: Ints, s: int, hours: np.uint64) -> None:
    # Sums of truths instead of branches: the hour of the next record cannot be predicted.
    weekday = (hours // U24 + U3) % U7  # 1970-01-01 was a Thursday
    hour = hours % U24
    bins[s, hour // U6] += 1
    bins[s, 4] += weekday >= U5
    bins[s, 5] += (weekday < U5) & (hour >= U9) & (hour < U17)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _count_mix(
    traits: Ints, channel_last: Ints, s: int, at: int, kind: int, channel: int, seen: int
) -> None:
    # Column 0 of the channels takes the records without one.
    channel_last[s, channel] = at
    if channel:
        if not traits[s, FIRST_CHANNEL]:
            traits[s, FIRST_CHANNEL] = channel
        traits[s, LAST_CHANNEL] = channel
    if seen == 0:
        traits[s, FIRST_KIND] = kind
    traits[s, LAST_KIND] = kind


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _take_gap(reals: Floats, s: int, elapsed: int, n: int) -> None:
    # n records came before this one, so this is the n-th gap.
    gap = elapsed * (1.0 / DAY)
    delta = gap - reals[s, GAP_MEAN]
    mean = reals[s, GAP_MEAN] + delta / n
    reals[s, GAP_MEAN] = mean
    reals[s, GAP_M2] += delta * (gap - mean)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _take_spread(
    traits: Ints,
    spread_days: Tally,
    spread_visits: Tally,
    s: int,
    at: int,
    day: np.int64,
    seen: int,
) -> None:
    # Numbers each record's day and visit; a window's first and last record then tell how many.
    # The first record's number may be any: only differences are read.
    days = traits[s, DAYS] + (traits[s, LAST_DAY] != day)
    visits = traits[s, VISITS] + (at - traits[s, LAST_AT] > SESSION_BREAK)
    traits[s, DAYS], traits[s, LAST_DAY], traits[s, VISITS] = days, day, visits
    spread_days[s, seen] = days
    spread_visits[s, seen] = visits


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _take_value(
    traits: Ints, reals: Floats, worth_at: Ints, worth: Floats, s: int, at: int, value: float
) -> None:
    # Written whether there is a value or not; the next one overwrites what is none.
    known = value == value
    n = traits[s, WORTHS]
    worth_at[s, n], worth[s, n] = at, value
    traits[s, WORTHS] = n + known
    reals[s, VALUE_SUM] += value if known else 0.0
    most = reals[s, VALUE_MAX]
    reals[s, VALUE_MAX] = value if value > most else most


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def decay(
    decayed: Floats, decay_rates: Floats, decay_mask: Floats, kind: int, elapsed: int
) -> None:
    """Let the intensities fade over the time since the latest record, and count this one."""
    for h in range(decay_rates.shape[0]):
        fade = np.exp(-decay_rates[h] * elapsed) if elapsed else 1.0
        for d in range(decay_mask.shape[1]):
            decayed[h, d] = decayed[h, d] * fade + decay_mask[kind, d]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def visit(
    tally: Tally,
    group_last: Ints,
    kind_last: Ints,
    channel_last: Ints,
    traits: Ints,
    bins: Ints,
    reals: Floats,
    spread_days: Tally,
    spread_visits: Tally,
    worth_at: Ints,
    worth: Floats,
    mask: Tally,
    group_start: Places,
    kind_group: Places,
    slot_start: Places,
    kind_slot: Places,
    slot_group: Places,
    wants: Flags,
    at: int,
    kind: int,
    channel: int,
    value: float,
) -> None:
    """Take in the next visible record: what goes beyond counts first, then the counts move on."""
    total = tally.shape[0] - 1
    hours = np.uint64(at + CALENDAR_ORIGIN) // U_HOUR
    for e in range(slot_start[kind], slot_start[kind + 1]):
        s = kind_slot[e]
        seen = tally[total, slot_group[s]]
        if wants[s, WANTS_MIX]:
            _count_mix(traits, channel_last, s, at, kind, channel, seen)
        if wants[s, WANTS_CALENDAR]:
            _count_bins(bins, s, hours)
        if wants[s, WANTS_VALUES]:
            _take_value(traits, reals, worth_at, worth, s, at, value)
        if wants[s, WANTS_SPREAD]:
            _take_spread(traits, spread_days, spread_visits, s, at, np.int64(hours // U24), seen)
        if wants[s, WANTS_GAPS] and seen > 0:
            _take_gap(reals, s, at - traits[s, LAST_AT], seen)
        if seen == 0:
            traits[s, FIRST_AT] = at
        traits[s, LAST_AT] = at
    for g in range(mask.shape[1]):
        tally[total, g] += mask[kind, g]
    for e in range(group_start[kind], group_start[kind + 1]):
        group_last[kind_group[e]] = at
    kind_last[kind] = at
