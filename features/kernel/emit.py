"""One row: what was remembered, written into its columns.

Hot path. Counts and recencies stand in runs of neighbouring columns, written as blocks; all other
operations have one short loop each over their entries of the plan.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.kernel.plan import OPS
from features.kernel.state import (
    ARGUMENT,
    COLUMN,
    DAY,
    FILLED,
    FIRST_AT,
    FIRST_CHANNEL,
    FIRST_KIND,
    GAP_M2,
    GAP_MEAN,
    GROUP,
    HOUR_OF_DAY,
    LAST_AT,
    LAST_CATEGORY,
    LAST_CHANNEL,
    LAST_KIND,
    NEVER,
    OTHER_GROUP,
    OTHER_WINDOW,
    VALUE_MAX,
    VALUE_SUM,
    WANTS_VALUES,
    WEEKDAY,
    WINDOW,
    Flags,
    Floats,
    Ints,
    Places,
    Tally,
)
from features.kernel.windows import (
    count_channels,
    count_kinds,
    count_spread,
    walk_values,
    window_start,
)

Row = NDArray[np.float32]

# Where each operation's entries begin in the plan; numba freezes module integers into the code.
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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def write_counts(row: Row, tally: Tally, group_last: Ints, runs: Places, as_of: int) -> None:
    """Write the runs of counts and of recencies."""
    total = tally.shape[0] - 1
    for r in range(runs.shape[0]):
        column, window, group, length = runs[r, 1], runs[r, 2], runs[r, 3], runs[r, 4]
        if runs[r, 0]:
            for j in range(length):
                row[column + j] = tally[total, group + j] - tally[window, group + j]
        else:
            for j in range(length):
                last = group_last[group + j]
                row[column + j] = (as_of - last) / DAY if last != NEVER else np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def write_lifetime(
    row: Row,
    tally: Tally,
    traits: Ints,
    bins: Ints,
    reals: Floats,
    decayed: Floats,
    fades: Floats,
    window_days: Floats,
    start: Places,
    entries: Places,
    slot_group: Places,
    as_of: int,
) -> None:
    """Write shares, trends, intensities and what is known of a slot's whole life."""
    total = tally.shape[0] - 1
    for e in range(start[OP_SHARE], start[OP_SHARE + 1]):
        g, o = entries[e, GROUP], entries[e, OTHER_GROUP]
        whole = tally[total, o] - tally[entries[e, OTHER_WINDOW], o]
        part = tally[total, g] - tally[entries[e, WINDOW], g]
        row[entries[e, COLUMN]] = part / whole if whole else np.nan
    for e in range(start[OP_TREND], start[OP_TREND + 1]):
        g, short, long = entries[e, GROUP], entries[e, WINDOW], entries[e, OTHER_WINDOW]
        recent = tally[total, g] - tally[short, g]
        before = (tally[short, g] - tally[long, g]) / (window_days[long] - window_days[short])
        known = tally[total, g] > 0
        row[entries[e, COLUMN]] = recent / window_days[short] - before if known else np.nan
    for e in range(start[OP_INTENSITY], start[OP_INTENSITY + 1]):
        h = entries[e, ARGUMENT]
        row[entries[e, COLUMN]] = decayed[h, entries[e, GROUP]] * fades[h]
    for e in range(start[OP_SINCE_FIRST], start[OP_SINCE_FIRST + 1]):
        s = entries[e, GROUP]
        known = tally[total, slot_group[s]] > 0
        row[entries[e, COLUMN]] = (as_of - traits[s, FIRST_AT]) / DAY if known else np.nan
    for e in range(start[OP_GAP_MEAN], start[OP_GAP_MEAN + 1]):
        s = entries[e, GROUP]
        known = tally[total, slot_group[s]] > 1
        row[entries[e, COLUMN]] = reals[s, GAP_MEAN] if known else np.nan
    for e in range(start[OP_GAP_STD], start[OP_GAP_STD + 1]):
        s = entries[e, GROUP]
        n = tally[total, slot_group[s]]
        row[entries[e, COLUMN]] = np.sqrt(reals[s, GAP_M2] / (n - 2)) if n > 2 else np.nan
    for e in range(start[OP_SILENCE], start[OP_SILENCE + 1]):
        s = entries[e, GROUP]
        rhythmic = tally[total, slot_group[s]] > 1 and reals[s, GAP_MEAN] > 0.0
        quiet = (as_of - traits[s, LAST_AT]) / DAY
        row[entries[e, COLUMN]] = quiet / reals[s, GAP_MEAN] if rhythmic else np.nan
    for e in range(start[OP_CALENDAR_SHARE], start[OP_CALENDAR_SHARE + 1]):
        s = entries[e, GROUP]
        n = tally[total, slot_group[s]]
        share = bins[s, entries[e, ARGUMENT]]
        row[entries[e, COLUMN]] = share / n if n else np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def write_slots(
    row: Row,
    tally: Tally,
    kind_last: Ints,
    channel_last: Ints,
    traits: Ints,
    reals: Floats,
    spread_days: Tally,
    spread_visits: Tally,
    worth_at: Ints,
    worth: Floats,
    sums: Floats,
    largest: Floats,
    windows_us: Ints,
    slot_group: Places,
    slot_kinds: Ints,
    wants: Flags,
    start: Places,
    entries: Places,
    as_of: int,
) -> None:
    """Write what a slot's windows hold beside counts, and its first and last touch."""
    total = tally.shape[0] - 1
    for e in range(start[OP_ACTIVE_DAYS], start[OP_ACTIVE_DAYS + 1]):
        s = entries[e, GROUP]
        seen = tally[total, slot_group[s]]
        inside = seen - tally[entries[e, WINDOW], slot_group[s]]
        row[entries[e, COLUMN]] = count_spread(spread_days, s, seen, inside)
    for e in range(start[OP_SESSIONS], start[OP_SESSIONS + 1]):
        s = entries[e, GROUP]
        seen = tally[total, slot_group[s]]
        inside = seen - tally[entries[e, WINDOW], slot_group[s]]
        row[entries[e, COLUMN]] = count_spread(spread_visits, s, seen, inside)
    for e in range(start[OP_CHANNELS], start[OP_CHANNELS + 1]):
        since = window_start(windows_us, entries[e, WINDOW], as_of)
        row[entries[e, COLUMN]] = count_channels(channel_last, entries[e, GROUP], since)
    for e in range(start[OP_KINDS], start[OP_KINDS + 1]):
        since = window_start(windows_us, entries[e, WINDOW], as_of)
        row[entries[e, COLUMN]] = count_kinds(kind_last, slot_kinds, entries[e, GROUP], since)
    for s in range(slot_group.shape[0]):
        if wants[s, WANTS_VALUES]:
            walk_values(sums, largest, traits, worth_at, worth, windows_us, s, as_of)
            sums[windows_us.shape[0]] = reals[s, VALUE_SUM]
            largest[windows_us.shape[0]] = reals[s, VALUE_MAX]
            for e in range(start[OP_VALUE_SUM], start[OP_VALUE_SUM + 1]):
                if entries[e, GROUP] == s:
                    row[entries[e, COLUMN]] = sums[entries[e, WINDOW]]
            for e in range(start[OP_VALUE_MAX], start[OP_VALUE_MAX + 1]):
                if entries[e, GROUP] == s:
                    most = largest[entries[e, WINDOW]]
                    row[entries[e, COLUMN]] = most if most > -np.inf else np.nan
    for e in range(start[OP_FIRST_CHANNEL], start[OP_FIRST_CHANNEL + 1]):
        c = traits[entries[e, GROUP], FIRST_CHANNEL]
        row[entries[e, COLUMN]] = c - 1 if c else np.nan
    for e in range(start[OP_LAST_CHANNEL], start[OP_LAST_CHANNEL + 1]):
        c = traits[entries[e, GROUP], LAST_CHANNEL]
        row[entries[e, COLUMN]] = c - 1 if c else np.nan
    for e in range(start[OP_FIRST_KIND], start[OP_FIRST_KIND + 1]):
        s = entries[e, GROUP]
        kind = traits[s, FIRST_KIND] - np.int64(entries[e, ARGUMENT])
        kind = min(kind, np.int64(entries[e, LAST_CATEGORY]))
        row[entries[e, COLUMN]] = kind if tally[total, slot_group[s]] else np.nan
    for e in range(start[OP_LAST_KIND], start[OP_LAST_KIND + 1]):
        s = entries[e, GROUP]
        kind = traits[s, LAST_KIND] - np.int64(entries[e, ARGUMENT])
        kind = min(kind, np.int64(entries[e, LAST_CATEGORY]))
        row[entries[e, COLUMN]] = kind if tally[total, slot_group[s]] else np.nan


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def write_lead(
    row: Row,
    created: int,
    facts: Floats,
    version: int,
    values: Floats,
    start: Places,
    entries: Places,
    as_of: int,
) -> None:
    """Write the lead's age, and its attributes as known then."""
    for e in range(start[OP_AGE], start[OP_AGE + 1]):
        row[entries[e, COLUMN]] = (as_of - created) / DAY
    for e in range(start[OP_CREATED_WEEKDAY], start[OP_CREATED_WEEKDAY + 1]):
        row[entries[e, COLUMN]] = facts[WEEKDAY]
    for e in range(start[OP_CREATED_HOUR], start[OP_CREATED_HOUR + 1]):
        row[entries[e, COLUMN]] = facts[HOUR_OF_DAY]
    for e in range(start[OP_ATTRIBUTE], start[OP_ATTRIBUTE + 1]):
        known = version >= 0
        row[entries[e, COLUMN]] = values[version, entries[e, ARGUMENT]] if known else np.nan
    for e in range(start[OP_ATTRIBUTE_AGE], start[OP_ATTRIBUTE_AGE + 1]):
        moment = values[version, entries[e, ARGUMENT]] if version >= 0 else np.nan
        row[entries[e, COLUMN]] = (as_of - moment) / DAY
    for e in range(start[OP_COMPLETENESS], start[OP_COMPLETENESS + 1]):
        row[entries[e, COLUMN]] = facts[FILLED + np.int64(entries[e, ARGUMENT])]
