"""Value is chance times expected amount, and only where amounts are known."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from features.clock import DAY_US
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.dataset.moments import build_dataset, build_moments
from training.estimators.candidates import CANDIDATES, LINEAR
from training.labels.conversion import Grid, Outcome
from training.models.amount import AmountModel
from training.selection.competition import fit_calibrated
from training.selection.deal_value import find_amounts, fit_amount, measure_value


@pytest.fixture(scope="module")
def history():
    return simulate_history(get_scenario("plain"), n_leads=6000, seed=4).history


@pytest.fixture(scope="module")
def dataset(history):
    moments = build_moments(
        history, Outcome(Stage.WON, 90 * DAY_US), Grid.at_ages((24.0, 24.0 * 14)), seed=7
    )
    return build_dataset(moments, moments.split())


def test_a_converted_moment_brings_what_its_own_deal_brought(dataset, history):
    amounts = find_amounts(dataset.moments)
    assert np.isnan(amounts[dataset.converted == 0]).all()
    assert not np.isnan(amounts[dataset.converted == 1]).any()
    row = int(np.flatnonzero(~np.isnan(amounts))[0])
    names = list(dict.fromkeys(history.leads.column("lead_id").to_pylist()))
    lead = names[dataset.lead_of[row]]
    deals = history.stages.filter(
        pa.compute.and_(
            pa.compute.equal(history.stages.column("lead_id"), lead),
            pa.compute.equal(history.stages.column("stage"), "won"),
        )
    )
    assert amounts[row] in deals.column("amount").to_pylist()


def test_larger_firms_are_expected_to_bring_more_and_the_sum_comes(dataset):
    amounts = find_amounts(dataset.moments)
    model = fit_amount(dataset, amounts, 7)
    assert model.line.terms
    employees = dataset.catalog.names.index("employees")
    rows = dataset.rows[dataset.split.newest][:50].copy()
    rows[:, employees] = 20.0
    small = model.expected(rows)
    rows[:, employees] = 2000.0
    assert (model.expected(rows) > 1.5 * small).all()
    again = AmountModel.from_json(model.to_json())
    np.testing.assert_array_equal(again.expected(rows), model.expected(rows))
    chosen = fit_calibrated(dataset, dataset.split, CANDIDATES[LINEAR], 7)
    facts = measure_value(dataset, chosen, model, amounts, np.random.default_rng(1))
    assert facts.ratio_low < 1.0 < facts.ratio_high
    assert facts.ratio == pytest.approx(facts.observed / facts.predicted)


def test_without_amounts_nothing_is_stated_of_value(dataset):
    assert fit_amount(dataset, np.full(len(dataset.rows), np.nan), 7) is None
    one = np.full(len(dataset.rows), np.nan)
    one[dataset.converted == 1] = 5000.0
    flat = fit_amount(dataset, one, 7)
    np.testing.assert_allclose(flat.expected(dataset.rows[:5]), 5000.0)
    silent = replace(dataset.moments, converted=np.zeros(len(dataset.moments), np.int8))
    assert np.isnan(find_amounts(silent)).all()
