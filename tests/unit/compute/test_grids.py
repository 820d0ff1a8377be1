"""Grids look when they say, within the bounds of what was observed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog.manifest import build_catalog
from features.clock import DAY_US, HOUR_US
from features.compute.errors import GridError
from features.compute.grids import (
    WEEK_US,
    AtEvents,
    AtHandoffs,
    Periodic,
    choose_moments,
    read_moments,
)
from features.compute.online import compute_rows
from features.contracts.columns import TIME
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_records
from features.taxonomy import default_taxonomy

T0 = 20_000 * DAY_US
CATALOG = build_catalog(default_taxonomy(), ())
ENCODER = Encoder(CATALOG)


def lead(name, created=T0, events=(), stages=()):
    records = [EventRecord(at, known, "page_view", "web") for at, known in events]
    moves = [StageRecord(at, at, stage) for at, stage in stages]
    return LeadRecord(name, created, (LeadVersion(created, {}),), records, moves)


def look(grid, leads, until=T0 + 365 * DAY_US):
    found = grid.of_partition(0).look(ENCODER, columns_of_records(ENCODER, leads), until)
    pairs = zip(found.snapshots.lead_index.tolist(), found.snapshots.as_of.tolist(), strict=True)
    return list(pairs), found.left_out


def test_weekly_looks_a_day_after_creation_and_every_week_until_the_end():
    found, left_out = look(
        Periodic(WEEK_US), [lead("a"), lead("b", T0 + 9 * DAY_US)], T0 + 15 * DAY_US
    )
    assert found == [
        (0, T0 + DAY_US),
        (0, T0 + 8 * DAY_US),
        (0, T0 + 15 * DAY_US),
        (1, T0 + 10 * DAY_US),
    ]
    assert left_out == 0


def test_daily_stops_at_an_age():
    found, _ = look(Periodic(DAY_US, 3 * DAY_US), [lead("a")])
    assert found == [(0, T0 + n * DAY_US) for n in (1, 2, 3)]


def test_a_lead_created_at_the_end_is_not_looked_at():
    assert look(Periodic(DAY_US), [lead("a"), lead("b")], T0) == ([], 0)


def test_at_events_a_row_sees_the_event_and_looks_once_at_each_moment():
    events = [
        (T0 + HOUR_US, T0 + HOUR_US),
        (T0 + HOUR_US, T0 + HOUR_US),
        (T0 + DAY_US, T0 + DAY_US),
    ]
    one = lead("a", events=events, stages=[(T0 + 2 * DAY_US, "mql")])
    found, _ = look(AtEvents(), [one])
    assert found == [(0, T0 + HOUR_US + 1), (0, T0 + DAY_US + 1)]
    rows = compute_rows(CATALOG, [one, one], [as_of for _, as_of in found])
    assert rows[:, CATALOG.names.index("page_view_count_life")].tolist() == [2.0, 3.0]


def test_at_events_a_late_arrival_is_looked_at_when_it_became_known():
    late = lead("a", events=[(T0 + HOUR_US, T0 + 5 * DAY_US), (T0 + DAY_US, T0 + DAY_US)])
    found, _ = look(AtEvents(), [late, lead("b")])
    assert found == [(0, T0 + DAY_US + 1), (0, T0 + 5 * DAY_US + 1)]


def test_at_events_what_happened_before_creation_or_became_known_at_the_end_is_left_out():
    before = lead("a", events=[(T0 - DAY_US, T0 - DAY_US), (T0, T0), (T0 + DAY_US, T0 + DAY_US)])
    assert look(AtEvents(), [before], T0 + DAY_US) == ([(0, T0 + 1)], 2)


def test_at_handoffs_the_move_itself_is_not_seen():
    moves = [(T0 + DAY_US, "mql"), (T0 + 2 * DAY_US, "returned"), (T0 + 9 * DAY_US, "mql")]
    one = lead("a", stages=moves)
    found, _ = look(AtHandoffs(), [one])
    assert found == [(0, T0 + DAY_US), (0, T0 + 9 * DAY_US)]
    rows = compute_rows(CATALOG, [one, one], [as_of for _, as_of in found])
    stage = CATALOG.features[CATALOG.names.index("current_stage")]
    codes = rows[:, CATALOG.names.index("current_stage")]
    assert np.isnan(codes[0]) or stage.categories[int(codes[0])] == "lead"
    assert stage.categories[int(codes[1])] == "returned to marketing"


def test_a_lead_that_came_as_mql_is_counted_as_left_out():
    assert look(AtHandoffs(), [lead("a", stages=[(T0, "mql")])]) == ([], 1)


moments = st.lists(st.integers(-2, 12), max_size=6)


@given(st.lists(st.tuples(st.integers(0, 5), moments), min_size=1, max_size=4), st.integers(0, 12))
def test_at_events_is_what_a_loop_over_leads_finds(drawn, end):
    leads = [
        lead(str(n), T0 + created_at, [(T0 + m, T0 + m + (m % 3)) for m in known])
        for n, (created_at, known) in enumerate(drawn)
    ]
    expected = [
        (n, as_of)
        for n, one in enumerate(leads)
        for as_of in sorted({e.known_at + 1 for e in one.events})
        if one.created_at < as_of <= T0 + end
    ]
    assert look(AtEvents(), leads, T0 + end)[0] == expected


def write_moments(path: Path, pairs, type_=TIME) -> Path:
    ids, times = zip(*pairs, strict=True)
    table = pa.table({"lead_id": pa.array(ids), "as_of": pa.array(times).cast(type_)})
    pq.write_table(table, path)
    return path


def test_chosen_moments_go_to_the_partition_of_their_lead(tmp_path):
    path = write_moments(
        tmp_path / "m.parquet",
        [
            ("c", T0 + DAY_US),
            ("a", T0 + 5),
            ("b", T0 + 7),
            ("a", T0 + 3),
            ("a", T0 + 3),
            ("a", T0),
        ],
    )
    grid = choose_moments(
        read_moments(path),
        [pa.array(["a", "b"]), pa.array([], pa.string()), pa.array(["c"])],
        str(path),
    )
    found, left_out = look(grid, [lead("a"), lead("b")])
    assert found == [(0, T0 + 3), (0, T0 + 5), (1, T0 + 7)]
    assert left_out == 1
    assert len(grid.of_partition(1).as_of) == 0
    assert grid.of_partition(2).lead_index.tolist() == [0]


def test_moments_are_read_from_csv_in_any_zone(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("note,lead_id,as_of\nx,007,2026-03-02T10:00:00+01:00\n")
    table = read_moments(path)
    assert table.column("lead_id").to_pylist() == ["007"]
    assert table.column("as_of")[0].as_py().isoformat() == "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize(
    "text", ["lead_id,as_of\na,2026-03-02T10:00:00\n", "lead_id\na\n", "lead_id,as_of\na,\n"]
)
def test_moments_that_cannot_be_used_are_refused(tmp_path, text):
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(GridError, match="with its zone"):
        read_moments(path)


def test_moments_without_a_zone_in_parquet_are_refused(tmp_path):
    path = write_moments(tmp_path / "m.parquet", [("a", T0)], pa.timestamp("us"))
    with pytest.raises(GridError, match="not a time with a zone"):
        read_moments(path)


def test_a_lead_that_the_history_lacks_is_named(tmp_path):
    path = write_moments(tmp_path / "m.parquet", [("nobody", T0)])
    with pytest.raises(GridError, match="nobody"):
        choose_moments(read_moments(path), [pa.array(["a"])], str(path))


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_a_list_of_no_moments_is_a_grid_of_no_snapshots(tmp_path, name):
    path = tmp_path / name
    if name == "m.csv":
        path.write_text("lead_id,as_of\n")
    else:
        none = pa.schema([("lead_id", pa.string()), ("as_of", TIME)]).empty_table()
        pq.write_table(none, path)
    grid = choose_moments(read_moments(path), [pa.array(["a"])], str(path))
    assert look(grid, [lead("a")]) == ([], 0)


def test_lead_ids_may_be_numbers(tmp_path):
    path = tmp_path / "m.parquet"
    table = pa.table({"lead_id": [7, 7], "as_of": pa.array([T0 + 2, T0 + 1]).cast(TIME)})
    pq.write_table(table, path)
    grid = choose_moments(read_moments(path), [pa.array(["6", "7"])], str(path))
    assert grid.of_partition(0).lead_index.tolist() == [1, 1]
    assert grid.of_partition(0).as_of.tolist() == [T0 + 1, T0 + 2]
