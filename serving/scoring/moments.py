"""Times as callers send them: text with a zone, read to UTC. Pure."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

FIRST = datetime(1980, 1, 1, tzinfo=UTC)
LAST = datetime(2200, 1, 1, tzinfo=UTC)
"""Outside of these a time is a mistake: a zero that became a date, or the end of all calendars."""


def read_moment(sent: object) -> datetime:
    """Read a time with its zone.

    Not pydantic's own reading: that takes digits in quotes for seconds or milliseconds, whichever
    looks likelier, and leaves times in zones that cannot be turned to UTC.

    Raises
    ------
    PydanticCustomError
        If it is no text of a time, has no zone, or lies outside of what can be right.

    Examples
    --------
    >>> read_moment("2026-03-01T10:00:00+01:00").isoformat()
    '2026-03-01T09:00:00+00:00'
    """
    if not isinstance(sent, str):
        raise PydanticCustomError("datetime_type", "is not a time")
    try:
        moment = datetime.fromisoformat(sent.upper())
    except ValueError:
        raise PydanticCustomError("datetime_parsing", "is not a time") from None
    if moment.tzinfo is None:
        raise PydanticCustomError("timezone_aware", "the time has no zone")
    # By the year first: at the ends of the calendar there is no UTC to compare with.
    if moment.year < FIRST.year - 1:
        raise PydanticCustomError("moment_too_early", "lies too far in the past")
    if moment.year > LAST.year:
        raise PydanticCustomError("moment_too_late", "lies too far in the future")
    moment = moment.astimezone(UTC)
    if moment < FIRST:
        raise PydanticCustomError("moment_too_early", "lies too far in the past")
    if moment >= LAST:
        raise PydanticCustomError("moment_too_late", "lies too far in the future")
    return moment


Moment = Annotated[
    datetime,
    PlainValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time with its zone, as text: bare numbers would leave the unit to be guessed."""
