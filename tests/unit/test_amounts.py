"""What a deal brings: found, learned, and kept within what was seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from features.clock import DAY_US, from_us
from features.compute.offline import Snapshots
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.stages import Stage
from features.taxonomy import default_taxonomy
from tests.unit.test_segment_models import CATALOG
from training.dataset.moments import Dataset, Moments
from training.labels.conversion import Grid, Outcome
from training.models.amount import AmountModel
from training.models.linear import LinearModel
from training.selection.deal_value import find_amounts, fit_amount

WON = Outcome(Stage.WON, 90 * DAY_US)


def make_history(lead_ids: list[str], *deals: tuple[str, int, float | None]) -> History:
    """Make leads of some deals: lead, day it was won, and what it brought."""
    created_at = from_us(0)
    leads = [
        {"lead_id": name, "known_at": created_at, "created_at": created_at} for name in lead_ids
    ]
    rows = [
        {
            "lead_id": name,
            "at": from_us(day * DAY_US),
            "known_at": from_us(day * DAY_US),
            "stage": "won",
            "amount": amount,
        }
        for name, day, amount in deals
    ]
    return History(
        pa.Table.from_pylist(leads, LEAD_SCHEMA),
        pa.Table.from_pylist([], EVENT_SCHEMA),
        pa.Table.from_pylist(rows, STAGE_SCHEMA),
        pa.Table.from_pylist([], ATTEMPT_SCHEMA),
        HistoryManifest("test", default_taxonomy(), from_us(400 * DAY_US), None),
    )


def make_moments(
    history: Any, lead: list[int], days: list[int], converted: list[int], created_us: Any = None
) -> Moments:
    as_of = np.array(days, np.int64) * DAY_US
    return Moments(
        history,
        WON,
        Grid.at_ages((24.0,)),
        Snapshots(np.array(lead), as_of),
        np.zeros(len(days), np.int64) if created_us is None else created_us,
        np.array(converted, np.int8),
        as_of + WON.horizon_us,
        {},
        0,
    )


def test_a_moment_brings_the_deal_that_came_after_it() -> None:
    history = make_history(["ann", "bob"], ("ann", 10, 100.0), ("ann", 50, 700.0))

    amounts = find_amounts(make_moments(history, [0, 0, 0, 1], [5, 10, 11, 5], [1, 1, 1, 0]))

    np.testing.assert_array_equal(amounts, [100.0, 100.0, 700.0, np.nan])


def test_a_deal_of_nothing_states_nothing_of_amounts() -> None:
    history = make_history(["ann", "bob"], ("ann", 10, 0.0), ("ann", 20, 80.0), ("bob", 9, None))
    credit = make_history(["ann"], ("ann", 10, -50.0))

    amounts = find_amounts(make_moments(history, [0, 1], [5, 5], [1, 1]))

    np.testing.assert_array_equal(amounts, [80.0, np.nan])
    assert np.isnan(find_amounts(make_moments(credit, [0], [5], [1]))).all()


def test_no_lead_is_worth_more_or_less_than_any_deal_there_was() -> None:
    def expected(amount: float) -> float:
        line = LinearModel(float(np.log(amount)), 2, {})
        model = AmountModel(line, 1.0, lowest=50.0, highest=9000.0)
        return float(model.expected(np.zeros((1, 2), np.float32))[0])

    assert [expected(amount) for amount in (7.0, 400.0, 1e6)] == pytest.approx(
        [50.0, 400.0, 9000.0]
    )


def draw_deals(n: int = 2000) -> tuple[Dataset, NDArray[np.float64]]:
    """Look once at each of some leads that all convert; amounts go with nothing that is known."""
    rng = np.random.default_rng(6)
    created = np.sort(rng.integers(0, 400 * DAY_US, n))
    moments = make_moments(None, list(range(n)), [0] * n, [1] * n, created)
    moments = replace(moments, snapshots=Snapshots(np.arange(n), created + DAY_US))
    rows = np.zeros((n, 2), np.float32)
    rows[:, 0] = rng.choice(4, n)
    return Dataset(CATALOG, moments, rows, moments.split(), 0), rng.lognormal(6.0, 1.0, n)


def test_the_level_of_amounts_is_measured_on_later_deals() -> None:
    dataset, amounts = draw_deals()
    dearer = np.where(dataset.split.calibrate, 2.0 * amounts, amounts)

    usual, doubled = fit_amount(dataset, amounts, 7), fit_amount(dataset, dearer, 7)

    assert usual is not None
    assert doubled is not None
    assert doubled.level == pytest.approx(2.0 * usual.level, rel=0.05)
