"""Counts and days as words. Pure."""

from datetime import datetime


def format_count(count: int, one: str, many: str) -> str:
    """Say how many.

    >>> format_count(1, "attempt", "attempts"), format_count(0, "attempt", "attempts")
    ('1 attempt', '0 attempts')
    """
    return f"{count:,} {one if count == 1 else many}"


def format_day(moment: datetime) -> str:
    """Say a day.

    >>> from datetime import UTC
    >>> format_day(datetime(2026, 3, 9, 8, 30, tzinfo=UTC))
    '9 Mar 2026'
    """
    return f"{moment.day} {moment:%b %Y}"
