"""Who may reach the embedded server: a socket in a private folder, and a secret in the data folder.

A folder that only its owner may enter keeps other users of the machine away from the socket. The
secret holds where that is not enough: on Windows, where the server listens on 127.0.0.1, and against
whoever puts a server of their own where ours was. Either alone would do; both are cheap.
"""

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from serving.store.errors import EmbeddedNotPrivateError

SECRET_FILE = "baton.secret"  # noqa: S105 - the name of a file
SOCKET_FILE = "baton.socket-folder"

LONGEST_SOCKET_BYTES = 100
"""Bytes that the path of a socket may have: macOS ends at 103, Linux at 107."""

SOCKET_NAME = ".s.PGSQL.65535"
"""The longest name that PostgreSQL gives its socket."""

PRIVATE = 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO

HOST_RULES = """\
# Written by Baton at every start: nobody without the secret in baton.secret.
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


def check_private(folder: Path, owner: int) -> None:
    """Check that nobody but the server and root may enter a folder.

    Raises
    ------
    EmbeddedNotPrivateError
        If somebody else may.
    """
    try:
        found = folder.lstat()
    except FileNotFoundError:
        raise EmbeddedNotPrivateError(folder, "it is gone") from None
    if not stat.S_ISDIR(found.st_mode):
        raise EmbeddedNotPrivateError(folder, "it is no folder")
    if found.st_uid not in {owner, os.geteuid()}:
        raise EmbeddedNotPrivateError(folder, f"it belongs to user {found.st_uid}")
    if found.st_mode & OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise EmbeddedNotPrivateError(folder, f"others may enter it (mode {mode:o})")


def _is_short(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) <= LONGEST_SOCKET_BYTES


def _make_again(folder: Path) -> None:
    """Make a folder that a cleaner of temporary files took; whoever is quicker is found out."""
    with suppress(FileExistsError, FileNotFoundError):
        folder.mkdir(mode=PRIVATE)


def _make_short_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="baton-"))
    if _is_short(folder):
        return folder
    folder.rmdir()  # somebody's TMPDIR is as long
    return Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))


def choose_socket_folder(data: Path, owner: int) -> Path:
    """Choose where the socket lies: the data folder, or a short private one where its path is long.

    The short one is written down beside the data, so that processes which still know it find the
    server again after a crash.

    Parameters
    ----------
    data
        Folder of the data.
    owner
        Number of the user the server runs as.
    """
    if _is_short(data):
        return data
    record = data / SOCKET_FILE
    if record.exists():
        folder = Path(record.read_text(encoding="utf-8"))
        _make_again(folder)
        with suppress(EmbeddedNotPrivateError):
            check_private(folder, owner)
            os.chown(folder, owner, -1)
            return folder
    folder = _make_short_folder()
    os.chown(folder, owner, -1)
    record.write_text(str(folder), encoding="utf-8")
    return folder


def find_secret(data: Path) -> str | None:
    """Find the secret of a server; None if it has none yet."""
    file = data / SECRET_FILE
    return file.read_text(encoding="ascii") if file.exists() else None


def draw_secret() -> str:
    """Draw a new secret: 256 random bits."""
    return secrets.token_urlsafe(32)


def write_secret(data: Path, secret: str) -> None:
    """Write down the secret of a server, for its owner alone."""
    aside = data / f"{SECRET_FILE}.part"
    aside.unlink(missing_ok=True)
    number = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write(secret)
    aside.replace(data / SECRET_FILE)


def let_pass(path: Path) -> None:
    """Let the server's user pass through the folders above, without letting anybody read them."""
    # The library changes the user of PostgreSQL's programs, not their group: hence the group too.
    passing = stat.S_IXOTH | stat.S_IXGRP
    for folder in path.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & passing != passing:
            folder.chmod(mode | passing)
