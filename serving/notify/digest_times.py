"""When a digest is due: by the calendar's wall clock, on working days. Pure."""

from datetime import UTC, date, datetime, time, timedelta

from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.playbook.sections.notifications import Digest


def find_due_day(digest: Digest, hours: WorkingHours, at: datetime) -> date | None:
    """Find the day whose digest is due at a moment; None if none is.

    Weekly and monthly digests come on the first working day of the week or month. What was not sent on
    its day is not sent later: the next one tells more.
    """
    day = hours.local_day(at)
    if at < _moment(digest, hours, day) or not hours.intervals_on(day):
        return None
    first = _first_day(digest, day)
    earlier = (first + timedelta(days=n) for n in range((day - first).days))
    return None if any(hours.intervals_on(one) for one in earlier) else day


def _first_day(digest: Digest, day: date) -> date:
    if digest.every == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if digest.every == "month" else day


def _moment(digest: Digest, hours: WorkingHours, day: date) -> datetime:
    clock = time.fromisoformat(digest.at)
    return datetime.combine(day, clock, tzinfo=hours.zone).astimezone(UTC)


def find_span(digest: Digest, hours: WorkingHours, day: date) -> tuple[datetime, datetime]:
    """Find what a digest looks back on: the day, week or month before the one it comes in."""
    first = _first_day(digest, day)
    last = first - timedelta(days=1)
    begin = {"week": first - timedelta(days=7), "month": last.replace(day=1)}.get(
        digest.every, last
    )
    midnights = (datetime.combine(d, time(), tzinfo=hours.zone) for d in (begin, first))
    start, end = (moment.astimezone(UTC) for moment in midnights)
    return start, end
