"""The embedded server: shared, revived, stopped by the last; and databases that may forget."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Timer

import psutil
import psycopg
import pytest
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from serving.server import run_server
from serving.store.commands import store_app
from serving.store.errors import (
    EmbeddedNotStartedError,
    NoDatabaseError,
    SchemaMismatchError,
    StoreUnavailableError,
    UnsafeDurabilityError,
)
from serving.store.session import Store
from tests.unit.serving.factories import make_settings, wait_until

RUN = CliRunner()
ACTIONS = ("migrate", "check", "status")

ASK = """
import sys
from pathlib import Path
from serving.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.find_pid())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: where tests run as root, the server's own user must be able to get there.
    folder = Path(mkdtemp(prefix="baton-own-pg-"))
    yield folder
    rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_processes_share_one_server_which_comes_back_when_killed(home: Path) -> None:
    settings = make_settings(home, database_url=None, postgres=home / "var" / "pg")
    store = Store(settings)
    store.open()
    try:
        assert store.embedded is not None
        pid = store.embedded.find_pid()
        other = subprocess.run(
            [sys.executable, "-c", ASK, str(settings.postgres)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(other.stdout) == pid
        with store.work() as work:
            assert work.execute("SHOW fsync").scalar() == "on"
            work.session.execute(text("CREATE TABLE kept AS SELECT 1 AS one"))

        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid))

        def is_back() -> bool:
            try:
                with store.work() as work:
                    return work.execute("SELECT one FROM kept").scalar() == 1
            except StoreUnavailableError:
                return False

        wait_until(is_back)
        assert store.embedded.find_pid() != pid

        second = Store(settings)
        second.open()
        second.close()
        store.check_answers()
    finally:
        store.close()
    assert not (settings.postgres / "postmaster.pid").exists()


@pytest.mark.slow
def test_a_server_that_still_mends_itself_is_waited_for_but_no_request_waits_long(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.store.session.REVIVING_SECONDS", 0.2)
    store = Store(make_settings(home, database_url=None, postgres=home / "pg"))
    store.open()
    try:
        assert store.embedded is not None
        file = home / "pg" / "postmaster.pid"
        ready = file.read_text()
        file.write_text(ready.replace("ready   ", "starting"))
        with pytest.raises(EmbeddedNotStartedError):
            store.embedded.start(patience_seconds=0.2)
        store.engine.dispose()
        with monkeypatch.context() as away:
            away.setattr("psycopg.connect", refuse_to_connect)
            away.setattr("psycopg.Connection.connect", refuse_to_connect)
            with pytest.raises(StoreUnavailableError):
                store.check_answers()

        Timer(0.5, lambda: file.write_text(ready)).start()
        store.embedded.start()
        store.check_answers()
    finally:
        store.close()


def refuse_to_connect(*_: object, **__: object) -> None:
    raise psycopg.OperationalError("the database system is starting up")


def open_with(tmp_path: Path, url: str, **changes: object) -> None:
    store = Store(make_settings(tmp_path, database_url=url, **changes))
    try:
        store.open()
    finally:
        store.close()


def test_a_database_that_may_forget_is_refused(tmp_path: Path, database_url: str) -> None:
    with pytest.raises(UnsafeDurabilityError, match="fsync = off"):
        open_with(tmp_path, database_url)

    open_with(tmp_path, database_url, allow_unsafe_durability=True)


def test_asynchronous_commits_are_refused(
    tmp_path: Path, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.store.session.SAFE", {})
    store = Store(make_settings(tmp_path, database_url=fresh_database_url))
    store.open()
    with store.engine.connect() as connection:
        name = make_url(fresh_database_url).database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        connection.commit()
    store.close()

    with pytest.raises(UnsafeDurabilityError, match="synchronous_commit = off"):
        open_with(tmp_path, fresh_database_url)


def test_tables_of_another_version_are_refused_where_nobody_may_migrate(
    tmp_path: Path, fresh_database_url: str
) -> None:
    lenient = {"allow_unsafe_durability": True}
    store = Store(make_settings(tmp_path, database_url=fresh_database_url, **lenient))
    store.open()
    with store.work() as work:
        work.execute("UPDATE alembic_version SET version_num = 'm9999'")
    store.close()

    with pytest.raises(SchemaMismatchError, match="tables of m9999"):
        open_with(tmp_path, fresh_database_url, migrate_at_start=False, **lenient)


def test_a_database_that_is_not_there_is_stated_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseError, match="No database answers at") as refused:
        open_with(tmp_path, "postgresql://nobody:secret@127.0.0.1:1/none")

    assert "secret" not in str(refused.value)


def test_a_server_that_may_not_start_states_why(tmp_path: Path, database_url: str) -> None:
    with pytest.raises(UnsafeDurabilityError, match="BATON_ALLOW_UNSAFE_DURABILITY"):
        run_server(make_settings(tmp_path, database_url=database_url, port=0))


def test_commands_check_the_tables_and_state_how_they_stand(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", database_url)
    monkeypatch.setenv("BATON_ALLOW_UNSAFE_DURABILITY", "true")

    moved, checked, status = (RUN.invoke(store_app, [action]) for action in ACTIONS)

    assert "The schema is at " in moved.stdout
    assert "those of the code" in checked.stdout
    assert "PostgreSQL 18" in status.stdout
    assert "packed_history" in status.stdout


def test_commands_state_so_where_there_is_no_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", "off")

    refused = RUN.invoke(store_app, ["status"])

    assert refused.exit_code == 2
    assert "BATON_DATABASE_URL" in refused.stderr
