"""The audit log: only ever added to, chained, and tampering found."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from serving.auth.roles import Role
from serving.errors import NotFoundError
from serving.store.audit_log import BEGINNING, ChainCheck, list_entries, note, verify
from serving.store.session import Store
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.unit.serving.factories import running_app

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def write(store: Store, count: int) -> None:
    for number in range(count):
        with store.work() as work:
            note(
                work,
                by="person:ann",
                action="changed",
                subject_kind="playbook",
                subject_id=str(number),
                at=NOW,
                facts={"number": number, "whole": True, "words": "Größe", "nothing": None},
            )


def check(store: Store, head: bytes | None = None) -> ChainCheck:
    with store.work(read_only=True) as work:
        return verify(work, head)


def tamper(store: Store, statement: str) -> None:
    """Get round the trigger, as somebody with all rights on the database could."""
    with store.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))


def test_a_chain_that_nobody_touched_is_whole(store: Store) -> None:
    assert check(store) == ChainCheck(0, BEGINNING, None, "every entry is as it was written.")

    write(store, 5)

    whole = check(store)
    assert (whole.entries, whole.broken_at) == (5, None)
    with store.work(read_only=True) as work:
        assert [e.facts["number"] for e in list_entries(work, None, 3)] == [4, 3, 2]
        assert [e.facts["number"] for e in list_entries(work, 3, 10)] == [1, 0]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET actor = 'bob'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"],
    ids=["change", "delete", "empty"],
)
def test_the_database_refuses_to_change_what_was_written(store: Store, statement: str) -> None:
    write(store, 1)
    with pytest.raises(DBAPIError, match="only ever added to"), store.work() as work:
        work.execute(statement)


@pytest.mark.parametrize(
    ("statement", "broken_at", "words"),
    [
        ("UPDATE audit_entry SET actor = 'person:bob' WHERE entry_number = 3", 3, "changed"),
        ("UPDATE audit_entry SET at = at + '1 us' WHERE entry_number = 3", 3, "changed"),
        ("UPDATE audit_entry SET facts = '{}' WHERE entry_number = 5", 5, "changed"),
        ("UPDATE audit_entry SET subject_id = NULL WHERE entry_number = 1", 1, "changed"),
        ("DELETE FROM audit_entry WHERE entry_number = 3", 4, "chained"),
        ("DELETE FROM audit_entry WHERE entry_number = 1", 2, "chained"),
        (
            "INSERT INTO audit_entry (at, actor, action, subject_kind, facts, previous_hash, "
            "entry_hash) SELECT at, actor, 'agreed', subject_kind, facts, entry_hash, '\\x00' "
            "FROM audit_entry WHERE entry_number = 5",
            6,
            "changed",
        ),
    ],
    ids=["who", "when", "facts", "what", "one taken out", "the first taken out", "one added"],
)
def test_tampering_is_found_where_it_was_done(
    store: Store, statement: str, broken_at: int, words: str
) -> None:
    write(store, 5)

    tamper(store, statement)

    found = check(store)
    assert found.broken_at == broken_at
    assert words in found.because


def test_an_end_cut_off_is_found_by_a_head_noted_elsewhere(store: Store) -> None:
    write(store, 5)
    head = check(store).head
    write(store, 1)
    assert check(store, head).broken_at is None

    tamper(store, "DELETE FROM audit_entry WHERE entry_number >= 5")

    assert check(store).broken_at is None
    assert check(store, head).broken_at == 0


def test_those_who_write_at_once_write_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write(store, 5), range(8)))

    assert check(store) == ChainCheck(
        40, check(store).head, None, "every entry is as it was written."
    )


def test_what_is_undone_leaves_no_entry(store: Store) -> None:
    def fail() -> None:
        with store.work() as work:
            note(work, by="token", action="merged", subject_kind="lead", at=NOW)
            raise NotFoundError("undone")

    with pytest.raises(NotFoundError):
        fail()
    write(store, 2)

    assert check(store).entries == 2


def test_ops_page_through_it_over_http(store: Store, database_url: str, tmp_path: Path) -> None:
    write(store, 5)
    key = make_key(store, Role.OPS)
    with running_app(make_app(tmp_path, database_url), bearer(key)) as client:
        first: dict[str, Any] = client.get("/v1/audit?most=3").json()
        second = client.get(f"/v1/audit?most=3&before={first['next_before']}").json()

    assert [entry["number"] for entry in first["entries"]] == [5, 4, 3]
    assert [entry["number"] for entry in second["entries"]] == [2, 1]
    assert second["next_before"] is None
    assert first["entries"][0]["actor"] == "person:ann"
