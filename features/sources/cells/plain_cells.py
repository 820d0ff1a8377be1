"""Times and numbers in their most usual writing, read many at a time.

What is written in any other way is left to the row reader: it is marked, never guessed at.
"""

import re
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US

LOCAL, ABSOLUTE, EMPTY, UNREAD = 0, 1, 2, 3
"""What a time cell holds: a local time, an instant, nothing, or another writing."""

FIRST_YEAR, LAST_YEAR = 1900, 2200
MOST_DIGITS = 15
"""So many digits a double holds exactly, and so it does every power of ten up to 22."""

LITERAL, YEAR, MONTH, DAY, HOUR, MINUTE, SECOND = range(7)
DIRECTIVES = {"Y": YEAR, "m": MONTH, "d": DAY, "H": HOUR, "M": MINUTE, "S": SECOND}


def parse_pattern(pattern: str) -> NDArray[np.int64] | None:
    """Turn a strptime pattern into steps of (what, byte); None if it has other directives."""
    steps = []
    for directive, letter in re.findall(r"%(.)|(.)", pattern, re.DOTALL):
        if directive and directive not in DIRECTIVES:
            return None
        if letter and not (letter.isascii() and letter.isprintable() and not letter.isalnum()):
            return None
        steps.append((DIRECTIVES[directive], 0) if directive else (LITERAL, ord(letter)))
    found = [what for what, _ in steps if what != LITERAL]
    # A pattern without a date, or with a part twice, means what strptime says it means.
    if len(set(found)) != len(found) or not {YEAR, MONTH, DAY} <= set(found):
        return None
    if any(a != LITERAL and b != LITERAL for (a, _), (b, _) in pairwise(steps)) or any(
        letter == ord(" ") for _, letter in steps[:1] + steps[-1:]
    ):
        return None
    return np.array(steps, np.int64)


@njit(cache=True, nogil=True)
def _digits(text, at, end, count):  # type: ignore[no-untyped-def]
    """Read exactly ``count`` digits; -1 if they are not there."""
    if at + count > end:
        return -1
    number = 0
    for place in range(at, at + count):
        if not 48 <= text[place] <= 57:
            return -1
        number = number * 10 + (text[place] - 48)
    return number


@njit(cache=True, nogil=True)
def _days(year, month, day):  # type: ignore[no-untyped-def]
    """Count days from 1970-01-01; -10**9 if there is no such day."""
    if not (FIRST_YEAR <= year < LAST_YEAR and 1 <= month <= 12 and 1 <= day <= 31):
        return -(10**9)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > 30 and (month == 4 or month == 6 or month == 9 or month == 11):
        return -(10**9)
    if month == 2 and day > 28 + leap:
        return -(10**9)
    # Howard Hinnant, "chrono-compatible low-level date algorithms": the year begins in March.
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@njit(cache=True, nogil=True)
def _trimmed(text, start, end):  # type: ignore[no-untyped-def]
    while start < end and text[start] == 32:
        start += 1
    while end > start and text[end - 1] == 32:
        end -= 1
    return start, end


@njit(cache=True, nogil=True)
def _iso_offset(text, at, end):  # type: ignore[no-untyped-def]
    """Read what follows the clock time: the offset in microseconds, and what kind of time it is."""
    if at == end:
        return 0, LOCAL
    if text[at] == 90 and at + 1 == end:
        return 0, ABSOLUTE
    if (text[at] == 43 or text[at] == 45) and at + 6 == end and text[at + 3] == 58:
        hours, minutes = _digits(text, at + 1, end, 2), _digits(text, at + 4, end, 2)
        if 0 <= hours < 24 and 0 <= minutes < 60:
            offset = hours * HOUR_US + minutes * MINUTE_US
            return (offset if text[at] == 43 else -offset), ABSOLUTE
    return 0, UNREAD


@njit(cache=True, nogil=True)
def _iso_clock(text, at, end):  # type: ignore[no-untyped-def]
    """Read ``HH:MM[:SS[.ffffff]]``; give microseconds (-1: unread) and where it ends."""
    hour, minute = _digits(text, at, end, 2), _digits(text, at + 3, end, 2)
    if not (0 <= hour < 24 and 0 <= minute < 60) or text[at + 2] != 58:
        return -1, at
    clock, at = hour * HOUR_US + minute * MINUTE_US, at + 5
    if at >= end or text[at] != 58:
        return clock, at
    second = _digits(text, at + 1, end, 2)
    if not 0 <= second < 60:
        return -1, at
    clock, at = clock + second * SECOND_US, at + 3
    if at < end and text[at] == 46:
        at += 1
        unit, first = SECOND_US // 10, at
        while at < end and 48 <= text[at] <= 57:
            clock += unit * (text[at] - 48)
            unit //= 10
            at += 1
        # Three or six digits are what everybody writes; of others Python's reader decides.
        if at - first != 3 and at - first != 6:
            return -1, at
    return clock, at


@njit(cache=True, nogil=True)
def _iso(text, start, end):  # type: ignore[no-untyped-def]
    year, month = _digits(text, start, end, 4), _digits(text, start + 5, end, 2)
    day = _digits(text, start + 8, end, 2)
    if year < 0 or month < 0 or day < 0 or text[start + 4] != 45 or text[start + 7] != 45:
        return 0, UNREAD
    days = _days(year, month, day)
    if days == -(10**9):
        return 0, UNREAD
    at = start + 10
    if at == end:
        return days * DAY_US, LOCAL
    if text[at] != 84 and text[at] != 32:
        return 0, UNREAD
    clock, at = _iso_clock(text, at + 1, end)
    if clock < 0:
        return 0, UNREAD
    offset, kind = _iso_offset(text, at, end)
    return days * DAY_US + clock - offset, kind


@njit(cache=True, nogil=True)
def _by_pattern(text, start, end, steps):  # type: ignore[no-untyped-def]
    parts = np.zeros(7, np.int64)
    at = start
    for step in range(len(steps)):
        what = steps[step, 0]
        if what == LITERAL:
            if at >= end or text[at] != steps[step, 1]:
                return 0, UNREAD
            at += 1
        else:
            size = 4 if what == YEAR else 2
            parts[what] = _digits(text, at, end, size)
            if parts[what] < 0:
                return 0, UNREAD
            at += size
    days = _days(parts[YEAR], parts[MONTH], parts[DAY])
    if at != end or days == -(10**9) or parts[HOUR] > 23 or max(parts[MINUTE], parts[SECOND]) > 59:
        return 0, UNREAD
    clock = parts[HOUR] * HOUR_US + parts[MINUTE] * MINUTE_US + parts[SECOND] * SECOND_US
    return days * DAY_US + clock, LOCAL


@njit(cache=True, nogil=True)
def read_times(text, ends, steps, times, kinds):  # type: ignore[no-untyped-def]
    """Read times: ISO if ``steps`` is empty, else by a pattern's steps."""
    for row in range(len(times)):
        start, end = _trimmed(text, ends[row], ends[row + 1])
        if start == end:
            times[row], kinds[row] = 0, EMPTY
        elif len(steps):
            times[row], kinds[row] = _by_pattern(text, start, end, steps)
        else:
            times[row], kinds[row] = _iso(text, start, end)


@njit(cache=True, nogil=True)
def read_counts(text, ends, unit, times, kinds):  # type: ignore[no-untyped-def]
    """Read whole counts of seconds or milliseconds since the epoch."""
    for row in range(len(times)):
        start, end = _trimmed(text, ends[row], ends[row + 1])
        times[row], kinds[row] = 0, EMPTY if start == end else UNREAD
        if start < end <= start + 13:
            count = _digits(text, start, end, end - start)
            if count >= 0:
                times[row], kinds[row] = count * unit, ABSOLUTE


@njit(cache=True, nogil=True)
def _number(text, start, end):  # type: ignore[no-untyped-def]
    """Read ``-12.5``; the quotient of two exact doubles is the nearest one, as float() gives."""
    negative = text[start] == 45
    at = start + negative
    digits, decimals, whole = 0, -1, 0.0
    while at < end:
        byte = text[at]
        if 48 <= byte <= 57:
            whole = whole * 10.0 + (byte - 48)
            digits += 1
            decimals += decimals >= 0
        elif byte == 46 and decimals < 0 and digits > 0:
            decimals = 0
        else:
            return 0.0, UNREAD
        at += 1
    if digits == 0 or digits > MOST_DIGITS or decimals == 0:
        return 0.0, UNREAD
    scale = 1.0
    for _ in range(decimals):
        scale *= 10.0
    return (-whole / scale if negative else whole / scale), LOCAL


@njit(cache=True, nogil=True)
def read_numbers(text, ends, numbers, kinds):  # type: ignore[no-untyped-def]
    """Read numbers with a point for decimals."""
    for row in range(len(numbers)):
        start, end = _trimmed(text, ends[row], ends[row + 1])
        if start == end:
            numbers[row], kinds[row] = 0.0, EMPTY
        else:
            numbers[row], kinds[row] = _number(text, start, end)


@njit(cache=True, nogil=True)
def mark_foreign_edges(text, ends, marks):  # type: ignore[no-untyped-def]
    """Mark texts that begin or end with a letter beyond ASCII: it might be a blank."""
    for row in range(len(marks)):
        start, end = ends[row], ends[row + 1]
        if start < end and (text[start] >= 128 or text[end - 1] >= 128):
            marks[row] = True
