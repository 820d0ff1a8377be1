"""Oversight over real HTTP: drawn once, found on by the overseer alone, reported to both sides."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from serving.auth.roles import Role
from serving.handoff.machine.transitions import Signal
from serving.handoff.oversight.service import draw_last_month
from serving.store.session import Store
from serving.web_api.dependencies import get_now
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.integration.handoff.rows import write_handoff
from tests.integration.scores.job_resources import ask
from tests.unit.serving.factories import running_app

MARCH = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 4, 1, 0, 5, tzinfo=UTC)
REASONS = ("bad_fit", "no_budget", "unreachable")


@pytest.fixture
def client(store: Store, database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    app = make_app(tmp_path, database_url)
    app.dependency_overrides[get_now] = lambda: NOW
    with running_app(app, bearer(make_key(store, Role.OVERSEER))) as client:
        yield client


def write_month(store: Store, rejected: int = 30, accepted: int = 12) -> None:
    for n in range(rejected):
        write_handoff(
            store,
            f"R{n}",
            (MARCH, Signal.HAND_OVER, None),
            (MARCH, Signal.ASSIGN, "ann"),
            (MARCH + timedelta(hours=n), Signal.REJECT, "ann"),
            reason=REASONS[n % 3],
            source="fair" if n % 2 else "web",
        )
    for n in range(accepted):
        write_handoff(
            store,
            f"A{n}",
            (MARCH, Signal.HAND_OVER, None),
            (MARCH, Signal.ASSIGN, "bob"),
            (MARCH + timedelta(hours=n), Signal.ACCEPT, "bob"),
        )


def test_a_month_is_drawn_once_by_whoever_asks_first(store: Store, client: httpx.Client) -> None:
    write_month(store)

    first = client.post("/v1/oversight/2026-03/draw").raise_for_status().json()["cases"]
    again = client.post("/v1/oversight/2026-03/draw").raise_for_status().json()["cases"]
    with store.work() as work:
        assert draw_last_month(work, NOW) == 20

    assert len(first) == 20
    assert again == first
    assert {(one["reason"], one["stratum"][1]) for one in first} == {
        (reason, source) for reason in REASONS for source in ("fair", "web")
    }
    assert sum(one["weight"] for one in first) == pytest.approx(30)
    assert client.get("/v1/oversight/cases", params={"month": "2026-03"}).json()["cases"] == first


def test_the_same_month_is_drawn_alike_by_another_server(
    store: Store, client: httpx.Client
) -> None:
    write_month(store)
    first = client.post("/v1/oversight/2026-03/draw").json()["cases"]
    with store.work() as work:
        work.execute("DELETE FROM oversight_case")

    again = client.post("/v1/oversight/2026-03/draw").json()["cases"]

    assert [one["handoff_id"] for one in again] == [one["handoff_id"] for one in first]


def test_who_draws_at_once_draws_the_same(store: Store, client: httpx.Client) -> None:
    write_month(store, rejected=6, accepted=0)
    answers: list[httpx.Response] = []

    def draw() -> None:
        answers.append(client.post("/v1/oversight/2026-03/draw"))

    threads = [Thread(target=draw) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} == {200}
    assert ask(store, "SELECT count(*) FROM oversight_case") == [(6,)]


def test_a_month_that_goes_on_is_not_drawn(client: httpx.Client) -> None:
    answer = client.post("/v1/oversight/2026-04/draw")

    assert (answer.status_code, answer.json()["title"]) == (409, "The month is not over")


def test_the_newest_finding_counts_none_is_lost_and_both_leads_hear_of_it(
    store: Store, client: httpx.Client
) -> None:
    write_month(store)
    case = client.post("/v1/oversight/2026-03/draw").json()["cases"][0]
    place = f"/v1/oversight/cases/{case['case_id']}/findings"

    client.post(place, json={"finding": "definition_unclear"}).raise_for_status()
    body = {"finding": "should_have_been_accepted", "note": "Ann Smith asked for a quote."}
    found = client.post(place, json=body).raise_for_status().json()

    assert found["found"]["finding"] == "should_have_been_accepted"
    assert found["found"]["by"].startswith("key:")
    assert ask(store, "SELECT count(*) FROM oversight_finding") == [(2,)]
    sent = ask(store, "SELECT payload::text FROM outbox_effect WHERE topic = 'notice'")
    assert len(sent) == 2
    assert "Smith" not in str(sent)


def test_the_report_counts_answers_rejections_and_findings(
    store: Store, database_url: str, client: httpx.Client
) -> None:
    write_month(store)
    cases = client.post("/v1/oversight/2026-03/draw").json()["cases"]
    for n, case in enumerate(cases):
        finding = "should_have_been_accepted" if n % 2 else "definition_unclear"
        place = f"/v1/oversight/cases/{case['case_id']}/findings"
        client.post(place, json={"finding": finding}).raise_for_status()

    report: dict[str, Any] = client.get("/v1/oversight/2026-03/report").raise_for_status().json()
    text = client.get("/v1/oversight/2026-03/report", headers={"Accept": "text/markdown"})

    assert report["rejections"] == 30
    assert report["reviewed"] == 20
    assert report["acceptance"]["everyone"]["share"] == pytest.approx(12 / 42)
    assert report["overturned"]["everyone"]["of"] > 10
    assert text.headers["Content-Type"].startswith("text/markdown")
    assert text.text.startswith("# Oversight of 2026-03\n")
    assert "Rejections: 30" in text.text


def test_a_note_that_no_text_can_hold_is_refused(store: Store, client: httpx.Client) -> None:
    write_month(store, rejected=1, accepted=0)
    [case] = client.post("/v1/oversight/2026-03/draw").json()["cases"]
    body = {"finding": "definition_unclear", "note": "a\x00b"}

    answer = client.post(f"/v1/oversight/cases/{case['case_id']}/findings", json=body)

    assert answer.status_code == 422
    assert ask(store, "SELECT count(*) FROM oversight_finding") == [(0,)]


@pytest.mark.parametrize(
    ("method", "place", "status"),
    [
        ("POST", "/v1/oversight/2026-13/draw", 422),
        ("GET", "/v1/oversight/march/report", 422),
        ("GET", "/v1/oversight/cases?month=march", 422),
        ("GET", "/v1/oversight/cases/999", 404),
        ("POST", "/v1/oversight/cases/999/findings", 404),
    ],
)
def test_what_is_not_there_is_refused(
    method: str, place: str, status: int, client: httpx.Client
) -> None:
    body = {"finding": "definition_unclear"} if "findings" in place else None

    assert client.request(method, place, json=body).status_code == status


@pytest.mark.parametrize("role", [Role.SALES, Role.MARKETER])
def test_neither_team_draws_reads_cases_or_finds_but_both_read_the_report(
    role: Role, store: Store, database_url: str, tmp_path: Path
) -> None:
    app = make_app(tmp_path, database_url)
    with running_app(app, bearer(make_key(store, role))) as client:
        refused = [
            client.post("/v1/oversight/2026-03/draw"),
            client.get("/v1/oversight/cases"),
            client.post("/v1/oversight/cases/1/findings", json={"finding": "definition_unclear"}),
        ]
        report = client.get("/v1/oversight/2026-03/report")

    assert {answer.status_code for answer in refused} == {403}
    assert report.status_code == 200
