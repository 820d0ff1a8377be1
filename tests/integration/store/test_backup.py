"""A backup is tried by putting it back."""

from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from features import clock
from serving.store.backup import restore_backup, write_backup
from serving.store.commands import store_app
from serving.store.errors import BackupFailedError
from serving.store.session import Store
from serving.store.tables import Lead

NOW = clock.from_us(1_770_000_000_000_000)


def list_leads(store: Store) -> list[str]:
    with store.work(read_only=True) as work:
        return list(work.session.scalars(text("SELECT lead_id FROM lead ORDER BY 1")))


def add_lead(store: Store, lead_id: str) -> None:
    with store.work() as work:
        work.session.add(Lead(lead_id=lead_id, created_at=NOW, first_known_at=NOW))


def test_a_backup_put_back_holds_what_was_held_then(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", database_url)
    monkeypatch.setenv("BATON_ALLOW_UNSAFE_DURABILITY", "true")
    file = tmp_path / "kept" / "baton.dump"
    add_lead(store, "ann")

    written = CliRunner().invoke(store_app, ["backup", "--to", str(file)])
    add_lead(store, "bob")
    restored = CliRunner().invoke(store_app, ["restore", str(file)])

    assert written.exit_code == 0, written.output
    assert restored.exit_code == 0, restored.output
    assert list_leads(store) == ["ann"]
    # Nothing but rows was given back: the log is still only added to, work can still be deferred.
    with store.work() as work:
        triggers = work.execute("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal").scalar()
        assert triggers >= 8
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_is_no_backup_changes_nothing(store: Store, tmp_path: Path) -> None:
    add_lead(store, "ann")
    (tmp_path / "torn.dump").write_bytes(b"PGDMP torn")

    with pytest.raises(BackupFailedError, match="Nothing was changed"):
        restore_backup(make_url(store.url), tmp_path / "torn.dump")

    assert list_leads(store) == ["ann"]


def test_a_password_is_in_no_word_of_a_command_that_all_can_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/words\necho $PGPASSWORD > {tmp_path}/by'
    )
    program.chmod(0o755)
    monkeypatch.setattr("serving.store.backup.find_program", lambda name: tmp_path / name)
    (tmp_path / ".out.part").touch()

    write_backup(make_url("postgresql+psycopg://ann:s3cret@db:5433/baton"), tmp_path / "out")

    words = (tmp_path / "words").read_text()
    assert "ann@db:5433/baton" in words
    assert "s3cret" not in words
    assert (tmp_path / "by").read_text().strip() == "s3cret"
