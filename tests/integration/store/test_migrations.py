"""The tables go up, down and up again, and are those of the code."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from serving.store.migrations import (
    HEAD,
    _configure,
    check_tables,
    find_revision,
    go_back,
    migrate,
)
from serving.store.session import Store
from serving.store.tables import Base

OURS = set(Base.metadata.tables)


@pytest.fixture
def engine(fresh_database_url: str):
    engine = create_engine(fresh_database_url)
    yield engine
    engine.dispose()


def list_tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_the_tables_go_down_and_up_again(engine: Engine) -> None:
    assert list_tables(engine) >= {*OURS, "procrastinate_jobs"}
    check_tables(engine)

    go_back(engine)

    assert list_tables(engine) == {"alembic_version"}
    left = text("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
    with engine.connect() as connection:
        assert find_revision(connection) is None
        assert connection.scalar(left) == 0

    # Replicas that start at the same time: one takes the steps, the others find them taken.
    with ThreadPoolExecutor(3) as replicas:
        list(replicas.map(lambda _: migrate(engine), range(3)))

    check_tables(engine)
    with engine.connect() as connection:
        assert find_revision(connection) == HEAD
        connection.execute(text("SELECT procrastinate_prune_stalled_workers_v1(1)"))


def test_the_newest_step_is_the_one_the_server_looks_for(engine: Engine) -> None:
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(_configure(connection)).get_current_head() == HEAD


@pytest.mark.parametrize(
    "action",
    ["UPDATE audit_entry SET actor = 'me'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"],
)
def test_the_audit_log_is_only_ever_added_to(action: str, store: Store) -> None:
    adding = text(
        "INSERT INTO audit_entry (at, actor, action, subject_kind, facts, previous_hash, "
        "entry_hash) VALUES (now(), 'ann', 'looked', 'lead', '{}', '', 'x')"
    )
    with store.work() as work:
        work.session.execute(adding)

    with store.engine.connect() as connection, pytest.raises(DBAPIError, match="only ever added"):
        connection.execute(text(action))
