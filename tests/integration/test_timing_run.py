"""From a history to a served moment: learned, put to the proof, written, loaded, asked over HTTP."""

import json
from pathlib import Path

import pytest

from benchmarks.laboratory.structures import draw_structure
from features.clock import DAY_US
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from tests.unit.serving.factories import make_lead, make_settings, post_json, running
from training.bundle import install_champion
from training.engine import Engine
from training.errors import TimingPricesError
from training.estimators.candidates import CANDIDATES, TREES
from training.labels.conversion import Grid, Outcome
from training.run.options import RunOptions, read_options
from training.run.pipeline import train
from training.run.timing import TimingOptions, read_timing_options

pytestmark = pytest.mark.slow

TOML = """
[timing]
sql = 12.0
unit = "hours of a clerk"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    market = simulate_history(draw_structure(2), n_leads=1_300, seed=3)
    options = RunOptions(
        Outcome(Stage.SQL, 30 * DAY_US),
        Grid((DAY_US, 14 * DAY_US), "at 1 and 14 days"),
        "timed",
        explain=False,
        timing=read_timing_options(TOML),
    )
    return train(
        market.history,
        options,
        tmp_path_factory.mktemp("bundles"),
        data_fingerprint="made up",
        engine=Engine(candidates={TREES: CANDIDATES[TREES]}),
    )


def test_the_bundle_carries_the_moment_and_the_card_its_proof(run):
    timing, card = run.bundle.timing, run.bundle.card["timing"]

    assert timing is not None
    assert timing.rule == card["rule"]
    assert card["proof"]["served"]["rule"] in {"timing", "threshold"}
    assert timing.rule == "threshold" or timing.model.enough
    assert timing.because == card["because"]
    assert timing.model.prices.sql == 12.0
    assert card["unit"] == "hours of a clerk"
    names = [row["name"] for row in card["proof"]["policies"]]
    assert names == ["timing", "P(SQL) threshold", "points threshold", "today's rule"]
    assert len(card["proof"]["gains"]) == 3


def test_the_page_tells_it_and_its_pictures_lie_beside_it(run):
    page = (run.bundle.folder / "card.md").read_text()

    assert "## The best moment to hand off" in page
    for name in ("value", "overlap", "calibration", "curves"):
        assert f"(timing-{name}.png)" in page
        assert (run.bundle.folder / f"timing-{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_the_options_are_recorded_for_a_repeat(run):
    options, _ = read_options(run.bundle.folder)

    assert options.timing == read_timing_options(TOML)


def test_the_server_answers_with_it(run, tmp_path):
    install_champion(run.bundle.folder, tmp_path / "champion")
    lead = make_lead(attributes={"industry": "software", "employees": 250}, stages=[])

    with running(make_settings(tmp_path)) as client:
        answer = post_json(client, "/v1/timing", lead)
        described = client.get("/openapi.json").json()

    assert answer.status_code == 200
    timing = answer.json()["timing"]
    assert timing["status"] in {"advised", "outside_support"}
    assert timing["rule_because"] == run.bundle.timing.because
    assert timing["unit"] == "hours of a clerk"
    assert "/v1/timing" in described["paths"]
    assert "TimingOut" in described["components"]["schemas"]


def test_too_few_handoffs_leave_the_bundle_without_it(tmp_path):
    from features.compute.vocabulary import learn_catalog
    from training.run.timing import learn_timing

    history = simulate_history(draw_structure(2), n_leads=60, seed=3).history
    catalog = learn_catalog(history.about.taxonomy, [history.leads], 2**62)

    learned = learn_timing(history, catalog, TimingOptions())

    assert learned.served is None
    assert "handoffs that have come to an end" in learned.because
    assert json.dumps(learned.describe())


@pytest.mark.parametrize(
    "text", ["sql = 0.0", "touch = -1.0", "discount_by_day = 2.0", "price = 1", "sql ="]
)
def test_prices_that_make_no_sense_are_refused(text):
    with pytest.raises(TimingPricesError):
        read_timing_options(text)


def test_prices_default_to_a_seller_s_hours(tmp_path: Path):
    assert read_timing_options("") == TimingOptions()
