"""A request sent twice has one effect, for its own caller, until its key is forgotten."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from starlette.requests import Request

from serving.store.session import Store
from serving.web_api.idempotency import (
    KEPT,
    IdempotentRequest,
    KeyInFlightError,
    KeyReusedError,
    StoredResponse,
    forget_expired,
    read_key,
    run_idempotent,
)
from tests.unit.serving.factories import NOW

TICK = timedelta(microseconds=1)


class Counter:
    """An effect that tells how often it was had."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> StoredResponse:
        self.times += 1
        return StoredResponse(f"effect {self.times}".encode(), 201)


def make_request(caller: str | None, path: str = "/v1/events", **headers: str) -> Request:
    sent = {"idempotency-key": "k-1", **headers}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "server": ("baton.example", 443),
        "scheme": "https",
        "state": {} if caller is None else {"caller": caller},
    }
    return Request(scope)


def make_once(body: bytes = b"{}", caller: str = "key:1") -> IdempotentRequest:
    once = read_key(make_request(caller), body)
    assert once is not None
    return once


def test_a_key_is_its_callers_own(store: Store) -> None:
    effect = Counter()
    with store.work() as work:
        one = run_idempotent(work, make_once(caller="key:1"), NOW, effect)
        other = run_idempotent(work, make_once(caller="key:2"), NOW, effect)

    assert (one.body, other.body) == (b"effect 1", b"effect 2")
    requests = [
        make_request("key:1"),
        make_request("key:2"),
        make_request("key:1", "/v1/leads"),
        make_request(None, authorization="Bearer a"),
        make_request(None, authorization="Bearer b"),
    ]
    scopes = {once.scope for request in requests if (once := read_key(request, b"{}"))}
    assert len(scopes) == len(requests)


def test_an_answer_is_given_until_its_key_expires(store: Store) -> None:
    effect, once = Counter(), make_once()
    with store.work() as work:
        first = run_idempotent(work, once, NOW, effect)
        again = run_idempotent(work, once, NOW + KEPT - TICK, effect)
        with pytest.raises(KeyReusedError):
            run_idempotent(work, make_once(b"[]"), NOW + KEPT - TICK, effect)
        late = run_idempotent(work, once, NOW + KEPT, effect)

    assert again == StoredResponse(first.body, first.status, first.media_type, is_replayed=True)
    assert (late.body, late.is_replayed) == (b"effect 2", False)


def test_a_request_under_way_is_not_done_twice(store: Store) -> None:
    effect, once = Counter(), make_once()

    def send_again() -> StoredResponse:
        with store.work() as work:
            return run_idempotent(work, once, NOW, effect)

    with ThreadPoolExecutor(1) as pool:
        with store.work() as work:
            run_idempotent(work, once, NOW, effect)
            with pytest.raises(KeyInFlightError):
                pool.submit(send_again).result()
        assert pool.submit(send_again).result().is_replayed

    assert effect.times == 1


def test_an_effect_that_fails_keeps_no_answer(store: Store) -> None:
    effect, once = Counter(), make_once()

    def fail() -> StoredResponse:
        raise ZeroDivisionError

    with store.work() as work:
        with pytest.raises(ZeroDivisionError):
            run_idempotent(work, once, NOW, fail)
        assert run_idempotent(work, once, NOW, effect).body == b"effect 1"


def test_keys_are_forgotten_once_they_have_expired(store: Store) -> None:
    with store.work() as work:
        run_idempotent(work, make_once(), NOW, Counter())

        assert forget_expired(work, NOW + KEPT - TICK) == 0
        assert forget_expired(work, NOW + KEPT) == 1
