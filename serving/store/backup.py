"""Backup and restore, by the ``pg_dump`` and ``pg_restore`` that come with the embedded PostgreSQL."""

import subprocess
from pathlib import Path

from sqlalchemy import URL

from serving.settings import build_guest_environment
from serving.store.embedded import find_program
from serving.store.errors import BackupFailedError


def _run(program: str, url: URL, *words: str) -> None:
    # The password goes by the environment: words of a command are seen by all on the machine.
    # ``URL.set`` cannot take one away.
    named = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    )
    environment = build_guest_environment()
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    command = [
        str(find_program(program)),
        "--no-password",
        f"--dbname={named.render_as_string(hide_password=False)}",
        *words,
    ]
    done = subprocess.run(  # noqa: S603 - our own words
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupFailedError(program, done.stderr.strip().splitlines()[-1:])


def write_backup(url: URL, to: Path) -> None:
    """Write the whole database to one file, as of one moment, while others go on working.

    Raises
    ------
    BackupFailedError
        If the file is not complete; what was there before stays.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    aside = to.with_name(f".{to.name}.part")
    try:
        _run("pg_dump", url, "--format=custom", f"--file={aside}")
        aside.replace(to)
    finally:
        aside.unlink(missing_ok=True)


def restore_backup(url: URL, file: Path) -> None:
    """Put the database back to what a backup holds: all of it, or nothing is changed.

    Raises
    ------
    BackupFailedError
        If the file cannot be read, or the database refuses.
    """
    _run(
        "pg_restore",
        url,
        "--clean",
        "--if-exists",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        str(file),
    )
