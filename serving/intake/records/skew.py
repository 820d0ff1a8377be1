"""Clocks of others: how far one is off, as far as that can be told, and times put right by it. Pure.

Between "sent" and "came" lie two things: how far the sender's clock is off, and how long the message was
on its way. A message that seems to come from the future has a clock that is ahead: no delay does that. One
that seems old may have waited in a queue for a month, so its times are left alone, unless whoever
took it first wrote down when.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

TOLERATED = timedelta(seconds=10)
"""A request may be this long on its way: such a difference says nothing of the clock."""

FUTURE = timedelta(days=1)
"""A time further ahead than this is no skew of a clock but a mistake."""

BEHIND = timedelta(minutes=15)
"""A clock that was seen to be behind by more than this is not believed to be the reason."""

Clock = Literal["corrected", "doubtful"]
"""What was made of the sender's clock, where it differs from ours."""


@dataclass(frozen=True, slots=True)
class Skew:
    """How far a sender's clock is off."""

    correction: timedelta = timedelta(0)
    """What to add to its times."""
    clock: Clock | None = None
    """None where it does not differ by more than is tolerated."""


NONE = Skew()


def find_skew(
    sent_at: datetime | None, received_at: datetime, first_received_at: datetime | None = None
) -> Skew:
    """Find by how much to put a sender's times right.

    Parameters
    ----------
    sent_at
        When it was sent, by the sender's clock; None if nobody says.
    received_at
        When it came here.
    first_received_at
        When it came to whoever passed it on, by their clock.

    Examples
    --------
    >>> from datetime import UTC
    >>> ours = datetime(2026, 3, 1, 9, tzinfo=UTC)
    >>> find_skew(datetime(2026, 3, 1, 10, tzinfo=UTC), ours)
    Skew(correction=datetime.timedelta(days=-1, seconds=82800), clock='corrected')
    >>> find_skew(datetime(2026, 2, 1, 9, tzinfo=UTC), ours)
    Skew(correction=datetime.timedelta(0), clock='doubtful')
    """
    if sent_at is None:
        return NONE
    is_seen = first_received_at is not None and first_received_at <= received_at + TOLERATED
    seen_at = first_received_at if is_seen and first_received_at is not None else received_at
    behind = seen_at - sent_at
    if abs(behind) <= TOLERATED:
        return NONE
    if -FUTURE <= behind < timedelta(0) or (is_seen and behind <= BEHIND):
        return Skew(behind, "corrected")
    return Skew(clock="doubtful")


def correct(moment: datetime, skew: Skew, received_at: datetime) -> datetime:
    """Put a time right; nothing can have happened after we were told of it.

    A time far ahead is left as it is, for the reader to refuse.
    """
    put_right = moment + skew.correction
    if received_at < put_right <= received_at + FUTURE:
        return received_at
    return put_right
