"""Lead ids to lead numbers, many at a time."""

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from features.sources.text_hash import hash_buffers, text_buffers

UNKNOWN = -1


class LeadIndex:
    """Finds the number of each lead of a list: by hash, then by its text."""

    def __init__(self, lead_ids: pa.Array) -> None:
        self.lead_ids = lead_ids
        self._texts = text_buffers(lead_ids)
        self._hashes = hash_buffers(*self._texts)
        self._table = np.full(1 << (2 * len(lead_ids)).bit_length(), UNKNOWN, np.int32)
        _fill(self._table, self._hashes)

    def find(self, lead_ids: pa.Array) -> NDArray[np.int32]:
        """Give the number of each lead, ``UNKNOWN`` if it is missing or not in the list."""
        sought = text_buffers(lead_ids)
        numbers: NDArray[np.int32] = _look_up(
            self._table, self._hashes, *self._texts, hash_buffers(*sought), *sought
        )
        if lead_ids.null_count:
            numbers[lead_ids.is_null().to_numpy(zero_copy_only=False)] = UNKNOWN
        return numbers


@njit(cache=True)
def _fill(table, hashes):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    for number in range(len(hashes)):
        place = hashes[number] & mask
        while table[place] >= 0:
            place = (place + np.uint64(1)) & mask
        table[place] = number


@njit(cache=True)
def _is_same(text, start, end, other, other_start, other_end):  # type: ignore[no-untyped-def]
    if end - start != other_end - other_start:
        return False
    for place in range(end - start):  # noqa: SIM110 -- compiled: no generator
        if text[start + place] != other[other_start + place]:
            return False
    return True


@njit(cache=True)
def _look_up(table, hashes, text, ends, wanted, sought, sought_ends):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    numbers = np.full(len(wanted), UNKNOWN, np.int32)
    for row in range(len(wanted)):
        place = wanted[row] & mask
        while table[place] >= 0:
            number = table[place]
            if hashes[number] == wanted[row] and _is_same(
                text,
                ends[number],
                ends[number + 1],
                sought,
                sought_ends[row],
                sought_ends[row + 1],
            ):
                numbers[row] = number
                break
            place = (place + np.uint64(1)) & mask
    return numbers
