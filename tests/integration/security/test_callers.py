"""Who asks: nobody is locked out by others' guesses, nobody hides behind a header, nobody acts after the end."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from features import clock
from serving.app import build_app
from serving.auth.guard import RequirePermission, find_guards, list_routes
from serving.auth.roles import Role
from serving.auth.users import disable_person
from serving.store.dependencies import get_work
from serving.store.session import Store
from serving.web.sign_in import FORM_COOKIE
from serving.web_api.logs import hide_addresses
from tests.integration.auth.factories import (
    EMAIL,
    bearer,
    browsing,
    find_form_token,
    let_in,
    make_app,
    make_key,
    sign_in,
)
from tests.unit.serving.factories import make_settings, running_app

GUESS = "baton_" + "a" * 12 + "_" + "0" * 48


def guess(client: httpx.Client, times: int, **headers: str) -> list[int]:
    sent = {**bearer(GUESS), **headers}
    return [client.get("/v1/audit", headers=sent).status_code for _ in range(times)]


def stop_the_clock(app: FastAPI) -> FastAPI:
    """Have no time pass for those who count requests: a slow machine would give tokens back."""
    app.state.authenticator.ticks = lambda: 100.0
    return app


def test_a_key_never_used_before_is_let_in_while_others_guess_from_its_address(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    from serving.auth import authenticator

    real = authenticator._read_key
    monkeypatch.setattr(
        authenticator, "_read_key", lambda s, sent, at: looked_up.append(sent) or real(s, sent, at)
    )
    app = stop_the_clock(make_app(tmp_path, database_url))
    with running_app(app, {}) as client:
        assert guess(client, 70)[-1] == 429
        # Guesses of that address do not reach the database one by one any more.
        assert len(looked_up) <= 62
        late = make_key(store, Role.OPS, "late")
        app.state.authenticator._live_until = 0.0  # a second later

        assert client.get("/v1/audit", headers=bearer(late)).status_code == 200


def test_the_address_a_caller_claims_is_not_believed(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    with running_app(stop_the_clock(make_app(tmp_path, database_url)), {}) as client:
        statuses = [guess(client, 1, **{"X-Forwarded-For": f"10.0.0.{n}"})[0] for n in range(70)]

    assert statuses[-1] == 429


def test_a_proxy_that_is_named_is_believed(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    app = stop_the_clock(make_app(tmp_path, database_url, trusted_proxies="127.0.0.1"))
    with running_app(app, {}) as client:
        statuses = [guess(client, 1, **{"X-Forwarded-For": f"10.0.0.{n}"})[0] for n in range(70)]

    assert statuses == [401] * 70


def test_guesses_of_the_machines_key_are_counted(tmp_path: Path) -> None:
    app = stop_the_clock(build_app(make_settings(tmp_path)))
    with running_app(app) as client:
        origin = {"Origin": str(client.base_url).rstrip("/")}
        token = client.get("/sign-in").cookies[FORM_COOKIE]
        form = {"key": "guessed", "form_token": token}
        headers = {**origin, "Cookie": f"{FORM_COOKIE}={token}"}

        statuses = [
            client.post("/sign-in/key", data=form, headers=headers).status_code for _ in range(65)
        ]

    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_whoever_is_disabled_acts_no_more_however_long_keys_are_remembered(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store, Role.OPS)
    with browsing(make_app(tmp_path, database_url, key_cache_seconds=300)) as browser:
        sign_in(browser)
        assert browser.get("/v1/audit").url.path == "/v1/audit"

        with store.work() as work:
            disable_person(work, EMAIL, clock.now())

        assert browser.get("/v1/audit").url.path == "/sign-in"


def test_every_get_that_writes_is_marked_so(tmp_path: Path) -> None:
    app = build_app(make_settings(tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none"))
    writing = [
        route
        for route in list_routes(app)
        if "GET" in (route.methods or ())
        and any(one.call is get_work for one in _walk(route.dependant))
    ]

    assert [str(route.path) for route in writing] == ["/v1/leads/{lead_id}/export"]
    for route in writing:
        assert all(
            isinstance(guard, RequirePermission) and guard.acts for guard in find_guards(route)
        )


def _walk(dependant):
    yield dependant
    for inner in dependant.dependencies:
        yield from _walk(inner)


def test_no_page_of_another_site_has_a_person_exported(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store, Role.ADMIN)
    with browsing(make_app(tmp_path, database_url)) as browser:
        sign_in(browser)
        del browser.headers["Origin"]
        statuses = {
            site: browser.get("/v1/leads/ann/export", headers={"Sec-Fetch-Site": site}).status_code
            for site in ("cross-site", "same-site", "none", "same-origin")
        }

    assert statuses == {"cross-site": 403, "same-site": 403, "none": 404, "same-origin": 404}


def test_a_long_path_is_hidden_in_one_pass() -> None:
    # A pattern that begins anew at each letter would take days for this.
    assert hide_addresses("a" * 3_000_000) == "a" * 3_000_000


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("/v1/leads/ann@example.com/score", "/v1/leads/(hidden)/score"),
        ("a@b, c%40d=e@f", "(hidden), (hidden)=(hidden)"),
        ("@", "(hidden)"),
        ("half \ud800@", "half (hidden)"),
        ("nobody here", "nobody here"),
    ],
)
def test_addresses_are_hidden_wherever_they_stand(text: str, hidden: str) -> None:
    assert re.sub(r"\(hidden \w{8}\)", "(hidden)", hide_addresses(text)) == hidden


def test_a_cookie_is_secure_where_a_proxy_speaks_tls(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store)
    app = make_app(tmp_path, database_url)
    with browsing(app) as browser:
        browser.follow_redirects = False
        host = str(browser.base_url).removeprefix("http://").rstrip("/")
        app.state.settings = app.state.settings.model_copy(
            update={"public_url": f"https://{host}"}
        )
        page = browser.get("/sign-in")

    assert find_form_token(page.text)
    assert "Secure" in page.headers["set-cookie"]
