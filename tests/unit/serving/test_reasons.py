"""Contributions to ranked reasons."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.explain.reasons import BASE_POINTS, LEAST_POINTS, build_explainer, explain
from tests.unit.serving.factories import make_catalog

CATALOG = make_catalog()
EXPLAINER = build_explainer(CATALOG)
COLUMN = {name: i for i, name in enumerate(CATALOG.names)}


def points_of(**by_feature: float) -> list[float]:
    points = [0.0] * len(COLUMN)
    for name, value in by_feature.items():
        points[COLUMN[name]] = value
    return points


def values_of(**by_feature: float) -> list[float]:
    values = [0.0] * len(COLUMN)
    for name, value in by_feature.items():
        values[COLUMN[name]] = value
    return values


def test_features_of_one_field_become_one_reason_in_the_words_of_the_strongest() -> None:
    points = points_of(
        pricing_view_count_7d=4.0, pricing_view_count_30d=3.0, pricing_view_recency=-1.0
    )
    values = values_of(pricing_view_count_7d=2.0, pricing_view_count_30d=5.0)

    explained = explain(EXPLAINER, values, points, 56.0, top=8)

    first = explained.reasons[0]
    assert (first.field, first.points, first.sub_score) == ("pricing_view", 6.0, "engagement")
    assert first.words == "Raises the chance: 2 pricing-page views in the last 7 days."


def test_the_words_follow_the_direction_of_the_sum_not_the_largest_part() -> None:
    points = points_of(
        pricing_view_count_7d=4.0, pricing_view_count_30d=-3.0, pricing_view_count_90d=-2.0
    )
    values = values_of(pricing_view_count_7d=1.0, pricing_view_count_30d=1.0)

    first = explain(EXPLAINER, values, points, 49.0, top=8).reasons[0]

    assert first.words == "Lowers the chance: 1 pricing-page view in the last 30 days."


def test_reasons_are_ranked_by_size_and_the_rest_comes_last() -> None:
    points = points_of(
        industry=-5.0, employees=2.0, days_since_created=9.0, demo_request_count_1d=1.0
    )

    reasons = explain(EXPLAINER, values_of(), points, 57.0, top=2).reasons

    assert [reason.field for reason in reasons] == ["time_since_created", "industry", "rest"]
    assert reasons[-1].points == 3.0
    assert reasons[-1].direction == "raises"


def test_fields_that_hardly_count_join_the_rest() -> None:
    points = points_of(industry=5.0, employees=LEAST_POINTS / 2)

    reasons = explain(EXPLAINER, values_of(), points, 55.0 + LEAST_POINTS / 2, top=8).reasons

    assert [reason.field for reason in reasons] == ["industry", "rest"]


def test_a_lead_like_the_average_has_nothing_but_a_rest_of_nothing() -> None:
    reasons = explain(EXPLAINER, values_of(), points_of(), BASE_POINTS, top=8).reasons

    assert [(r.field, r.points, r.direction) for r in reasons] == [("rest", 0.0, "none")]


@given(
    st.integers(0, 100),
    st.lists(st.floats(-40, 40), min_size=len(COLUMN), max_size=len(COLUMN)),
)
def test_reasons_and_sub_scores_add_up_to_the_score(top: int, points: list[float]) -> None:
    score = BASE_POINTS + float(np.array(points).sum())

    explained = explain(EXPLAINER, values_of(), points, score, top)

    assert abs(BASE_POINTS + sum(r.points for r in explained.reasons) - score) < 1e-9
    assert abs(BASE_POINTS + sum(explained.sub_scores.values()) - score) < 1e-9
    sizes = [abs(r.points) for r in explained.reasons[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert explained.reasons[-1].field == "rest"
