"""As long as marketing and sales have not agreed, Baton says what it would hand over, and does not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from serving.auth.roles import Role
from serving.handoff.decision.rules import HandoffVerdict, ManualRequest
from serving.handoff.lifecycle.jobs import decide_proposed_job
from serving.handoff.lifecycle.sweep import decide_about_proposed, sweep
from serving.handoff.playbook.repository import DECIDE_PROPOSED
from serving.store.session import Store
from serving.web_api.dependencies import get_now
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.integration.handoff.office import (
    MONDAY,
    add_lead,
    agree,
    ask,
    ask_for_sales,
    count,
    decide,
    make_sweep_context,
)
from tests.integration.scores.job_resources import Clock
from tests.unit.serving.factories import running_app

LATER = MONDAY + timedelta(hours=1)


@pytest.fixture
def client(store: Store, database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    app = make_app(tmp_path, database_url)
    app.dependency_overrides[get_now] = lambda: LATER
    with running_app(app, bearer(make_key(store, Role.SALES))) as client:
        yield client


def add_asking(store: Store, *lead_ids: str) -> None:
    for lead_id in lead_ids:
        add_lead(store, lead_id)
        ask_for_sales(store, lead_id, MONDAY)


def test_a_lead_that_would_be_handed_over_is_only_proposed_and_listed(
    store: Store, client: httpx.Client
) -> None:
    add_asking(store, "lead-1", "lead-2", "lead-3")
    add_lead(store, "idle")

    result = sweep(make_sweep_context(store), MONDAY)
    decide(store, "idle", MONDAY)

    assert result.counts["proposed"] == 3
    assert count(store, "SELECT count(*) FROM handoff") == 0
    first = client.get("/v1/handoffs/proposed", params={"limit": 2}).raise_for_status().json()
    rest = client.get("/v1/handoffs/proposed", params={"cursor": first["next"]}).json()
    listed = [*first["proposed"], *rest["proposed"]]
    assert [one["lead_id"] for one in listed] == ["lead-1", "lead-2", "lead-3"]
    assert rest["next"] is None
    assert listed[0]["because"] == (
        "Would be handed over: it asked for sales itself (Request a demo, 2026-05-04); it waits "
        "until marketing and sales have agreed to a playbook."
    )


def test_what_was_proposed_is_handed_over_once_both_sides_have_agreed(
    store: Store, client: httpx.Client
) -> None:
    add_asking(store, "lead-1")
    decide(store, "lead-1", MONDAY)

    agree(store, at=MONDAY + timedelta(minutes=5))
    jobs = ask(
        store, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = :n", n=DECIDE_PROPOSED
    )
    result = decide_proposed_job(store, [], Clock(LATER), unagreed=False)

    assert jobs == [(1,)]
    assert result.counts == {"handed over": 1}
    assert client.get("/v1/handoffs/proposed").json()["proposed"] == []
    assert decide_about_proposed(make_sweep_context(store), LATER).total == 0


def test_a_lead_that_was_merged_since_is_decided_about_as_the_one_it_is_now(store: Store) -> None:
    add_asking(store, "lead-1")
    decide(store, "lead-1", MONDAY)
    add_lead(store, "lead-2")
    with store.work() as work:
        work.session.execute(
            text("UPDATE lead SET merged_into = 'lead-2' WHERE lead_id = 'lead-1'")
        )
    agree(store, at=MONDAY + timedelta(minutes=5))

    decide_about_proposed(make_sweep_context(store), LATER)

    assert ask(store, "SELECT lead_id FROM decision ORDER BY decision_number") == [
        ("lead-1",),
        ("lead-2",),
    ]
    assert decide_about_proposed(make_sweep_context(store), LATER).total == 0


def test_a_persons_word_needs_no_playbook_and_a_setting_lets_the_shipped_one_decide(
    store: Store,
) -> None:
    add_asking(store, "by hand", "by setting")

    by_hand = decide(store, "by hand", MONDAY, manual=ManualRequest("mia", "we met at the fair"))
    by_setting = decide(store, "by setting", MONDAY, unagreed=True)

    assert by_hand.decision.verdict is HandoffVerdict.HAND_OFF
    assert by_setting.decision.verdict is HandoffVerdict.HAND_OFF


def test_both_sides_hear_of_a_proposal_and_of_the_agreement(store: Store) -> None:
    agree(store)

    payloads = ask(
        store, "SELECT payload->>'event', payload->>'because' FROM outbox_effect ORDER BY 2 DESC"
    )

    assert payloads == [
        ("playbook_proposed", "Version 1 waits for marketing and sales to agree."),
        ("playbook_agreed", "Both sides have agreed to version 1: it holds from now on."),
    ]


def test_a_fresh_server_accuses_nobody(store: Store, client: httpx.Client) -> None:
    add_asking(store, "lead-1")
    decide(store, "lead-1", MONDAY, manual=ManualRequest("mia", "we met at the fair"))

    lines = client.get("/v1/sla").raise_for_status().json()["lines"]

    assert {line["kept"] for line in lines} == {None}
    assert lines[0]["because"] == (
        "nothing was promised then: both sides had not agreed to a playbook."
    )


def test_what_was_promised_counts_from_the_day_it_was_agreed(
    store: Store, client: httpx.Client
) -> None:
    agree(store, "[sla.marketing]\nhandoffs = 70\nperiod = 'week'", at=LATER - timedelta(days=2))

    lines = client.get("/v1/sla").raise_for_status().json()["lines"]

    volume = next(line for line in lines if line["promise"] == "handoffs")
    assert volume["goal"] == pytest.approx(20.0)
    assert volume["because"] == "0 leads handed over, 20 promised for 2 days: not kept."
    assert [line["promise"] for line in lines if line["side"] == "both"] == [
        "goal_sqls",
        "goal_accepted_share",
    ]
