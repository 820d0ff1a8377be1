"""Sentences, checked as text."""

import math

import pytest

from serving.explain.wording import (
    describe_fact,
    describe_reason,
    format_days,
    format_number,
    format_rest,
    format_share,
)
from tests.unit.serving.factories import make_catalog

CATALOG = make_catalog()
FEATURES = {feature.name: feature for feature in CATALOG.features}
KIND_WORDS = {kind.name: kind.one for kind in CATALOG.taxonomy.kinds}


@pytest.mark.parametrize(
    ("feature", "value", "fact"),
    [
        ("pricing_view_count_7d", 3.0, "3 pricing-page views in the last 7 days"),
        ("pricing_view_count_7d", 1.0, "1 pricing-page view in the last 7 days"),
        ("pricing_view_count_7d", 0.0, "no pricing-page view in the last 7 days"),
        ("pricing_view_count_life", 1200.0, "1,200 pricing-page views so far"),
        ("pricing_view_recency", 2.04, "last pricing-page view 2 days ago"),
        ("pricing_view_recency", math.nan, "no pricing-page view so far"),
        ("days_since_created", 0.5, "12 hours since creation"),
        ("industry", 1.0, "industry: software"),
        ("industry", 2.0, "industry: one of the rarer values"),
        ("industry", math.nan, "industry not known"),
        ("industry", 99.0, "industry not known"),
        ("has_phone", 1.0, "has phone: yes"),
        ("employees", 420.0, "employees: 420"),
        ("employees", 1.0, "employees: 1"),
        ("contract_ends_days", 400.0, "contract ends 13 months ago"),
        ("contract_ends_days", -20.0, "contract ends in 20 days"),
        (
            "email_share_30d",
            0.354,
            "e-mail reactions are 35 % of the activity in the last 30 days",
        ),
        ("last_touch_kind", 1.0, "latest activity: pricing-page view"),
        ("engagement_trend_7d_30d", 0.7, "activity in the last 7 days against before: +0.7 a day"),
    ],
)
def test_a_fact_is_stated_in_plain_words(feature: str, value: float, fact: str) -> None:
    assert describe_fact(FEATURES[feature], value, KIND_WORDS) == fact


def test_a_reason_names_its_direction_and_then_the_fact() -> None:
    assert describe_reason("raises", "3 demo requests so far") == (
        "Raises the chance: 3 demo requests so far."
    )
    assert (
        describe_reason("lowers", "industry not known") == "Lowers the chance: industry not known."
    )


def test_the_rest_tells_how_many_facts_it_holds() -> None:
    assert format_rest("raises", 1).endswith("taken together (1 further fact).")
    assert format_rest("lowers", 12).endswith("taken together (12 further facts).")
    assert format_rest("none", 0) == "Makes no difference: nothing else."


def test_every_feature_of_the_catalogue_can_be_stated_without_its_name_or_a_gap() -> None:
    for feature in CATALOG.features:
        for value in (math.nan, 0.0, 1.0, 2.0, 0.37, 41.5):
            fact = describe_fact(feature, value, KIND_WORDS)
            assert fact
            assert "{" not in fact
            assert "_" not in fact
            assert "nan" not in fact.split()


def test_a_brace_in_a_company_s_own_words_does_no_harm() -> None:
    from dataclasses import replace

    odd = replace(FEATURES["employees"], words="staff {at home}: {value}")

    assert describe_fact(odd, 3.0, {}) == "staff {at home}: 3"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (-0.5, "-0.50"), (1e9, "1,000,000,000"), (99.96, "100"), (2.0, "2")],
)
def test_numbers_are_stated_for_people(value: float, expected: str) -> None:
    assert float(format_number(value).replace(",", "")) == pytest.approx(
        float(expected.replace(",", "")), abs=0.1
    )


def test_lengths_of_time_change_their_unit_with_their_size() -> None:
    expected = [format_days(days) for days in (0.0001, 0.02, 0.3, 1.0, 1.4, 30.0, 200.0, 2000.0)]

    assert expected == [
        "less than a minute",
        "29 minutes",
        "7 hours",
        "1 day",
        "34 hours",
        "30 days",
        "7 months",
        "5 years",
    ]


def test_small_shares_are_not_stated_to_be_nothing() -> None:
    assert format_share(0.004) == "0.4 %"
    assert format_share(0.0) == "0 %"
