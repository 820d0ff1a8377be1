"""A packed history gives the row its records give, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import DAY_US
from features.compute.offline import Snapshots, compute_columns
from features.compute.online import compute_packed_row, compute_rows
from features.errors import PackedHistoryError
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_records
from features.kernel.packed import columns_of_packed, pack_columns, pack_lead
from tests.property.strategies import CATALOG, events, leads

ENCODER = Encoder(CATALOG)


@given(leads(), st.integers(1, 40 * DAY_US))
def test_a_packed_lead_gives_the_row_of_its_records(lead, later):
    packed = pack_lead(ENCODER, lead)
    as_of = max(p.known_until for p in (packed, *(packed.colleagues or ()))) + later
    row = compute_packed_row(CATALOG, packed, as_of)
    assert row.tobytes() == compute_rows(CATALOG, [lead], [as_of]).tobytes()


@given(leads(), st.lists(events(), max_size=4))
def test_records_may_be_appended_in_any_order(lead, later_events):
    more = lead._replace(events=(*lead.events, *later_events))
    first, second = (
        pack_lead(ENCODER, lead),
        pack_lead(ENCODER, lead._replace(events=tuple(later_events), stages=(), versions=())),
    )
    others = [c.known_until for c in first.colleagues or ()]
    known_until = max(first.known_until, second.known_until, *others, 0)
    appended = first._replace(known_until=known_until, records=second.records + first.records)
    as_of = known_until + DAY_US
    row = compute_packed_row(CATALOG, appended, as_of)
    assert row.tobytes() == compute_rows(CATALOG, [more], [as_of]).tobytes()


@given(st.lists(leads(max_events=12), min_size=1, max_size=4))
def test_many_packed_leads_give_the_matrix_of_their_records(records):
    records = [lead._replace(colleagues=None) for lead in records]
    columns = columns_of_records(ENCODER, records)
    packed = pack_columns(columns)
    n_versions = np.diff(columns.version_offsets)
    versions = (
        np.repeat(np.arange(len(records)), n_versions),
        columns.version_known_at,
        columns.version_values,
    )
    asked = Snapshots(
        np.arange(len(columns.created_at)), np.full(len(columns.created_at), 30_000 * DAY_US)
    )
    whole = columns_of_packed(columns.created_at, packed, versions)
    tail = columns_of_packed(
        columns.created_at[1:],
        packed[1:],
        (versions[0][n_versions[0] :] - 1, *(v[n_versions[0] :] for v in versions[1:])),
    )
    matrix = compute_columns(CATALOG, columns, asked)
    assert compute_columns(CATALOG, whole, asked).tobytes() == matrix.tobytes()
    rest = Snapshots(np.arange(len(records) - 1), asked.as_of[1:])
    assert compute_columns(CATALOG, tail, rest).tobytes() == matrix[1:].tobytes()


@given(leads())
def test_a_moment_before_the_newest_was_known_is_refused(lead):
    packed = pack_lead(ENCODER, lead)
    with pytest.raises(PackedHistoryError, match="Compute the row from the records"):
        compute_packed_row(CATALOG, packed, packed.known_until)
