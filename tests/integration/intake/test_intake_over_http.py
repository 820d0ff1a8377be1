"""The intake over real HTTP: keys, quarantine, refusals."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.store.session import Store
from tests.unit.serving.factories import make_settings, post_json, running, write_small_bundle

WHEN = "2026-03-05T10:31:00Z"


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("home")
    write_small_bundle(home / "champion")
    settings = make_settings(home, database_url=database_url, allow_unsafe_durability=True)
    with running(settings) as client:
        yield client


def make_event(event_id: str = "e1", **changes: Any) -> dict[str, Any]:
    return {
        "lead_id": "ann",
        "event_id": event_id,
        "name": "pricing",
        "occurred_at": WHEN,
        **changes,
    }


def send(client: httpx.Client, payload: Any, key: str | None = None) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return client.post("/v1/events", content=json.dumps(payload), headers=headers)


def count_events(store: Store) -> int:
    with store.work(read_only=True) as work:
        return int(work.execute("SELECT count(*) FROM event").scalar())


def test_every_kind_of_record_lands(client: httpx.Client, store: Store) -> None:
    sent = {
        "/v1/events": make_event(),
        "/v1/leads": {"lead_id": "ann", "attributes": {"industry": "software"}},
        "/v1/stages": {"lead_id": "ann", "stage": "mql", "at": WHEN},
        "/v1/attempts": {"lead_id": "ann", "channel": "call", "at": WHEN},
    }
    for path, item in sent.items():
        answer = post_json(client, path, item)
        assert answer.status_code == 200, answer.text
        assert answer.json()["counts"] == {"landed": 1}, path


def test_a_lead_is_put_at_its_address(client: httpx.Client, store: Store) -> None:
    answer = client.put("/v1/leads/bob%20b", json={"attributes": {"employees": 5}})

    assert answer.json()["results"] == [{"status": "landed", "lead_id": "bob b"}]
    refused = client.put(
        "/v1/leads/bob", content="[1", headers={"Content-Type": "application/json"}
    )
    assert refused.status_code == 422


def test_a_key_sent_again_gets_the_answer_it_got(client: httpx.Client, store: Store) -> None:
    first = send(client, make_event(), key="k-1")
    again = send(client, make_event(), key="k-1")
    other = send(client, make_event("e2"), key="k-1")

    assert again.content == first.content
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (
        None,
        "true",
    )
    assert other.status_code == 422
    assert other.json()["type"] == "urn:baton:problem:idempotency-key-reused"
    assert send(client, make_event(), key="two words").status_code == 400
    assert count_events(store) == 1


def test_fifty_requests_with_one_key_have_one_effect(client: httpx.Client, store: Store) -> None:
    # Without an id of its own in the batch's items, only the key makes them one.
    def post(number: int) -> httpx.Response:
        return send(client, {"events": [make_event(f"k{i}") for i in range(5)]}, key="k-50")

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(post, range(50)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    fine = [answer.json()["counts"] for answer in answers if answer.status_code == 200]
    assert fine
    assert all(counts == {"landed": 5} for counts in fine)
    assert count_events(store) == 5


def test_a_refused_request_may_be_mended_under_its_key(client: httpx.Client, store: Store) -> None:
    assert send(client, make_event(occurred_at="yesterday"), key="k-2").status_code == 422
    assert send(client, make_event(), key="k-2").status_code == 200


def test_a_bad_item_is_listed_mended_and_lands(client: httpx.Client, store: Store) -> None:
    bad = make_event(occurred_at="tomorrow, perhaps")
    landed = send(client, {"events": [bad, make_event("e2"), bad]}).json()
    assert landed["counts"] == {"quarantined": 2, "landed": 1}

    listed = client.get("/v1/quarantine").json()["items"]
    assert [(one["record"], one["lead_id"], one["tries"]) for one in listed] == [
        ("event", "ann", 2)
    ]
    assert "perhaps" not in json.dumps(listed)
    number = listed[0]["item_number"]
    held = client.get(f"/v1/quarantine/{number}").json()
    assert json.loads(held["body"]) == bad

    form = client.post(f"/v1/quarantine/{number}/replay", content="{}")
    assert form.status_code == 415
    in_vain = client.post(f"/v1/quarantine/{number}/replay").json()
    mended = client.post(f"/v1/quarantine/{number}/replay", json=make_event("e1")).json()

    assert in_vain["status"] == "quarantined"
    assert (mended["status"], mended["id"]) == ("landed", "e1")
    assert client.get("/v1/quarantine").json()["items"] == []
    assert client.post(f"/v1/quarantine/{number}/replay").status_code == 404
    assert count_events(store) == 2


def test_items_are_dropped_listed_page_by_page_and_replayed_at_once(
    client: httpx.Client, store: Store
) -> None:
    send(client, {"events": [{"lead_id": f"L{i}"} for i in range(5)]})
    page = client.get("/v1/quarantine?limit=3").json()
    rest = client.get(f"/v1/quarantine?after={page['next_after']}").json()
    assert (len(page["items"]), len(rest["items"]), rest["next_after"]) == (3, 2, None)

    number = page["items"][0]["item_number"]
    assert client.delete(f"/v1/quarantine/{number}").status_code == 204
    assert client.delete(f"/v1/quarantine/{number}").status_code == 404
    again = client.post("/v1/quarantine/replay").json()

    assert again["counts"] == {"quarantined": 4}


BODIES = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "number": b"12",
    "NaN": b'{"events": [{"lead_id": NaN}]}',
    "broken": b'{"events": [',
    "no utf-8": b'{"events": "\xff\xfe"}',
    "utf-16": '{"events": []}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "deep items": b'{"events": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
    "events is text": b'{"events": "all of them"}',
    "many digits": b'{"lead_id": ' + b"9" * 5_000 + b"}",
    "NUL": b'{"lead_id": "a\\u0000", "name": "x", "occurred_at": "2026-03-01T00:00:00Z"}',
    "surrogate": b'{"lead_id": "\\ud800", "name": "x", "occurred_at": "2026-03-01T00:00:00Z"}',
    "megabyte": b'{"lead_id": "' + b"x" * 1_000_000 + b'"}',
}


@pytest.mark.parametrize("path", ["/v1/events", "/v1/leads", "/v1/stages", "/v1/attempts"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bad_bodies_are_refused_with_a_problem(
    client: httpx.Client, store: Store, path: str, body: bytes
) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_without_a_store_the_intake_states_so(tmp_path: Path) -> None:
    with running(make_settings(tmp_path)) as client:
        answer = post_json(client, "/v1/events", make_event())

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:baton:problem:store-off"


def test_every_schema_the_description_refers_to_is_there(client: httpx.Client) -> None:
    described = client.get("/openapi.json")
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', described.text))

    assert {"EventItem", "EventBatch", "Landed", "WaitingItems"} <= named
    assert named <= set(described.json()["components"]["schemas"])


def test_a_lead_whose_id_the_address_gives_needs_none_in_its_body(client: httpx.Client) -> None:
    # given
    described = client.get("/openapi.json").json()
    body = described["paths"]["/v1/leads/{lead_id}"]["put"]["requestBody"]["content"]
    schema = described["components"]["schemas"]["NamedLead"]

    # when
    example = body["application/json"]["examples"]["a lead"]["value"]
    answer = client.put("/v1/leads/unnamed-7", json=example)

    # then
    assert body["application/json"]["schema"]["$ref"].endswith("/NamedLead")
    assert "lead_id" not in schema.get("required", [])
    assert answer.status_code == 200
    assert answer.json()["results"] == [{"status": "landed", "lead_id": "unnamed-7"}]
