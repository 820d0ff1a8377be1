"""Which event ids were met: as they are, or by their hash, twelve bytes each."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from features.sources.text_hash import hash_buffers, text_buffer, text_buffers

Words = NDArray[np.uint64]
Checks = NDArray[np.uint32]

FULL = 0.8
SECOND_SEED = 0x5EED


class EventIds(Protocol):
    """Tells an event id that was met before."""

    def add(self, event_id: str) -> bool:
        """Take an id; False if it was met before."""


class ExactIds:
    """Keeps every id as it is."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def add(self, event_id: str) -> bool:
        """Take an id; False if it was met before."""
        before = len(self._ids)
        self._ids.add(event_id)
        return len(self._ids) > before


class UniqueIds:
    """Keeps nothing: for ids made of file and line, which cannot come twice."""

    def add(self, event_id: str) -> bool:
        """Take an id: it is new."""
        return bool(event_id)


class HashedIds:
    """Keeps 96 bits of hash per id.

    Two different ids of 50 million share their 96 bits once in 6e13 imports. The later of the two
    would then be in the rejects file as a duplicate: never lost silently.
    """

    def __init__(self, capacity: int = 1 << 16) -> None:
        self._words = np.zeros(capacity, np.uint64)
        self._checks = np.zeros(capacity, np.uint32)
        self._count = 0

    def add(self, event_id: str) -> bool:
        """Take an id; False if it was met before."""
        return bool(self.add_all(*_hash(*text_buffer(event_id)))[0])

    def hashes(self, event_ids: pa.Array) -> tuple[Words, Checks]:
        """Hash ids to 64 and 32 bits."""
        return _hash(*text_buffers(event_ids))

    def add_all(self, words: Words, checks: Checks) -> NDArray[np.bool_]:
        """Take the ids of these hashes in order; tell of each whether it is new."""
        while self._count + len(words) > FULL * len(self._words):
            self._grow()
        is_new: NDArray[np.bool_] = _insert(self._words, self._checks, words, checks)
        self._count += int(is_new.sum())
        return is_new

    def _grow(self) -> None:
        words, checks = self._words, self._checks
        self._words = np.zeros(2 * len(words), np.uint64)
        self._checks = np.zeros(2 * len(words), np.uint32)
        _move(self._words, self._checks, words, checks)


def _hash(raw: NDArray[np.uint8], ends: NDArray[np.int64]) -> tuple[Words, Checks]:
    words = hash_buffers(raw, ends)
    words[words == 0] = 1  # zero marks a free place
    return words, hash_buffers(raw, ends, SECOND_SEED).astype(np.uint32)


def make_event_ids(explicit: Sequence[bool], *, exact: bool) -> ExactIds | HashedIds | UniqueIds:
    """Choose how ids are told apart; ``explicit`` says of each event source if it names them."""
    if exact:
        return ExactIds()
    return HashedIds() if any(explicit) else UniqueIds()


@njit(cache=True)
def _insert_one(table, marks, word, check):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    place = word & mask
    while table[place]:
        if table[place] == word and marks[place] == check:
            return False
        place = (place + np.uint64(1)) & mask
    table[place] = word
    marks[place] = check
    return True


@njit(cache=True)
def _insert(table, marks, words, checks):  # type: ignore[no-untyped-def]
    is_new = np.empty(len(words), np.bool_)
    for row in range(len(words)):
        is_new[row] = _insert_one(table, marks, words[row], checks[row])
    return is_new


@njit(cache=True)
def _move(table, marks, words, checks):  # type: ignore[no-untyped-def]
    for row in range(len(words)):
        if words[row]:
            _insert_one(table, marks, words[row], checks[row])
