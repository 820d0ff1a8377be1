"""What all tests share: where the real data are, a small market, a bundle trained on it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"

# The first call of a compiled kernel may load it from the cache; no deadline survives that.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("night", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: side by side, the longest must not come last."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def whole_tables() -> Iterator[None]:
    """Lay out every table that a test lets a command print, at 80 columns and in a pipe: nothing is cut."""
    from rich.table import Table

    from features.terminal.screen import Screen
    from tests.whole_tables import Sheet, find_cut

    print_plainly = Screen.print

    def print_watched(self: Screen, *objects: object, **options: object) -> None:
        if objects and isinstance(objects[0], Table) and not isinstance(self, Sheet):
            for terminal in (True, False):
                assert find_cut(objects[0], terminal=terminal) == []
        print_plainly(self, *objects, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "print", print_watched)
        yield


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Have no test log to where a command of an earlier test wrote: that is closed by now."""
    yield
    import structlog

    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Find a folder of the real data sets; absent, fail in CI and skip elsewhere."""

    def find(name: str) -> Path:
        folder = REAL_DATA / name
        if folder.is_dir():
            return folder
        message = f"the real data set {name!r} is not in {REAL_DATA}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)

    return find


@pytest.fixture(scope="session")
def market_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small market whose truth is known, on disk."""
    from features.simulation.generate import simulate_history
    from features.simulation.scenarios import get_scenario
    from features.sources.history.folder import write_history

    folder = tmp_path_factory.mktemp("market") / "history"
    market = simulate_history(get_scenario("plain"), n_leads=5000, seed=11)
    write_history(market.history, folder)
    return folder


@pytest.fixture(scope="session")
def split_market(market_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Split the small market into partitions, as if it were a large one."""
    from features.sources.history import partitions
    from features.sources.history.folder import read_history, write_history

    folder = tmp_path_factory.mktemp("split") / "history"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "MOST_RECORDS", 20_000)
        write_history(read_history(market_folder), folder)
    return folder


@pytest.fixture(scope="session")
def trained_run(market_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """Train once on the small market."""
    from features.clock import DAY_US
    from features.lifecycle.stages import Stage
    from features.sources.history.folder import read_history
    from training.labels.conversion import Grid, Outcome
    from training.run.options import RunOptions
    from training.run.pipeline import fingerprint_history, train

    options = RunOptions(Outcome(Stage.SQL, 30 * DAY_US), Grid.weekly(weeks=8), "baton-sql")
    return train(
        read_history(market_folder),
        options,
        tmp_path_factory.mktemp("bundles"),
        data_fingerprint=fingerprint_history(market_folder),
    )


@pytest.fixture(scope="session")
def trained_bundle(trained_run) -> Path:
    """Point to the folder of a bundle trained on the small market."""
    return trained_run.bundle.folder


@contextmanager
def run_database_server(home: Path) -> Iterator[str]:
    """Run a private PostgreSQL with one migrated database to copy; give its URL."""
    from sqlalchemy import create_engine

    from serving.store.embedded import EmbeddedPostgres
    from serving.store.migrations import migrate

    # Nothing here outlives the tests: no waiting for the disk.
    fast = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "'32MB'"}
    server = EmbeddedPostgres(home / "pg", {**fast, "autovacuum": "off", "max_wal_size": "'64MB'"})
    url = server.start()
    engine = create_engine(url)
    migrate(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ALTER ROLE postgres SET client_min_messages = warning")
    engine.dispose()
    yield url
    server.stop()


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """Start a private PostgreSQL, unless whoever runs many runs of tests has started one."""
    import shutil
    from tempfile import mkdtemp

    given = os.environ.get("TEST_DATABASE_SERVER")
    if given is not None:
        yield given
        return
    home = Path(mkdtemp(prefix="baton-pg-"))
    with run_database_server(home) as url:
        yield url
    shutil.rmtree(home, ignore_errors=True)


def _copy_database(server: str) -> Iterator[str]:
    from secrets import token_hex

    from sqlalchemy import create_engine, make_url

    name = f"test_{token_hex(6)}"
    admin = create_engine(make_url(server).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE baton STRATEGY FILE_COPY")
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(scope="module")
def database_url(database_server: str) -> Iterator[str]:
    """Give a database of the module's own, with all tables and nothing in them."""
    yield from _copy_database(database_server)


@pytest.fixture
def fresh_database_url(database_server: str) -> Iterator[str]:
    """Give a database of the test's own; a tenth of a second, so only where ``store`` will not do."""
    yield from _copy_database(database_server)


@pytest.fixture(scope="module")
def module_store(database_url: str, tmp_path_factory: pytest.TempPathFactory):
    """Open a store on the module's database; what is in it stays from test to test."""
    from serving.store.session import Store
    from tests.unit.serving.factories import make_settings

    settings = make_settings(
        tmp_path_factory.mktemp("store"), database_url=database_url, allow_unsafe_durability=True
    )
    store = Store(settings)
    store.open()
    yield store
    store.close()


@pytest.fixture
def store(module_store):
    """Give an open store with nothing in it."""
    yield module_store
    empty_tables(module_store.engine)


def empty_tables(engine) -> None:
    """Empty every table that holds something; the audit log too, which nobody else may."""
    from sqlalchemy import text

    from serving.store.tables import Base

    names = [f'"{name}"' for name in Base.metadata.tables]
    asked = " UNION ALL ".join(
        f"(SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name}))"  # noqa: S608 - our own names
        for name in [*names, "procrastinate_jobs"]
    )
    with engine.begin() as connection:
        filled = list(connection.execute(text(asked)).scalars())
        if filled:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY CASCADE"))
