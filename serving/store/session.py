"""Units of work: one request or job is one transaction, and nobody else commits."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from shutil import disk_usage
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from serving.settings import ServingSettings
from serving.store.embedded import EmbeddedPostgres
from serving.store.errors import (
    CommitRefusedError,
    EmbeddedNotPrivateError,
    EmbeddedNotStartedError,
    NoDatabaseError,
    SchemaMismatchError,
    StoreFullError,
    StoreUnavailableError,
    UnsafeDurabilityError,
)
from serving.store.migrations import HEAD, find_revision, migrate
from serving.store.tables import OutboxEffect

SAFE = {"fsync": {"on"}, "full_page_writes": {"on"}}
"""Settings of the server and their safe values; ``synchronous_commit`` is safe unless off."""

POOL_PATIENCE_SECONDS = 10.0
"""Seconds a request waits for a free connection before it is told to come again."""

REVIVING_SECONDS = 5.0
"""Seconds a request waits for the embedded server to come back before it is told to come again."""

IDLE_SECONDS = 60
"""Seconds a transaction may stand idle before the server ends it: its worker has died."""


ATTEMPTS = 5
PAUSE_MS = 20
"""Pause before a second attempt, at least; each further one is twice as long."""

ROOM = {"53100": "room on its disk", "53200": "memory", "53300": "free connection"}
"""What a database may lack, by the code it says so with."""

FEW_BYTES = 16 * 1024 * 1024
"""With less on its disk PostgreSQL cannot write its log, and goes down."""

IN_THE_WAY = {"40P01", "40001"}
"""What PostgreSQL calls a deadlock, and a failed serialization."""

LIMIT = """
SELECT set_config('statement_timeout', %(statement)s, true), set_config('lock_timeout', %(lock)s, true)
"""

Done = TypeVar("Done")


class Patience(NamedTuple):
    """How long the statements of a unit of work may take."""

    statement_seconds: float
    lock_seconds: float
    """Seconds a statement may wait for another's lock."""

    def as_text(self) -> dict[str, str]:
        """Give both as PostgreSQL reads them."""
        return {"statement": f"{self.statement_seconds:g}s", "lock": f"{self.lock_seconds:g}s"}


class _Session(Session):
    """A session whose transaction only its unit of work may end."""

    def commit(self) -> None:
        raise CommitRefusedError


class UnitOfWork:
    """What one request or job reads and writes: all of it lands, or nothing."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def execute(self, statement: str, parameters: Any = None) -> Any:
        """Run a statement in the driver's own words (``%s`` or ``%(name)s``), the fast way."""
        return self.session.connection().exec_driver_sql(statement, parameters)

    def enqueue_effect(
        self,
        effect_key: str,
        topic: str,
        payload: dict[str, Any],
        at: datetime,
        lead_id: str | None = None,
    ) -> bool:
        """Put an effect in the outbox; tell whether it was new.

        Parameters
        ----------
        effect_key
            What makes the effect one: ``handoff:17:webhook``. A key that was ever used is refused
            silently, since that effect was decided already.
        topic
            Who sends it.
        payload
            What is sent.
        at
            When it was decided; it may leave from then on.
        lead_id
            Whom it is about, so that erasure finds it.
        """
        effect = insert(OutboxEffect).values(
            effect_key=effect_key,
            topic=topic,
            payload=payload,
            lead_id=lead_id,
            created_at=at,
            next_at=at,
        )
        added = self.session.execute(
            effect.on_conflict_do_nothing(index_elements=["effect_key"]).returning(
                OutboxEffect.effect_number
            )
        )
        return added.scalar() is not None


def _is_passing(error: DBAPIError) -> bool:
    """Tell whether the same work may succeed later: no connection, no time, no luck with locks."""
    state = getattr(error.orig, "sqlstate", None) or ""
    lost = error.connection_invalidated or not state
    return isinstance(error, OperationalError) and (
        lost or state[:2] in {"08", "40", "53", "55", "57"}
    )


class Store:
    """The database: its connections, and the units of work made with them."""

    def __init__(self, settings: ServingSettings) -> None:
        named = settings.find_database_url()
        self.embedded = None if named else EmbeddedPostgres(settings.postgres)
        self._settings = settings
        self._named = named
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The connections of an open store."""
        if self._engine is None:
            raise StoreUnavailableError
        return self._engine

    @property
    def url(self) -> URL:
        """Where the database is; with its password, so never for a log."""
        return self.engine.url

    def open(self) -> None:
        """Connect, check that what is confirmed is kept, and bring the tables up to date.

        Nothing happens if the store is open already.

        Raises
        ------
        EmbeddedNotStartedError, NoDatabaseError
            If there is no database.
        UnsafeDurabilityError
            If it may lose what it confirmed.
        SchemaMismatchError
            If its tables are those of another version.
        """
        if self._engine is not None:
            return
        url = make_url(self._named or (self.embedded.start() if self.embedded else ""))
        self._engine = self._connect(url.set(drivername="postgresql+psycopg"))
        try:
            self._check_durability()
            self._check_schema()
        except OperationalError as error:
            where = self.url.render_as_string(hide_password=True)
            self.close()
            raise NoDatabaseError(where) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connections back, and let go of the embedded server."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        # Not left to the end of the process: a server stopped by a signal has no such end.
        if self.embedded is not None:
            self.embedded.stop()

    def _connect(self, url: URL) -> Engine:
        settings = self._settings
        asked = {
            "statement_timeout": f"{settings.statement_timeout_seconds:g}s",
            "lock_timeout": f"{settings.lock_timeout_seconds:g}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
            "timezone": "UTC",
        }
        options = " ".join(f"-c {name}={value}" for name, value in asked.items())
        engine = create_engine(
            url,
            connect_args={"options": options, "application_name": "baton", "connect_timeout": 10},
            pool_size=settings.database_connections,
            max_overflow=0,
            pool_timeout=POOL_PATIENCE_SECONDS,
            pool_pre_ping=True,
        )
        if self.embedded is not None:
            _revive(engine, self.embedded)
        return engine

    def _check_durability(self) -> None:
        if self._settings.allow_unsafe_durability:
            return
        with self.engine.connect() as connection:
            for name, safe in SAFE.items():
                found = str(connection.exec_driver_sql(f"SHOW {name}").scalar())
                if found not in safe:
                    raise UnsafeDurabilityError(name, found)
            found = str(connection.exec_driver_sql("SHOW synchronous_commit").scalar())
            if found == "off":
                raise UnsafeDurabilityError("synchronous_commit", found)

    def _check_schema(self) -> None:
        with self.engine.connect() as connection:
            found = find_revision(connection)
        if found != HEAD and self._settings.migrate_at_start:
            migrate(self.engine)
            with self.engine.connect() as connection:
                found = find_revision(connection)
        if found != HEAD:
            raise SchemaMismatchError(found, HEAD)

    def check_answers(self) -> None:
        """Check that the database answers.

        Raises
        ------
        StoreUnavailableError
            If not.
        """
        with self.work() as work:
            work.session.execute(text("SELECT 1"))

    def run(self, action: Callable[[UnitOfWork], Done], patience: Patience | None = None) -> Done:
        """Run an action in a unit of work; run it again after a conflict between two units.

        Parameters
        ----------
        action
            What to do.
        patience
            How long its statements may take, where that is less than for all others.

        Raises
        ------
        StoreUnavailableError
            If the database is away or too slow, or after ``ATTEMPTS`` times.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.work() as work:
                    if patience is not None:
                        work.execute(LIMIT, patience.as_text())
                    return action(work)
            except StoreUnavailableError as error:
                if attempt == ATTEMPTS or not _is_conflict(error):
                    raise
            # Whoever comes back at once may take the lock again before the other has woken up.
            pause_ms = PAUSE_MS << attempt
            time.sleep((pause_ms + secrets.randbelow(pause_ms)) / 1000)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def work(self, *, read_only: bool = False) -> Iterator[UnitOfWork]:
        """Open a unit of work; it is committed when the block ends well, else undone.

        Parameters
        ----------
        read_only
            Whether the block only reads, all of it as of one moment.

        Raises
        ------
        StoreUnavailableError
            If the database is away, too slow, or two units of work stood in each other's way.
        """
        try:
            with _Session(self.engine, expire_on_commit=False) as session:
                if read_only:
                    session.connection(
                        execution_options={
                            "isolation_level": "REPEATABLE READ",
                            "postgresql_readonly": True,
                        }
                    )
                yield UnitOfWork(session)
                Session.commit(session)
        except PoolTimeoutError as error:
            raise StoreUnavailableError from error
        except DBAPIError as error:
            if _is_passing(error):
                raise self._build_refusal(error) from error
            raise

    def _build_refusal(self, error: DBAPIError) -> StoreUnavailableError:
        """Say that the database is full where it is, and else that it did not answer."""
        state = getattr(error.orig, "sqlstate", None) or ""
        if state.startswith("53"):
            return StoreFullError(ROOM.get(state, "room"))
        if not state and self.embedded is not None and _is_full(self.embedded.folder):
            return StoreFullError(ROOM["53100"])  # which it said when it went down
        return StoreUnavailableError()


def _is_full(folder: Path) -> bool:
    try:
        return disk_usage(folder).free < FEW_BYTES
    except OSError:
        return False


def _is_conflict(error: StoreUnavailableError) -> bool:
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", "") in IN_THE_WAY


def _revive(engine: Engine, embedded: EmbeddedPostgres) -> None:
    """Have whoever finds the embedded server gone start it again."""
    moved: dict[str, Any] = {}

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, named: Any) -> Any:  # noqa: ARG001
        try:
            return dialect.connect(*arguments, **{**named, **moved})
        except dialect.dbapi.OperationalError:
            try:
                url = make_url(embedded.start(patience_seconds=REVIVING_SECONDS))
            except (EmbeddedNotStartedError, EmbeddedNotPrivateError) as error:
                # For those who ask, it is away like any other database: they come again.
                raise dialect.dbapi.OperationalError(str(error)) from error
            # Somebody may have taken the folder of its socket: then it has a new one.
            moved.update(dialect.create_connect_args(url)[1])
            return dialect.connect(*arguments, **{**named, **moved})
