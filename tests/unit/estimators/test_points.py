"""The points table: every rule by hand, and what cannot be meant is refused with what to write."""

import numpy as np
import pytest

from tests.unit.estimators.test_candidates import CATALOG, draw_data
from training.errors import PointsTableError
from training.estimators.candidates import CANDIDATES, POINTS
from training.estimators.points import (
    build_point_terms,
    choose_points,
    default_points,
    read_points,
)
from training.models.fit_data import margins
from training.models.odds import POINTS_PER_LOGIT

TABLE = """
[[rule]]
feature = "demo_request_count_30d"
at_least = 1
points = 20
[[rule]]
feature = "pricing_view_count_30d"
each = 4
most = 10
[[rule]]
feature = "engagement_recency"
at_least = 30
points = -10
[[rule]]
feature = "engagement_recency"
at_least = 90
points = -5
[[rule]]
feature = "engagement_recency"
unknown = true
points = -7
[[rule]]
feature = "industry"
is = ["bank", "software"]
points = 3
"""


def give(table: str, **facts: float) -> float:
    """Give a lead the table's points; what is not told is zero, and NaN is not known."""
    row = np.zeros((1, len(CATALOG.features)), np.float32)
    row[0, CATALOG.names.index("industry")] = 2  # another
    for name, value in facts.items():
        row[0, CATALOG.names.index(name)] = value
    terms = build_point_terms(CATALOG.features, read_points(table))
    from training.models.linear import LinearModel

    phi = LinearModel(0.0, row.shape[1], terms).contributions(row)
    return round(float(phi.sum() * POINTS_PER_LOGIT), 9)


@pytest.mark.parametrize(
    ("facts", "points"),
    [
        ({}, 0.0),
        ({"demo_request_count_30d": 1}, 20.0),
        ({"demo_request_count_30d": 9}, 20.0),
        ({"pricing_view_count_30d": 1}, 4.0),
        ({"pricing_view_count_30d": 2}, 8.0),
        ({"pricing_view_count_30d": 3}, 10.0),
        ({"pricing_view_count_30d": 50}, 10.0),
        ({"engagement_recency": 29.99}, 0.0),
        ({"engagement_recency": 30}, -10.0),
        ({"engagement_recency": 90}, -15.0),
        ({"engagement_recency": np.nan}, -7.0),
        ({"industry": 0}, 3.0),
        ({"industry": 1}, 3.0),
        ({"industry": np.nan}, 0.0),
        ({"industry": 0, "demo_request_count_30d": 1, "engagement_recency": 40}, 13.0),
    ],
)
def test_each_rule_gives_what_it_states(facts, points):
    assert give(TABLE, **facts) == points


def test_ten_points_double_the_odds_and_outcomes_change_nothing():
    data = draw_data()
    team = CANDIDATES[POINTS].with_params(table=read_points(TABLE))
    model = team.fit(data).model
    turned = draw_data()
    turned.converted[:] = 1 - turned.converted
    same = team.fit(turned).model
    assert margins(same, data.rows).tobytes() == margins(model, data.rows).tobytes()
    demo = CATALOG.names.index("demo_request_count_30d")
    without, with_it = data.rows[:1].copy(), data.rows[:1].copy()
    without[0, demo], with_it[0, demo] = 0, 1
    odds = np.exp(margins(model, with_it) - margins(model, without))
    assert odds == pytest.approx(4.0)


def test_the_table_that_ships_is_read_and_knows_the_usual_catalogue():
    names = {rule.feature for rule in default_points().rules}
    assert names <= set(CATALOG.names)
    assert choose_points("") is default_points()


@pytest.mark.parametrize(
    ("table", "refusal"),
    [
        ("", "rule"),
        ("rule = 3", "rule"),
        ("[[rule]]\nfeature = 'x'", "one of at_least, is, unknown and each"),
        ("[[rule]]\nfeature = 'x'\nat_least = 1", "must say points"),
        ("[[rule]]\nfeature = 'x'\nat_least = 1\npoints = 2\nmost = 3", "no most"),
        ("[[rule]]\nfeature = 'x'\nat_least = 1\nunknown = true\npoints = 2", "one of"),
        ("[[rule]]\nfeature = 'x'\neach = 4", "most"),
        ("[[rule]]\nfeature = 'x'\neach = -4\nmost = 8", "same sign"),
        ("[[rule]]\nfeature = 'x'\neach = 0\nmost = 8", "same sign"),
        ("[[rule]]\nfeature = 'x'\neach = 0.001\nmost = 8", "steps"),
        ("[[rule]]\nfeature = 'x'\ncolour = 'red'", "colour"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(table, refusal):
    with pytest.raises(PointsTableError, match=refusal):
        read_points(table)


@pytest.mark.parametrize(
    ("table", "refusal"),
    [
        ("[[rule]]\nfeature = 'pricing_view_count_30'\nat_least = 1\npoints = 2", "Did you mean"),
        ("[[rule]]\nfeature = 'industry'\nis = ['banks']\npoints = 2", "never 'banks'"),
        ("[[rule]]\nfeature = 'industry'\nat_least = 1\npoints = 2", "is a category"),
        ("[[rule]]\nfeature = 'employees'\nis = ['many']\npoints = 2", "it is a number"),
    ],
)
def test_a_team_hears_of_a_rule_that_its_history_cannot_answer(table, refusal):
    with pytest.raises(PointsTableError, match=refusal):
        read_points(table).check(CATALOG)
