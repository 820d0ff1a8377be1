"""Whatever id lands can be asked for, exported and erased at every address that takes one."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from features import clock
from serving.store.session import Store
from serving.web_api.paths import MARK, mark, read_marked
from tests.integration.handoff.office import agree
from tests.integration.intake.factories import ask
from tests.unit.serving.factories import make_lead, running, settle_in

KEY = "key-of-the-tests-0123"
STRANGE = [
    "LEAD/2024/25866",
    "/",
    "a/b/",
    "//",
    "https://www.linkedin.com/in/ann?x=1#y",
    "a%2Fb",
    "100%",
    "ünï ©ode/日本",
    f"{MARK}s/{MARK}i{MARK}",
    "a\\b",
    "ann/timeline",
]


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = settle_in(tmp_path_factory.mktemp("ids"), database_url, handoffs=True)
    with running(settings) as opened:
        yield opened


@pytest.mark.parametrize("lead_id", STRANGE)
def test_a_lead_that_lands_is_found_at_every_address(
    client: httpx.Client, store: Store, lead_id: str
) -> None:
    address = f"/v1/leads/{quote(lead_id, safe='')}"
    body = {"lead_id": lead_id, "attributes": {"industry": "software"}}
    assert client.post("/v1/leads", json=body).json()["counts"] == {"landed": 1}

    assert client.get(address).json()["lead_id"] == lead_id
    assert client.post(f"{address}/score", json={}).status_code == 200
    for part in ("timeline", "score", "history", "decisions", "definitions", "merges", "export"):
        assert client.get(f"{address}/{part}").status_code == 200, part
    assert client.put(address, json={"attributes": {"industry": "logistics"}}).status_code == 200
    other = {"lead_id": f"{lead_id}/2"}
    client.post("/v1/leads", json=other)
    both = {**other, "although_both_known": True}
    assert client.post(f"{address}/merge", json=both).status_code == 200
    assert client.get(f"{address}/timeline").json()["lead_id"] == lead_id

    assert client.delete(address).json()["leads"] == 2
    assert client.get(address).status_code == 404
    assert client.post("/v1/leads", json=body).json()["counts"] == {"erased": 1}


def test_a_slash_that_is_not_encoded_is_the_addresss_own(
    client: httpx.Client, store: Store
) -> None:
    client.post("/v1/leads", json={"lead_id": "ann"})

    assert client.get("/v1/leads/ann/timeline").json()["lead_id"] == "ann"
    refused = client.get("/v1/leads/ann%2Ftimeline")
    assert refused.status_code == 404
    assert refused.json()["type"] == "urn:baton:problem:lead-not-found"
    assert refused.json()["instance"] == "/v1/leads/ann%2Ftimeline"
    assert client.get("/v1%2Fleads/ann").json()["detail"] == "Nothing lives at this address."


@pytest.mark.parametrize("lead_id", [".", "..", " .. "])
def test_an_id_that_no_client_leaves_standing_does_not_land(
    client: httpx.Client, store: Store, lead_id: str
) -> None:
    assert client.post("/v1/leads", json={"lead_id": lead_id}).status_code == 422
    message = {"type": "alias", "userId": "ann", "previousId": lead_id}
    client.post("/v1/alias", json=message)
    assert ask(store, "SELECT record, state FROM quarantined_item") == [("segment", "waiting")]
    assert ask(store, "SELECT lead_id FROM lead") == []


def test_a_seller_with_a_slash_has_an_address_too(client: httpx.Client, store: Store) -> None:
    agree(store, 'routing.sellers = [{id = "team/ann", team = "sales"}]')
    address = f"/v1/sellers/{quote('team/ann', safe='')}"

    named = client.put(f"{address}/actor", json={"actor": None})
    away = client.post(f"{address}/absences", json={"first": "2026-01-01", "last": "2026-01-02"})

    assert named.status_code == 204, named.text
    assert away.status_code == 201, away.text
    gone = client.delete(f"{address}/absences/{away.json()['absence_id']}")
    assert gone.status_code == 204


@pytest.mark.parametrize("part", STRANGE)
def test_marking_is_undone_by_reading(part: str) -> None:
    assert read_marked(mark(part)) == part
    assert "/" not in mark(part)


def test_an_idempotency_key_is_of_one_address(client: httpx.Client, store: Store) -> None:
    key = {"Idempotency-Key": f"k-{clock.now().timestamp()}"}
    body = {"attributes": make_lead()["attributes"]}

    one = client.put("/v1/leads/a%2Fb", json=body, headers=key)
    other = client.put("/v1/leads/a%252Fb", json=body, headers=key)

    assert (one.json()["results"][0]["lead_id"], other.json()["results"][0]["lead_id"]) == (
        "a/b",
        "a%2Fb",
    )
