"""Where a page ended, as text that callers hand back unread. Pure."""

import base64
import binascii
import json
import math
from datetime import datetime
from typing import Any

from serving.errors import FieldProblem, RefusedError

MOST_NUMBER = 2**63
"""What PostgreSQL's largest whole numbers stay below."""


class CursorRefusedError(RefusedError):
    """A cursor that does not come from us, or belongs to another list."""

    status, slug, title = 422, "cursor-refused", "The cursor is not valid"
    fix = "Send `next` back unchanged, with the same filters and order; or begin without a cursor."

    def __init__(self) -> None:
        self.errors = (FieldProblem("cursor", "is not one of this list", self.fix),)
        super().__init__("The cursor does not belong to this list.")


def write_cursor(order: str, *place: Any) -> str:
    """Write down where a page ended.

    >>> read_cursor("points", write_cursor("points", 61.5, "ann"), 2)
    [61.5, 'ann']
    """
    cells = [cell.isoformat() if isinstance(cell, datetime) else cell for cell in place]
    text = json.dumps([order, *cells], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(order: str, cursor: str, length: int) -> list[Any]:
    """Read where a page ended.

    Raises
    ------
    CursorRefusedError
        If it is no cursor of a list in this order.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        read = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        raise CursorRefusedError from None
    if not isinstance(read, list) or len(read) != length + 1 or read[0] != order:
        raise CursorRefusedError
    if not all(_is_sound(cell) for cell in read):
        raise CursorRefusedError
    return read[1:]


def _is_sound(cell: Any) -> bool:
    if isinstance(cell, str):
        # Half characters are no text to PostgreSQL, nor is the character NUL.
        return "\x00" not in cell and not any("\ud800" <= letter <= "\udfff" for letter in cell)
    if isinstance(cell, int | float):
        return math.isfinite(cell) and abs(cell) < MOST_NUMBER
    return cell is None


def read_cursor_number(cell: Any) -> int:
    """Read a number out of a cursor.

    Raises
    ------
    CursorRefusedError
        If it is none.
    """
    if not isinstance(cell, int):
        raise CursorRefusedError
    return cell


def read_cursor_moment(cell: Any) -> datetime:
    """Read a moment out of a cursor.

    Raises
    ------
    CursorRefusedError
        If it is none.
    """
    try:
        moment = datetime.fromisoformat(cell)
    except (TypeError, ValueError):
        raise CursorRefusedError from None
    if moment.tzinfo is None:
        raise CursorRefusedError
    return moment
