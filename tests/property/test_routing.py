"""Whatever comes in whatever order: a lead goes to somebody free, who was not asked before, or waits."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import to_us
from serving.handoff.decision.conditions import ConditionFacts
from serving.handoff.decision.definitions import run_definitions
from serving.handoff.playbook.read import read_playbook
from serving.handoff.routing.rules import (
    AccountOwner,
    LeadToRoute,
    Ledger,
    Roster,
    RouteVerdict,
    decide_route,
)

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
PLAYBOOK = read_playbook(
    """
    [routing]
    teams = ["sales", "field"]
    [[routing.rules]]
    name = "fair"
    sources = ["fair"]
    team = "field"
    pool_after_hours = 3
    [[routing.sellers]]
    id = "ann"
    team = "sales"
    capacity_per_day = 3
    [[routing.sellers]]
    id = "ben"
    team = "sales"
    share = 3
    away = [{ first = 2026-05-05, last = 2026-05-05 }]
    [[routing.sellers]]
    id = "cat"
    team = "field"
    capacity_per_day = 2
    calendar = "tokyo"
    [sla.calendars.office]
    time_zone = "UTC"
    [sla.calendars.tokyo]
    time_zone = "Asia/Tokyo"
    """
)
SELLERS = ("ann", "ben", "cat")
FOUND = run_definitions(PLAYBOOK, ConditionFacts(to_us(MONDAY)))

arrivals = st.lists(
    st.tuples(
        st.integers(0, 300),  # minutes after the one before
        st.sampled_from(["fair", "web"]),
        st.sets(st.sampled_from(SELLERS), max_size=2),
        st.sampled_from([None, *SELLERS]),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(arrivals)
def test_a_lead_goes_to_somebody_free_whom_it_was_not_offered_to_or_waits_for_a_later_moment(
    comings,
):
    roster, ledger, at = Roster(PLAYBOOK), Ledger(), MONDAY
    for number, (minutes, source, tried, owner) in enumerate(comings):
        at += timedelta(minutes=minutes)
        facts = ConditionFacts(to_us(at), {"source": source})
        had = None if owner is None else AccountOwner(owner, at - timedelta(days=9))
        lead = LeadToRoute(
            f"L{number}", at, facts, FOUND, owner=had, offered_to=tuple(sorted(tried))
        )

        route, after = decide_route(lead, roster, ledger, at)

        if route.verdict is RouteVerdict.ASSIGNED:
            assert route.seller not in tried
            assert roster.free_at(route.seller, at, ledger) == at
            day = roster.hours[route.seller].local_day(at)
            assert after.given_on(route.seller, day) == ledger.given_on(route.seller, day) + 1
        else:
            assert after == ledger
            assert (route.wait_until is None) == (route.verdict is RouteVerdict.NEEDS_DECISION)
            assert route.wait_until is None or route.wait_until > at
        assert route.because.endswith(".")
        ledger = after
    for seller in SELLERS:
        room = roster.sellers[seller].capacity_per_day
        assert all(credit.get(seller, 0.0) <= room for credit in ledger.credits.values())
