"""Verdicts on the moment: from curves to one of four, in a sentence."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from serving.explain.moment import (
    MomentFacts,
    decide_moment,
    find_stands_until,
    format_support,
    list_drivers,
)
from serving.explain.reasons import build_explainer
from tests.unit.serving.factories import make_catalog

AS_OF = datetime(2026, 3, 9, 9, tzinfo=UTC)


def make_facts(**changes) -> MomentFacts:
    given = {
        "by_timing": True,
        "advantage": -0.4,
        "value_waiting": 1.0,
        "p_sql": 0.3,
        "threshold": 0.5,
        "floor": 0.2,
        "sql_worth": 10.0,
        "values": [0.6] * 31,
        "p_moment": [0.01 * k for k in range(31)],
    }
    known = {**given, **changes}
    return MomentFacts(**{"highest": known["advantage"], **known})


SOON = [0.1 * k for k in range(31)]
HARDLY = [0.001 * k for k in range(31)]


@pytest.mark.parametrize(
    ("changes", "verdict", "in_days", "words"),
    [
        ({"advantage": 0.0}, "hand_off_now", 0, "a handoff today is worth 0 more than waiting"),
        ({"highest": 0.1}, "hand_off_now", 0, "good enough, and no later day is surely better"),
        ({"highest": -0.1}, "keep_nurturing", None, "the moment comes within 30"),
        ({"advantage": 1.0, "p_sql": 0.1}, "keep_nurturing", None, "the moment comes within 30"),
        ({"p_moment": SOON}, "hand_off_later", 5, "Hand off in about 5 days"),
        ({}, "keep_nurturing", None, "the moment comes within 30 days for 30 % of such leads"),
        ({"p_moment": HARDLY, "value_waiting": 0.1}, "let_go", None, "in 97 % of such leads no"),
        ({"p_moment": HARDLY}, "keep_nurturing", None, "for 3 % of such leads"),
        ({"by_timing": False, "p_sql": 0.5}, "hand_off_now", 0, "50 %, is at least the threshold"),
        ({"by_timing": False, "advantage": 9.0}, "keep_nurturing", None, "below the threshold of"),
    ],
    ids=[
        "now",
        "not surely later",
        "surely later",
        "too slim a chance",
        "later",
        "nurture",
        "let go",
        "worth waiting",
        "reached",
        "not reached",
    ],
)
def test_a_verdict_states_why(changes, verdict, in_days, words):
    decision = decide_moment(make_facts(**changes))

    assert (decision.verdict, decision.in_days) == (verdict, in_days)
    assert words in decision.because


def test_an_offer_stands_while_a_later_handoff_is_worth_what_waiting_is():
    facts = make_facts(advantage=1.0, values=[2.0, 1.5, 1.0, 0.9] + [5.0] * 27)

    until, longer = find_stands_until(decide_moment(facts), facts, AS_OF)

    assert until == AS_OF + timedelta(days=2)
    assert not longer


def test_an_offer_that_outlives_the_curve_stands_for_longer():
    facts = make_facts(advantage=1.0, values=[2.0] * 31)

    assert find_stands_until(decide_moment(facts), facts, AS_OF) == (
        AS_OF + timedelta(days=30),
        True,
    )


def test_no_offer_stands_where_none_is_due():
    facts = make_facts()

    assert find_stands_until(decide_moment(facts), facts, AS_OF) == (None, False)


def test_at_most_three_facts_drive_and_each_is_reported_by_the_feature_that_moves_most():
    catalog = make_catalog()
    values = np.zeros(len(catalog.names), np.float32)
    shares = np.zeros(len(catalog.names))
    moved = {"pricing_view_count_7d": (3.0, 0.9), "employees": (250.0, -0.5)}
    moved |= {"days_since_created": (12.0, -0.2), "email_open_count_30d": (1.0, 0.1)}
    for name, (value, share) in moved.items():
        values[catalog.names.index(name)] = value
        shares[catalog.names.index(name)] = share

    drivers = list_drivers(build_explainer(catalog), values, shares)

    assert [driver.worth for driver in drivers] == [0.9, -0.5, -0.2]
    assert drivers[0].words == "Speaks for now: 3 pricing-page views in the last 7 days."
    assert drivers[1].words.startswith("Speaks for waiting: ")


def test_support_names_the_handoffs_it_rests_on():
    assert format_support(1_200, 10) == "Rests on 1,200 past handoffs of leads like this one."
    assert format_support(1, 10).startswith("There was only 1 handoff like this one")
    assert "Let a person decide" in format_support(0, 10)
