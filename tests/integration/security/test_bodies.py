"""Bodies: no longer than their address takes, and unread where nobody may send one."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.auth.roles import Role
from serving.store.session import Store
from serving.web.sign_in import FORM_COOKIE, FORM_PATHS
from serving.web_api.limits import FORM_BYTES, SMALL_BYTES
from tests.integration.auth.factories import bearer, browsing, let_in, make_app, make_key, sign_in
from tests.integration.security.raw import connect, read_status
from tests.unit.serving.factories import make_settings, running, running_app

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(make_settings(tmp_path_factory.mktemp("bodies"))) as opened:
        yield opened


@pytest.mark.parametrize("path", sorted(FORM_PATHS))
def test_a_form_is_sixteen_kilobytes_and_no_more(client: httpx.Client, path: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    one_too_many = b"&" * (FORM_BYTES + 1)

    declared = client.post(path, content=one_too_many, headers=form)

    assert declared.status_code == 413
    assert "BATON_MAX_BODY_BYTES" not in declared.text


def test_a_form_that_does_not_state_how_long_it_is_is_counted(client: httpx.Client) -> None:
    page = client.get("/sign-in")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": str(client.base_url).rstrip("/"),
        "Cookie": f"{FORM_COOKIE}={page.cookies[FORM_COOKIE]}",
    }

    answer = client.post(
        "/sign-in/key", content=(b"&" * 1_000 for _ in range(17)), headers=headers
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 403),
        (f"Cookie: {FORM_COOKIE}=abc\r\nOrigin: https://evil.example\r\n", 403),
        (f"Cookie: {FORM_COOKIE}=abc\r\nSec-Fetch-Site: cross-site\r\n", 403),
    ],
    ids=["no cookie", "origin", "site"],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/key"])
def test_who_may_send_no_form_is_refused_before_its_body_is_there(
    client: httpx.Client, path: str, headers: str, status: int
) -> None:
    with connect(client) as opened:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: 9000\r\n\r\n"
        opened.sendall(head.encode())

        assert read_status(opened) == status


def test_signing_out_without_a_session_reads_no_body(client: httpx.Client) -> None:
    with connect(client) as opened:
        opened.sendall(
            b"POST /sign-out HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n"
        )

        assert read_status(opened) == 303


def test_too_many_forms_of_one_address_are_refused_before_their_body_is_there(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.auth.rate_limiter.RateLimiter.acquire", lambda *_: 7.0)
    headers = f"Cookie: {FORM_COOKIE}=abc\r\nSec-Fetch-Site: same-origin\r\n"
    with connect(client) as opened:
        opened.sendall(
            f"POST /sign-in/key HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}"
            "Content-Length: 9000\r\n\r\n".encode()
        )

        assert read_status(opened) == 429


def test_a_form_with_very_many_fields_is_no_form(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store)
    with browsing(make_app(tmp_path, database_url)) as browser:
        fields = {f"f{n}": "1" for n in range(40)}

        assert sign_in(browser, **fields).status_code == 422
        assert sign_in(browser).status_code == 200


def test_what_is_no_record_is_short(store: Store, database_url: str, tmp_path: Path) -> None:
    key = bearer(make_key(store, Role.ADMIN))
    with running_app(make_app(tmp_path, database_url), key) as client:
        long = json.dumps({"body": "#" * SMALL_BYTES})
        playbook = client.post("/v1/playbook/check", content=long, headers=JSON)
        records = client.post("/v1/events", content=long, headers=JSON)

    assert playbook.status_code == 413
    assert "BATON_MAX_BODY_BYTES" not in playbook.json()["fix"]
    assert records.status_code == 422


HOSTILE_JSON = {
    "a number of 5,000 digits": b'{"body": ' + b"1" * 5_000 + b"}",
    "brackets": b'{"body": ' + b"[" * 100_000,
    "half a character": b'{"body": "\\ud800"}',
    "no number": b'{"body": NaN}',
    "a text of 70,000 characters": json.dumps({"body": "#" * 70_000}).encode(),
    "a key of 100,000 parts": json.dumps({"body": "a" + ".a" * 30_000 + "=1"}).encode(),
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_no_body_is_a_fault_of_the_server(
    store: Store, database_url: str, tmp_path: Path, name: str
) -> None:
    with running_app(
        make_app(tmp_path, database_url), bearer(make_key(store, Role.ADMIN))
    ) as client:
        for path in ("/v1/playbook/check", "/v1/playbook/versions", "/v1/handoffs/1/respond"):
            answer = client.post(path, content=HOSTILE_JSON[name], headers=JSON)

            assert 400 <= answer.status_code < 500, (path, answer.text)


def test_a_draft_is_checked_for_those_who_may_draft(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    with running_app(make_app(tmp_path, database_url), {}) as client:
        for role, status in ((Role.CRM, 403), (Role.SCIENTIST, 403), (Role.MARKETER, 200)):
            answer = client.post(
                "/v1/playbook/check",
                json={"body": ""},
                headers=bearer(make_key(store, role)),
            )

            assert answer.status_code == status
