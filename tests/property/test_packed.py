"""A packed history gives the row its records give, bit for bit."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.clock import DAY_US
from features.compute.online import compute_packed_rows, compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion
from features.errors import PackedHistoryError
from features.kernel.encode import Encoder
from features.kernel.packed import has_left_an_account, pack_lead
from tests.property.strategies import CATALOG, START, events, leads

ENCODER = Encoder(CATALOG)


@given(leads(), st.integers(1, 40 * DAY_US))
def test_a_packed_lead_gives_the_row_of_its_records(lead, later):
    packed = pack_lead(ENCODER, lead)
    as_of = max(p.known_until for p in (packed, *(packed.colleagues or ()))) + later
    row = compute_packed_rows(CATALOG, [packed], [as_of])
    assert row.tobytes() == compute_rows(CATALOG, [lead], [as_of]).tobytes()


@given(leads(), st.lists(events(), max_size=4))
def test_records_may_be_appended_in_any_order(lead, later_events):
    more = lead._replace(events=(*lead.events, *later_events))
    first, second = (
        pack_lead(ENCODER, lead),
        pack_lead(ENCODER, lead._replace(events=tuple(later_events), stages=(), versions=())),
    )
    others = [c.known_until for c in first.colleagues or ()]
    # Of a lead that left an account the store reads the rows, and appends to nothing.
    assume(not has_left_an_account(first.account_ids))
    known_until = max(first.known_until, second.known_until, *others, 0)
    appended = first._replace(known_until=known_until, records=second.records + first.records)
    as_of = known_until + DAY_US
    row = compute_packed_rows(CATALOG, [appended], [as_of])
    assert row.tobytes() == compute_rows(CATALOG, [more], [as_of]).tobytes()


@given(st.lists(leads(max_events=12), min_size=1, max_size=4))
def test_many_packed_leads_give_the_rows_of_their_records(records):
    as_of = [30_000 * DAY_US] * len(records)
    rows = compute_packed_rows(CATALOG, [pack_lead(ENCODER, lead) for lead in records], as_of)
    assert rows.tobytes() == compute_rows(CATALOG, records, as_of).tobytes()


@given(leads())
def test_a_moment_before_the_newest_was_known_is_refused(lead):
    packed = pack_lead(ENCODER, lead)
    with pytest.raises(PackedHistoryError, match="Compute the row from the records"):
        compute_packed_rows(CATALOG, [packed], [packed.known_until])


def test_what_became_known_after_somebody_left_is_not_the_accounts():
    late = EventRecord(START + DAY_US, START + 9 * DAY_US, "demo_request", "web")
    early = EventRecord(START + 2 * DAY_US, START + 2 * DAY_US, "demo_request", "web")
    versions = (LeadVersion(START, {}, "acme"), LeadVersion(START + 5 * DAY_US, {}, "globex"))
    other = LeadRecord("bob", START, versions, (late, early))
    lead = LeadRecord("ann", START, (LeadVersion(START, {}, "acme"),), colleagues=(other,))
    as_of = START + 20 * DAY_US

    row = compute_packed_rows(CATALOG, [pack_lead(ENCODER, lead)], [as_of])

    assert row.tobytes() == compute_rows(CATALOG, [lead], [as_of]).tobytes()
    assert row[0, CATALOG.names.index("colleagues_high_intent_count_life")] == 1.0
