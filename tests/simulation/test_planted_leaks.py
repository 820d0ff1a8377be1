"""Leaks planted in a market are caught, clean markets are not accused, and noise is not served."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.laboratory.leaks import LEAKS, plant_leak, shuffle_outcomes
from features.clock import DAY_US, HOUR_US
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.dataset.moments import build_dataset, build_moments
from training.engine import Engine
from training.estimators.candidates import CANDIDATES, LINEAR, TREES
from training.labels.conversion import Grid, Outcome
from training.leaks.audit import LeakAudit, LeakFoundError
from training.run.options import RunOptions
from training.run.pipeline import Run, audit_dataset, train

pytestmark = pytest.mark.slow

SQL_IN_30 = Outcome(Stage.SQL, 30 * DAY_US)
THRICE = Grid((24 * HOUR_US, 7 * DAY_US, 21 * DAY_US), "at 24h, 7d and 21d")
ONCE = Grid((24 * HOUR_US,), "at 24h")
TWO = Engine(candidates={name: CANDIDATES[name] for name in (LINEAR, TREES)})

PLANTED = {
    "back-filled field": {"confirmed_budget"},
    "outcome-stage copy": {"status"},
    "missingness as label": {"nurture_track"},
    "post-handoff counter": {"meetings_held"},
    "loss reason": {"loss_reason"},
    "score of today": {"crm_score"},
    "amount of the deal": {"expected_revenue"},
    "owner of today": {"owner_team"},
    "label given to some winners": {"tier"},
    "edits of the record": {"edits"},
    "default that only winners leave": {"seats_quoted"},
    "value in the middle": {"forecast_position"},
    "contract signed": {"contract_kind"},
    "import batch": {"import_batch"},
    "outcome split over two fields": {"check_digit", "row_parity"},
    "noisy copies in three fields": {"flag_a", "flag_b", "flag_c"},
    "antedated acceptance": {"stage", "earlier_sal"},
}
"""What the gate must name, before anything is fitted."""

SEARCHED = {"antedated demo": "demo_request", "antedated meeting": "webinar_attend"}
"""In the log with an earlier date: the gate or, if need be, the hunt must name it."""


def draw_market(seed: int, n_leads: int = 3000):
    return simulate_history(get_scenario("plain"), n_leads=n_leads, seed=seed).history


@pytest.fixture(scope="module")
def market():
    return draw_market(1)


def audit(history) -> LeakAudit:
    moments = build_moments(history, SQL_IN_30, THRICE, seed=7)
    return audit_dataset(build_dataset(moments, moments.split()), {})


def learn(history, folder: Path, grid: Grid = THRICE, **options) -> Run:
    asked = RunOptions(SQL_IN_30, grid, "leaks", explain=False, **options)
    return train(history, asked, folder, data_fingerprint="simulated", engine=TWO)


def test_every_leak_there_is_has_its_test():
    assert {*PLANTED, *SEARCHED} == set(LEAKS)


@pytest.mark.parametrize("name", PLANTED)
def test_the_gate_names_a_planted_leak(market, name):
    found = audit(plant_leak(market, name, seed=1))
    guilty = {row.field for row in found.leaks}
    assert PLANTED[name] & guilty
    if not name.startswith("antedated"):
        assert guilty <= PLANTED[name]
    with pytest.raises(LeakFoundError):
        found.check()


@pytest.mark.parametrize("name", SEARCHED)
def test_what_is_in_the_log_under_an_earlier_date_stops_the_run(market, name, tmp_path):
    with pytest.raises(LeakFoundError) as caught:
        learn(plant_leak(market, name, seed=1), tmp_path)
    assert SEARCHED[name] in caught.value.fields


def test_what_passes_the_gate_is_searched_down_when_the_model_is_too_good(tmp_path):
    planted = plant_leak(draw_market(2), "antedated meeting", seed=2)
    assert not audit(planted).leaks
    with pytest.raises(LeakFoundError) as caught:
        learn(planted, tmp_path)
    assert "webinar_attend" in caught.value.fields
    reasons = dict.fromkeys(caught.value.fields, "a test of the allowance")
    run = learn(planted, tmp_path, allow_leaks=reasons)
    assert run.quality.auc.value > 0.85
    assert any("a test of the allowance" in w for w in run.bundle.card["warnings"])


@pytest.mark.parametrize("seed", range(100, 104))
def test_a_clean_market_is_not_accused(seed):
    audit(draw_market(seed)).check()


@pytest.mark.parametrize("seed", range(2))
def test_a_model_of_shuffled_outcomes_is_not_served(seed, tmp_path):
    run = learn(shuffle_outcomes(draw_market(200 + seed), seed=seed), tmp_path, ONCE)
    assert run.refusal is not None
    assert run.refusal.startswith("no signal")


def test_shuffling_keeps_the_leads_and_about_as_many_outcomes(market):
    shuffled = shuffle_outcomes(market, seed=3)
    assert shuffled.leads.equals(market.leads)
    assert shuffled.events.equals(market.events)
    counts = [
        np.unique(h.stages.filter(h.stages.column("stage").to_numpy() == "sql")["lead_id"]).size
        for h in (market, shuffled)
    ]
    assert 0.75 * counts[0] < counts[1] <= counts[0]
    shuffled.check()


def test_an_unknown_leak_is_refused_with_those_there_are(market):
    with pytest.raises(ValueError, match="back-filled field"):
        plant_leak(market, "no such leak")
