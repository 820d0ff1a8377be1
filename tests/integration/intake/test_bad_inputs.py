"""Bad inputs are refused on every writing route: no fault of ours, and nothing kept."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.store.session import Store
from serving.store.tables import Base
from tests.integration.intake.bad_inputs import BadInput, build_corpus, build_odd
from tests.unit.serving.factories import post_json, running, settle_in

CORPUS = list(build_corpus())
KEYS = ("", '""', '"', "a b", "é", "x" * 256, '"unended', "a\x7f")


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("home")
    settings = settle_in(home, database_url, requests_per_second=0, log_level="error")
    with running(settings) as client:
        yield client


def count_rows(store: Store) -> dict[str, int]:
    """Count the rows of every table."""
    names = sorted(Base.metadata.tables)
    asked = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in names)  # noqa: S608 - our own names
    with store.work(read_only=True) as work:
        return {row[0]: row[1] for row in work.execute(asked)}


def send(client: httpx.Client, bad: BadInput) -> httpx.Response:
    headers = {} if bad.media_type is None else {"Content-Type": bad.media_type}
    return client.request(bad.method, bad.path, content=bad.body, headers=headers)


def test_the_corpus_is_large_enough_and_every_name_is_one() -> None:
    assert len(CORPUS) >= 300
    assert len({bad.name for bad in CORPUS}) == len(CORPUS)


def test_every_bad_input_is_refused_as_a_problem_and_nothing_is_kept(
    client: httpx.Client, store: Store
) -> None:
    before = count_rows(store)
    taken, faults, shapeless = [], [], []
    for bad in CORPUS:
        answer = send(client, bad)
        if answer.status_code >= 500:
            faults.append((bad.name, answer.status_code))
        elif answer.status_code < 400:
            taken.append((bad.name, answer.text[:120]))
        elif answer.headers["content-type"] != "application/problem+json":
            shapeless.append((bad.name, answer.text[:120]))

    assert faults == []
    assert taken == []
    assert shapeless == []
    assert count_rows(store) == before


def test_bad_items_of_a_batch_go_to_the_quarantine_and_nowhere_else(
    client: httpx.Client, store: Store
) -> None:
    before = count_rows(store)
    for name in ("event", "stage", "attempt", "lead"):
        path = f"/v1/{name}s"
        items = [
            json.loads(bad.body)
            for bad in CORPUS
            if bad.path == path and " is " in bad.name and len(bad.body) < 10_000
        ]
        answer = post_json(client, path, {path.removeprefix("/v1/"): items})
        assert answer.status_code == 200, answer.text[:300]
        assert answer.json()["counts"] == {"quarantined": len(items)}

    after = count_rows(store)
    assert {name for name in after if after[name] != before[name]} == {"quarantined_item"}


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_a_malformed_idempotency_key_is_refused(
    client: httpx.Client, store: Store, key: str
) -> None:
    before = count_rows(store)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key.encode("utf-8")}

    answer = client.post("/v1/events", content=b"{}", headers=headers)

    assert 400 <= answer.status_code < 500
    assert count_rows(store) == before


def test_odd_inputs_are_taken_or_refused_and_texts_come_back_as_they_were(
    client: httpx.Client, store: Store
) -> None:
    sent: list[tuple[str, dict[str, Any], int]] = []
    for path, item in build_odd():
        sent.append((path, item, post_json(client, path, item).status_code))

    assert [(path, item) for path, item, status in sent if status >= 500] == []
    names = {item["name"] for path, item, status in sent if item.get("source") == "odd"}
    with store.work(read_only=True) as work:
        assert set(work.execute("SELECT name FROM event WHERE source = 'odd'").scalars()) == names
