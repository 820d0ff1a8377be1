"""A points table serves until something learned beats it, and says that it was not learned."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import baton
from training.bundle import load_bundle

pytestmark = pytest.mark.slow

TABLE = """
[[rule]]
feature = "demo_request_count_30d"
at_least = 1
points = 20
[[rule]]
feature = "region"
is = ["europe"]
points = 3
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer")
    done = baton(folder, "simulate", "--to", "var/market", "--leads", "2000", "--seed", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "points.toml").write_text(TABLE)
    done = baton(
        folder, "cold-start", "var/market", "--points", "points.toml", "--base-rate", "5%"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_champion_scores_by_the_table_and_its_reasons_are_its_rules(started):
    bundle = load_bundle(started / "var/champion")
    rows = np.zeros((3, len(bundle.catalog.features)), np.float32)
    names = bundle.catalog.names
    europe = bundle.catalog.features[names.index("region")].categories.index("europe")
    rows[:, names.index("region")] = europe + 1
    rows[1:, names.index("demo_request_count_30d")] = 2
    rows[2, names.index("region")] = europe
    points = bundle.score(rows).points
    np.testing.assert_allclose(np.diff(points), [20.0, 3.0])
    assert bundle.base_probability == pytest.approx(0.05)
    assert bundle.model_kind == "points table, not learned"


def test_the_card_states_that_nothing_was_learned(started):
    bundle = load_bundle(started / "var/champion")
    assert bundle.card["learned"] is False
    assert "Nothing here was learned" in bundle.card["warnings"][0]
    assert bundle.card["limits"][0] == "The base rate of 5.0% was given, not measured."
    page = (bundle.folder / "card.md").read_text()
    assert "| demo_request_count_30d | 20 points from 1 on |" in page
    assert all(band.calibration_error is None for band in bundle.bands)


def test_a_model_that_learned_is_compared_with_it_and_may_replace_it(started):
    done = baton(
        started, "train", "var/market", "--points", "points.toml", "--seen-at", "24h,14d",
        "--alias", "challenger", "--no-explain", "--no-timing",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (trained,) = [
        folder
        for folder in (started / "var/bundles").glob("baton-sql-*")
        if json.loads((folder / "card.json").read_text()).get("learned", True)
    ]
    inputs = json.loads((trained / "manifest.json").read_text())["provenance"]["inputs"]
    assert json.loads(inputs)["points"] == TABLE
    done = baton(started, "promote", "var/market", "--yes", "--force", "both teams agreed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "that neither model knew" in " ".join(done.stdout.split())
    assert (started / "var/champion").resolve() == trained
    done = baton(started, "rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert load_bundle(started / "var/champion").card["learned"] is False


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["--base-rate", "5"], "is no share between 0 and 1"),
        (["--points", "nowhere.toml"], "cannot be read"),
        (["--points", "wrong.toml"], "Did you mean demo_request_count_30d"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(started, words, output):
    (started / "wrong.toml").write_text(TABLE.replace("count_30d", "count_30"))
    done = baton(started, "cold-start", "var/market", *words)
    assert done.returncode in {1, 2}
    assert output in " ".join((done.stdout + done.stderr).split())


def test_without_outcomes_the_base_rate_must_be_reported(started):
    done = baton(started, "cold-start", "var/market", "--outcome", "won", "--horizon", "900d")
    assert done.returncode == 1
    assert "--base-rate 5%" in done.stderr


def test_what_was_not_learned_cannot_be_trained_again(started):
    cold = next(
        folder
        for folder in (started / "var/bundles").glob("baton-sql-*")
        if not json.loads((folder / "card.json").read_text()).get("learned", True)
    )
    done = baton(started, "train", "var/market", "--repeat", str(cold))
    assert done.returncode == 1
    assert "was not learned" in done.stderr
