"""One request is one transaction, and what was answered with 2xx is on disk."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text

from features import clock
from serving.app import build_app
from serving.errors import NotFoundError
from serving.store.dependencies import Reading, Work
from serving.store.errors import CommitRefusedError, StoreUnavailableError
from serving.store.session import Store, UnitOfWork
from serving.store.tables import Lead, OutboxEffect
from serving.web_api.problems import FaultMiddleware, add_problem_handlers
from tests.unit.serving.factories import make_settings, running_app

NOW = clock.from_us(1_770_000_000_000_000)


def make_lead(lead_id: str) -> Lead:
    return Lead(lead_id=lead_id, created_at=NOW, first_known_at=NOW)


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.state.store = store
    add_problem_handlers(app)
    app.add_middleware(FaultMiddleware)

    @app.post("/leads/{lead_id}")
    def add(lead_id: str, work: Work) -> str:
        work.session.add(make_lead(lead_id))
        return lead_id

    @app.post("/refused/{lead_id}")
    def refuse(lead_id: str, work: Work) -> str:
        work.session.add(make_lead(lead_id))
        work.session.flush()
        raise NotFoundError("Second thoughts.")

    @app.post("/reading/{lead_id}")
    def write_while_reading(lead_id: str, work: Reading) -> str:
        work.session.add(make_lead(lead_id))
        work.session.flush()
        return lead_id

    with running_app(app) as client:
        yield client


def count_leads(store: Store) -> int:
    with store.work(read_only=True) as work:
        return work.session.scalar(select(func.count()).select_from(Lead)) or 0


def test_an_answered_request_is_committed(client: httpx.Client, store: Store) -> None:
    assert client.post("/leads/ann").status_code == 200
    assert count_leads(store) == 1


def test_a_refused_request_leaves_nothing(client: httpx.Client, store: Store) -> None:
    assert client.post("/refused/ann").status_code == 404
    assert count_leads(store) == 0


def test_a_commit_that_fails_is_never_answered_with_success(
    client: httpx.Client, store: Store
) -> None:
    # A constraint that is only looked at when the transaction ends: everything before it goes well.
    with store.work() as work:
        work.session.execute(
            text(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'disk on fire'; END $$;"
                "CREATE CONSTRAINT TRIGGER fails_at_commit AFTER INSERT ON lead "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        )
    try:
        answer = client.post("/leads/ann")
    finally:
        with store.work() as work:
            work.session.execute(text("DROP TRIGGER fails_at_commit ON lead; DROP FUNCTION fail"))

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "fire" not in answer.text
    assert count_leads(store) == 0


def test_what_only_reads_cannot_write(client: httpx.Client, store: Store) -> None:
    assert client.post("/reading/ann").status_code == 500
    assert count_leads(store) == 0


def test_nobody_but_the_unit_of_work_commits(store: Store) -> None:
    def commit() -> None:
        with store.work() as work:
            work.session.add(make_lead("ann"))
            work.session.commit()

    with pytest.raises(CommitRefusedError, match="Leave the commit out"):
        commit()

    assert count_leads(store) == 0


def test_an_effect_is_decided_once(store: Store) -> None:
    for _ in range(2):
        with store.work() as work:
            first = work.enqueue_effect("handoff:1:mail", "mail", {"handoff": 1}, NOW)
            again = work.enqueue_effect("handoff:1:mail", "mail", {"handoff": 2}, NOW)

    assert (first, again) == (False, False)
    with store.work() as work:
        assert work.session.scalars(select(OutboxEffect.payload)).all() == [{"handoff": 1}]


def test_who_waits_too_long_for_a_lock_is_reported_to_come_again(store: Store) -> None:
    with store.work() as work:
        work.session.add(make_lead("ann"))

    def lock() -> None:
        with store.work() as work:
            work.execute("SET LOCAL lock_timeout = '20ms'")
            work.execute("SELECT 1 FROM lead WHERE lead_id = 'ann' FOR UPDATE")

    with store.work() as first:
        first.execute("SELECT 1 FROM lead WHERE lead_id = 'ann' FOR UPDATE")
        with pytest.raises(StoreUnavailableError):
            lock()


def test_units_of_work_that_was_in_each_others_way_are_done_again(store: Store) -> None:
    with store.work() as work:
        work.session.add_all([make_lead("ann"), make_lead("bob")])
    both_hold_one = Barrier(2)
    tries = Counter[str]()

    def lock_both(first: str, second: str) -> None:
        def action(work: UnitOfWork) -> None:
            tries[first] += 1
            locking = "UPDATE lead SET account_id = 'acme' WHERE lead_id = %s"
            work.execute(locking, (first,))
            if tries[first] == 1:
                both_hold_one.wait(10)
            work.execute(locking, (second,))

        store.run(action)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lock_both, ["ann", "bob"], ["bob", "ann"]))

    assert sum(tries.values()) >= 3


def test_the_server_states_whether_its_store_answers(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url=database_url, allow_unsafe_durability=True)
    with running_app(build_app(settings)) as client:
        checks = client.get("/readyz").json()["checks"]

    assert checks["store"] == {"ok": True, "problem": None}


def test_without_a_store_there_is_none_to_check(tmp_path: Path) -> None:
    with running_app(build_app(make_settings(tmp_path))) as client:
        assert "store" not in client.get("/readyz").json()["checks"]
