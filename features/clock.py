"""The wall clock, read once at the edge; inside the house the moment travels as ``as_of``."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def now() -> datetime:
    """Read the wall clock, aware and in UTC. Only commands and route dependencies call this."""
    return datetime.now(UTC)


def to_us(moment: datetime) -> int:
    """Count whole microseconds from the Unix epoch to an aware moment.

    Raises
    ------
    ValueError
        If the moment carries no time zone: guessing one would shift every window.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; give it one, e.g. tzinfo=UTC")
    return (moment - EPOCH) // MICROSECOND


def from_us(moment_us: int) -> datetime:
    """Turn microseconds since the Unix epoch into an aware UTC moment."""
    return EPOCH + timedelta(microseconds=int(moment_us))
