"""Moments are computed once for several outcomes, and a lead counts once."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from features.clock import DAY_US, to_us
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.dataset.duplicates import find_duplicates
from training.dataset.moments import build_dataset, build_datasets, build_moments
from training.labels.conversion import Grid, Outcome

GRID = Grid.weekly(weeks=2)


@pytest.fixture(scope="module")
def history():
    return simulate_history(get_scenario("plain"), n_leads=600, seed=3).history


def test_outcomes_side_by_side_have_the_rows_they_would_have_alone(history):
    outcomes = (Outcome(Stage.SQL, 30 * DAY_US), Outcome(Stage.WON, 90 * DAY_US))
    seen = [build_moments(history, outcome, GRID, seed=7) for outcome in outcomes]
    wanted = [(moments, moments.split()) for moments in seen]
    computed = []
    together = build_datasets(wanted, progress=computed.append)
    for dataset, (moments, split) in zip(together, wanted, strict=True):
        used = split.fit | split.calibrate | split.newest
        assert len(dataset.rows) == used.sum()
        np.testing.assert_array_equal(dataset.converted, moments.converted[used])
        earlier = replace(split, calibrate_from=min(s.calibrate_from for _, s in wanted))
        alone = build_dataset(moments, earlier)
        np.testing.assert_array_equal(alone.rows, dataset.rows)
        np.testing.assert_array_equal(alone.split.newest, dataset.split.newest)
    assert computed[-1] == pytest.approx(1.0)


def test_the_vocabulary_is_what_was_known_before_the_slice_that_calibrates(history):
    moments = build_moments(history, Outcome(Stage.SQL, 30 * DAY_US), GRID, seed=7)
    split = moments.split()
    cut = to_us(split.calibrate_from)
    industries = history.leads.column("industry").to_pylist()
    known_at = history.leads.column("known_at").cast(pa.int64()).to_pylist()
    # Whoever came later is of an industry that nobody knew before.
    renamed = [
        "space travel" if industry is not None and at >= cut else industry
        for industry, at in zip(industries, known_at, strict=True)
    ]
    position = history.leads.schema.get_field_index("industry")
    column = pa.array(renamed, history.leads.schema.field("industry").type)
    later = replace(history, leads=history.leads.set_column(position, "industry", column))

    dataset = build_dataset(replace(moments, history=later), split)

    (industry,) = [f for f in dataset.catalog.features if f.name == "industry"]
    assert renamed.count("space travel") > 100
    assert "space travel" not in industry.categories
    assert dataset.vocabulary_us == cut


def test_a_lead_exported_twice_is_looked_at_once(history):
    moments = build_moments(history, Outcome(Stage.SQL, 30 * DAY_US), GRID, seed=7)
    events = history.events
    busiest = events.column("lead_id").combine_chunks().value_counts()
    name = max(busiest.to_pylist(), key=lambda pair: (pair["counts"], pair["values"]))["values"]

    def copied(table: pa.Table, id_column: str = "") -> pa.Table:
        own = table.filter(pa.compute.equal(table.column("lead_id"), name))
        for column in ("lead_id", id_column):
            if column:
                at = own.schema.get_field_index(column)
                again = [f"{cell}-again" for cell in own.column(column).to_pylist()]
                own = own.set_column(at, column, pa.array(again, own.schema.field(at).type))
        return pa.concat_tables([table, own])

    doubled = replace(
        history,
        leads=copied(history.leads),
        events=copied(events, "event_id"),
        stages=copied(history.stages),
    )
    first = find_duplicates(doubled)
    assert (first != np.arange(len(first))).sum() == 1
    again = build_moments(doubled, Outcome(Stage.SQL, 30 * DAY_US), GRID, seed=7)
    assert len(again) == len(moments)
    assert "the same lead under another id" in again.left_out
    assert "the same lead under another id" not in moments.left_out
