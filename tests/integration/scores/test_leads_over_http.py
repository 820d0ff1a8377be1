"""Leads as programs ask about them, over real HTTP, with the worker inside the server."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow.parquet as pq
import pytest

from features import clock
from serving.app import build_app
from serving.store.session import Store
from tests.integration.scores.job_resources import make_event, make_item, make_move
from tests.unit.serving.factories import (
    make_settings,
    post_json,
    running_app,
    wait_until,
    write_small_bundle,
)

LEADS, BLANK = 7, 3


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, module_store: Store, database_url: str
) -> Iterator[httpx.Client]:
    """Give a server with leads that have histories and scores."""
    folder = tmp_path_factory.mktemp("house")
    write_small_bundle(folder / "champion")
    settings = make_settings(
        folder, database_url=database_url, allow_unsafe_durability=True, worker=True
    )
    app = build_app(settings)
    app.state.job_resources.retry_seconds = 0
    with running_app(app) as client:
        client.app = app
        fill(client)
        yield client


def fill(client: httpx.Client) -> None:
    now = clock.now()
    created = (now - timedelta(days=12)).isoformat()
    # Of these next to nothing is known: they have no points, and come last.
    blank = [
        {"lead_id": f"blank\u200b{n}", "created_at": (now - timedelta(days=900)).isoformat()}
        for n in range(BLANK)
    ]
    post_json(client, "/v1/leads", {"leads": blank}).raise_for_status()
    items = [
        make_item(
            f"lead-{n}",
            created_at=created,
            account_id="acme" if n % 2 else None,
            attributes={"industry": "software", "employees": 10 * 3**n},
        )
        for n in range(LEADS)
    ]
    post_json(client, "/v1/leads", {"leads": items}).raise_for_status()
    events = [
        make_event("lead-3", f"e{n}", now - timedelta(days=3, minutes=n), kind="page_view")
        for n in range(5)
    ]
    post_json(client, "/v1/events", {"events": events}).raise_for_status()
    wait_until(lambda: count_listed(client) == LEADS + BLANK)
    send_and_wait(client, "events", make_event("lead-3", "p", clock.now()))
    send_and_wait(client, "stages", make_move("lead-3", "mql", clock.now()))


def send_and_wait(client: httpx.Client, what: str, item: dict[str, Any]) -> None:
    """Send a record and wait for the score that saw it."""
    sent_at = clock.now()
    post_json(client, f"/v1/{what}", item).raise_for_status()

    def is_scored() -> bool:
        given = read_history(client, item["lead_id"])[0]
        seen = datetime.fromisoformat(given["as_of"]) > sent_at
        return seen and "event" in given["because"].split(", ")

    wait_until(is_scored)


def get(client: httpx.Client, path: str, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    answer.raise_for_status()
    return answer.json()


def read_history(client: httpx.Client, lead_id: str) -> list[dict[str, Any]]:
    return get(client, f"/v1/leads/{lead_id}/history")["scores"]


def count_listed(client: httpx.Client) -> int:
    return len(get(client, "/v1/leads", limit=200)["leads"])


def list_all(client: httpx.Client, **asked: Any) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = get(client, "/v1/leads", **asked, **more)
        found += page["leads"]
        cursor = page["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("sort", ["points", "created_at", "lead_id"])
def test_every_lead_is_listed_once_whatever_the_size_of_the_pages(
    client: httpx.Client, sort: str
) -> None:
    whole = list_all(client, sort=sort, limit=200)
    paged = list_all(client, sort=sort, limit=2)

    assert [lead["lead_id"] for lead in paged] == [lead["lead_id"] for lead in whole]
    assert len(whole) == len({lead["lead_id"] for lead in whole}) == LEADS + BLANK
    if sort == "points":
        points = [lead["score"]["points"] for lead in whole]
        assert points[:LEADS] == sorted(points[:LEADS], reverse=True)
        assert points[LEADS:] == [None] * BLANK


def test_leads_are_chosen_by_band_points_stage_account_and_id(client: httpx.Client) -> None:
    every = list_all(client, status="scored")

    def ids(**asked: Any) -> set[str]:
        return {lead["lead_id"] for lead in list_all(client, **asked)}

    assert len(ids(status="not_enough_known")) == BLANK
    assert ids(stage="mql") == {"lead-3"}
    assert ids(account_id="acme") == {"lead-1", "lead-3", "lead-5"}
    assert ids(id_from="lead-4") == {"lead-4"}
    assert ids(id_from="%") == set()
    band = every[0]["score"]["band"]
    assert ids(band=band) == {e["lead_id"] for e in every if e["score"]["band"] == band}
    edge = every[2]["score"]["points"]
    assert ids(points_from=edge) == {e["lead_id"] for e in every[:3]}
    assert ids(points_to=edge) == {e["lead_id"] for e in every[3:]}


def test_a_card_states_who_a_lead_is_and_how_it_stands(client: httpx.Client) -> None:
    card = get(client, "/v1/leads/lead-3")

    assert (card["events"], card["stages"], card["attempts"]) == (6, 1, 0)
    assert (card["stage"], card["account_id"]) == ("mql", "acme")
    assert card["attributes"] == {"industry": "software", "employees": 270}
    (short,) = card["scores"]
    assert short["points"] == get(client, "/v1/leads/lead-3/score")["points"]
    assert datetime.fromisoformat(card["due_at"]) > datetime.fromisoformat(
        card["last_scored_as_of"]
    )


def test_every_score_of_the_history_is_given_again_byte_for_byte(client: httpx.Client) -> None:
    for given in read_history(client, "lead-3"):
        asked = {"as_of": given["as_of"]}
        kept = client.get("/v1/leads/lead-3/score", params=asked)
        anew = client.get("/v1/leads/lead-3/score", params={**asked, "anew": "true"})
        assert kept.status_code == anew.status_code == 200
        assert kept.content == anew.content
        assert kept.json()["points"] == given["points"]
    latest = client.get("/v1/leads/lead-3/score")
    assert latest.json()["as_of"] == read_history(client, "lead-3")[0]["as_of"]


def test_a_moment_between_two_scores_is_computed_from_what_was_known_then(
    client: httpx.Client,
) -> None:
    moments = [datetime.fromisoformat(g["as_of"]) for g in read_history(client, "lead-3")]
    between = moments[1] + (moments[0] - moments[1]) / 2

    answer_then = get(client, "/v1/leads/lead-3/score", as_of=between.isoformat())

    assert datetime.fromisoformat(answer_then["as_of"]) == between


def test_the_timeline_tells_everything_newest_first_page_by_page(client: httpx.Client) -> None:
    entries, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = get(client, "/v1/leads/lead-3/timeline", limit=3, **more)
        entries += page["entries"]
        cursor = page["next"]
        if cursor is None:
            break

    whole = get(client, "/v1/leads/lead-3/timeline", limit=200)["entries"]
    assert entries == whole
    moments = [datetime.fromisoformat(entry["at"]) for entry in entries]
    assert moments == sorted(moments, reverse=True)
    assert sum(entry["what"] == "event" for entry in entries) == 6
    only = get(client, "/v1/leads/lead-3/timeline", what="stage")["entries"]
    assert [(entry["what"], entry["name"]) for entry in only] == [("stage", "mql")]


def test_changes_add_up_to_the_difference_of_the_two_scores(client: httpx.Client) -> None:
    history = read_history(client, "lead-3")
    asked = {"from": history[-1]["as_of"], "to": history[0]["as_of"]}

    changes = get(client, "/v1/leads/lead-3/changes", **asked)

    total = sum(part["points"] for part in changes["parts"])
    assert total == pytest.approx(changes["delta"], abs=1e-9)
    ends = [get(client, "/v1/leads/lead-3/score", as_of=asked[end]) for end in ("from", "to")]
    assert changes["before"]["points_uncut"] == pytest.approx(ends[0]["points_uncut"], abs=1e-9)
    assert changes["after"]["points_uncut"] == pytest.approx(ends[1]["points_uncut"], abs=1e-9)
    found = {(part["what"], part["name"]) for part in changes["parts"]}
    assert {("time", None), ("events", "pricing_view"), ("stages", None)} <= found
    assert get(client, "/v1/leads/lead-3/changes")["after"]["as_of"] == history[0]["as_of"]


def test_what_if_ranks_next_events_and_takes_those_that_are_named(client: httpx.Client) -> None:
    every = post_json(client, "/v1/leads/lead-3/what-if", {}).json()
    added = [outcome["points_added"] for outcome in every["outcomes"]]
    assert added == sorted(added, reverse=True)
    assert every["outcomes"][0]["kind"] == "pricing_view"

    named = {"events": [{"kind": "Viewed Pricing"}]}
    (one,) = post_json(client, "/v1/leads/lead-3/what-if", named).json()["outcomes"]
    assert one["kind"] == "pricing_view"
    strange = post_json(client, "/v1/leads/lead-3/what-if", {"events": [{"kind": "juggled"}]})
    assert strange.status_code == 422
    assert strange.json()["errors"][0]["path"] == "events[0].kind"


def test_a_lead_is_scored_when_asked(client: httpx.Client) -> None:
    before = len(read_history(client, "lead-1"))

    answer = client.post("/v1/leads/lead-1/score")

    history = read_history(client, "lead-1")
    assert (len(history), history[0]["because"]) == (before + 1, "asked")
    assert answer.content == client.get("/v1/leads/lead-1/score").content


def test_the_export_holds_every_latest_score(client: httpx.Client) -> None:
    listed = {lead["lead_id"]: lead["score"]["points"] for lead in list_all(client)}

    text = client.get("/v1/scores/export").text
    rows = list(csv.DictReader(io.StringIO(text)))
    body = client.get("/v1/scores/export", params={"format": "parquet"}).content
    table = pq.read_table(io.BytesIO(body)).to_pylist()

    found = {row["lead_id"]: float(row["points"]) if row["points"] else None for row in rows}
    assert found == listed
    assert {row["lead_id"]: row["points"] for row in table} == listed
    assert {row["account_id"] for row in table} == {None, "acme"}


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/v1/leads/nobody", 404, "lead-not-found"),
        ("/v1/leads/nobody/score", 404, "lead-not-found"),
        ("/v1/leads/nobody/timeline", 404, "lead-not-found"),
        ("/v1/leads/%00", 422, "invalid-body"),
        ("/v1/leads?cursor=rubbish", 422, "cursor-refused"),
        ("/v1/leads?cursor=WyJwb2ludHMiLCJ4IiwxXQ", 422, "cursor-refused"),
        ("/v1/leads?contract=none", 404, "unknown-contract"),
        ("/v1/leads?limit=0", 422, "invalid-body"),
        ("/v1/leads?band=%00", 422, "invalid-body"),
        ("/v1/leads/lead-1/score?as_of=2199-01-01T00:00:00Z", 422, "moment-ahead"),
        ("/v1/leads/lead-1/score?as_of=yesterday", 422, "invalid-body"),
        ("/v1/leads/lead-1/score?as_of=1990-01-01T00:00:00Z", 404, "no-model-then"),
        (
            "/v1/leads/lead-1/changes?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            422,
            "moments-out-of-order",
        ),
        ("/v1/scores/export?format=xlsx", 422, "invalid-body"),
        ("/v1/jobs/0/retry", 405, None),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    client: httpx.Client, path: str, status: int, slug: str | None
) -> None:
    answer = client.get(path)

    assert answer.status_code == status, answer.text
    if slug is not None:
        assert answer.json()["type"] == f"urn:baton:problem:{slug}"
        assert answer.json()["fix"] or answer.json()["errors"]


def test_a_lead_that_cannot_be_scored_is_seen_among_failed_jobs_and_tried_again(
    client: httpx.Client,
) -> None:
    scorer = client.app.state.job_resources.scorer

    def stumble(work: Any, given: Any) -> None:
        if any(one.score.lead_id == "lead-6" for one in given):
            raise ZeroDivisionError

    def failed() -> list[dict[str, Any]]:
        return get(client, "/v1/jobs/failed")["jobs"]

    scorer.after = stumble
    event = make_event("lead-6", "x", clock.now())
    post_json(client, "/v1/events", event).raise_for_status()
    wait_until(lambda: len(failed()) == 1, seconds=60)
    (job,) = failed()
    assert (job["task"], job["problem"], job["attempts"]) == (
        "baton.score_lead",
        "ZeroDivisionError",
        5,
    )
    send_and_wait(client, "events", make_event("lead-5", "y", clock.now()))

    scorer.after = None
    before = len(read_history(client, "lead-6"))
    client.post(f"/v1/jobs/{job['job_id']}/retry").raise_for_status()
    wait_until(lambda: len(read_history(client, "lead-6")) > before)
    assert failed() == []
    assert client.post(f"/v1/jobs/{job['job_id']}/retry").status_code == 404


def test_metrics_tell_of_the_background_work(client: httpx.Client) -> None:
    text = client.get("/metrics").text

    for name in (
        "baton_scoring_queue_leads",
        "baton_live_scores_total",
        "baton_effects_sent_total",
    ):
        assert f"\n{name} " in text


def test_an_id_may_hold_what_addresses_must_escape(client: httpx.Client) -> None:
    name = "ann+tag@example.com?x=1#y"
    item = make_item(name, created_at=(clock.now() - timedelta(days=1)).isoformat())
    post_json(client, "/v1/leads", item).raise_for_status()

    assert get(client, f"/v1/leads/{quote(name, safe='')}")["lead_id"] == name
