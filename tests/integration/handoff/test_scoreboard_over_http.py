"""The scoreboard of both sides, over real HTTP, from handoffs as they were moved."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.auth.roles import Role
from serving.handoff.machine.transitions import Signal
from serving.store.session import Store
from serving.web_api.dependencies import get_now
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.integration.handoff.office import agree, land
from tests.integration.handoff.rows import write_handoff, write_sellers
from tests.unit.serving.factories import running_app

TUESDAY = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)  # ten in Amsterdam
NOW = TUESDAY + timedelta(days=7)


@pytest.fixture
def client(store: Store, database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    agree(store, "", at=TUESDAY - timedelta(days=60))
    app = make_app(tmp_path, database_url)
    app.dependency_overrides[get_now] = lambda: NOW
    with running_app(app, bearer(make_key(store, Role.SALES))) as client:
        yield client


def write_week(store: Store) -> None:
    """Write three handoffs: answered in an hour, after two days, and never."""
    write_sellers(store, TUESDAY, ann="north", bob="south")
    for lead, seller, answered in (("L1", "ann", 1), ("L2", "bob", 48), ("L3", "bob", None)):
        moves: list[Any] = [(TUESDAY, Signal.HAND_OVER, None), (TUESDAY, Signal.ASSIGN, seller)]
        if answered:
            moves.append((TUESDAY + timedelta(hours=answered), Signal.ACCEPT, seller))
        write_handoff(store, lead, *moves)


def find_line(lines: list[dict[str, Any]], promise: str) -> dict[str, Any]:
    return next(line for line in lines if line["promise"] == promise)


def test_both_sides_see_what_was_promised_done_and_broken(
    store: Store, client: httpx.Client
) -> None:
    write_week(store)

    board = client.get("/v1/sla").raise_for_status().json()

    answered = find_line(board["lines"], "answered_share")
    assert answered["side"] == "sales"
    assert answered["counts"] == {"promised": 3, "done": 2, "breached": 2, "open": 0}
    assert answered["kept"] is False
    assert find_line(board["lines"], "complete_share")["reached"] == 1.0
    assert find_line(board["lines"], "handoffs")["reached"] == 3.0
    assert len(board["trend"]) == len(board["lines"])
    reached = next(one["reached"] for one in board["trend"] if one["promise"] == "answered_share")
    assert [value for value in reached if value is not None] == pytest.approx([1 / 3])


@pytest.mark.parametrize(
    ("by", "broken"),
    [
        ("seller", {"ann": 0, "bob": 2}),
        ("team", {"north": 0, "south": 2}),
        ("source", {"fair": 2}),
    ],
)
def test_the_same_by_seller_team_and_source(
    by: str, broken: dict[str, int], store: Store, client: httpx.Client
) -> None:
    write_week(store)

    parts = client.get("/v1/sla", params={"by": by}).raise_for_status().json()["parts"]

    found = {name: find_line(part, "answered_share")["counts"] for name, part in parts.items()}
    assert {name: counts["breached"] for name, counts in found.items()} == broken


def test_a_promise_is_broken_by_time_alone(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    agree(store, "", at=TUESDAY - timedelta(days=60))
    write_sellers(store, TUESDAY, ann="north")
    write_handoff(store, "L1", (TUESDAY, Signal.HAND_OVER, None), (TUESDAY, Signal.ASSIGN, "ann"))
    moment = [TUESDAY + timedelta(hours=1)]
    app = make_app(tmp_path, database_url)
    app.dependency_overrides[get_now] = lambda: moment[0]
    with running_app(app, bearer(make_key(store, Role.MARKETER))) as client:
        early = find_line(client.get("/v1/sla").json()["lines"], "answered_share")["counts"]
        moment[0] = NOW
        late = find_line(client.get("/v1/sla").json()["lines"], "answered_share")["counts"]

    assert early == {"promised": 0, "done": 0, "breached": 0, "open": 1}
    assert late == {"promised": 1, "done": 0, "breached": 1, "open": 0}


def test_both_sides_see_how_leads_were_pursued_and_what_reached_them(
    store: Store, client: httpx.Client
) -> None:
    write_sellers(store, TUESDAY, ann="north")
    taken = [(TUESDAY, Signal.HAND_OVER, None), (TUESDAY, Signal.ASSIGN, "ann")]
    accepted = (TUESDAY + timedelta(hours=1), Signal.ACCEPT, "ann")
    tried = [write_handoff(store, f"T{n}", *taken, accepted) for n in range(12)]
    write_handoff(store, "idle", *taken, accepted)
    write_handoff(store, "not taken", *taken)
    calls = [
        {
            "lead_id": f"T{n}",
            "handoff_id": str(handoff),
            "attempt_id": f"{n}-{number}",
            "channel": channel,
            "result": "reached" if number == 2 and n < 9 else "silence",
            "at": (TUESDAY + timedelta(hours=1 + number)).isoformat(),
        }
        for n, handoff in enumerate(tried)
        for number, channel in ((1, "call"), (2, "email"))
    ]
    land(store, "attempt", *calls, at=NOW)

    reached = client.get("/v1/pursuit").raise_for_status().json()

    assert (reached["leads"], reached["never_tried"], reached["attempts"]) == (13, 1, 24)
    assert {one["channel"]: one["made"] for one in reached["channels"] if one["made"]} == {
        "call": 0.5,
        "email": 0.5,
    }
    results = {(one["number"], one["channel"]): one["reached"] for one in reached["results"]}
    assert results[1, "call"]["share"] == 0.0
    assert results[2, "email"]["share"] == 0.75
    assert results[2, "email"]["words"] == "75 % (47-91 %, of 12)"


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "2026-03-10T00:00:00"},
        {"since": "2026-03-10T00:00:00Z", "until": "2026-03-09T00:00:00Z"},
        {"since": "2020-03-10T00:00:00Z"},
        {"by": "shoe size"},
    ],
)
def test_a_span_that_cannot_be_looked_at_is_refused(
    asked: dict[str, str], client: httpx.Client
) -> None:
    answer = client.get("/v1/sla", params=asked)

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_page_draws_the_trend_and_fetches_nothing(store: Store, client: httpx.Client) -> None:
    write_week(store)
    write_handoff(
        store, "L9", (TUESDAY, Signal.HAND_OVER, None), source="<script>alert(1)</script>"
    )

    answer = client.get("/sla", params={"by": "source"}).raise_for_status()

    assert "<svg" in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "http" not in answer.text.replace("http-equiv", "")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_tracker_sees_no_scoreboard(store: Store, database_url: str, tmp_path: Path) -> None:
    app = make_app(tmp_path, database_url)
    with running_app(app, bearer(make_key(store, Role.TRACKER))) as client:
        assert client.get("/v1/sla").status_code == 403
