"""Cursors: handed back as they came, refused otherwise."""

import base64
import json
from typing import Any

import pytest

from features.clock import now
from serving.leads.cursors import (
    CursorRefusedError,
    read_cursor,
    read_cursor_moment,
    read_cursor_number,
    write_cursor,
)


def encode(anything: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(anything).encode()).decode().rstrip("=")


def test_a_cursor_comes_back_as_it_was_written() -> None:
    at = now()
    place = read_cursor("new", write_cursor("new", at, 17, 0.1, None, "zoë\u200b?"), 5)

    assert read_cursor_moment(place[0]) == at
    assert read_cursor_number(place[1]) == 17
    assert place[2:] == [0.1, None, "zoë\u200b?"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "rubbish",
        "ä",
        "====",
        encode({"new": 1}),
        encode(["new"]),
        encode(["other", 1, 2]),
        encode(["new", 1, [2]]),
        encode(["new", 1, "a\x00b"]),
        encode(["new", 1, "\ud800"]),
        encode(["new", 2**63, 2]),
        encode(["new", float("nan"), 2]),
        encode(["new", float("inf"), 2]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefusedError, match="does not belong"):
        read_cursor("new", cursor, 2)


@pytest.mark.parametrize("cell", [None, 1, "yesterday", "2026-01-01T00:00:00"])
def test_what_is_no_moment_is_refused(cell: Any) -> None:
    with pytest.raises(CursorRefusedError):
        read_cursor_moment(cell)


@pytest.mark.parametrize("cell", [None, 1.5, "1"])
def test_what_is_no_number_is_refused(cell: Any) -> None:
    with pytest.raises(CursorRefusedError):
        read_cursor_number(cell)
