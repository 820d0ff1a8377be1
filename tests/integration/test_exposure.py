"""What the old rule hides is seen through the leads handed off by lot, and groups are compared."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.clock import DAY_US, HOUR_US
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.bundle import load_bundle
from training.dataset.groups import Groups
from training.engine import Engine
from training.estimators.candidates import CANDIDATES, LINEAR, TREES
from training.labels.conversion import Grid, Outcome
from training.run.options import RunOptions
from training.run.pipeline import train
from training.selection.exposure import _weigh_auc

pytestmark = pytest.mark.slow

GRID = Grid((24 * HOUR_US, 7 * DAY_US, 21 * DAY_US), "at 24h, 7d and 21d")
TWO = Engine(candidates={name: CANDIDATES[name] for name in (LINEAR, TREES)})


def learn(history, folder, **options):
    asked = RunOptions(Outcome(Stage.SQL, 30 * DAY_US), GRID, "x", explain=False, **options)
    return train(history, asked, folder, data_fingerprint="simulated", engine=TWO).bundle


@pytest.fixture(scope="module")
def explored():
    return simulate_history(get_scenario("explored"), n_leads=5000, seed=4).history


@pytest.fixture(scope="module")
def bundle(explored, tmp_path_factory):
    leads = explored.leads
    ids = leads.column("lead_id").unique().to_pylist()
    of = {lead: n for n, lead in enumerate(ids)}
    place = np.array([of[lead] for lead in leads.column("lead_id").to_pylist()])
    gender = np.random.default_rng(0).choice(["f", "m"], len(ids))
    age = np.random.default_rng(1).integers(20, 60, len(ids)).astype(float)
    leads = leads.append_column("gender", pa.array(gender[place]))
    leads = leads.append_column("age", pa.array(age[place]))
    groups = Groups(pa.table({"lead_id": ids, "office": list(gender)}))
    folder = tmp_path_factory.mktemp("bundles")
    allowed = {"age": "the offer is for pensioners"}
    return learn(replace(explored, leads=leads), folder, groups=groups, allow_protected=allowed)


def test_lots_are_logged_and_only_they(explored):
    logged = explored.stages.filter(pc.is_valid(explored.stages.column("propensity")))
    assert set(logged.column("signal").to_pylist()) == {"exploration"}
    assert set(logged.column("stage").to_pylist()) == {"mql"}
    assert set(logged.column("propensity").to_pylist()) == {0.004}


def test_the_card_estimates_what_the_rule_hides(bundle):
    exposure = bundle.card["exposure"]
    explored, chosen = exposure["explored"], exposure["chosen"]
    assert explored["handoffs"] >= 50
    # The rule and the sellers choose the better leads: by lot fewer convert.
    assert explored["observed"] < chosen["observed"]
    assert (
        explored["gap_low"] < explored["observed"] - explored["predicted"] < explored["gap_high"]
    )
    assert exposure["words"] in bundle.card["limits"]


def test_without_lots_the_card_names_the_bias_and_what_would_measure_it(tmp_path):
    plain = simulate_history(get_scenario("plain"), n_leads=3000, seed=4).history
    card = learn(plain, tmp_path).card
    assert card["exposure"]["explored"] is None
    assert "Hand a small share over at random" in card["exposure"]["words"]


def test_a_protected_field_is_left_out_unless_allowed_with_a_reason(bundle):
    names = load_bundle(bundle.folder).catalog.names
    assert "gender" not in names
    assert "age" in names
    output = " ".join(bundle.card["limits"])
    assert "Left out, not to be learned from: gender (sex or gender)." in output
    assert "Learned from although protected: age (the offer is for pensioners)." in output


def test_groups_that_do_not_matter_are_chosen_alike(bundle):
    rows = bundle.card["groups"]
    assert {row["group"] for row in rows} == {"f", "m"}
    assert min(row["ratio"] for row in rows) > 0.8
    assert "## Groups" in (bundle.folder / "card.md").read_text()


def test_a_weighted_auc_counts_a_row_as_often_as_its_weight():
    y = np.array([1, 0, 1, 0], np.int8)
    p = np.array([0.9, 0.5, 0.5, 0.1])
    # pairs: .9>.5, .9>.1, .5=.5 (half), .5>.1; the last row counts three times
    assert _weigh_auc(y, p, np.ones(4)) == pytest.approx(3.5 / 4)
    assert _weigh_auc(y, p, np.array([1.0, 1, 1, 3])) == pytest.approx((1 + 3 + 0.5 + 3) / 8)
