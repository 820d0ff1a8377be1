from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from features.clock import to_us
from serving.handoff.decision.conditions import ConditionFacts
from serving.handoff.decision.definitions import run_definitions
from serving.handoff.machine.errors import UnknownSellerError
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import read_playbook
from serving.handoff.routing.rules import (
    AccountOwner,
    LeadToRoute,
    Ledger,
    Roster,
    RouteVerdict,
    assign_by_hand,
    decide_route,
    route_queue,
)

OFFICE = """
[sla.calendars.office]
time_zone = "UTC"
hours = ["mon-fri 09:00-17:00"]
"""


def may(day: int, hour: int = 10, minute: int = 0) -> datetime:
    """2026-05-04 is a Monday."""
    return datetime(2026, 5, 1, hour, minute, tzinfo=UTC) + timedelta(days=day - 1)


def playbook(*sellers: str, rest: str = "", pool: str = "sales") -> Playbook:
    """Make a playbook of sellers, each a line of TOML after its id and team."""
    tables = "".join(f'[[routing.sellers]]\nteam = "{pool}"\n{line}\n' for line in sellers)
    teams = "" if "teams" in rest else f'teams = ["{pool}"]\n'
    return read_playbook(f'[routing]\n{teams}pool = "{pool}"\n{rest}\n{tables}\n{OFFICE}')


ANN, BEN = 'id = "ann"', 'id = "ben"'
TWO = playbook(ANN, BEN)


def lead(name="L1", at=None, play=TWO, **known):
    attributes = known.pop("attributes", {})
    at = at or may(4)
    facts = ConditionFacts(to_us(at), attributes)
    return LeadToRoute(name, known.pop("since", at), facts, run_definitions(play, facts), **known)


def route(one, play=TWO, ledger=None, at=None):
    return decide_route(one, Roster(play), ledger or Ledger(), at or may(4))[0]


def route_daily(play, days, per_day=1):
    """Route so many leads on each of so many days; give the sellers in order."""
    roster, ledger, got = Roster(play), Ledger(), []
    for day in range(days):
        at = may(4 + day)
        leads = [lead(f"L{day}-{n}", at, play) for n in range(per_day)]
        routes, ledger = route_queue(leads, roster, ledger, at)
        got += [found.seller for found in routes]
    return got


def test_two_equal_sellers_of_thirty_single_lead_days_get_fifteen_each():
    open_always = read_playbook(
        '[[routing.sellers]]\nid = "ann"\nteam = "sales"\n'
        '[[routing.sellers]]\nid = "ben"\nteam = "sales"\n'
        '[sla.calendars.office]\ntime_zone = "UTC"\nhours = ["mon-sun 00:00-24:00"]'
    )

    got = route_daily(open_always, days=30)

    assert (got.count("ann"), got.count("ben")) == (15, 15)


def test_shares_are_kept_to_the_lead():
    got = route_daily(playbook(f"{ANN}\nshare = 2", BEN), days=5, per_day=6)

    assert (got.count("ann"), got.count("ben")) == (20, 10)


def test_nobody_catches_up_on_days_they_were_away():
    away = playbook(ANN, f"{BEN}\naway = [{{ first = 2026-05-04, last = 2026-05-05 }}]")

    got = route_daily(away, days=5, per_day=4)

    assert got[:8] == ["ann"] * 8
    assert (got[8:].count("ann"), got[8:].count("ben")) == (6, 6)


def test_whoever_opens_later_makes_up_for_the_morning_by_the_end_of_the_day():
    play = read_playbook(
        '[[routing.sellers]]\nid = "early"\nteam = "sales"\n'
        '[[routing.sellers]]\nid = "late"\nteam = "sales"\ncalendar = "afternoon"\n'
        '[sla.calendars.office]\ntime_zone = "UTC"\nhours = ["mon-fri 09:00-17:00"]\n'
        '[sla.calendars.afternoon]\ntime_zone = "UTC"\nhours = ["mon-fri 13:00-20:00"]'
    )
    roster, ledger, got = Roster(play), Ledger(), []
    for hour in (9, 10, 11, 13, 14, 15):
        found, ledger = decide_route(
            lead(at=may(4, hour), play=play), roster, ledger, may(4, hour)
        )
        got.append(found.seller)

    assert got == ["early"] * 3 + ["late"] * 3


def test_nobody_is_further_behind_than_a_days_room():
    play = read_playbook(
        '[[routing.sellers]]\nid = "early"\nteam = "sales"\n'
        '[[routing.sellers]]\nid = "late"\nteam = "sales"\ncapacity_per_day = 2\n'
        'calendar = "evening"\n[sla.calendars.office]\ntime_zone = "UTC"\n'
        'hours = ["mon-fri 09:00-17:00"]\n[sla.calendars.evening]\ntime_zone = "UTC"\n'
        'hours = ["mon-fri 17:00-20:00"]'
    )
    roster, ledger = Roster(play), Ledger()
    for _ in range(9):
        _, ledger = decide_route(lead(play=play), roster, ledger, may(4))

    assert ledger.credits["sales"]["late"] == 2


def test_a_full_seller_gets_no_more_that_day_and_the_lead_waits_if_all_are_full():
    play = playbook(f"{ANN}\ncapacity_per_day = 1", f"{BEN}\ncapacity_per_day = 2")

    routes, _ = route_queue(
        [lead(f"L{n}", play=play) for n in range(4)], Roster(play), Ledger(), may(4)
    )

    assert [r.seller for r in routes] == ["ann", "ben", "ben", None]
    assert routes[-1].verdict is RouteVerdict.WAITS
    assert routes[-1].wait_until == may(5, 9)
    assert routes[2].because == (
        "ben gets it: it falls to the pool, and only ben is at work with room for it."
    )


def test_a_lead_of_the_night_waits_for_whoever_works_first():
    found = route(lead(at=may(8, 20)), at=may(8, 20))

    assert (found.verdict, found.wait_until) == (RouteVerdict.WAITS, may(11, 9))
    assert found.because == (
        "It waits: it falls to the pool, and nobody there is free before ann is, "
        "Mon 2026-05-11 09:00 UTC."
    )


def test_those_who_asked_come_first_then_the_highest_value():
    play = playbook(f"{ANN}\ncapacity_per_day = 2")
    leads = [
        lead("small", play=play, value=10.0),
        lead("unknown", play=play),
        lead("large", play=play, value=90.0),
        lead("asked", play=play, value=1.0, is_hand_raiser=True),
    ]

    routes, _ = route_queue(leads, Roster(play), Ledger(), may(4))

    assert [r.lead_id for r in routes] == ["asked", "large", "small", "unknown"]
    assert [r.seller for r in routes] == ["ann", "ann", None, None]


def test_the_same_account_goes_to_the_same_seller_even_out_of_turn_and_it_counts():
    owned = lead(owner=AccountOwner("ann", may(1)), account_id="A")
    roster = Roster(TWO)

    first, ledger = decide_route(owned, roster, Ledger(), may(4))
    second, ledger = decide_route(replace(owned, lead_id="L2"), roster, ledger, may(4))
    following = [decide_route(lead("L3"), roster, ledger, may(4))[0].seller]
    _, after = decide_route(lead("L3"), roster, ledger, may(4))
    following.append(decide_route(lead("L4"), roster, after, may(4))[0].seller)

    assert (first.seller, second.seller) == ("ann", "ann")
    assert first.because == "ann gets it: ann had the same account on 2026-05-01."
    assert following == ["ben", "ben"]


def test_two_leads_of_one_account_in_one_queue_go_to_one_seller():
    leads = [lead(f"L{n}", account_id="A") for n in range(3)]

    routes, _ = route_queue(leads, Roster(TWO), Ledger(), may(4))

    assert len({r.seller for r in routes}) == 1


def test_an_owner_of_long_ago_is_no_owner():
    old = AccountOwner("ben", may(4) - timedelta(days=121))

    assert route(lead(owner=old)).rule is None
    recent = AccountOwner("ben", may(4) - timedelta(days=119))
    assert route(lead(owner=recent)).seller == "ben"


def test_the_lead_waits_for_its_accounts_seller_for_a_day_and_not_for_a_week():
    def with_ben_away_until(day):
        return playbook(ANN, f"{BEN}\naway = [{{ first = 2026-05-04, last = 2026-05-0{day} }}]")

    owner = AccountOwner("ben", may(1))
    short, long = with_ben_away_until(4), with_ben_away_until(8)

    waits = route(lead(play=short, owner=owner), short)
    goes_on = route(lead(play=long, owner=owner), long)

    assert (waits.verdict, waits.wait_until) == (RouteVerdict.WAITS, may(5, 9))
    assert "is free again Tue 2026-05-05 09:00 UTC" in waits.because
    assert goes_on.seller == "ann"
    assert "nobody there is free before Mon 2026-05-11 09:00" in goes_on.because


def test_of_equals_whoever_is_longest_without_a_lead_is_next():
    # Dynamics: last assigned 10:02, 10:31 and 11:17, so the one of 10:02.
    three = playbook(ANN, BEN, 'id = "cat"')
    ledger = Ledger(last_at={"ann": may(4, 11, 17), "ben": may(4, 10, 2), "cat": may(4, 10, 31)})

    assert route(lead(play=three), three, ledger, may(4, 12)).seller == "ben"


def test_what_somebody_assigns_by_hand_counts_as_the_sellers_turn():
    roster = Roster(TWO)

    def by_hand(seller):
        return assign_by_hand(
            "L0",
            seller,
            by="mia",
            reason="ann knows them.",
            roster=roster,
            ledger=Ledger(),
            at=may(4),
        )

    route_by_hand, ledger = by_hand("ann")

    assert route_by_hand.because == "ann gets it: mia chose so, because ann knows them."
    assert decide_route(lead("L1"), roster, ledger, may(4))[0].seller == "ben"
    with pytest.raises(UnknownSellerError, match="no seller 'zoe'"):
        by_hand("zoe")


def test_a_lead_given_by_hand_to_somebody_away_counts_too():
    away = playbook(ANN, f"{BEN}\naway = [{{ first = 2026-05-04, last = 2026-05-04 }}]")
    roster = Roster(away)

    _, ledger = assign_by_hand(
        "L0", "ben", by="mia", reason="he asked", roster=roster, ledger=Ledger(), at=may(4)
    )

    assert ledger.credits["sales"] == {"ann": 1.0, "ben": -1.0}


RULES = """
teams = ["sales", "field", "inbound"]
[routing.territories.dach]
countries = ["DE", "AT", "CH"]
[[routing.rules]]
name = "large_dach"
territories = ["dach"]
segments = ["enterprise"]
team = "field"
[[routing.rules]]
name = "demo_form"
forms = ["Book a demo"]
sellers = ["ida"]
[[routing.rules]]
name = "partners"
sources = ["partner"]
products = ["platform"]
team = "inbound"
[[routing.rules]]
name = "schools"
when = [{ attribute = "industry", is = ["education"] }]
team = "inbound"
[[routing.sellers]]
id = "fay"
team = "field"
[[routing.sellers]]
id = "ida"
team = "inbound"
"""
RULED = playbook(ANN, rest=RULES)


@pytest.mark.parametrize(
    ("known", "seller", "rule"),
    [
        ({"attributes": {"country": "de", "employees": 2000.0}}, "fay", "large_dach"),
        ({"attributes": {"country": "DE", "employees": 20.0}}, "ann", None),
        ({"attributes": {"employees": 2000.0}}, "ann", None),
        ({"form": "book a demo"}, "ida", "demo_form"),
        (
            {"attributes": {"source": "Partner", "product_interest": "platform"}},
            "ida",
            "partners",
        ),
        ({"attributes": {"source": "partner"}}, "ann", None),
        ({"attributes": {"industry": "Education"}}, "ida", "schools"),
    ],
    ids=[
        "territory and segment",
        "territory alone",
        "country not known",
        "form",
        "source and product",
        "product not known",
        "a condition",
    ],
)
def test_the_first_rule_that_fits_states_who_gets_it(known, seller, rule):
    found = route(lead(play=RULED, **known), RULED)

    assert (found.seller, found.rule) == (seller, rule)


def test_the_sentence_names_the_rule_and_what_of_the_lead_fits():
    found = route(lead(play=RULED, attributes={"country": "DE", "employees": 2000.0}), RULED)

    assert found.because == (
        "fay gets it: rule 'large_dach' fits (territory dach and segment enterprise)."
    )


def test_the_pool_takes_what_the_rules_sellers_cannot_take_in_time():
    away = RULES.replace(
        'id = "fay"', 'id = "fay"\naway = [{ first = 2026-05-04, last = 2026-05-08 }]'
    )
    play = playbook(ANN, rest=away)

    found = route(lead(play=play, attributes={"country": "DE", "employees": 2000.0}), play)

    assert found.seller == "ann"
    assert found.because.startswith(
        "Rule 'large_dach' fits (territory dach and segment enterprise), but"
    )


def test_a_lead_that_was_refused_goes_to_another_and_in_the_end_to_somebody_who_decides():
    three = playbook(ANN, BEN, 'id = "cat"')

    def offer(*tried):
        return route(lead(play=three, offered_to=tried), three)

    assert offer().seller == "ann"
    assert offer("ann").seller == "ben"
    assert offer("ann", "ben").seller == "cat"
    last = offer("ann", "ben", "cat")
    assert last.verdict is RouteVerdict.NEEDS_DECISION
    assert last.because.startswith("ann, ben and cat did not take it")


def test_where_everybody_refused_somebody_must_decide():
    found = route(lead(offered_to=("ann", "ben")))

    assert found.verdict is RouteVerdict.NEEDS_DECISION
    assert found.because == "Nobody is left who could get it: somebody must decide."


def test_a_team_that_takes_no_leads_at_all_leaves_it_to_a_decision():
    play = playbook(f"{ANN}\ncapacity_per_day = 0")

    found = route(lead(play=play), play)

    assert found.verdict is RouteVerdict.NEEDS_DECISION
    assert "nobody there takes leads" in found.because


def test_a_day_is_a_day_of_the_sellers_own_wall():
    play = read_playbook(
        '[[routing.sellers]]\nid = "kim"\nteam = "sales"\ncapacity_per_day = 1\n'
        '[sla.calendars.office]\ntime_zone = "Asia/Seoul"\nhours = ["mon-sun 00:00-24:00"]'
    )
    roster = Roster(play)

    # 14:30 UTC is 23:30 in Seoul, and half an hour later another day.
    _, ledger = decide_route(lead(play=play), roster, Ledger(), may(4, 14, 30))

    assert roster.free_at("kim", may(4, 14, 45), ledger) == may(4, 15)
    assert decide_route(lead(play=play), roster, ledger, may(4, 15))[0].seller == "kim"


def test_a_seller_who_left_does_not_keep_the_account():
    assert route(lead(owner=AccountOwner("gone", may(1)))).seller == "ann"
