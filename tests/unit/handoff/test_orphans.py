"""No lead in nobody's hands, none in two."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.lifecycle.stages import Stage
from serving.handoff.lifecycle.orphan_rules import (
    Holding,
    LeadOwnership,
    OwnershipAnomaly,
    OwnershipRepair,
    find_orphans,
    repair,
)
from serving.handoff.machine.transitions import OPEN, STATES, Custody, State
from serving.handoff.playbook.sections.returns import Returns

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
HERE = {"sam", "kim"}


def orphans_of(*places):
    return list(find_orphans(places, HERE, Returns(), NOW))


def held(state=State.WORKING, seller="sam", days=1.0, number="h-1", planned=None):
    next_at = None if planned is None else NOW + timedelta(days=planned)
    return Holding(number, state, NOW - timedelta(days=days), seller, next_at)


def test_a_lead_on_no_track_and_in_no_handoff_goes_to_review():
    (orphan,) = orphans_of(LeadOwnership("l-1", Stage.RETURNED))

    assert (orphan.anomaly, orphan.repair, orphan.track) == (
        OwnershipAnomaly.IN_NO_HANDS,
        OwnershipRepair.NURTURE,
        "review",
    )
    assert "It is returned, on no track and in no handoff" in orphan.because


@pytest.mark.parametrize(
    "place",
    [
        LeadOwnership("l-1", Stage.RETURNED, track="low_touch"),
        LeadOwnership("l-1", Stage.WON),
        LeadOwnership("l-1", Stage.LEAD, do_not_contact=True),
        LeadOwnership("l-1", Stage.SAL, holdings=(held(),)),
        LeadOwnership("l-1", Stage.SQL, holdings=(held(State.QUALIFIED, days=40, planned=2),)),
        LeadOwnership("l-1", Stage.MQL, holdings=(held(State.QUEUED, seller=None),)),
    ],
)
def test_a_lead_in_good_hands_is_left_alone(place):
    assert not orphans_of(place)


def test_of_two_handoffs_the_one_that_came_further_keeps_the_lead():
    place = LeadOwnership(
        "l-1", Stage.SAL, holdings=(held(State.QUEUED, None, number="h-2"), held())
    )

    (orphan,) = orphans_of(place)

    assert (orphan.anomaly, orphan.repair, orphan.handoff_id) == (
        OwnershipAnomaly.IN_TWO_HANDS,
        OwnershipRepair.WITHDRAW,
        "h-2",
    )


def test_who_works_here_no_more_gives_leads_back_to_the_queue_but_deals_are_named_anew():
    leads = orphans_of(LeadOwnership("l-1", Stage.SAL, holdings=(held(seller="gone"),)))
    deals = orphans_of(
        LeadOwnership("l-1", Stage.OPPORTUNITY, holdings=(held(State.IN_DEAL, "gone"),))
    )

    assert (leads[0].anomaly, leads[0].repair) == (
        OwnershipAnomaly.SELLER_GONE,
        OwnershipRepair.REASSIGN,
    )
    assert (deals[0].anomaly, deals[0].repair) == (
        OwnershipAnomaly.SELLER_GONE,
        OwnershipRepair.ESCALATE,
    )


def test_a_lead_nobody_touched_for_two_weeks_is_escalated():
    (orphan,) = orphans_of(
        LeadOwnership("l-1", Stage.SQL, holdings=(held(State.QUALIFIED, days=14),))
    )

    assert (orphan.anomaly, orphan.repair) == (
        OwnershipAnomaly.UNATTENDED,
        OwnershipRepair.ESCALATE,
    )
    assert "Nothing has happened for 14 days" in orphan.because


holdings = st.builds(
    held,
    state=st.sampled_from(sorted(OPEN)),
    seller=st.sampled_from([None, "sam", "gone"]),
    days=st.sampled_from([0.5, 13.0, 30.0]),
    number=st.sampled_from(["h-1", "h-2", "h-3"]),
    planned=st.sampled_from([None, -1.0, 1.0]),
)
places = st.builds(
    LeadOwnership,
    lead_id=st.just("l-1"),
    stage=st.sampled_from(Stage),
    track=st.sampled_from([None, "low_touch"]),
    holdings=st.lists(holdings, max_size=3, unique_by=lambda h: h.handoff_id).map(tuple),
    do_not_contact=st.booleans(),
)


@given(places)
def test_every_orphan_is_repaired_and_then_lies_in_exactly_one_hand(place):
    for orphan in orphans_of(place):
        place = repair(place, orphan, NOW)

    assert not orphans_of(place)
    assert len(place.holdings) <= 1
    hands = [h for h in place.holdings if STATES[h.state].custody is Custody.SELLER]
    assert all(h.seller in HERE or h.next_at is not None for h in hands)
    nowhere = place.stage is Stage.WON or place.do_not_contact
    assert place.holdings or place.track or nowhere
