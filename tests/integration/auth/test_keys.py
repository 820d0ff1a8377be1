"""Keys: made once, hashed, rotated, revoked, expired; and what each may do over HTTP."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from features import clock
from serving.app import build_app
from serving.auth.errors import (
    KeyNameTakenError,
    NoSuchKeyError,
    TwoKeysLiveError,
    UnguardedRouteError,
)
from serving.auth.guard import check_guards, find_guards, list_routes, require
from serving.auth.keys import create_key, find_key, list_keys, revoke_key, rotate_key, split_key
from serving.auth.roles import ROLES, Role
from serving.store.session import Store
from serving.store.tables import ApiKey
from tests.integration.auth.factories import NOW, bearer, make_app, make_key
from tests.integration.locks import wait_until_somebody_waits
from tests.unit.serving.factories import (
    make_lead,
    make_settings,
    post_json,
    running,
    running_app,
    write_small_bundle,
)

DAY = timedelta(days=1)


def test_a_key_is_kept_as_a_hash_and_found_by_what_is_sent(store: Store) -> None:
    with store.work() as work:
        made = create_key(work, "hubspot", Role.CRM, None, by="test", at=NOW)

    with store.work() as work:
        kept = work.session.get_one(ApiKey, made.key_id)
        parts = split_key(made.secret)
        assert parts is not None
        assert parts[0] == made.key_id
        assert len(bytes.fromhex(parts[1])) * 8 >= 128
        assert parts[1].encode() not in kept.secret_hash
        assert parts[1] not in str(work.execute("SELECT * FROM api_key").all())
        found = find_key(work, made.secret, NOW)
        assert found is not None
        assert found.role == "crm"
        for wrong in (
            "",
            "hunter2",
            made.secret[:-1] + ("0" if made.secret[-1] != "0" else "1"),
            made.secret.replace(made.key_id, "0" * 12),
            made.secret + "0",
        ):
            assert find_key(work, wrong, NOW) is None


def test_a_key_lives_until_it_expires_or_is_revoked(store: Store) -> None:
    with store.work() as work:
        short = create_key(work, "short", Role.CRM, NOW + DAY, by="test", at=NOW)
        long = create_key(work, "long", Role.CRM, None, by="test", at=NOW)

    with store.work() as work:
        assert find_key(work, short.secret, NOW + DAY - timedelta(seconds=1)) is not None
        assert find_key(work, short.secret, NOW + DAY) is None
        revoke_key(work, long.key_id, NOW)
        assert find_key(work, long.secret, NOW) is None
        with pytest.raises(NoSuchKeyError):
            revoke_key(work, long.key_id, NOW)
        assert list_keys(work, NOW + DAY) == []


def test_two_keys_of_a_name_are_live_while_one_follows_the_other(store: Store) -> None:
    with store.work() as work:
        old = create_key(work, "hubspot", Role.CRM, None, by="test", at=NOW)
        with pytest.raises(KeyNameTakenError):
            create_key(work, "hubspot", Role.ADMIN, None, by="test", at=NOW)

        new, _ = rotate_key(work, "hubspot", None, 7 * DAY, by="test", at=NOW)
        with pytest.raises(TwoKeysLiveError):
            rotate_key(work, "hubspot", None, 7 * DAY, by="test", at=NOW)

        assert new.role is Role.CRM
        assert {bool(find_key(work, key.secret, NOW + 6 * DAY)) for key in (old, new)} == {True}
        assert find_key(work, old.secret, NOW + 7 * DAY) is None
        assert find_key(work, new.secret, NOW + 7 * DAY) is not None
        rotate_key(work, "hubspot", None, DAY, by="test", at=NOW + 8 * DAY)
        with pytest.raises(NoSuchKeyError):
            rotate_key(work, "nobody", None, DAY, by="test", at=NOW)


def test_two_rotations_at_once_make_one_successor(store: Store) -> None:
    with store.work() as work:
        create_key(work, "hubspot", Role.CRM, None, by="test", at=NOW)

    def rotate() -> None:
        with store.work() as work:
            rotate_key(work, "hubspot", None, DAY, by="test", at=NOW)

    with ThreadPoolExecutor(1) as pool:
        with store.work() as work:
            rotate_key(work, "hubspot", None, DAY, by="test", at=NOW)
            other = pool.submit(rotate)
            wait_until_somebody_waits(store)
        with pytest.raises(TwoKeysLiveError):
            other.result()
    with store.work() as work:
        assert len(list_keys(work, NOW)) == 2


def test_a_successor_lives_as_long_as_its_forerunner_unless_an_expiry_is_given(
    store: Store,
) -> None:
    with store.work() as work:
        create_key(work, "hubspot", Role.CRM, NOW + 30 * DAY, by="test", at=NOW)
        create_key(work, "other", Role.CRM, NOW + 30 * DAY, by="test", at=NOW)
        later = NOW + 20 * DAY
        new, _ = rotate_key(work, "hubspot", None, 7 * DAY, by="test", at=later)
        other, _ = rotate_key(work, "other", later + DAY, 7 * DAY, by="test", at=later)

    assert new.expires_at == later + 30 * DAY
    assert other.expires_at == later + DAY


def test_when_a_key_was_used_is_kept_by_the_hour(store: Store) -> None:
    with store.work() as work:
        key = create_key(work, "hubspot", Role.CRM, None, by="test", at=NOW)
        used = []
        for minutes in (0, 1, 59, 60, 61):
            found = find_key(work, key.secret, NOW + timedelta(minutes=minutes))
            assert found is not None
            assert found.last_used_at is not None
            used.append((found.last_used_at - NOW).total_seconds() / 60)

    assert used == [0, 0, 0, 60, 60]


def ask(client: httpx.Client, method: str, path: str, key: str | None) -> int:
    headers = {"Content-Type": "application/json", **(bearer(key) if key else {})}
    return client.request(method, path, headers=headers, content=b"{}").status_code


def fill(path: str) -> str:
    """Fill a route's path with ids that nothing has."""
    return re.sub(r"\{[^}]*\}", "7", path)


def test_every_route_asks_for_its_permission_and_each_role_gets_what_the_table_states(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    app = make_app(tmp_path, database_url, host="0.0.0.0")  # noqa: S104 - elsewhere than here
    # A wrong key for each route is more than one address may guess in a moment: here time flies.
    app.state.authenticator.ticks = lambda: 1e3 * time.monotonic()
    keys = {role: make_key(store, role) for role in Role}
    with running_app(app, {}) as client:
        asked = 0
        for route in list_routes(app):
            (guard,) = find_guards(route)
            for method in sorted(route.methods or ()):
                path = fill(str(route.path))
                without = ask(client, method, path, None)
                wrong = ask(client, method, path, f"baton_{'a' * 12}_{'0' * 48}")
                if guard.permission is None:
                    assert path in {"/healthz", "/readyz"} or path.startswith("/sign-"), path
                    assert without != 401 or path.startswith("/sign-"), path
                    continue
                assert (without, wrong) == (401, 401), path
                for role, key in keys.items():
                    status = ask(client, method, path, key)
                    allowed = guard.permission in ROLES[role]
                    assert (status == 403) == (not allowed), (role, method, path, status)
                    assert status != 401
                    asked += 1
    assert asked > 100


def answer_nothing() -> None:
    """Stand for a route somebody forgot to guard."""


def test_an_app_with_a_route_that_names_no_permission_is_not_built(tmp_path: Path) -> None:
    app = build_app(make_settings(tmp_path))
    bare = APIRouter(prefix="/v1")
    bare.add_api_route("/leads/{lead_id}/secret", answer_nothing)
    app.include_router(bare)
    with pytest.raises(UnguardedRouteError, match=r"/v1/leads/\{lead_id\}/secret"):
        check_guards(app)


def test_a_route_with_two_permissions_is_refused_too(tmp_path: Path) -> None:
    app = build_app(make_settings(tmp_path))
    twice = APIRouter(prefix="/v1", dependencies=[require("leads:read")])
    twice.add_api_route("/both", answer_nothing, dependencies=[require("scores:read")])
    app.include_router(twice)
    with pytest.raises(UnguardedRouteError, match="/v1/both"):
        check_guards(app)


def test_a_mounted_app_is_refused(tmp_path: Path) -> None:
    app = build_app(make_settings(tmp_path))
    app.mount("/files", build_app(make_settings(tmp_path)))
    with pytest.raises(UnguardedRouteError, match="/files"):
        check_guards(app)


def test_the_description_states_what_each_route_asks_for(tmp_path: Path) -> None:
    with running(make_settings(tmp_path)) as client:
        paths = client.get("/openapi.json").json()["paths"]

    score = paths["/v1/score"]["post"]
    assert score["x-permission"] == "leads:score"
    assert {"401", "403", "429"} <= score["responses"].keys()
    assert "x-permission" not in paths["/healthz"]["get"]
    assert "security" not in paths["/healthz"]["get"]


def test_the_token_works_with_the_store_off_and_the_key_comes_as_basic_user_too(
    tmp_path: Path,
) -> None:
    write_small_bundle(tmp_path / "champion")
    token = "a-secret-of-some-length"  # noqa: S105 - of no server but the test's
    with running(make_settings(tmp_path, api_token=token)) as client:
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        client.headers.pop("Authorization")
        assert client.get("/v1/model", auth=(token, "")).status_code == 200
        assert client.get("/v1/model", auth=(token, "x")).status_code == 401
        assert client.get("/v1/audit", auth=(token, "")).status_code == 403
        assert not (tmp_path / "local.key").exists()


def test_without_a_token_the_machine_itself_has_a_key_in_a_file_of_its_owner(
    tmp_path: Path,
) -> None:
    with running(make_settings(tmp_path)) as client:
        first = (tmp_path / "local.key").read_text()
        client.headers.pop("Authorization")
        assert client.get("/v1/drift").status_code == 401
        assert client.get("/v1/drift", headers=bearer(first)).status_code == 503
    assert (tmp_path / "local.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "local.key").chmod(0o644)
    with running(make_settings(tmp_path)):
        assert (tmp_path / "local.key").read_text() == first
    assert (tmp_path / "local.key").stat().st_mode & 0o777 == 0o600


def test_a_caller_who_asks_too_often_is_reported_how_long_to_wait(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    app = make_app(tmp_path, database_url, requests_per_second=0.01, requests_at_once=3)
    noisy, quiet = (bearer(make_key(store, Role.OPS, name)) for name in ("noisy", "quiet"))
    with running_app(app, {}) as client:
        answers = [client.get("/v1/audit", headers=noisy) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[3].json()["type"] == "urn:baton:problem:too-often"
        assert 0 < int(answers[3].headers["retry-after"]) <= 100
        assert client.get("/v1/audit", headers=quiet).status_code == 200


def test_whoever_guesses_keys_is_slowed_down_and_nobody_else(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    app = make_app(tmp_path, database_url)
    app.state.authenticator.ticks = lambda: 100.0  # a slow machine would give tokens back
    key = bearer(make_key(store, Role.OPS))
    with running_app(app, {}) as client:
        assert client.get("/v1/audit", headers=key).status_code == 200
        guesses = [client.get("/v1/audit", headers=bearer("no-key")) for _ in range(70)]

        statuses = [answer.status_code for answer in guesses]
        assert statuses[:60] == [401] * 60
        assert statuses[-1] == 429
        assert client.get("/v1/audit", headers=key).status_code == 200


def test_a_revoked_key_is_refused_once_it_is_no_longer_remembered(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    remembering = make_app(tmp_path, database_url, key_cache_seconds=300)
    forgetful = make_app(tmp_path, database_url)
    key = make_key(store, Role.OPS)
    with running_app(remembering, bearer(key)) as one, running_app(forgetful, bearer(key)) as two:
        assert one.get("/v1/audit").status_code == two.get("/v1/audit").status_code == 200

        with store.work() as work:
            revoke_key(work, key.split("_")[1], clock.now())

        assert one.get("/v1/audit").status_code == 200
        assert two.get("/v1/audit").status_code == 401
