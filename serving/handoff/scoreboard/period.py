"""The span of time that both sides look back on, as a caller asks for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from serving.errors import RefusedError

USUAL_DAYS = 28
MOST_DAYS = 366


@dataclass(frozen=True)
class ReportingPeriod:
    """The time that is looked at, ``[start, end)``."""

    start: datetime
    end: datetime

    @property
    def before(self) -> "ReportingPeriod":
        """The span of the same length before it."""
        return ReportingPeriod(self.start - (self.end - self.start), self.start)

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.start <= at < self.end


class StrangeSpanError(RefusedError):
    """The span of time cannot be looked at."""

    status, slug, title = 422, "strange-span", "No such span of time"
    fix = f"Ask for `since` before `until`, at most {MOST_DAYS} days apart."


def choose_span(since: datetime | None, until: datetime | None, at: datetime) -> ReportingPeriod:
    """Choose the span that is looked at: four weeks up to now, unless said otherwise.

    Raises
    ------
    StrangeSpanError
        If it ends before it begins, or is too long.
    """
    end = until or at
    start = since or end - timedelta(days=USUAL_DAYS)
    if not timedelta(0) < end - start <= timedelta(days=MOST_DAYS):
        raise StrangeSpanError("The span ends before it begins, or is too long.")
    return ReportingPeriod(start, end)
