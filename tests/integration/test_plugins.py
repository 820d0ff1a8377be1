"""A package that brings an estimator and a feature family: installed, trained with, missed when gone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from features.sources.history.folder import write_history
from tests.command_line import ROOT, baton

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "tests" / "plugin_example"
BROUGHT = "example-plugin 1.2.0"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Install the example package into a folder of its own, without an index."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            ROOT / ".uv" / "bin" / "uv", "pip", "install", "--quiet", "--offline", "--no-deps",
            "--no-build-isolation", "--python", sys.executable, "--target", folder, EXAMPLE,
        ],
        check=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def trained(site, tmp_path_factory) -> Path:
    """Train by the command line where the package is installed."""
    folder = tmp_path_factory.mktemp("work")
    market = simulate_history(get_scenario("plain"), n_leads=2500, seed=11)
    write_history(market.history, folder / "history")
    done = baton(
        folder, "train", "history", "--seen-at", "7d", "--no-timing", "--no-explain",
        installed=site,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_run_lets_the_estimator_compete_and_learns_from_the_features(trained):
    champion = trained / "var" / "champion"
    card = json.loads((champion / "card.json").read_text())
    assert card["brought"] == {
        "estimators": {"elastic net": BROUGHT},
        "families": {"ratios": BROUGHT},
    }
    assert (
        f'The estimator "elastic net" is not of Baton: {BROUGHT}'
        in (champion / "card.md").read_text()
    )
    losses = {row["name"]: row["log_loss"] for row in card["candidates"]}
    assert losses["elastic net"] < losses["base rate"]
    manifest = json.loads((champion / "manifest.json").read_text())
    names = [feature["name"] for feature in manifest["catalog"]["features"]]
    rows = np.load(champion / "reference_rows.npy")
    assert "engagement_days_14d" in names
    actions, visits, ratio = (
        rows[:, names.index(name)]
        for name in ("engagement_count_30d", "sessions_30d", "actions_per_visit")
    )
    assert np.isfinite(ratio).sum() > 100
    np.testing.assert_allclose(ratio[visits > 0], (actions / visits)[visits > 0], rtol=1e-6)
    inputs = json.loads(manifest["provenance"]["inputs"])
    assert (inputs["estimators"], inputs["families"]) == (["elastic net"], ["ratios"])


def test_the_bundle_scores_where_the_family_is_installed_and_states_what_is_missing_elsewhere(
    trained, site
):
    asked = ("score", "history", "--bundle", "var/champion", "--to", "scores.parquet")
    there = baton(trained, *asked, installed=site)
    assert there.returncode == 0, there.stdout + there.stderr
    assert (trained / "scores.parquet").exists()
    elsewhere = baton(trained, *asked)
    assert elsewhere.returncode == 1
    output = " ".join((elsewhere.stdout + elsewhere.stderr).split())
    assert "The feature family 'ratios', which computes 'actions_per_visit', is not" in output
    assert "Traceback" not in output
