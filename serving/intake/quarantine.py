"""The quarantine: items that could not be read, kept as they came, mended and sent through again."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from features.contracts.provenance import TOOLS
from serving.intake.errors import NoSuchItemError
from serving.intake.records.items import Sent, WaitingItem, WaitingItems
from serving.scoring.request.batches import find_id
from serving.store.session import UnitOfWork

KEEP = """
INSERT INTO quarantined_item (source, record, lead_id, body, body_hash, problem, received_at)
VALUES (%(source)s, %(record)s, %(lead)s, %(body)s, %(hash)s, %(problem)s::jsonb, %(at)s)
ON CONFLICT (source, record, body_hash) WHERE state = 'waiting'
DO UPDATE SET tries = quarantined_item.tries + 1, problem = excluded.problem
RETURNING item_number
"""
COLUMNS = "item_number, record, source, lead_id, received_at, state, tries, problem, body"
LIST = f"""
SELECT {COLUMNS} FROM quarantined_item
WHERE state = %(state)s AND item_number > %(after)s
    AND (%(record)s::text IS NULL OR record = %(record)s)
ORDER BY item_number LIMIT %(limit)s
"""  # noqa: S608 - our own columns
FIND = f"SELECT {COLUMNS} FROM quarantined_item WHERE item_number = %(number)s"  # noqa: S608 - likewise
TAKE = """
SELECT item_number, record, body, received_at FROM quarantined_item
WHERE item_number = ANY(%(numbers)s) AND state = 'waiting' ORDER BY item_number FOR UPDATE
"""
SETTLE = """
UPDATE quarantined_item SET state = %(state)s, settled_at = %(at)s, body = '', lead_id = NULL
WHERE item_number = ANY(%(numbers)s) AND state = 'waiting'
"""
TRIED = """
UPDATE quarantined_item SET tries = tries + 1, problem = %(problem)s::jsonb
WHERE item_number = %(number)s
"""


class LockedItem(NamedTuple):
    """An item taken out to be tried again, locked until the unit of work ends."""

    number: int
    sent: Sent
    body: bytes
    received_at: datetime


class _OnlySource(msgspec.Struct):
    source: str = "api"


def _storable(text: str | None) -> str | None:
    if text is None or "\x00" in text or len(text) > 500:
        return None
    return text.strip() or None


def _find_source(raw: bytes) -> str:
    try:
        return _storable(msgspec.json.decode(raw, type=_OnlySource).source) or "api"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "api"


def keep_item(
    work: UnitOfWork,
    sent: Sent,
    raw: bytes,
    problem: dict[str, Any],
    at: datetime,
    *,
    lead_id: str | None = None,
) -> int:
    """Keep an item; the same one that waits already is kept once. Gives its number.

    Parameters
    ----------
    work
        To keep it with.
    sent
        What it was meant to be.
    raw
        The item as it came.
    problem
        What is wrong with it.
    at
        When it came.
    lead_id
        The lead it is of, where it does not name one in our own words.
    """
    return int(
        work.execute(
            KEEP,
            {
                "source": sent if sent in TOOLS else _find_source(raw),
                "record": sent,
                "lead": _storable(lead_id or find_id(raw)),
                "body": raw,
                "hash": sha256(raw).digest(),
                "problem": msgspec.json.encode(problem).decode(),
                "at": at,
            },
        ).scalar()
    )


def _shape(row: Any, *, with_body: bool) -> WaitingItem:
    number, record, source, lead_id, received_at, state, tries, problem, body = row
    return WaitingItem(
        item_number=number,
        record=record,
        source=source,
        lead_id=lead_id,
        received_at=received_at.isoformat(),
        state=state,
        tries=tries,
        problem=problem,
        body=bytes(body).decode("utf-8", "replace") if with_body else None,
    )


def list_items(
    work: UnitOfWork, *, state: str, record: str | None, after: int, limit: int
) -> WaitingItems:
    """List items, oldest first, without their bodies."""
    asked = {"state": state, "record": record, "after": after, "limit": limit + 1}
    rows = list(work.execute(LIST, asked))
    items = [_shape(row, with_body=False) for row in rows[:limit]]
    return WaitingItems(items, items[-1].item_number if len(rows) > limit else None)


def get_item(work: UnitOfWork, number: int) -> WaitingItem:
    """Give an item with its body.

    Raises
    ------
    NoSuchItemError
        If there is none of that number.
    """
    row = work.execute(FIND, {"number": number}).first()
    if row is None:
        raise NoSuchItemError(number)
    return _shape(row, with_body=True)


def take_items(work: UnitOfWork, numbers: Sequence[int]) -> list[LockedItem]:
    """Take out items that wait, to try them again; those of other numbers are left out."""
    rows = work.execute(TAKE, {"numbers": list(numbers)})
    return [LockedItem(number, sent, bytes(body), at) for number, sent, body, at in rows]


def settle(work: UnitOfWork, numbers: Sequence[int], state: str, at: datetime) -> int:
    """Say what became of items that waited; what they held is forgotten. Counts them."""
    settled = work.execute(SETTLE, {"numbers": list(numbers), "state": state, "at": at})
    return int(settled.rowcount)


def note_try(work: UnitOfWork, number: int, problem: dict[str, Any]) -> None:
    """Note that an item was tried again in vain, and why."""
    values = {"number": number, "problem": msgspec.json.encode(problem).decode()}
    work.execute(TRIED, values)
