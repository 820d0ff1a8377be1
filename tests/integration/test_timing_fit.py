"""Timing is learned from a made-up log: the same each time, from texts alone, and near the truth."""

import numpy as np
import pytest

from benchmarks.laboratory.counterfactual import LIVED_DAYS, simulate_nurtured
from benchmarks.laboratory.policies import first_days, value_of_days, value_of_rule
from benchmarks.laboratory.structures import draw_structure
from features.clock import DAY_US, to_us
from features.compute.offline import compute_matrix
from features.lifecycle.prices import Prices
from features.simulation.generate import simulate_history
from training.errors import TooFewHandoffsError
from training.models.tree_growth import import_lightgbm
from training.timing.dataset import TimingDataset, build_timing_dataset
from training.timing.fit import fit_timing
from training.timing.labels import read_timing
from training.timing.models.model import TimingModel, add_columns, read_timing_model

pytestmark = pytest.mark.slow
WORLD = draw_structure(103)


@pytest.fixture(scope="module")
def dataset() -> TimingDataset:
    return build_timing_dataset(simulate_history(WORLD, n_leads=2500, seed=1).history)


@pytest.fixture(scope="module")
def model(dataset: TimingDataset) -> TimingModel:
    return fit_timing(dataset, Prices(), divisions=1)


@pytest.fixture(scope="module")
def few(dataset: TimingDataset) -> TimingDataset:
    """A log too small to learn timing from."""
    return dataset.take_leads(np.arange(2500) < 600)


@pytest.fixture(scope="module")
def few_learned(few: TimingDataset) -> TimingModel:
    return fit_timing(few, Prices(), capacity=0.4, divisions=1)


def test_a_refit_gives_the_same_texts(few, few_learned):
    # when
    again = fit_timing(few, Prices(), capacity=0.4, divisions=1)

    # then
    assert again.texts() == few_learned.texts()


def test_too_little_to_learn_from_is_stated_and_a_threshold_stands_in(few_learned):
    assert not few_learned.enough
    assert "Too little to learn timing from" in few_learned.because
    assert 0.0 < few_learned.threshold < 1.0


def test_a_handful_of_handoffs_is_refused(few):
    with pytest.raises(TooFewHandoffsError, match="have come to an end"):
        fit_timing(few.take_leads(np.arange(600) < 40), Prices())


def test_the_model_read_from_its_texts_states_the_same(model, dataset):
    # given
    rows = dataset.rows[:500]

    # when
    again = read_timing_model(model.texts())

    # then
    for name, own in vars(model.advise(rows)).items():
        assert (getattr(again.advise(rows), name) == own).all(), name
    for name, own in vars(model.curve(rows[:20])).items():
        assert (getattr(again.curve(rows[:20]), name) == own).all(), name


def test_text_models_state_what_lightgbm_states(model, dataset):
    # given
    own = dataset.rows[:500][:, list(model.columns)]
    family = model.families[0]

    # when
    lgb = import_lightgbm()
    by_lightgbm = sum(lgb.Booster(model_str=f.gain).predict(own) for f in model.families)
    full = add_columns(own, 0.0, 1.0, 3.0)
    booster = lgb.Booster(model_str=family.sql.trees.text)

    # then
    assert model.gains.margins(own) == pytest.approx(by_lightgbm, abs=1e-9)
    margin = booster.predict(full, raw_score=True)
    assert family.sql.trees.margins(full) == pytest.approx(margin, abs=1e-9)


def test_reasons_add_up_to_the_advantage(model, dataset):
    # when
    base, reasons = model.reasons(dataset.rows[:200])

    # then
    advantage = model.advise(dataset.rows[:200]).advantage
    assert base + reasons.sum(axis=1) == pytest.approx(advantage, abs=1e-9)


def test_the_interval_holds_the_advantage_and_the_curve_begins_now(model, dataset):
    # given
    rows = dataset.rows[:200]

    # when
    now, ahead = model.advise(rows), model.curve(rows)

    # then
    assert (now.low < now.advantage).all()
    assert (now.advantage < now.high).all()
    assert ahead.value[:, 0] == pytest.approx(now.value_now)
    assert ahead.p_sql[:, 0] == pytest.approx(now.p_sql)
    assert ((ahead.p_moment[:, 0] == 1.0) == model.is_now(now)).all()
    assert (np.diff(ahead.p_moment, axis=1) >= 0.0).all()


def test_the_policy_brings_more_than_the_old_rule(model, dataset):
    # given: other leads of the same world, whose truth is known
    market = simulate_nurtured(WORLD, n_leads=3000, seed=2)
    snapshots = read_timing(market.history).decisions.snapshots
    place = np.full(3000, -1)
    place[market.lead] = np.arange(len(market.lead))
    lead = place[snapshots.lead_index]
    begin = to_us(WORLD.arrivals.starts_at) // DAY_US + market.first_day[lead]
    day = snapshots.as_of // DAY_US - begin
    kept = (lead >= 0) & (day >= 0) & (day < LIVED_DAYS)
    rows = compute_matrix(dataset.catalog, market.history, snapshots.take(kept))
    scores = np.full(market.intent.shape, -np.inf)

    # when
    advised = model.advise(rows)
    scores[lead[kept], day[kept]] = model.is_now(advised)

    # then
    policy = value_of_days(market, first_days(market, scores, 1.0))
    assert policy.value.mean() > value_of_rule(market).value.mean()
    true = market.p_sql[lead[kept], day[kept]]
    assert np.corrcoef(advised.p_sql, true)[0, 1] > 0.3
