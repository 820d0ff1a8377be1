"""The best moment over HTTP: a verdict, its reasons, its support, and when nothing is said."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.unit.serving.factories import (
    NOW,
    make_catalog,
    make_lead,
    make_settings,
    post_json,
    running,
    write_small_bundle,
)
from tests.unit.serving.timing_factories import make_served, write_timed_bundle
from training.bundle import load_bundle
from training.errors import BundleError
from training.timing.models.served import read_served

COLD = {"events": [], "lead_id": "cold"}


def serve(folder: Path, **changes) -> Iterator[httpx.Client]:
    write_timed_bundle(folder / "champion", **changes)
    with running(make_settings(folder)) as client:
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    yield from serve(tmp_path_factory.mktemp("timed"))


@pytest.fixture(scope="module")
def by_threshold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    yield from serve(tmp_path_factory.mktemp("threshold"), rule="threshold", threshold=0.8)


def test_a_lead_whose_moment_has_come_is_handed_off_now(client):
    answer = post_json(client, "/v1/timing", make_lead()).json()

    timing = answer["timing"]
    assert timing["status"] == "advised"
    assert timing["verdict"] == "hand_off_now"
    assert timing["in_days"] == 0
    assert timing["advantage"]["value"] == pytest.approx(2.0)
    assert timing["advantage"]["low"] < 2.0 < timing["advantage"]["high"]
    # By hand: -1 touch, -2 x 3/4 accepted, +10 x 3/4 SQL; waiting brings 2 less.
    assert timing["value_now"] == pytest.approx(5.0)
    assert timing["value_waiting"] == pytest.approx(3.0)
    assert timing["p_sql"] == pytest.approx(0.75)
    assert timing["words"].startswith("Hand off now: a handoff today is worth 2 more than waiting")
    assert [day["in_days"] for day in timing["curve"]] == list(range(31))
    assert timing["curve"][30]["value"] == pytest.approx(4.5)
    assert timing["stands_until"] == (NOW + timedelta(days=30)).isoformat().replace("+00:00", "Z")
    assert timing["stands_longer"]
    assert timing["drivers"][0]["words"] == (
        "Speaks for now: 1 pricing-page view in the last 7 days."
    )
    assert timing["similar_handoffs"] == 200
    assert timing["support"] == "Rests on 200 past handoffs of leads like this one."
    assert answer["model"] == "small"


def test_the_score_carries_the_same_moment(client):
    timing = post_json(client, "/v1/timing", make_lead()).json()["timing"]

    assert post_json(client, "/v1/score", make_lead()).json()["timing"] == timing


def test_a_batch_states_nothing_of_the_moment(client):
    answer = post_json(client, "/v1/score/batch", {"leads": [make_lead()]}).json()

    assert answer["leads"][0]["timing"] is None


def test_nothing_is_stated_where_no_handoff_was_like_this_one(client):
    timing = post_json(client, "/v1/timing", make_lead(**COLD)).json()["timing"]

    assert timing["status"] == "outside_support"
    assert timing["verdict"] is None
    assert timing["curve"] == []
    assert "no handoff like this one" in timing["support"]


def test_nothing_is_stated_of_a_lead_of_which_nothing_is_known(client):
    timing = post_json(client, "/v1/timing", make_lead(attributes={}, events=[], stages=[])).json()

    assert timing["timing"]["status"] == "not_enough_known"


def test_a_threshold_that_is_served_instead_states_so(by_threshold):
    timing = post_json(by_threshold, "/v1/timing", make_lead()).json()["timing"]

    assert timing["rule"] == "threshold"
    assert timing["rule_because"] == "The threshold is served."
    assert timing["verdict"] == "keep_nurturing"
    assert "75 %, is below the threshold of 80 %" in timing["words"]
    assert timing["curve"][5]["p_moment"] is None


def test_a_model_without_the_moment_refuses_and_states_what_to_do(tmp_path):
    write_small_bundle(tmp_path / "champion")

    with running(make_settings(tmp_path)) as client:
        answer = post_json(client, "/v1/timing", make_lead())
        scored = post_json(client, "/v1/score", make_lead()).json()

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:baton:problem:no-timing"
    assert "baton train --timing" in answer.json()["fix"]
    assert scored["timing"] is None


def test_the_moment_is_in_the_fingerprint_and_guarded_by_the_seal(tmp_path):
    plain = load_bundle(write_small_bundle(tmp_path / "plain"))
    timed = load_bundle(write_timed_bundle(tmp_path / "timed"))
    other = load_bundle(write_timed_bundle(tmp_path / "other", threshold=0.6))
    (tmp_path / "other" / "timing-rule.json").write_text("{}")

    assert len({plain.fingerprint, timed.fingerprint, other.fingerprint}) == 3
    with pytest.raises(BundleError):
        load_bundle(tmp_path / "other")


def test_what_is_served_comes_back_from_its_files_unchanged():
    served = make_served(make_catalog())
    rows = np.zeros((2, len(make_catalog().names)), np.float32)
    rows[1, list(served.model.columns)] = 1.0

    again = read_served(served.files())

    for one in (served, again):
        assert one.model.is_now(one.model.advise(rows)).tolist() == [False, True]
    assert again.neighbours.count_alike(rows).tolist() == [0, 200]
    assert all(name.endswith((".txt", ".json", ".npy")) for name in served.files())
