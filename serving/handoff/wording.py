"""Counts and days as words. Pure."""

from datetime import datetime


def say_count(count: int, one: str, many: str) -> str:
    """Say how many.

    >>> say_count(1, "attempt", "attempts"), say_count(0, "attempt", "attempts")
    ('1 attempt', '0 attempts')
    """
    return f"{count:,} {one if count == 1 else many}"


def say_day(moment: datetime) -> str:
    """Say a day.

    >>> from datetime import UTC
    >>> say_day(datetime(2026, 3, 9, 8, 30, tzinfo=UTC))
    '9 Mar 2026'
    """
    return f"{moment.day} {moment:%b %Y}"
