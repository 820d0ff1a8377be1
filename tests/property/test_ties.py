"""The order of equal timestamps does not matter, online and offline."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.clock import DAY_US, HOUR_US
from features.compute.offline import Snapshots, compute_matrix
from features.compute.online import compute_rows
from features.contracts.history import History
from features.contracts.records import EventRecord, LeadRecord, StageRecord
from features.lifecycle.stages import Stage
from tests.property.strategies import CATALOG, START, leads
from tests.spec.engines import write_down

# Few moments for many records, so that most of them share theirs.
moments = st.sampled_from([START + step for step in (0, HOUR_US, DAY_US, DAY_US + 1, 9 * DAY_US)])
delays = st.sampled_from([0, 0, HOUR_US, DAY_US])
values = st.sampled_from([None, 0.1, 0.2, 1 / 3, -0.0, 0.0, 1e17, -1e17])
"""Sums of these depend on the order they are added in."""

events = st.builds(
    lambda at, delay, kind, channel, value: EventRecord(at, at + delay, kind, channel, value),
    moments,
    delays,
    st.sampled_from(["page_view", "pricing_view", "email_open", "unheard of"]),
    st.sampled_from([None, "web", "email", "carrier pigeon"]),
    values,
)
stage_moves = st.builds(
    lambda at, delay, stage, reason: StageRecord(at, at + delay, stage, reason),
    moments,
    delays,
    st.sampled_from([str(stage) for stage in Stage]),
    st.sampled_from([None, "no budget", "Unreachable", "a reason nobody told"]),
)
looking = st.sampled_from(
    [START + HOUR_US, START + DAY_US, START + 8 * DAY_US, START + 40 * DAY_US]
)


def lead_of(name: str, events, moves) -> LeadRecord:
    return LeadRecord(name, START, (), tuple(events), tuple(moves))


tied_leads = st.tuples(st.lists(events, max_size=16), st.lists(stage_moves, max_size=6))


@given(tied_leads, looking, st.randoms(use_true_random=False))
def test_the_order_of_records_of_one_moment_does_not_matter_online(tied, as_of, random):
    events, moves = tied
    before = compute_rows(CATALOG, [lead_of("ann", events, moves)], [as_of])
    mixed, moved = list(events), list(moves)
    random.shuffle(mixed)
    random.shuffle(moved)
    after = compute_rows(CATALOG, [lead_of("ann", mixed, moved)], [as_of])
    assert before.tobytes() == after.tobytes()


@given(leads(), looking, st.randoms(use_true_random=False))
def test_the_order_of_colleagues_does_not_matter(lead, as_of, random):
    others = list(lead.colleagues or ())
    random.shuffle(others)
    mixed = lead._replace(colleagues=None if lead.colleagues is None else tuple(others))
    before, after = (compute_rows(CATALOG, [each], [as_of]) for each in (lead, mixed))
    assert before.tobytes() == after.tobytes()


def test_zero_has_no_sign():
    # Two zeros are equal: if one had a sign, the order they arrive in would decide which is kept.
    zeros = [EventRecord(START, START, "page_view", "web", value) for value in (0.0, -0.0)]
    rows = [
        compute_rows(CATALOG, [lead_of("ann", events, [])], [START + DAY_US])
        for events in (zeros, zeros[::-1])
    ]
    assert rows[0].tobytes() == rows[1].tobytes()


@given(st.lists(tied_leads, min_size=1, max_size=3), looking, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_offline(tied, as_of, random):
    leads = [lead_of(f"lead {n}", *records) for n, records in enumerate(tied)]
    history = write_down(CATALOG, leads)

    def mixed(table):
        order = list(range(table.num_rows))
        random.shuffle(order)
        return table.take(np.array(order, np.int64))

    other = History(
        history.leads,
        mixed(history.events),
        mixed(history.stages),
        history.attempts,
        history.about,
    )
    asked = Snapshots(np.arange(len(leads)), np.full(len(leads), as_of, np.int64))
    before, after = (compute_matrix(CATALOG, each, asked) for each in (history, other))
    online = compute_rows(CATALOG, leads, [as_of] * len(leads))
    assert before.tobytes() == after.tobytes() == online.tobytes()
