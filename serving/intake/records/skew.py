"""Clocks of others: how far one is off, and times put right by it. Pure."""

from datetime import datetime, timedelta

TOLERATED = timedelta(seconds=10)
"""A request may be this long on its way: such a difference says nothing of the clock."""

FUTURE = timedelta(days=1)
"""A time further ahead than this is no skew of a clock but a mistake."""


def find_skew(sent_at: datetime | None, received_at: datetime) -> timedelta:
    """Find how far the sender's clock is behind ours (negative if ahead).

    >>> from datetime import UTC
    >>> ours = datetime(2026, 3, 1, 9, tzinfo=UTC)
    >>> find_skew(datetime(2026, 3, 1, 10, tzinfo=UTC), ours)
    datetime.timedelta(days=-1, seconds=82800)
    >>> find_skew(datetime(2026, 3, 1, 8, 59, 55, tzinfo=UTC), ours)
    datetime.timedelta(0)
    """
    if sent_at is None or abs(received_at - sent_at) <= TOLERATED:
        return timedelta(0)
    return received_at - sent_at


def correct(moment: datetime, skew: timedelta, received_at: datetime) -> datetime:
    """Put a time right; nothing can have happened after we were told of it.

    A time far ahead is left as it is, for the reader to refuse.
    """
    put_right = moment + skew
    if received_at < put_right <= received_at + FUTURE:
        return received_at
    return put_right
