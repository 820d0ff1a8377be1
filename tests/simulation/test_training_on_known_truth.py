"""Training on markets whose truth is known: it calibrates, it catches the leak, it admits nothing."""

from pathlib import Path

import numpy as np
import pytest

from features.clock import DAY_US
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.labels.conversion import Grid, Outcome
from training.leaks.audit import LeakFoundError
from training.run.options import RunOptions
from training.run.pipeline import Run, train

SQL_IN_30 = Outcome(Stage.SQL, 30 * DAY_US)
WEEKLY = Grid.weekly(weeks=12, then_until_week=52)


def train_on(scenario: str, n_leads: int, folder: Path, **options) -> Run:
    market = simulate_history(get_scenario(scenario), n_leads=n_leads, seed=7)
    asked = RunOptions(SQL_IN_30, WEEKLY, scenario, explain=False, **options)
    return train(market.history, asked, folder, data_fingerprint="simulated")


@pytest.mark.slow
def test_fifty_thousand_leads_calibrate(tmp_path):
    run = train_on("plain", 50_000, tmp_path)
    assert 0.9 <= run.quality.line.slope <= 1.1
    assert run.quality.calibration_error.value <= 0.02
    assert run.quality.losses.log_loss < run.quality.losses.log_loss_of_training_rate
    assert run.refusal is None
    assert 0.60 < run.quality.auc.value < 0.85  # more would be a leak
    matrix = run.bundle.profile.matrix
    scores = run.bundle.score(matrix)
    assert np.abs(50.0 + scores.reasons.sum(axis=1) - scores.points).max() < 1e-9


def test_the_leaking_world_stops_the_run_unless_the_leak_is_allowed_with_a_reason(tmp_path):
    with pytest.raises(LeakFoundError) as caught:
        train_on("leaky", 4_000, tmp_path)
    assert set(caught.value.fields) == {"contract_type"}
    allowed = train_on(
        "leaky", 4_000, tmp_path, allow_leaks={"contract_type": "a test of the allowance"}
    )
    assert any("a test of the allowance" in w for w in allowed.bundle.card["warnings"])
    dropped = train_on("leaky", 4_000, tmp_path, drop=frozenset({"contract_type"}))
    assert dropped.quality.auc.value < allowed.quality.auc.value


def test_where_nothing_can_be_known_the_bundle_is_refused_for_serving(tmp_path):
    run = train_on("no_signal", 6_000, tmp_path)
    assert run.refusal is not None
