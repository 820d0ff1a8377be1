"""The embedded server is open to its owner alone: other users of the machine do not get in."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psycopg
import pytest
from sqlalchemy import URL, make_url

from serving.store.embedded import EmbeddedPostgres
from serving.store.embedded.access import SECRET_FILE, SOCKET_FILE, find_secret
from serving.store.errors import EmbeddedNotPrivateError
from tests.unit.serving.factories import make_settings

NOBODY = 65_534

# psycopg is loaded before the change of user, who may not be able to read it.
ASK_AS_NOBODY = f"""
import os, sys, psycopg
psycopg.connect
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
try:
    psycopg.connect(sys.argv[1])
except psycopg.OperationalError as error:
    print(error)
else:
    print("is in")
"""

FAKE_SERVER = r"""
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
caller, _ = listener.accept()
caller.recv(4096)                                  # who wants in
caller.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x03")  # asks for the password as it is
print(caller.recv(4096))
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(mkdtemp(prefix="baton-long-"))
    folder.chmod(0o755)
    yield folder
    rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    # A path of more than 120 characters: no socket can lie there. And one with a space and a quote.
    server = EmbeddedPostgres(home / ("x" * 110) / "o'h no" / "pg")
    server.start()
    yield server
    server.stop()


def find_url(server: EmbeddedPostgres) -> URL:
    return make_url(server.start()).set(drivername="postgresql")


def render(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.slow
def test_a_long_path_has_its_socket_in_a_private_folder_that_nobody_can_predict(
    server: EmbeddedPostgres,
) -> None:
    url = find_url(server)

    folder = Path(str(url.query["host"]))

    assert folder.name.startswith("baton-")
    assert str(folder) == (server.folder / SOCKET_FILE).read_text()
    assert mode_of(folder) == 0o700
    assert mode_of(next(folder.glob(".s.PGSQL.*[0-9]"))) == 0o700
    assert mode_of(server.folder) == 0o700
    assert mode_of(server.folder / SECRET_FILE) == 0o600


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("is_open", [False, True])
def test_another_user_does_not_get_in_even_if_the_folder_was_open(
    server: EmbeddedPostgres, *, is_open: bool
) -> None:
    url = find_url(server)
    folder = Path(str(url.query["host"]))
    socket = next(folder.glob(".s.PGSQL.*[0-9]"))
    if is_open:
        folder.chmod(0o755)
        socket.chmod(0o777)
        url = url.set(password="")
    try:
        asked = subprocess.run(
            [sys.executable, "-c", ASK_AS_NOBODY, render(url)],
            capture_output=True,
            text=True,
            check=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        )
    finally:
        folder.chmod(0o700)
        socket.chmod(0o700)

    assert ("no password supplied" if is_open else "Permission denied") in asked.stdout


@pytest.mark.slow
def test_nobody_gets_in_without_the_secret(server: EmbeddedPostgres) -> None:
    url = find_url(server)

    for password in ("", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(render(url.set(password=password)))


@pytest.mark.slow
def test_a_server_put_in_place_of_ours_is_not_given_the_secret(
    server: EmbeddedPostgres, home: Path
) -> None:
    url = find_url(server).update_query_dict({"host": str(home)})
    words = [sys.executable, "-c", FAKE_SERVER, str(home / f".s.PGSQL.{url.port}")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as fake:
        assert fake.stdout is not None
        fake.stdout.readline()

        with pytest.raises(psycopg.OperationalError, match="cleartext password"):
            psycopg.connect(render(url))

        assert fake.stdout.read().strip() == "b''"


@pytest.mark.slow
def test_a_folder_that_others_may_enter_is_refused(server: EmbeddedPostgres) -> None:
    folder = Path(str(find_url(server).query["host"]))
    folder.chmod(0o777)
    try:
        with pytest.raises(EmbeddedNotPrivateError, match="mode 777"):
            EmbeddedPostgres(server.folder).start()
    finally:
        folder.chmod(0o700)


@pytest.mark.slow
def test_a_lost_secret_is_made_anew_and_a_squatted_folder_is_left_alone(home: Path) -> None:
    server = EmbeddedPostgres(home / ("y" * 110) / "pg")
    before = find_url(server)
    server.stop()
    (server.folder / SECRET_FILE).unlink()
    taken = Path(str(before.query["host"]))
    taken.mkdir(mode=0o777)
    taken.chmod(0o777)
    try:
        after = find_url(server)
        server.stop()
    finally:
        taken.rmdir()

    assert after.query["host"] != before.query["host"]
    assert after.password == find_secret(server.folder) != before.password


def test_folders_above_are_opened_for_passing_not_for_reading(tmp_path: Path) -> None:
    from serving.store.embedded.access import let_pass

    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0o700)

    let_pass(closed / "data")

    assert mode_of(closed) == 0o711


def test_settings_of_a_short_path_lie_beside_the_data(
    tmp_path: Path, database_server: str
) -> None:
    url = make_url(database_server)

    assert make_settings(tmp_path).postgres != url.query["host"]
    assert mode_of(Path(str(url.query["host"]))) == 0o700
