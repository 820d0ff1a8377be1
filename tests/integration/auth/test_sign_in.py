"""People sign in on a page: cookies, forms, foreign pages, too many tries, sign-out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from features import clock
from serving.auth import users
from serving.auth.errors import SignInRefusedError, TooOftenError, WeakPasswordError
from serving.auth.roles import Role
from serving.auth.sessions import COOKIE, find_person, start_session
from serving.auth.users import add_person, disable_person, set_password
from serving.store.session import Store
from serving.store.tables import Person, SignInFailure
from tests.integration.auth.factories import (
    EMAIL,
    NOW,
    PASSWORD,
    browsing,
    find_form_token,
    let_in,
    make_app,
    sign_in,
)
from tests.integration.locks import wait_until_somebody_waits

HOURS = timedelta(hours=12)
GUESSED = "guessed"


def test_somebody_signs_in_reads_and_signs_out(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store, Role.OPS)
    with browsing(make_app(tmp_path, database_url)) as browser:
        sent_on = browser.get("/v1/audit")
        assert sent_on.url.path == "/sign-in"
        assert "/v1/audit" in sent_on.text

        landed = sign_in(browser, target="/v1/audit")
        assert landed.url.path == "/v1/audit"
        assert landed.json()["entries"][0]["action"] == "signed in"

        page = browser.get("/")
        assert "Signed in as Ann (ops)" in page.text
        cookie = browser.cookies[COOKIE]
        out = browser.post("/sign-out", data={"form_token": find_form_token(page.text)})
        assert out.url.path == "/sign-in"
        browser.cookies.set(COOKIE, cookie)
        assert browser.get("/v1/audit").url.path == "/sign-in"


def test_the_cookie_is_for_this_server_alone_and_secure_where_the_page_is(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store)
    app = make_app(tmp_path, database_url, trusted_proxies="127.0.0.1")
    with browsing(app) as browser:
        browser.follow_redirects = False
        plain = sign_in(browser).headers["set-cookie"]
        # Behind a proxy that speaks TLS; the browser here does not, so it carries the cookie by hand.
        browser.headers.update({"X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"})
        token = find_form_token(browser.get("/sign-in").text)
        form = {"email": EMAIL, "password": PASSWORD, "form_token": token}
        headers = {"Cookie": f"baton_form={token}"}
        secure = browser.post("/sign-in", data=form, headers=headers).headers["set-cookie"]

    assert "HttpOnly" in plain
    assert "SameSite=lax" in plain
    assert "Secure" not in plain
    assert "Secure" in secure
    assert COOKIE in plain


def test_a_role_holds_for_people_as_for_keys(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store, Role.SALES)
    with browsing(make_app(tmp_path, database_url)) as browser:
        sign_in(browser)
        assert browser.get("/v1/audit").status_code == 403
        assert browser.get("/v1/model").status_code == 503  # allowed, but no model is there


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=["origin", "null", "none", "cross-site", "same-site"],
)
def test_a_page_of_another_site_can_do_nothing_with_the_session(
    store: Store, database_url: str, tmp_path: Path, headers: dict[str, str]
) -> None:
    let_in(store, Role.ADMIN)
    with browsing(make_app(tmp_path, database_url)) as browser:
        sign_in(browser)
        body = {"Content-Type": "application/json", **headers}
        answer = browser.post("/v1/events", content="{}", headers=body)
        own = browser.post(
            "/v1/events", content="{}", headers={"Content-Type": body["Content-Type"]}
        )

        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:baton:problem:foreign-page"
        assert own.status_code == 422
        assert browser.get("/v1/audit").status_code == 200


def test_a_form_counts_only_with_the_secret_of_its_browser(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store)
    with browsing(make_app(tmp_path, database_url)) as browser:
        assert sign_in(browser, form_token=GUESSED).status_code == 403
        browser.cookies.clear()
        without = {"email": EMAIL, "password": PASSWORD, "form_token": ""}
        assert browser.post("/sign-in", data=without).status_code == 403
        sign_in(browser)
        assert browser.post("/sign-out", data={"form_token": "guessed"}).status_code == 403
        assert "Signed in as Ann" in browser.get("/").text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(
    store: Store, database_url: str, tmp_path: Path, target: str
) -> None:
    let_in(store)
    with browsing(make_app(tmp_path, database_url)) as browser:
        browser.follow_redirects = False
        assert sign_in(browser, target=target).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_address_are_refused_alike(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store)
    with browsing(make_app(tmp_path, database_url)) as browser:
        wrong = sign_in(browser, "wrong horse battery")
        unknown = sign_in(browser, email="bob@example.com")

    assert wrong.status_code == unknown.status_code == 401
    assert "do not belong together" in wrong.text
    strip = lambda answer: answer.text.replace(find_form_token(answer.text), "")  # noqa: E731
    assert strip(wrong) == strip(unknown)


def test_after_five_failures_even_the_right_password_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(store)
    calls: list[str] = []
    real = users.is_password
    monkeypatch.setattr(
        users, "is_password", lambda kept, sent: calls.append(sent) or real(kept, sent)
    )
    for _ in range(5):
        with pytest.raises(SignInRefusedError):
            users.sign_in(store, EMAIL, "", NOW, HOURS)

    with pytest.raises(TooOftenError) as refused:
        users.sign_in(store, EMAIL, PASSWORD, NOW + timedelta(seconds=29), HOURS)

    assert refused.value.retry_after == 1
    assert len(calls) == 5
    assert users.sign_in(store, EMAIL, PASSWORD, NOW + timedelta(seconds=31), HOURS)
    with pytest.raises(SignInRefusedError):  # forgiven: the count starts again
        users.sign_in(store, EMAIL, "", NOW + timedelta(seconds=32), HOURS)


def test_tries_at_once_are_counted_each(store: Store) -> None:
    def fail() -> None:
        with store.work() as work:
            users._count_try(work, EMAIL, NOW)

    fail()
    with ThreadPoolExecutor(1) as pool:
        with store.work() as work:
            users._count_try(work, EMAIL, NOW)
            other = pool.submit(fail)
            wait_until_somebody_waits(store)
        other.result()
    with store.work() as work:
        assert [kept.failures for kept in work.session.scalars(select(SignInFailure))] == [3]


def test_a_session_of_somebody_disabled_is_worth_nothing(store: Store) -> None:
    person_id = let_in(store)
    with store.work() as work:
        token = start_session(work, person_id, NOW, HOURS)
        assert find_person(work, token, NOW) is not None

        work.session.get_one(Person, person_id).disabled_at = NOW
        work.session.flush()

        assert find_person(work, token, NOW) is None


def test_a_session_counts_until_the_instant_it_ends(store: Store) -> None:
    person_id = let_in(store)
    with store.work() as work:
        token = start_session(work, person_id, NOW, HOURS)

        assert find_person(work, token, NOW + HOURS - timedelta(microseconds=1)) is not None
        assert find_person(work, token, NOW + HOURS) is None


def test_whoever_is_disabled_is_out_at_once_and_a_new_password_ends_old_sessions(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store, Role.OPS)
    with browsing(make_app(tmp_path, database_url)) as browser:
        sign_in(browser)
        with store.work() as work:
            disable_person(work, EMAIL, clock.now())
        assert browser.get("/v1/audit").url.path == "/sign-in"
        assert sign_in(browser).status_code == 401

        with store.work() as work:
            set_password(work, EMAIL, "another horse battery", clock.now())
        assert sign_in(browser, "another horse battery").status_code == 200
        with store.work() as work:
            set_password(work, EMAIL, PASSWORD, clock.now())
        assert browser.get("/v1/audit").url.path == "/sign-in"


def test_a_session_ends_by_itself(store: Store, database_url: str, tmp_path: Path) -> None:
    let_in(store, Role.OPS)
    with browsing(make_app(tmp_path, database_url, session_hours=1e-9)) as browser:
        browser.follow_redirects = False
        token = sign_in(browser).cookies.get(COOKIE) or "gone"
        browser.cookies.set(COOKIE, token)
        assert browser.get("/v1/audit").status_code == 303


@pytest.mark.parametrize("password", ["short", EMAIL, "x" * 1001])
def test_a_password_that_can_be_guessed_is_refused(store: Store, password: str) -> None:
    with store.work() as work, pytest.raises(WeakPasswordError):
        add_person(work, EMAIL, "Ann", Role.SALES, password, NOW)


def test_nothing_of_password_or_session_is_kept_in_clear(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    let_in(store)
    with browsing(make_app(tmp_path, database_url)) as browser:
        sign_in(browser)
        cookie = browser.cookies[COOKIE]
    with store.work() as work:
        kept = str([work.execute(f"SELECT * FROM {t}").all() for t in ("person", "sign_in")])  # noqa: S608 - our own names

    assert "$argon2id$" in kept
    assert PASSWORD not in kept
    assert cookie not in kept


def test_a_ticket_signs_in_one_browser_once(tmp_path: Path) -> None:
    app = make_app(tmp_path, "off")
    with browsing(app) as browser:
        ticket = app.state.authenticator.local.give_ticket(clock.now())
        landed = browser.get(f"/sign-in?ticket={ticket}")
        assert "Signed in as you, at this machine (admin)" in landed.text

        other = httpx.Client(base_url=browser.base_url, headers=browser.headers)
        assert other.get(f"/sign-in?ticket={ticket}").status_code == 401
        token = find_form_token(other.get("/sign-in").text)
        form = {"key": (tmp_path / "local.key").read_text(), "form_token": token}
        assert other.post("/sign-in/key", data={**form, "key": "no"}).status_code == 401
        assert other.post("/sign-in/key", data=form).status_code == 303
        assert other.get("/v1/drift").status_code == 503
        other.close()
