"""Records to their leads, and within each lead into order: one counting sort, then a mending.

A log in order of time is in order within each lead as well, but for ties and stage changes; so the
mending has little to do. Where it has a lot, it says so, and the caller sorts that lead as a whole.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel.record import CHANNEL_BITS, EARLIEST_US, LARGEST, LATEST_US, TIME_SHIFT
from features.kernel.state import Flags, Floats, Ints

Codes = NDArray[np.int16]

PATIENCE = 16
"""Moves per record after which a lead is given up as unsorted."""


@njit(cache=True, nogil=True, error_model="numpy")
def count_records(lead: Ints, counts: Ints) -> None:
    """Add the number of each lead's records to ``counts[lead + 1]``."""
    for i in range(lead.shape[0]):
        counts[lead[i] + 1] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def any_late(at: Ints, known_at: Ints) -> bool:
    """Tell whether any record became known after it happened."""
    late = False
    for i in range(at.shape[0]):
        late |= known_at[i] > at[i]
    return late


@njit(cache=True, nogil=True, error_model="numpy")
def place_records(
    place: Ints,
    lead: Ints,
    at: Ints,
    known_at: Ints,
    kind: Codes,
    channel: Codes,
    value: Floats,
    words: Ints,
    placed_known_at: Ints,
) -> None:
    """Write each record behind those of its lead that came before.

    Parameters
    ----------
    place : ndarray of shape (n_leads,), int64
        Where the next record of each lead goes; moved on.
    lead, at, known_at, kind, channel, value
        The records. ``known_at`` is read only if ``placed_known_at`` has room for it.
    words, placed_known_at
        Filled.
    """
    numbers = words.view(np.float64)
    delays = placed_known_at.shape[0] > 0
    for i in range(lead.shape[0]):
        p = place[lead[i]]
        place[lead[i]] = p + 1
        fitting = min(max(at[i], EARLIEST_US), LATEST_US)
        words[2 * p] = (
            (fitting << TIME_SHIFT)
            | (np.int64(kind[i]) << CHANNEL_BITS)
            | np.int64(channel[i] + 1)
        )
        # Also false for what is no number. Adding zero takes the sign off zeros: 0 and -0 are equal,
        # so neither would come first, and the order of arrival would show.
        numbers[2 * p + 1] = value[i] + 0.0 if abs(value[i]) <= LARGEST else np.nan
        if delays:
            placed_known_at[p] = known_at[i]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _comes_before(word: int, number: float, other: int, other_number: float) -> bool:
    if word != other:
        return word < other
    return number < other_number or (np.isnan(other_number) and not np.isnan(number))


@njit(cache=True, nogil=True, error_model="numpy")
def mend_order(offsets: Ints, words: Ints, known_at: Ints, unsorted: Flags) -> int:
    """Sort each lead's records by insertion; mark and count the leads that need too many moves."""
    numbers = words.view(np.float64)
    delays = known_at.shape[0] > 0
    n_unsorted = 0
    for lead in range(offsets.shape[0] - 1):
        begin, end = offsets[lead], offsets[lead + 1]
        budget = PATIENCE * (end - begin) + 64
        for i in range(begin + 1, end):
            word, number = words[2 * i], numbers[2 * i + 1]
            if not _comes_before(word, number, words[2 * i - 2], numbers[2 * i - 1]):
                continue
            known = known_at[i] if delays else 0
            j = i
            while (
                j > begin
                and budget > 0
                and _comes_before(word, number, words[2 * j - 2], numbers[2 * j - 1])
            ):
                words[2 * j] = words[2 * j - 2]
                numbers[2 * j + 1] = numbers[2 * j - 1]
                if delays:
                    known_at[j] = known_at[j - 1]
                j -= 1
                budget -= 1
            words[2 * j] = word
            numbers[2 * j + 1] = number
            if delays:
                known_at[j] = known
            if budget <= 0:
                unsorted[lead] = True
                n_unsorted += 1
                break
    return n_unsorted
