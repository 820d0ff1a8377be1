"""Names join, clocks are put right, bodies are bounded, merges are made and undone: over real HTTP."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from features import clock
from serving.intake.tools.segment import TYPES
from serving.store.packed import find_differences, read_packed
from serving.store.session import Store
from tests.integration.intake.factories import CATALOG, ask, survivors
from tests.unit.serving.factories import running, settle_in

KEY = "write-key-of-the-tests"
WHEN = "2026-03-05T10:31:00Z"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("home")
    settings = settle_in(
        home,
        database_url,
        api_token=KEY,
        max_body_bytes=200_000,
        lock_timeout_seconds=600.0,
        statement_timeout_seconds=600.0,
        tool_lock_timeout_seconds=0.5,
    )
    with running(settings) as client:
        yield client


def track(message_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Demo Requested",
        "messageId": message_id,
        "timestamp": WHEN,
        **fields,
    }


def identify(user_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user_id, "timestamp": WHEN, **fields}


def send(client: httpx.Client, *messages: dict[str, Any], **envelope: Any) -> None:
    answer = client.post("/v1/batch", json={"batch": messages, **envelope}, auth=(KEY, ""))
    assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text


def count_packed(store: Store, *lead_ids: str) -> list[int]:
    with store.work() as work:
        packed = read_packed(work, CATALOG, lead_ids)
        assert find_differences(work, CATALOG, lead_ids) == []
    return [len(packed[lead_id].records) // 16 for lead_id in lead_ids]


def test_identify_joins_what_the_visitor_did_and_undoing_it_restores_both(
    client: httpx.Client, store: Store
) -> None:
    send(client, track("m-1", anonymousId="a-1"), track("m-2", anonymousId="a-1"))
    send(client, track("m-3", userId="u-1"), identify("u-1", anonymousId="a-1"))
    assert count_packed(store, "u-1") == [3]

    (made,) = client.get("/v1/leads/u-1/merges").json()["merges"]
    assert (made["merged_lead_id"], made["merged_by"]) == ("anonymous:a-1", "segment")
    undone = client.post(f"/v1/merges/{made['merge_id']}/undo")

    assert undone.status_code == 200, undone.text
    assert count_packed(store, "u-1", "anonymous:a-1") == [1, 2]
    # What somebody parted does not join again by itself; what comes for the visitor stays theirs.
    send(client, identify("u-1", anonymousId="a-1"), track("m-4", anonymousId="a-1"))
    assert count_packed(store, "u-1", "anonymous:a-1") == [1, 3]
    by_hand = client.post("/v1/leads/u-1/merge", json={"lead_id": "anonymous:a-1"})
    assert by_hand.status_code == 200, by_hand.text
    assert count_packed(store, "u-1") == [4]


def test_what_a_visitor_did_lands_on_the_lead_however_late_it_comes(
    client: httpx.Client, store: Store
) -> None:
    send(client, identify("u-1", anonymousId="a-1"))
    send(client, track("late", anonymousId="a-1", timestamp="2026-01-01T00:00:00Z"))

    assert count_packed(store, "u-1") == [1]
    assert ask(store, "SELECT lead_id FROM event") == [("anonymous:a-1",)]


def test_identifying_one_visitor_many_times_at_once_is_one_merge(
    client: httpx.Client, store: Store
) -> None:
    send(client, track("m-0", anonymousId="a-1"))

    def make_event(i: int) -> None:
        send(client, identify("u-1", anonymousId="a-1"), track(f"m-{i}", userId="u-1"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make_event, range(1, 17)))

    assert ask(store, "SELECT count(*) FROM merge") == [(1,)]
    assert count_packed(store, "u-1") == [17]


@pytest.mark.parametrize("first", ["lead", "visitor"])
def test_an_address_joins_the_visitor_with_the_lead_of_the_crm(
    first: str, client: httpx.Client, store: Store
) -> None:
    def send_lead() -> None:
        attributes = {"email": "Ann@Example.com", "industry": "software"}
        client.put("/v1/leads/crm-7", json={"source": "crm", "attributes": attributes})

    if first == "lead":
        send_lead()
    visitor = identify("u-1", anonymousId="a-1", traits={"email": "ann@example.com "})
    send(client, track("m-1", anonymousId="a-1"), visitor)
    if first == "visitor":
        send_lead()

    assert set(survivors(store).values()) == {"crm-7"}
    assert count_packed(store, "crm-7") == [1]
    held = ask(store, "SELECT value FROM identity WHERE kind = 'email'")
    assert len(held) == 1
    assert "ann" not in held[0][0]


def test_two_leads_of_the_crm_are_not_joined_by_what_a_tool_states(
    client: httpx.Client, store: Store
) -> None:
    for lead_id in ("L1", "L2"):
        client.put(f"/v1/leads/{lead_id}", json={"attributes": {"email": "info@example.com"}})

    send(client, {"type": "alias", "previousId": "L1", "userId": "L2", "messageId": "m-1"})

    assert survivors(store) == {"L1": "L1", "L2": "L2"}
    (waiting,) = client.get("/v1/quarantine").json()["items"]
    assert waiting["problem"]["type"] == "urn:baton:problem:both-known"
    refused = client.post("/v1/leads/L2/merge", json={"lead_id": "L1"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:baton:problem:both-known")
    certain = {"lead_id": "L1", "although_both_known": True, "because": "same person"}
    assert client.post("/v1/leads/L2/merge", json=certain).status_code == 200
    number = waiting["item_number"]
    replayed = client.post(f"/v1/quarantine/{number}/replay").json()
    assert replayed["status"] == "unchanged"


def test_a_visitor_on_anothers_device_stays_with_whom_they_were_first(
    client: httpx.Client, store: Store
) -> None:
    send(client, identify("u-1", anonymousId="a-1"))
    send(client, identify("u-2", anonymousId="a-1"), track("m-1", userId="u-2"))

    assert survivors(store) == {"u-1": "u-1", "u-2": "u-2", "anonymous:a-1": "u-1"}


def test_joins_that_are_not_made_are_counted_for_prometheus(
    client: httpx.Client, store: Store
) -> None:
    send(client, identify("u-1", anonymousId="a-1"), identify("u-2", anonymousId="a-1"))

    counted = client.get("/metrics").text
    assert 'baton_identity_joins_refused_total{because="merged elsewhere"} ' in counted


def test_a_message_of_a_tool_waits_for_a_lock_no_longer_than_a_tool_may(
    client: httpx.Client, store: Store
) -> None:
    send(client, track("m-1", userId="u-1"))

    with store.work() as work:
        work.execute("SELECT 1 FROM lead WHERE lead_id = 'u-1' FOR UPDATE")
        # The lock is ours until the block ends: were there no limit, this would wait for ever.
        answer = client.post(
            "/v1/batch", json={"batch": [track("m-2", userId="u-1")]}, auth=(KEY, ""), timeout=10.0
        )

    assert answer.status_code == 503
    send(client, track("m-2", userId="u-1"))
    assert count_packed(store, "u-1") == [2]


def test_aliases_in_a_circle_end_in_one_lead(client: httpx.Client, store: Store) -> None:
    send(
        client,
        {"type": "alias", "previousId": "a-1", "userId": "u-1", "messageId": "1"},
        {"type": "alias", "previousId": "u-1", "userId": "u-2", "messageId": "2"},
        {"type": "alias", "previousId": "u-2", "userId": "u-1", "messageId": "3"},
    )
    assert set(survivors(store).values()) == {"u-2"}


def test_who_was_erased_does_not_come_back_under_any_name(
    client: httpx.Client, store: Store
) -> None:
    send(client, track("m-1", userId="u-1"))
    with store.work() as work:
        work.execute("DELETE FROM lead WHERE lead_id = 'u-1'")
        work.execute("INSERT INTO tombstone VALUES (sha256('u-1'::bytea), now())")

    send(client, track("m-2", userId="u-1"), identify("u-1", anonymousId="a-1"))

    assert ask(store, "SELECT lead_id FROM lead") == []
    send(client, track("m-3", anonymousId="a-1"))
    gone = client.post("/v1/leads/u-1/merge", json={"lead_id": "anonymous:a-1"})
    assert gone.status_code == 410


@pytest.mark.parametrize(("ahead", "landed"), [(3_600, "corrected"), (5, "as sent")])
def test_a_clock_that_is_off_is_put_right(
    ahead: int, landed: str, client: httpx.Client, store: Store
) -> None:
    now = clock.now()
    sent_at = now + timedelta(seconds=ahead)
    happened = sent_at - timedelta(days=1)

    send(
        client,
        track("m-1", userId="u-1", originalTimestamp=happened.isoformat()),
        sentAt=sent_at.isoformat(),
    )

    ((occurred_at,),) = ask(store, "SELECT occurred_at FROM event")
    wanted: datetime = now - timedelta(days=1) if landed == "corrected" else happened
    assert abs(occurred_at - wanted) < timedelta(seconds=30)
    if landed == "as sent":
        assert occurred_at == happened


@pytest.mark.parametrize("behind_minutes", [0, 5, 60])
def test_a_message_passed_on_later_states_whether_it_waited_or_its_clock_is_off(
    behind_minutes: int, client: httpx.Client, store: Store
) -> None:
    taken = clock.now() - timedelta(days=30)  # by a queue that passes it on today
    sent_at = taken - timedelta(minutes=behind_minutes)
    happened = sent_at - timedelta(minutes=5)

    send(
        client,
        track(
            "m-1",
            userId="u-1",
            originalTimestamp=happened.isoformat(),
            sentAt=sent_at.isoformat(),
            receivedAt=taken.isoformat(),
        ),
    )

    is_clock = behind_minutes == 5
    wanted = happened + timedelta(minutes=5) if is_clock else happened
    assert ask(store, "SELECT occurred_at FROM event") == [(wanted,)]


def test_a_tracker_that_sends_hours_later_does_not_move_what_happened(
    client: httpx.Client, store: Store
) -> None:
    happened = clock.now().replace(microsecond=0) - timedelta(hours=3, minutes=5)
    sent = happened + timedelta(minutes=5)
    event = {
        "e": "pv",
        "url": "https://a.example/pricing",
        "uid": "u-1",
        "duid": "d-1",
        "eid": "e-1",
    }
    times = {"dtm": f"{happened.timestamp():.0f}000", "stm": f"{sent.timestamp():.0f}000"}

    client.post(
        "/com.snowplowanalytics.snowplow/tp2",
        json={"data": [{**event, **times}]},
        auth=(KEY, ""),
    )

    assert ask(store, "SELECT occurred_at FROM event") == [(happened,)]


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 0001 00:00:00 +1400",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
        "Mon, 32 Foo 2026 99:99:99 GMT",
        "0",
        "9" * 5_000,
    ],
)
def test_no_date_header_is_a_fault_of_the_server(
    date: str, client: httpx.Client, store: Store
) -> None:
    event = {"lead_id": "ann", "name": "x", "occurred_at": WHEN}

    answer = client.post("/v1/events", json=event, headers={"Date": date}, auth=(KEY, ""))

    assert answer.status_code == 200, answer.text
    assert ask(store, "SELECT occurred_at FROM event") == [(datetime.fromisoformat(WHEN),)]


def test_a_message_without_time_happened_when_it_came(client: httpx.Client, store: Store) -> None:
    send(client, {"type": "track", "userId": "u-1", "event": "x", "messageId": "m-1"})
    ((known_after,),) = ask(store, "SELECT known_at - occurred_at FROM event")
    assert known_after == timedelta(0)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_has_a_path_of_its_own(kind: str, client: httpx.Client, store: Store) -> None:
    message = {
        "userId": "u-1",
        "event": "x",
        "groupId": "acme",
        "previousId": "a-1",
        "messageId": "m-1",
    }
    answer = client.post(f"/v1/{kind}", json=message, auth=(KEY, ""))
    assert answer.json() == {"success": True}, answer.text
    assert ask(store, "SELECT count(*) FROM lead WHERE lead_id = 'u-1'") == [(1,)]
    assert client.get("/v1/quarantine").json()["items"] == []


def post_packed(client: httpx.Client, body: bytes, encoding: str = "gzip") -> int:
    headers = {**JSON, "Content-Encoding": encoding}
    return client.post("/v1/batch", content=body, headers=headers, auth=(KEY, "")).status_code


def test_packed_bodies_are_unpacked_so_far_and_no_further(
    client: httpx.Client, store: Store
) -> None:
    good = gzip.compress(json.dumps({"batch": [track("m-1", userId="u-1")]}).encode())

    assert post_packed(client, good) == 200
    assert post_packed(client, gzip.compress(b" " * 5_000_000)) == 413
    assert post_packed(client, good[:-9]) == 422
    assert post_packed(client, good + b"more") == 422
    assert post_packed(client, b"{}") == 422
    assert post_packed(client, good, "br") == 415
    elsewhere = client.post(
        "/v1/events", content=good, headers={**JSON, "Content-Encoding": "gzip"}
    )
    assert elsewhere.status_code == 415


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/com.snowplowanalytics.snowplow/tp2"])
def test_no_key_or_a_wrong_one_is_refused(path: str, client: httpx.Client) -> None:
    place = str(client.base_url)
    for auth in (None, ("wrong", ""), ("", KEY)):
        answer = httpx.post(f"{place}{path}", json={"batch": []}, auth=auth)
        assert answer.status_code == 401
    for header in ("Basic", "Basic !!!", "Basic /w==", "Digest x", ""):
        answer = httpx.post(f"{place}{path}", json={}, headers={"Authorization": header})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "[1",
        '{"batch": 1}',
        '{"batch": {}}',
        '{"batch": [1, null, "x", [], {}, {"type": 1}, {"type": "track", "userId": {}}]}',
        '{"batch": [{"type": "track", "userId": "u", "event": "x", "properties": [1]}]}',
        '{"batch": [{"type": "track", "userId": "u\\u0000", "event": "x"}]}',
        '{"batch": [{"type": "track", "userId": "\\ud800", "event": "x"}]}',
        '{"batch": [{"type": "track", "userId": "u", "event": "x", "timestamp": "noon"}]}',
        '{"batch": [{"type": "track", "userId": "u", "event": "x", "timestamp": "9999-01-01"}]}',
        '{"batch": [{"type": "track", "userId": "u", "event": "x", "properties": {"value": 1e999}}]}',
        '{"batch": [{"type": "identify", "userId": "u", "traits": {"email": "\\ud800@x.y"}}]}',
        '{"batch": [{"type": "identify", "userId": "u", "traits": {"a": {"b": {"c": 1}}}}]}',
        '{"batch": [{"type": "identify", "userId": "%s"}]}' % ("u" * 600),
        '{"batch": [{"type": "group", "userId": "u", "groupId": "%s"}]}' % ("g" * 600),
        '{"batch": [{"type": "alias", "userId": "u", "previousId": "%s"}]}' % ("p" * 600),
        '{"batch": [{"type": "identify", "userId": "u", "anonymousId": "%s"}]}' % ("a" * 600),
        '{"batch": [], "sentAt": {}}',
        '{"batch": %s}' % ("[" * 5_000),
        '{"data": [{"e": "pv", "duid": "d", "url": 5, "page": []}, {"e": "ue", "duid": "d"}]}',
        '{"data": [{"e": "pv", "duid": "d", "dtm": "99999999999999"}]}',
        '{"data": [{"e": "se", "duid": "d", "se_ac": "x", "se_va": "inf"}]}',
    ],
)
@pytest.mark.parametrize("path", ["/v1/batch", "/com.snowplowanalytics.snowplow/tp2"])
def test_no_body_makes_the_server_fail(
    path: str, body: str, client: httpx.Client, store: Store
) -> None:
    answer = client.post(path, content=body, headers=JSON, auth=(KEY, ""))
    assert answer.status_code in {200, 422}, answer.text
    assert ask(store, "SELECT 1 FROM lead WHERE length(lead_id) > 500") == []


def test_merges_that_cannot_be_are_refused_over_http(client: httpx.Client, store: Store) -> None:
    send(client, track("m-1", userId="u-1"))
    asked = {
        ("POST", "/v1/leads/u-1/merge", '{"lead_id": "nobody"}'): 404,
        ("POST", "/v1/leads/u-1/merge", '{"lead_id": "u-1"}'): 422,
        ("POST", "/v1/leads/u-1/merge", '{"lead_id": "x", "more": 1}'): 422,
        ("POST", "/v1/leads/u-1/merge", '{"lead_id": "a\\u0000"}'): 422,
        ("POST", "/v1/merges/7/undo", ""): 404,
        ("POST", "/v1/merges/x/undo", ""): 422,
        ("GET", "/v1/leads/nobody/merges", ""): 404,
        ("GET", "/v1/leads/%00/merges", ""): 422,
    }
    for (method, path, body), status in asked.items():
        answer = client.request(method, path, content=body, headers=JSON)
        assert answer.status_code == status, (path, body, answer.text)
