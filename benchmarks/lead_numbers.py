"""Whole-number lead ids to positions, compiled: the house's own ids are texts."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

SPREAD = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def _fill(table, ids, shift):
    mask = np.uint64(len(table) - 1)
    for number in range(len(ids)):
        place = (np.uint64(ids[number]) * SPREAD) >> shift
        while table[place] >= 0:
            place = (place + np.uint64(1)) & mask
        table[place] = number


@njit(cache=True)
def _look_up(table, ids, shift, wanted, found):
    mask = np.uint64(len(table) - 1)
    for row in range(len(wanted)):
        place = (np.uint64(wanted[row]) * SPREAD) >> shift
        while table[place] >= 0 and ids[table[place]] != wanted[row]:
            place = (place + np.uint64(1)) & mask
        found[row] = table[place]


class LeadNumbers:
    """Finds the position of each id of a list, -1 if it is not there."""

    def __init__(self, ids: NDArray[np.int64]) -> None:
        bits = max(1, (2 * len(ids)).bit_length())
        self._ids = np.require(ids, np.int64, ["C", "W"])
        self._shift = np.uint64(64 - bits)
        self._table = np.full(1 << bits, -1, np.int32)
        _fill(self._table, self._ids, self._shift)

    def find(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the position of each."""
        found = np.empty(len(wanted), np.int64)
        _look_up(
            self._table, self._ids, self._shift, np.require(wanted, np.int64, ["C", "W"]), found
        )
        return found
