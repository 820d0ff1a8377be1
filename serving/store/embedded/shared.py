"""One server shared by the processes of its owner.

The data lie in a folder; processes that name the same folder meet at the same server. The last one
to leave stops it. Where Baton runs as root, the server runs as the user ``pgserver``, since
PostgreSQL refuses to be root.
"""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from serving.store.embedded.server import PrivateServer, ServerStartingError
from serving.store.errors import EmbeddedNotStartedError

DATABASE = "baton"

OPTIONS: Mapping[str, str] = {
    "listen_addresses": "''",
    "max_connections": "120",
    "shared_buffers": "'128MB'",
    # What the planner would compile costs more than the short queries of this house.
    "jit": "off",
    "log_min_messages": "warning",
    # What a failed statement was given may be personal: the log has the error, not the values.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
"""Settings of the embedded server; what is not here is as PostgreSQL has it, durability above all."""

PATIENCE_SECONDS = 60.0
"""A server that mends itself after a crash may need a while before it answers."""

# The library asserts that a server it finds is ready: one that replays its log is not.
NOT_YET = (
    ServerStartingError,
    subprocess.SubprocessError,
    psycopg.OperationalError,
    OSError,
    AssertionError,
)


class EmbeddedPostgres:
    """One server by its folder."""

    _one_at_a_time: ClassVar[threading.RLock] = threading.RLock()
    # The library's lock between processes is no lock between the threads of one of them.
    _users: ClassVar[Counter[Path]] = Counter()
    """How many of this process use the server of a folder: the library knows processes only."""

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.options = {**OPTIONS, **(options or {})}
        self._server: PrivateServer | None = None

    def start(self, *, patience_seconds: float = PATIENCE_SECONDS) -> str:
        """Start the server if nobody has, and give the URL of its database.

        Parameters
        ----------
        patience_seconds
            How long to wait for a server that does not answer yet.

        Raises
        ------
        EmbeddedNotStartedError
            If it does not come up.
        EmbeddedNotPrivateError
            If other users of the machine could reach it.
        """
        if not self._one_at_a_time.acquire(timeout=patience_seconds):
            raise EmbeddedNotStartedError(self.folder, "others wait for it")
        try:
            return self._patiently(patience_seconds)
        finally:
            self._one_at_a_time.release()

    def _patiently(self, patience_seconds: float) -> str:
        # After a crash the old server's children hold its memory for a moment, and the log is
        # replayed before the new one answers: neither is a reason to give up at once.
        end = time.monotonic() + patience_seconds
        while True:
            try:
                return self._start()
            except NOT_YET as error:
                if time.monotonic() > end:
                    raise EmbeddedNotStartedError(self.folder, type(error).__name__) from error
                time.sleep(0.2)

    def _start(self) -> str:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        server = self._server or PrivateServer.of(self.folder, self.options)
        if self._server is None:
            with server._lock:  # noqa: SLF001 - the one lock that all processes share
                server.forget_dead_users()
            server.start()
            self._server = server
            self._users[self.folder] += 1
        else:
            with server._lock:  # noqa: SLF001
                server.ensure_postgres_running()
        self._create_database(server)
        return server.uri(DATABASE)

    @staticmethod
    def _create_database(server: PrivateServer) -> None:
        where = make_url(server.uri("postgres")).set(drivername="postgresql")
        with psycopg.connect(
            where.render_as_string(hide_password=False), autocommit=True, connect_timeout=5
        ) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            ).fetchone()
            if found is None:
                try:
                    connection.execute(
                        sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                    )
                except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    return  # another process was quicker

    def find_pid(self) -> int | None:
        """Find the process of the server; None if it was not started here."""
        return None if self._server is None else self._server.get_pid()

    def stop(self) -> None:
        """Let go of the server; the last process to do so stops it."""
        with self._one_at_a_time:
            server, self._server = self._server, None
            if server is None:
                return
            self._users[self.folder] -= 1
            if not self._users[self.folder]:
                with server._lock:  # noqa: SLF001 - as above
                    server.forget_dead_users()
                server.cleanup()
