"""Whoever was erased does not come back: not by an address, not by a device, at no way in."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from features.sources.history.folder import open_history, read_history, write_history
from serving.intake.api.tools import land_body
from serving.intake.envelope import open_envelope
from serving.intake.records.parsing import Intake
from serving.intake.service import take_in
from serving.privacy.erase import erase, readmit
from serving.store.load import load_history
from serving.store.session import Patience, Store
from tests.unit.serving.factories import make_catalog

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
CATALOG = make_catalog()
WHEN = (NOW - timedelta(hours=1)).isoformat()
MAIL, SHOUTED = "gone@example.com", " Gone@Example.com"
LISTS = {"segment": "batch", "snowplow": "data"}


def send(store: Store, record: Any, *items: dict[str, Any]) -> list[str]:
    body = json.dumps({LISTS.get(record, f"{record}s"): items}).encode()
    intake = Intake(CATALOG.taxonomy, CATALOG, NOW)
    envelope = open_envelope(record, body, 100)
    if record in LISTS:
        results = land_body(store, record, envelope, intake, Patience(5.0, 2.0))
    else:
        results = store.run(lambda work: take_in(work, record, envelope, intake)).results
    return [result.status for result in results]


def identify(user: str, **more: Any) -> dict[str, Any]:
    return {"type": "identify", "messageId": f"i-{user}", "userId": user, **more}


def track(number: int, **who: str) -> dict[str, Any]:
    event = {"type": "track", "messageId": f"t-{number}", "event": "Demo Requested"}
    return {**event, "timestamp": WHEN, **who}


def list_leads(store: Store) -> list[str]:
    with store.work(read_only=True) as work:
        return list(work.execute("SELECT lead_id FROM lead ORDER BY 1").scalars())


@pytest.fixture
def gone(store: Store) -> Store:
    """A store that has forgotten somebody: a user with a device and an address."""
    known = identify("u-1", anonymousId="d-1", traits={"email": MAIL})
    assert send(store, "segment", known) == ["landed"]
    with store.work() as work:
        erase(work, "u-1", by="test", at=NOW)
    assert list_leads(store) == []
    return store


WAYS = {
    "a tool, by the address": ("segment", identify("u-2", traits={"email": SHOUTED})),
    "a tool, by the device": ("segment", track(1, anonymousId="d-1")),
    "a tool, by a new user on the device": ("segment", track(2, userId="u-3", anonymousId="d-1")),
    "a tool, by the user": ("segment", track(3, userId="u-1")),
    "the page's tracker, by the device": (
        "snowplow",
        {"e": "pv", "eid": "e0000000-0000-4000-8000-000000000001", "duid": "d-1", "p": "web"},
    ),
    "a lead of the address": ("lead", {"lead_id": "L-1", "attributes": {"email": SHOUTED}}),
    "a lead whose id is the address": ("lead", {"lead_id": MAIL}),
    "an event of the address": (
        "event",
        {"lead_id": MAIL, "name": "pricing", "occurred_at": WHEN},
    ),
    "a stage of the device": ("stage", {"lead_id": "anonymous:d-1", "stage": "mql", "at": WHEN}),
    "an attempt at the device's bare id as a user": (
        "attempt",
        {"lead_id": "u-1", "channel": "call", "at": WHEN},
    ),
}


@pytest.mark.parametrize(("record", "item"), WAYS.values(), ids=WAYS.keys())
def test_nobody_comes_back(record: str, item: dict[str, Any], gone: Store) -> None:
    assert send(gone, record, item) == ["erased"]
    assert list_leads(gone) == []


def test_in_one_batch_only_those_are_left_out(gone: Store) -> None:
    leads = [{"lead_id": f"L-{n}", "attributes": {"email": f"{n}@example.com"}} for n in range(3)]
    leads[1]["attributes"] = {"email": MAIL}

    assert send(gone, "lead", *leads) == ["landed", "erased", "landed"]
    assert list_leads(gone) == ["L-0", "L-2"]


def test_whoever_is_there_counts_on_the_device_of_somebody_erased_but_is_not_joined_to_it(
    gone: Store,
) -> None:
    assert send(gone, "lead", {"lead_id": "u-9"}) == ["landed"]

    assert send(gone, "segment", track(4, userId="u-9", anonymousId="d-1")) == ["landed"]

    assert list_leads(gone) == ["u-9"]
    assert send(gone, "segment", track(5, anonymousId="d-1")) == ["erased"]


def test_a_lead_does_not_take_over_the_address_of_somebody_erased(gone: Store) -> None:
    before = {"lead_id": "L-1", "attributes": {"email": "ann@example.com"}}
    assert send(gone, "lead", before) == ["landed"]

    changed = {"lead_id": "L-1", "attributes": {"email": MAIL, "employees": 7}}

    assert send(gone, "lead", changed) == ["erased"]
    with gone.work(read_only=True) as work:
        held = work.execute("SELECT attributes FROM lead_version").scalars()
        assert [one["email"] for one in held] == ["ann@example.com"]


def test_two_who_shared_an_address_are_not_both_forgotten(store: Store) -> None:
    for lead_id in ("L-1", "L-2"):
        send(store, "lead", {"lead_id": lead_id, "attributes": {"email": MAIL}})
    with store.work() as work:
        work.session.execute(text("UPDATE lead SET merged_into = NULL"))
        erase(work, "L-1", by="test", at=NOW)

    update = {"lead_id": "L-2", "attributes": {"email": MAIL, "employees": 7}}

    assert send(store, "lead", update) == ["landed"]


def test_who_is_let_in_again_is_let_in_under_every_name(gone: Store) -> None:
    with gone.work() as work:
        assert readmit(work, "u-1", by="test", at=NOW)

    assert send(gone, "segment", track(6, anonymousId="d-1")) == ["landed"]
    assert send(gone, "lead", {"lead_id": "L-1", "attributes": {"email": MAIL}}) == ["landed"]


def test_a_history_is_loaded_without_those_who_were_erased(store: Store, tmp_path: Path) -> None:
    written = simulate_history(get_scenario("plain"), n_leads=300, seed=5).history
    write_history(written, tmp_path / "history")
    history = read_history(tmp_path / "history")
    erased = history.leads["lead_id"].to_pylist()[7]
    with store.work() as work:
        erase(work, erased, by="test", at=NOW)

    counts = load_history(store, open_history(tmp_path / "history"), NOW)

    assert (counts["erased"], counts["lead"]) == (1, 299)
    with store.work(read_only=True) as work:
        for table in ("lead", "lead_version", "event", "stage_change", "attempt"):
            asked = f"SELECT 1 FROM {table} WHERE lead_id = %(id)s"  # noqa: S608 - our own names
            found = work.execute(asked, {"id": erased})
            assert found.scalar() is None, table
