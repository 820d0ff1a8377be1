"""A hash of text that is the same on every machine and in every run (XXH64)."""

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

P1 = np.uint64(0x9E3779B185EBCA87)
P2 = np.uint64(0xC2B2AE3D27D4EB4F)
P3 = np.uint64(0x165667B19E3779F9)
P4 = np.uint64(0x85EBCA77C2B2AE63)
P5 = np.uint64(0x27D4EB2F165667C5)


@njit(cache=True, nogil=True, inline="always")
def _turn(word, bits):  # type: ignore[no-untyped-def]
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@njit(cache=True, nogil=True, inline="always")
def _word(text, at, size):  # type: ignore[no-untyped-def]
    word = np.uint64(0)
    for n in range(size):
        word |= np.uint64(text[at + n]) << np.uint64(8 * n)
    return word


@njit(cache=True, nogil=True, inline="always")
def _round(lane, word):  # type: ignore[no-untyped-def]
    return _turn(lane + word * P2, 31) * P1


@njit(cache=True, nogil=True, inline="always")
def _stripes(text, start, end, seed):  # type: ignore[no-untyped-def]
    a, b, c, d = seed + P1 + P2, seed + P2, seed, seed - P1
    at = start
    while at + 32 <= end:
        a = _round(a, _word(text, at, 8))
        b = _round(b, _word(text, at + 8, 8))
        c = _round(c, _word(text, at + 16, 8))
        d = _round(d, _word(text, at + 24, 8))
        at += 32
    mixed = _turn(a, 1) + _turn(b, 7) + _turn(c, 12) + _turn(d, 18)
    for lane in (a, b, c, d):
        mixed = (mixed ^ _round(np.uint64(0), lane)) * P1 + P4
    return mixed, at


@njit(cache=True, nogil=True)
def _xxh64(text, start, end, seed):  # type: ignore[no-untyped-def]
    at, mixed = start, seed + P5
    if end - start >= 32:
        mixed, at = _stripes(text, start, end, seed)
    mixed += np.uint64(end - start)
    while at + 8 <= end:
        mixed = _turn(mixed ^ _round(np.uint64(0), _word(text, at, 8)), 27) * P1 + P4
        at += 8
    if at + 4 <= end:
        mixed = _turn(mixed ^ (_word(text, at, 4) * P1), 23) * P2 + P3
        at += 4
    while at < end:
        mixed = _turn(mixed ^ (np.uint64(text[at]) * P5), 11) * P1
        at += 1
    mixed = (mixed ^ (mixed >> np.uint64(33))) * P2
    mixed = (mixed ^ (mixed >> np.uint64(29))) * P3
    return mixed ^ (mixed >> np.uint64(32))


@njit(cache=True, nogil=True)
def _hash_all(text, offsets, seed, hashes):  # type: ignore[no-untyped-def]
    for row in range(len(hashes)):
        hashes[row] = _xxh64(text, offsets[row], offsets[row + 1], seed)


def text_buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Give the UTF-8 bytes of an array of texts, and where each begins and ends in them."""
    texts = texts.cast(pa.large_string())
    _, offsets, text = texts.buffers()
    ends = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    # Never writable, lest compiled code be made for a second type of array.
    raw = np.frombuffer(text or b"\0", np.uint8)
    return raw, ends


def text_buffer(text: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Give the UTF-8 bytes of one text as ``text_buffers`` would."""
    raw = text.encode()
    ends = np.array([0, len(raw)])
    ends.flags.writeable = False
    return np.frombuffer(raw or b"\0", np.uint8), ends


def hash_buffers(
    raw: NDArray[np.uint8], ends: NDArray[np.int64], seed: int = 0
) -> NDArray[np.uint64]:
    """Hash texts by XXH64, from their buffers.

    Source: the xxHash fast digest algorithm, specification of XXH64 (Yann Collet, version 0.1.1).
    """
    hashes = np.empty(len(ends) - 1, np.uint64)
    if len(hashes):
        _hash_all(raw, ends, np.uint64(seed), hashes)
    return hashes


def hash_texts(texts: pa.Array) -> NDArray[np.uint64]:
    """Hash each text's UTF-8 bytes by XXH64; a missing text hashes as the empty one."""
    return hash_buffers(*text_buffers(texts))
