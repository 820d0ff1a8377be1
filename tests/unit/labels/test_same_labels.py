"""Labels of many moments at once are those of one moment after the other."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, from_us
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.stages import Stage
from features.lifecycle.targets import TARGETS
from features.taxonomy import default_taxonomy
from tests.unit.labels.oracle import label_row_by_row
from training.labels import moves
from training.labels.conversion import Grid, Outcome, label_history

BORN = 19_000 * DAY_US

# Days, so that moves, moments, horizons and the end of observation meet each other.
stage_moves = st.tuples(
    st.integers(0, 8),
    st.integers(0, 40),
    st.sampled_from([0, 0, 0, 3, 15]),
    st.sampled_from(list(Stage)),
    st.sampled_from([None, "no budget", "no_response", "too early", "whatever"]),
)
targets = st.sampled_from(TARGETS)
grids = st.sets(st.integers(1, 45), min_size=1, max_size=6)


def history(n_leads: int, changes, until_day: int, from_day: int | None) -> History:
    """Make leads, one born each day, with changes as (lead, day of its life, delay, stage, why)."""
    created_at = [BORN + n * DAY_US for n in range(n_leads)]
    leads = [
        {"lead_id": f"L{n}", "known_at": from_us(at), "created_at": from_us(at)}
        for n, at in enumerate(created_at)
    ]
    rows = [
        {
            "lead_id": f"L{n % n_leads}",
            "at": from_us(created_at[n % n_leads] + day * DAY_US),
            "known_at": from_us(created_at[n % n_leads] + (day + late) * DAY_US),
            "stage": str(stage),
            "reason": reason,
        }
        for n, day, late, stage, reason in changes
    ]
    start = None if from_day is None else from_us(BORN + from_day * DAY_US)
    return History(
        pa.Table.from_pylist(leads, LEAD_SCHEMA),
        pa.Table.from_pylist([], EVENT_SCHEMA),
        pa.Table.from_pylist(rows, STAGE_SCHEMA),
        pa.Table.from_pylist([], ATTEMPT_SCHEMA),
        HistoryManifest("test", default_taxonomy(), from_us(BORN + until_day * DAY_US), start),
    )


def same(past: History, outcome: Outcome, grid: Grid) -> None:
    fast, slow = label_history(past, outcome, grid), label_row_by_row(past, outcome, grid)
    for name in ("lead_index", "as_of"):
        np.testing.assert_array_equal(
            getattr(fast.snapshots, name), getattr(slow.snapshots, name), strict=True
        )
    np.testing.assert_array_equal(fast.converted, slow.converted, strict=True)
    np.testing.assert_array_equal(fast.known_at, slow.known_at, strict=True)
    assert (fast.delay_us, fast.left_out) == (slow.delay_us, slow.left_out)


@given(
    st.integers(1, 9),
    st.lists(stage_moves, max_size=30),
    st.integers(1, 90),
    st.none() | st.integers(0, 8),
    targets,
    st.integers(1, 30),
    grids,
)
def test_labels_at_once_are_those_of_one_moment_after_the_other(
    n_leads, changes, until_day, from_day, target, horizon, ages
):
    grid = Grid(tuple(sorted(day * DAY_US for day in ages)), "some days")
    past = history(n_leads, changes, until_day, from_day)
    same(past, Outcome.of(target, horizon * DAY_US), grid)


@settings(max_examples=20)
@given(st.lists(stage_moves, max_size=40), targets, st.integers(1, 12))
def test_labels_do_not_depend_on_how_many_are_held_in_memory(changes, target, at_once):
    past, grid = history(9, changes, 90, None), Grid.weekly(weeks=5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(moves, "PAIRS_AT_ONCE", at_once)
        same(past, Outcome.of(target, 14 * DAY_US), grid)
