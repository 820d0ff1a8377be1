"""A server with a store, keys to it, and people who sign in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from features import clock
from serving.app import build_app
from serving.auth.keys import create_key
from serving.auth.roles import Role
from serving.auth.users import add_person
from serving.store.session import Store
from tests.unit.serving.factories import make_settings, running_app

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody but the test's
EMAIL = "ann@example.com"


def make_app(folder: Path, database_url: str, **changes: Any) -> FastAPI:
    """Make an app with a store, which remembers no key so that changes show at once."""
    given = {"allow_unsafe_durability": True, "key_cache_seconds": 0, "database_connections": 4}
    return build_app(make_settings(folder, database_url=database_url, **{**given, **changes}))


def make_key(store: Store, role: Role, name: str | None = None, days: float = 1.0) -> str:
    """Make a key of a role, and give what to send."""
    at = clock.now()
    with store.work() as work:
        made = create_key(
            work, name or f"the {role}", role, at + timedelta(days=days), by="test", at=at
        )
    return made.secret


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def let_in(store: Store, role: Role = Role.MARKETER, email: str = EMAIL) -> str:
    """Let somebody sign in, and give their id."""
    with store.work() as work:
        return add_person(work, email, "Ann", role, PASSWORD, clock.now()).person_id


@contextmanager
def browsing(app: FastAPI) -> Iterator[httpx.Client]:
    """Run an app, and give a browser: it keeps cookies, follows redirects, and says where from."""
    with running_app(app, {"Accept": "text/html,*/*"}) as client:
        client.headers["Origin"] = str(client.base_url).rstrip("/")
        client.follow_redirects = True
        yield client


def find_form_token(page: str) -> str:
    """Find the secret of the form on a page."""
    return page.partition('name="form_token" value="')[2].partition('"')[0]


def sign_in(browser: httpx.Client, password: str = PASSWORD, **fields: str) -> httpx.Response:
    """Fill in the form and send it."""
    token = find_form_token(browser.get("/sign-in").text)
    form = {"email": EMAIL, "password": password, "form_token": token, **fields}
    return browser.post("/sign-in", data=form)
