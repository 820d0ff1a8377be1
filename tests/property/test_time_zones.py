"""Time zones and clock changes do not matter: the instant counts, however it is written."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.clock import DAY_US, HOUR_US, from_us, to_us
from features.compute.offline import Snapshots, compute_matrix
from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord
from features.lifecycle.stages import Stage
from features.sources.history.folder import read_history
from features.taxonomy import default_taxonomy
from serving.scoring.request.records import read_lead
from serving.scoring.request.service import read_body
from tests.unit.sources.factories import import_texts, mapping_of

CATALOG = build_catalog(
    default_taxonomy(),
    (
        LeadAttribute("industry", "category", ("bank", "software", OTHER_CATEGORY)),
        LeadAttribute("trial_ends", "time"),
    ),
)
ZONES = tuple(
    ZoneInfo(name)
    for name in (
        "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu",
        "Australia/Lord_Howe",
    )
)  # fmt: skip
CREATED = datetime(2024, 3, 25, 8, 30, tzinfo=UTC)
CHANGES = [
    datetime(2024, 3, 31, 1, tzinfo=UTC),  # Berlin: from 2:00 to 3:00 on the wall
    datetime(2024, 4, 6, 15, tzinfo=UTC),  # Lord Howe: half an hour back
    datetime(2024, 10, 27, 1, tzinfo=UTC),  # Berlin: from 3:00 back to 2:00
    datetime(2024, 11, 3, 6, tzinfo=UTC),  # New York: from 2:00 back to 1:00
]
LOOK = datetime(2024, 11, 4, 12, tzinfo=UTC)

moments = st.one_of(
    st.builds(
        lambda change, us: change + timedelta(microseconds=us),
        st.sampled_from(CHANGES),
        st.one_of(
            st.integers(-3 * HOUR_US, 3 * HOUR_US),
            st.integers(-12, 12).map(lambda quarters: quarters * HOUR_US // 4),
        ),
    ),
    st.integers(to_us(CREATED), to_us(LOOK)).map(from_us),
)
zones = st.sampled_from(ZONES)
kinds = st.sampled_from(["page_view", "pricing_view", "email_open", "demo_request"])
events = st.tuples(moments, zones, kinds)
moves = st.tuples(moments, zones, st.sampled_from([str(stage) for stage in Stage]))


def body(events, moves, created, ends, look) -> bytes:
    """Write a lead as a caller sends it; the times are ISO text with their offsets."""
    lead = {
        "lead_id": "ann",
        "created_at": created,
        "as_of": look,
        "attributes": {"industry": "bank", "trial_ends": ends},
        "events": [{"kind": kind, "occurred_at": at} for at, kind in events],
        "stages": [{"stage": stage, "at": at} for at, stage in moves],
    }
    return json.dumps(lead).encode()


def row_of(sent: bytes) -> bytes:
    found = read_lead(read_body(sent), CATALOG, "sql", LOOK, most_events=100)
    return compute_rows(CATALOG, [found.record], [to_us(found.as_of)]).tobytes()


@given(
    st.lists(events, max_size=12), st.lists(moves, max_size=4), moments, st.tuples(zones, zones)
)
def test_the_same_instants_sent_with_other_offsets_give_the_same_row(events, moves, ends, others):
    def written(at: datetime, zone: ZoneInfo) -> str:
        return at.astimezone(zone).isoformat()

    in_utc = body(
        [(written(at, UTC), kind) for at, _, kind in events],
        [(written(at, UTC), stage) for at, _, stage in moves],
        *(written(at, UTC) for at in (CREATED, ends, LOOK)),
    )
    here, there = others
    elsewhere = body(
        [(written(at, zone), kind) for at, zone, kind in events],
        [(written(at, zone), stage) for at, zone, stage in moves],
        *(written(CREATED, here), written(ends, there), written(LOOK, there)),
    )
    assert row_of(in_utc) == row_of(elsewhere)


def wall_time(at: datetime, zone: ZoneInfo) -> str:
    """Write a time as the clocks on the wall show it; with its offset where it comes twice."""
    local = at.astimezone(zone)
    return local.isoformat() if local.fold else local.replace(tzinfo=None).isoformat()


def matrix_of(zone: ZoneInfo, events, moves, ends: datetime) -> bytes:
    """Export as a source whose clocks stand in a zone, import it, and compute."""
    mapping = mapping_of(
        f'name = "shop"\ntime_zone = "{zone.key}"\n',
        '[[source]]\nrecord = "lead"\nfile = "leads.csv"\n',
        '[source.fields]\nlead_id = "id"\ncreated_at = "created"\n',
        '[source.attributes]\ntrial_ends = {column = "ends", type = "time", known = "at creation"}\n',
        '[[source]]\nrecord = "event"\nfile = "events.csv"\n',
        '[source.fields]\nlead_id = "id"\noccurred_at = "time"\nkind = "kind"\n',
        '[[source]]\nrecord = "stage"\nfile = "stages.csv"\n',
        '[source.fields]\nlead_id = "id"\nat = "time"\nstage = "stage"\n',
    )
    texts = {
        "leads": [["id", "created", "ends"], ["ann", wall_time(CREATED, zone), wall_time(ends, zone)]],
        "events": [["id", "time", "kind"], *(["ann", wall_time(at, zone), k] for at, _, k in events)],
        "stages": [["id", "time", "stage"], *(["ann", wall_time(at, zone), s] for at, _, s in moves)],
    }  # fmt: skip
    with TemporaryDirectory() as folder:
        written = {name: "\n".join(",".join(row) for row in rows) for name, rows in texts.items()}
        report = import_texts(Path(folder), mapping, **written)
        asked = Snapshots(np.zeros(1, np.int64), np.array([to_us(LOOK)]))
        return compute_matrix(CATALOG, read_history(report.folder), asked).tobytes()


@pytest.mark.slow
@given(st.lists(events, max_size=8), st.lists(moves, max_size=3), moments, zones)
def test_the_same_instants_exported_by_clocks_of_another_zone_give_the_same_row(
    events, moves, ends, zone
):
    assert matrix_of(ZONES[0], events, moves, ends) == matrix_of(zone, events, moves, ends)


@pytest.mark.parametrize(("hour", "views"), [(10, 1), (11, 1), (12, 0)])
def test_a_day_has_24_hours_on_the_day_the_clocks_change(hour, views):
    # In Berlin the 27th of October 2024 has 25 hours; noon to noon is a day and an hour.
    berlin = ZoneInfo("Europe/Berlin")
    noon = to_us(datetime(2024, 10, 26, 12, tzinfo=berlin))
    look = to_us(datetime(2024, 10, 27, hour, tzinfo=berlin))
    lead = LeadRecord("ann", noon - DAY_US, events=(EventRecord(noon, noon, "page_view", "web"),))
    row = compute_rows(CATALOG, [lead], [look])[0]
    assert row[CATALOG.names.index("page_view_count_1d")] == views
