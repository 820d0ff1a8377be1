"""Connections that ask nothing, or never come to an end."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request

from serving.web_api import connections
from tests.integration.security.raw import connect, read_answer, read_status
from tests.unit.serving.factories import running_app

HEAD = b"GET /ping HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    app = FastAPI()

    @app.get("/ping")
    async def ping() -> str:
        return "pong"

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "CHECK_SECONDS", 0.02)
        patch.setattr(connections, "HEAD_SECONDS", 0.3)
        patch.setattr(connections, "GRACE_SECONDS", 0.3)
        with running_app(app, {}) as opened:
            yield opened


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /ping HT",
        HEAD,
        b"\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nhalf",
        b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9",
    ],
    ids=["nothing", "half a line", "half a head", "empty lines", "half a body", "half a chunk"],
)
def test_who_keeps_the_server_waiting_is_cut_off(client: httpx.Client, sent: bytes) -> None:
    with connect(client) as opened:
        opened.sendall(sent)

        assert read_answer(opened) == b""


def test_a_connection_that_was_answered_is_cut_off_while_its_next_head_is_half_there(
    client: httpx.Client,
) -> None:
    with connect(client) as opened:
        opened.sendall(HEAD + b"\r\n" + HEAD)

        assert read_answer(opened).endswith(b'"pong"')


def test_who_does_not_take_the_answer_is_cut_off() -> None:
    class Unread:
        def get_write_buffer_size(self) -> int:
            return 1_000

    one = object.__new__(connections.GuardedProtocol)
    one.waiting_since, one.body_since, one._unsent = None, None, (0, 0.0)
    one.transport = Unread()  # type: ignore[assignment]

    assert not one.is_too_slow(1.0)
    assert not one.is_too_slow(1.0 + connections.GRACE_SECONDS / 2)
    assert one.is_too_slow(1.0 + connections.GRACE_SECONDS * 2)


def test_a_slow_body_is_waited_for_as_long_as_it_comes(client: httpx.Client) -> None:
    body = b"x" * 200_000

    assert client.post("/body", content=(body[:1_000] for _ in range(200))).json() == 200_000
    assert client.post("/body", content=body).json() == 200_000


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(connections.HEADERS)) + b"\r\n",
        b"GET /" + b"a" * 500_000,
        HEAD + b"X: " + b"a" * 500_000,
        b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 500_000,
    ],
    ids=["many headers", "long address", "long header", "long chunk extension"],
)
def test_a_head_without_end_is_refused(client: httpx.Client, sent: bytes) -> None:
    with connect(client) as opened:
        try:
            opened.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            return  # refused before all of it was sent

        answer = read_answer(opened)

    assert answer[:12] in {b"", b"HTTP/1.1 431", b"HTTP/1.1 400"}


def test_headers_up_to_the_bound_are_read(client: httpx.Client) -> None:
    headers = b"".join(b"X-%d: 1\r\n" % n for n in range(connections.HEADERS - 2))
    with connect(client) as opened:
        opened.sendall(HEAD + headers + b"Cookie: " + b"c" * 30_000 + b"\r\n\r\n")

        assert read_status(opened) == 200


def test_where_there_are_too_many_the_one_that_waits_longest_makes_room(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    with connect(client) as first, connect(client) as second, connect(client) as third:
        for opened in (first, second, third):
            opened.sendall(HEAD + b"\r\n")
            assert read_status(opened) == 200
            opened.sendall(b"GET /p")
        with connect(client) as fourth:
            fourth.sendall(HEAD + b"\r\n")
            assert read_status(fourth) == 200

            assert read_answer(first).endswith(b'"pong"')
            second.sendall(b"ing HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b'"pong"' in second.recv(65_536)
