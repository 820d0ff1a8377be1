"""When a lead is due again though nothing happens: its features move with time. Pure.

A recency, a count in a window and an intensity change by the hour right after activity, by the day while
a window still holds it, and hardly at all once the lead is quiet.
"""

from dataclasses import dataclass

from features.clock import DAY_US, HOUR_US

FRESH_US, FRESH_EVERY_US = 2 * DAY_US, 6 * HOUR_US
"""Up to two days after something happened: four times a day."""

ACTIVE_US, ACTIVE_EVERY_US = 30 * DAY_US, DAY_US
"""Up to a month after: daily. Half of an intensity's weight is gone in days, and short windows empty."""

QUIET_EVERY_US = 7 * DAY_US
"""Beyond: weekly."""

CLOSED_EVERY_US = 30 * DAY_US
"""Won or lost: there is nothing to predict until something opens the lead again."""


@dataclass(frozen=True, slots=True)
class RescoreTime:
    """When to look again, and why then."""

    after_us: int
    because: str


def decide_rescore(*, quiet_us: int, is_closed: bool) -> RescoreTime:
    """Decide how long after a score a lead is looked at again.

    Parameters
    ----------
    quiet_us
        Microseconds since the newest thing happened.
    is_closed
        Whether the lead is won or lost.

    Examples
    --------
    >>> decide_rescore(quiet_us=3 * DAY_US, is_closed=False).because
    'something happened within 30 days: daily'
    """
    if is_closed:
        return RescoreTime(CLOSED_EVERY_US, "closed: every 30 days")
    if quiet_us < FRESH_US:
        return RescoreTime(FRESH_EVERY_US, "something happened within 2 days: every 6 hours")
    if quiet_us < ACTIVE_US:
        return RescoreTime(ACTIVE_EVERY_US, "something happened within 30 days: daily")
    return RescoreTime(QUIET_EVERY_US, "quiet: weekly")
