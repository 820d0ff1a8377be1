"""What happened to a lead, and what was said of it: one list, newest first."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

from serving.leads.cursors import (
    read_cursor,
    read_cursor_moment,
    read_cursor_number,
    write_cursor,
)
from serving.leads.schemas import TimelineEntry
from serving.store.session import UnitOfWork

What = Literal["event", "stage", "attempt", "score"]

# Of one moment, an event comes before what was made of it. Each part by its own index, so that a
# page of a lead with many events reads no more than a page.
PARTS: dict[What, tuple[int, str]] = {
    "event": (
        1,
        """SELECT occurred_at AS at, 1 AS place, event_number AS number, known_at, lead_id, kind AS name,
            jsonb_build_object('event_id', event_id, 'source', source, 'name', name,
                'channel', channel, 'value', value, 'properties', properties) AS facts
        FROM event WHERE lead_id = ANY(%(ids)s)""",
    ),
    "stage": (
        2,
        """SELECT at, 2 AS place, change_number AS number, known_at, lead_id, stage AS name,
            jsonb_build_object('source', source, 'signal', signal, 'reason', reason, 'actor', actor,
                'amount', amount)
        FROM stage_change WHERE lead_id = ANY(%(ids)s)""",
    ),
    "attempt": (
        3,
        """SELECT at, 3 AS place, attempt_number AS number, known_at, lead_id, channel AS name,
            jsonb_build_object('source', source, 'result', result, 'actor', actor,
                'handoff_id', handoff_id)
        FROM attempt WHERE lead_id = ANY(%(ids)s)""",
    ),
    "score": (
        4,
        """SELECT as_of AS at, 4 AS place, score_number AS number, scored_at AS known_at, lead_id, contract AS name,
            jsonb_build_object('points', points, 'band', band, 'status', status,
                'because', because, 'model_version', model_version)
        FROM score WHERE lead_id = ANY(%(ids)s)""",
    ),
}
MOMENT = {"event": "occurred_at", "stage": "at", "attempt": "at", "score": "as_of"}
NUMBER = {
    "event": "event_number",
    "stage": "change_number",
    "attempt": "attempt_number",
    "score": "score_number",
}
NAMES: dict[int, What] = {place: name for name, (place, _) in PARTS.items()}


def _build(what: Collection[What], *, is_first: bool) -> str:
    parts = []
    for name, (place, statement) in PARTS.items():
        if name not in what:
            continue
        at, number = MOMENT[name], NUMBER[name]
        beyond = (
            ""
            if is_first
            else (
                f" AND {at} <= %(at)s AND ({at}, {place}, {number}) < (%(at)s, %(place)s, %(number)s)"
            )
        )
        parts.append(f"({statement}{beyond} ORDER BY {at} DESC, {number} DESC LIMIT %(limit)s)")
    # A part by itself could not be ordered twice.
    whole = f"SELECT * FROM ({' UNION ALL '.join(parts)}) entries"  # noqa: S608 - our own words
    return f"{whole} ORDER BY at DESC, place DESC, number DESC LIMIT %(limit)s"


def list_timeline(
    work: UnitOfWork,
    members: Sequence[str],
    what: Collection[What],
    cursor: str | None,
    limit: int,
) -> tuple[list[TimelineEntry], str | None]:
    """List what happened to a lead and those merged into it, and where the next page begins."""
    order = "timeline:" + ",".join(sorted(what))
    values: dict[str, Any] = {"ids": list(members), "limit": limit + 1}
    if cursor is not None:
        at, place, number = read_cursor(order, cursor, 3)
        values |= {"at": read_cursor_moment(at), "place": read_cursor_number(place)}
        values["number"] = read_cursor_number(number)
    statement = _build(what, is_first=cursor is None)
    rows = list(work.execute(statement, values))
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = write_cursor(order, last[0], last[1], last[2])
    return [_shape(*row) for row in rows[:limit]], following


def _shape(
    at: datetime,
    place: int,
    number: int,
    known_at: datetime,
    lead_id: str,
    name: str,
    facts: dict[str, Any],
) -> TimelineEntry:
    return TimelineEntry(
        what=NAMES[place],
        at=at,
        known_at=known_at,
        lead_id=lead_id,
        name=name,
        number=number,
        facts={key: value for key, value in facts.items() if value is not None},
    )
