"""The server over real HTTP: scores that add up, refusals that say what to do."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import httpx
import numpy as np
import pytest

from serving.scoring.examples import EXAMPLE_BATCH, EXAMPLE_LEAD
from tests.unit.serving.factories import (
    CARD,
    NOW,
    PICTURE,
    draw_leads,
    make_lead,
    make_settings,
    post_json,
    running,
    write_small_bundle,
)

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_small_bundle(folder / "champion")
    return folder


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    settings = make_settings(home, max_batch=1_000, max_events=50, max_body_bytes=300_000)
    with running(settings) as client:
        yield client


def check_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, object]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:baton:problem:{slug}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["fix"]
    return problem


def test_a_lead_is_scored_and_explained(client: httpx.Client) -> None:
    answer = post_json(client, "/v1/score", make_lead()).json()

    # By hand: mean-centred terms, slope 1.1, ten points per doubling of the odds.
    unit = 1.1 * 10 / np.log(2)
    by_field = {reason["field"]: reason["points"] for reason in answer["reasons"]}
    assert by_field["pricing_view"] == pytest.approx(unit * (np.log(2) - 0.2))
    assert by_field["industry"] == pytest.approx(unit * (0.8 - 0.25))
    assert by_field["email_open"] == pytest.approx(unit * (-0.4 * np.log(2) + 0.1))
    assert answer["status"] == "scored"
    assert answer["base"]["points"] == 50.0
    odds, base = (p / (1 - p) for p in (answer["probability"], answer["base"]["probability"]))
    assert answer["points_uncut"] == pytest.approx(50 + 10 * np.log2(odds / base), abs=1e-6)
    assert answer["contract"] == "SQL within 30 days"
    assert answer["as_of"] == "2026-03-09T09:00:00Z"
    assert answer["model"]["name"] == "small"
    assert len(answer["model"]["version"]) == 12
    words = [reason["words"] for reason in answer["reasons"]]
    assert "Raises the chance: 1 pricing-page view in the last 7 days." in words
    assert "Raises the chance: industry: software." in words


def test_every_answer_of_a_batch_adds_up_and_keeps_its_place(client: httpx.Client) -> None:
    leads = draw_leads(np.random.default_rng(3), 300)
    leads[7] = {"lead_id": "broken", "created_at": "yesterday"}
    leads[9] = leads[8]

    answer = post_json(client, "/v1/score/batch?top=3", {"leads": leads}).json()

    assert [one["lead_id"] for one in answer["leads"]] == [lead["lead_id"] for lead in leads]
    assert answer["leads"][8] == answer["leads"][9]
    assert sum(answer["counts"].values()) == 300
    assert answer["counts"]["invalid"] == 1
    assert answer["counts"]["not_enough_known"] > 0
    problem = answer["leads"][7]["problem"]
    assert (problem["status"], problem["errors"][0]["path"]) == (422, "created_at")
    for one in answer["leads"]:
        if one["status"] != "scored":
            continue
        assert len(one["reasons"]) <= 4
        total = 50 + sum(reason["points"] for reason in one["reasons"])
        assert total == pytest.approx(one["points_uncut"], abs=1e-9)
        total = 50 + sum(one["sub_scores"].values())
        assert total == pytest.approx(one["points_uncut"], abs=1e-9)
        assert one["points"] == min(max(one["points_uncut"], 0), 100)
        assert one["band"]["points_from"] is None or one["points"] >= one["band"]["points_from"]


def test_a_batch_and_single_calls_agree(client: httpx.Client) -> None:
    leads = draw_leads(np.random.default_rng(4), 20)

    together = post_json(client, "/v1/score/batch", {"leads": leads}).json()["leads"]
    alone = [post_json(client, "/v1/score", lead).json() for lead in leads]

    for one, other in zip(together, alone, strict=True):
        assert one["status"] == other["status"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-12)
        assert [r["words"] for r in one["reasons"]] == [r["words"] for r in other["reasons"]]


def test_too_little_known_is_a_state_of_its_own_never_a_zero(client: httpx.Client) -> None:
    lead = {"lead_id": "x", "created_at": "2026-03-01T00:00:00Z", "as_of": NOW.isoformat()}

    answer = post_json(client, "/v1/score", lead)

    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "not_enough_known"
    for field in ("probability", "points", "points_uncut", "band", "sub_scores"):
        assert found[field] is None
    assert found["why"].startswith("Nothing is known of this lead yet")
    assert found["would_help"][0].startswith("Send more attributes: industry, employees")


def test_ignored_attributes_and_future_events_are_reported(client: httpx.Client) -> None:
    events = [{"name": "demo_request", "occurred_at": NOW.isoformat()}]
    lead = make_lead(
        events=events, attributes={"shoe_size": 43, "industry": "software"}, versions=[]
    )

    found = post_json(client, "/v1/score", lead).json()

    assert found["ignored"] == ["shoe_size"]
    assert found["warnings"] == [
        "1 event at or after as_of, or not known before it, does not count."
    ]


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (make_lead(created_at="2026-02-25T09:00:00"), "created_at"),
        (make_lead(as_of="2020-01-01T00:00:00Z"), "as_of"),
        (make_lead(attributes={"employees": "many"}), "attributes.employees"),
        (make_lead(events=[{"occurred_at": NOW.isoformat()}]), "events[0]"),
        (make_lead(events=make_lead()["events"] * 30), "events"),
        ({"created_at": NOW.isoformat()}, "lead_id"),
        ([1, 2], ""),
    ],
)
def test_a_lead_that_is_not_as_agreed_is_refused_by_field(
    client: httpx.Client, payload: object, path: str
) -> None:
    answer = post_json(client, "/v1/score", payload)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["path"] == path
    assert error["fix"]


def test_refusals_are_problems_that_state_what_to_do(client: httpx.Client) -> None:
    check_problem(client.get("/nowhere"), 404, "not-found")
    check_problem(client.get("/docs/swagger-ui.js"), 404, "not-found")
    check_problem(client.get("/v1/score"), 405, "method-not-allowed")
    check_problem(client.get("/v1/model/plots/../card.json"), 404, "not-found")
    check_problem(client.get("/v1/model/plots/card.json"), 404, "not-found")
    check_problem(client.post("/v1/score", data={"a": "b"}), 415, "not-json")
    check_problem(client.post("/v1/score", content=b"{", headers=JSON), 422, "invalid-body")
    check_problem(
        client.post("/v1/score?top=-1", content=b"{}", headers=JSON), 422, "invalid-body"
    )
    check_problem(client.post("/v1/score/batch", content=b"[]", headers=JSON), 422, "invalid-body")
    check_problem(
        client.post("/v1/score/batch", content=b"\xff", headers=JSON), 422, "invalid-body"
    )
    packed = {**JSON, "Content-Encoding": "gzip"}
    check_problem(client.post("/v1/score", content=b"x", headers=packed), 415, "not-json")
    foreign = {"Host": "evil.example.com"}
    check_problem(client.get("/v1/model", headers=foreign), 403, "host-refused")


def test_a_body_too_large_is_refused_with_and_without_its_length(client: httpx.Client) -> None:
    def in_pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 10_000

    problem = check_problem(
        client.post("/v1/score", content=b" " * 300_001, headers=JSON), 413, "body-too-large"
    )
    assert problem["detail"] == "A request body may have at most 300,000 bytes."
    check_problem(
        client.post("/v1/score", content=in_pieces(), headers=JSON), 413, "body-too-large"
    )


@pytest.mark.parametrize(
    "as_of", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1773046800"]
)
def test_a_moment_outside_of_all_calendars_refuses_its_lead_and_no_other(
    client: httpx.Client, as_of: str
) -> None:
    leads = [make_lead(), make_lead(as_of=as_of), make_lead()]

    alone = post_json(client, "/v1/score", leads[1])
    together = post_json(client, "/v1/score/batch", {"leads": leads}).json()

    check_problem(alone, 422, "invalid-body")
    assert [one["status"] for one in together["leads"]] == ["scored", "invalid", "scored"]
    assert together["leads"][1]["problem"]["errors"][0]["path"] == "as_of"


def test_half_a_character_refuses_its_lead_and_no_other(client: httpx.Client) -> None:
    good, bad = json.dumps(make_lead(lead_id="a \U0001f600 \\ud800")), json.dumps(make_lead())
    bad = bad.replace("software", "\\ud800")
    batch = '{"leads": [' + ", ".join([good, bad, good]) + "]}"

    answer = client.post("/v1/score/batch", content=batch, headers=JSON).json()

    assert [one["status"] for one in answer["leads"]] == ["scored", "invalid", "scored"]
    assert answer["leads"][0]["lead_id"] == answer["leads"][2]["lead_id"] == "a \U0001f600 \\ud800"


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("/v1/score", '{"lead_id": "a", "attributes": ', "}"),
        ("/v1/score/batch", '{"leads": ', "}"),
        ("/v1/score/batch", '{"leads": [{"lead_id": "a", "attributes": ', "}]}"),
    ],
)
def test_a_body_nested_without_end_is_refused(
    client: httpx.Client, path: str, before: str, after: str
) -> None:
    body = before + "[" * 100_000 + "]" * 100_000 + after

    check_problem(client.post(path, content=body, headers=JSON), 422, "invalid-body")


def test_a_moderately_nested_lead_of_a_batch_refuses_itself_only(client: httpx.Client) -> None:
    deep = '{"lead_id": "a", "attributes": ' + "[" * 500 + "]" * 500 + "}"
    batch = '{"leads": [' + deep + ", " + json.dumps(make_lead()) + "]}"

    answer = client.post("/v1/score/batch", content=batch, headers=JSON).json()

    assert answer["counts"] == {"scored": 1, "not_enough_known": 0, "invalid": 1}


def test_a_lead_looked_at_when_it_was_created_is_reported_that_the_moment_is_the_cause(
    client: httpx.Client,
) -> None:
    created_at = make_lead()["created_at"]

    found = post_json(client, "/v1/score", make_lead(as_of=created_at)).json()

    assert found["status"] == "not_enough_known"
    assert found["why"].startswith("as_of is the very moment the lead was created.")
    assert found["would_help"] == [
        "Give an as_of after created_at, or leave it out to look at the lead now."
    ]


def test_a_version_holds_from_the_moment_it_became_known(client: httpx.Client) -> None:
    version = {"attributes": {"industry": "logistics"}}
    early = [{**version, "known_at": (NOW - timedelta(days=1)).isoformat()}]
    late = [{**version, "known_at": (NOW + timedelta(days=1)).isoformat()}]

    words = [
        {
            reason["words"]
            for reason in post_json(client, "/v1/score", make_lead(versions=sent)).json()[
                "reasons"
            ]
            if reason["field"] == "industry"
        }
        for sent in (early, late)
    ]

    assert words == [
        {"Raises the chance: industry: logistics."},
        {"Raises the chance: industry: software."},
    ]


def test_a_batch_too_large_is_refused(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/score/batch", content=json.dumps({"leads": [1] * 1001}), headers=JSON
    )

    check_problem(answer, 413, "batch-too-large")


def test_an_empty_batch_has_an_empty_answer(client: httpx.Client) -> None:
    assert post_json(client, "/v1/score/batch", {"leads": []}).json()["leads"] == []


def test_a_batch_of_nothing_known_is_answered(client: httpx.Client) -> None:
    lead = {"lead_id": "x", "created_at": "2026-03-01T00:00:00Z", "as_of": NOW.isoformat()}

    counts = post_json(client, "/v1/score/batch", {"leads": [lead] * 3}).json()["counts"]

    assert counts == {"scored": 0, "not_enough_known": 3, "invalid": 0}


def test_a_fault_of_ours_leaks_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.scoring import routes

    def fail(*_: object) -> None:
        raise ZeroDivisionError("ann@example.com broke it")

    monkeypatch.setattr(routes, "score_one", fail)
    with running(make_settings(home)) as client:
        answer = post_json(client, "/v1/score", make_lead())

    problem = check_problem(answer, 500, "server-fault")
    assert len(str(problem["log_id"])) == 16
    assert "ann" not in answer.text
    assert "ZeroDivision" not in answer.text


def test_the_model_card_is_json_to_programs_and_a_page_to_people(client: httpx.Client) -> None:
    model = client.get("/v1/model").json()
    page = client.get("/v1/model", headers={"Accept": "text/html,application/json;q=0.5"})

    assert model["card"] == CARD
    assert [band["name"] for band in model["bands"]] == ["A", "B", "C", "D"]
    assert model["bands"][-1]["points_from"] is None
    assert {"name": "employees", "type": "number"} in model["attributes"]
    assert model["attributes"][0]["categories"] == ["logistics", "software"]
    assert model["base"]["base_rate"] == 0.14
    assert "The base rate is 14.0 %." in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert "SQL within 30 days" in page.text
    assert "<script>" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    picture = client.get("/v1/model/plots/reliability.png")
    assert picture.content == PICTURE
    assert picture.headers["content-type"] == "image/png"


def test_the_api_describes_itself_with_examples_that_work(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()

    schemas = description["components"]["schemas"]
    assert set(schemas) >= {"LeadIn", "EventIn", "LeadScore", "BatchScores", "Problem"}
    text = json.dumps(description)
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.split('"')[0] in schemas
    body = description["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
    (example,) = body["examples"].values()
    assert post_json(client, "/v1/score", example["value"]).json()["status"] == "scored"
    assert post_json(client, "/v1/score/batch", EXAMPLE_BATCH).json()["counts"]["invalid"] == 0
    assert client.get("/docs").status_code == 200
    assert "/v1/drift" in client.get("/").text


def test_metrics_count_requests_by_route_and_leads_by_band(client: httpx.Client) -> None:
    post_json(client, "/v1/score", make_lead())
    client.get("/some/made/up/path")

    text = client.get("/metrics").text

    assert 'baton_http_requests_total{method="POST",route="/v1/score",status="200"}' in text
    assert 'route="(none)",status="404"' in text
    assert "made/up" not in text
    assert 'baton_leads_scored_total{band="' in text
    assert 'baton_model_info{event="sql",horizon_days="30"' in text
    assert "baton_model_age_seconds" in text


def test_the_bundle_of_a_real_training_serves_the_example(
    trained_bundle: Path, tmp_path: Path
) -> None:
    copytree(trained_bundle, tmp_path / "champion")

    with running(make_settings(tmp_path)) as client:
        answer = post_json(client, "/v1/score", EXAMPLE_LEAD).json()
        page = client.get("/v1/model", headers={"Accept": "text/html"})

    assert answer["status"] == "scored"
    assert answer["ignored"] == []
    total = 50 + sum(reason["points"] for reason in answer["reasons"])
    assert total == pytest.approx(answer["points_uncut"], abs=1e-9)
    assert page.status_code == 200
