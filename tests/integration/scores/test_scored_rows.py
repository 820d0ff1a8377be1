"""Scored rows lie in the store: kept with live scores and of requests, read back for drift."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from features.clock import to_us
from features.compute.online import compute_packed_rows
from serving.app import build_app
from serving.monitoring.commands import EXIT_TOO_FEW
from serving.monitoring.recent import read_recent
from serving.privacy.erase import erase
from serving.scoring.lead_histories import read_people_as_of
from serving.scoring.scored_rows import ScoredRows, decode_rows, forget_rows, keep_rows
from serving.store.errors import StoreOffError
from serving.store.session import Store
from tests.integration.scores.job_resources import (
    CATALOG,
    Clock,
    ask,
    drain,
    find_small_bundle,
    land,
    make_event,
    make_item,
    make_scorer,
    read_stored,
)
from tests.integration.test_drift import drift_app
from tests.unit.serving.factories import (
    NOW,
    make_lead,
    make_settings,
    post_json,
    running,
    settle_in,
    wait_until,
    write_small_bundle,
)
from training.bundle import load_bundle

BUNDLE = load_bundle(find_small_bundle())
WIDTH = len(CATALOG.features)


def land_and_score(store: Store, folder: Path, *names: str) -> Clock:
    """Have a worker with folders of its own score leads."""
    clock = Clock()
    scorer = make_scorer(store, folder, clock)
    for name in names:
        land(store, "lead", make_item(name), at=clock())
        land(store, "event", make_event(name, name, clock() - timedelta(hours=3)), at=clock())
    clock.move(seconds=1)
    drain(scorer)
    return clock


def test_a_live_score_keeps_the_row_it_was_made_of(store: Store, tmp_path: Path) -> None:
    land_and_score(store, tmp_path, "ann", "bob")

    kept = ask(
        store,
        "SELECT lead_id, as_of, r.scored_at = s.scored_at, is_scored, features, r.model_version"
        " FROM scored_row r JOIN score s USING (score_number) ORDER BY lead_id",
    )
    assert [(row[0], *row[2:4], row[5]) for row in kept] == [
        ("ann", True, True, BUNDLE.version),
        ("bob", True, True, BUNDLE.version),
    ]
    for lead_id, as_of, _, _, features, _ in kept:
        with store.work(read_only=True) as work:
            lead = read_people_as_of(work, CATALOG, lead_id, as_of)
        row = compute_packed_rows(CATALOG, [lead], [to_us(as_of)])
        assert decode_rows([features], WIDTH).tobytes() == row.tobytes()


def test_the_rows_of_a_person_go_with_them(store: Store, tmp_path: Path) -> None:
    land_and_score(store, tmp_path, "ann", "bob")

    erased = store.run(lambda work: erase(work, "ann", by="a test", at=NOW))

    assert erased.rows["scored_row"] == 1
    assert ask(store, "SELECT lead_id FROM scored_row JOIN score USING (score_number)") == [
        ("bob",)
    ]


def make_rows(n_rows: int, at: timedelta, version: str = BUNDLE.version) -> ScoredRows:
    matrix = np.zeros((n_rows, WIDTH), np.float32)
    matrix[:, 0] = np.arange(n_rows)
    known = np.arange(n_rows) % 3 != 2
    return ScoredRows(version, NOW + at, matrix, known)


def test_the_newest_rows_of_the_model_are_read_back_and_scored_alike(store: Store) -> None:
    blocks = [
        make_rows(6, timedelta(minutes=1)),
        make_rows(9, timedelta(minutes=2)),
        make_rows(9, timedelta(minutes=3), "another"),
        make_rows(3, timedelta(0)),
    ]
    store.run(lambda work: keep_rows(work, blocks))

    with store.work(read_only=True) as work:
        recent = read_recent(work, BUNDLE, 8)
        nothing = read_recent(work, load_bundle(find_small_bundle()), 1)
        everything = read_recent(work, BUNDLE, 100)

    # Two of three have a score: six of the newest block, two of the one before it.
    assert (len(recent), recent.not_enough_known) == (8, 3 + 2)
    assert (recent.first, recent.last) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=2))
    assert sorted(recent.matrix[:6, 0].tolist()) == [0, 1, 3, 4, 6, 7]
    scores = BUNDLE.score(recent.matrix)
    assert recent.points.tolist() == scores.points.tolist()
    assert recent.probability.tolist() == scores.probability.tolist()
    assert len(nothing) == 1
    assert (len(everything), everything.not_enough_known) == (12, 6)


def test_rows_are_forgotten_in_time(store: Store) -> None:
    blocks = [make_rows(4, timedelta(days=day)) for day in range(4)]
    store.run(lambda work: keep_rows(work, blocks))

    store.run(lambda work: forget_rows(work, NOW + timedelta(days=2)))

    found = ask(store, "SELECT scored_at, count(*) FROM scored_row GROUP BY 1 ORDER BY 1")
    assert found == [(NOW + timedelta(days=2), 4), (NOW + timedelta(days=3), 4)]


def test_drift_counts_what_others_scored_in_folders_of_their_own(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    land_and_score(store, tmp_path / "worker", "ann", "bob", "cid")
    first = settle_in(tmp_path / "one", database_url)
    second = settle_in(tmp_path / "two", database_url)
    with running(first) as client:
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        wait_until(lambda: ask(store, "SELECT count(*) FROM scored_row") == [(4,)])

    with running(second) as client:
        found = client.get("/v1/drift").json()
    code = CliRunner().invoke(
        drift_app,
        ["--champion", str(tmp_path / "two" / "champion"), "--out", str(tmp_path / "reports")],
        env={"BATON_DATABASE_URL": database_url, "BATON_ALLOW_UNSAFE_DURABILITY": "true"},
    )

    assert (found["status"], found["have"]) == ("not_enough_scored", 4)
    assert (code.exit_code, "have 4, need 200" in code.output) == (EXIT_TOO_FEW, True)


def test_a_row_of_a_request_waits_for_no_timer_when_the_server_stops(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    settings = settle_in(tmp_path, database_url, scored_flush_seconds=3_600.0)
    with running(settings) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        post_json(client, "/v1/score", make_lead())
        assert 'baton_leads_scored_total{band="' in client.get("/metrics").text

    ((score_number, model, is_scored),) = ask(
        store, "SELECT score_number, model_version, is_scored FROM scored_row"
    )
    assert (score_number, model, is_scored) == (None, BUNDLE.version, True)
    assert read_stored(store, "ann@example.com") == []


def test_without_a_store_leads_are_scored_and_drift_is_not_measured(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "champion")
    with running(make_settings(tmp_path)) as client:
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        for answer in (client.get("/v1/drift"), client.post("/v1/drift")):
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:baton:problem:store-off"
        assert "baton_scored_rows" not in client.get("/metrics").text


def test_a_shadow_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreOffError):
        build_app(make_settings(tmp_path, shadow=True))


def test_the_rows_of_requests_hold_nothing_personal(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    personal = ("ann@example.com", "fishing", "123456", "Smith", "secret-channel")
    lead = make_lead(
        attributes={"industry": "fishing-boats", "employees": 12, "phone": "+49 30 123456"},
        events=[
            {
                "name": "Called Ann Smith",
                "channel": "secret-channel",
                "occurred_at": "2026-03-01T10:00:00Z",
            }
        ],
    )
    with running(settle_in(tmp_path, database_url)) as client:
        post_json(client, "/v1/score", lead)
        post_json(client, "/v1/score/batch", {"leads": [lead]})

    kept = ask(store, "SELECT * FROM scored_row")
    assert len(kept) == 2
    assert not [word for word in personal if word in str(kept)]
    for *_, features in kept:
        # Numbers alone, as many as the model has features.
        assert decode_rows([features], WIDTH).shape == (1, WIDTH)
