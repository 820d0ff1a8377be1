"""What a change would do, on six leads that can be followed by hand."""

import numpy as np
import pytest

from training.evaluation.segments import SegmentColumn
from training.promotion.impact import (
    TOP_CHANGES,
    Everyone,
    Impact,
    build_view,
    find_top,
    measure_impact,
)

EDGES = (("A", 65.0), ("B", 55.0), ("C", 45.0), ("D", -np.inf))
NAN = float("nan")


def see(points, typical=0.1):
    points = np.array(points, float)
    return build_view(points, points / 200, EDGES, typical)


@pytest.fixture
def six() -> Impact:
    """Six leads: one rises two bands, one falls, one is lost, one is found, two stay."""
    before = see([50, 70, 60, NAN, 46, 30])
    after = see([66, 58, NAN, 50, 47, 31], typical=0.12)
    region = SegmentColumn("region", np.array([0, 0, 1, 1, 1, np.nan]), ("north", "south"))
    everyone = Everyone(list("abcdef"), ["ann", "ann", "bob", None, "bob", None], [region])

    def field_points(rows):
        assert rows.tolist() == [0, 1, 4, 5]  # by the size of the move, ties in their order
        result = [{"pages": -3.0, "industry": 3.0}, {"pages": 20.0}, {"pages": -4.0}, {}]
        after = [{"pages": 15.0, "industry": 1.0}, {"pages": 8.0}, {"pages": -3.0}, {"new": 1.0}]
        return result, after

    return measure_impact(everyone, before, after, field_points)


def test_crossings_are_counted_by_band_before_and_after(six):
    assert six.bands_before == ("A", "B", "C", "D", "not enough known")
    assert six.crossings == (
        (0, 1, 0, 0, 0),
        (0, 0, 0, 0, 1),
        (1, 0, 1, 0, 0),
        (0, 0, 0, 1, 0),
        (0, 0, 1, 0, 0),
    )
    assert (six.leads, six.up, six.down) == (6, 2, 2)
    assert (six.scored_before, six.scored_after) == (5, 5)


def test_groups_tell_whose_leads_cross(six):
    owners = {row.name: (row.leads, row.up, row.down) for row in six.by_owner}
    assert owners == {"ann": (2, 1, 1), "bob": (2, 0, 1), "(nobody yet)": (2, 1, 0)}
    regions = {row.name: (row.leads, row.up, row.down, row.points) for row in six.by_segment}
    assert regions == {
        "south": (3, 1, 1, 1.0),
        "north": (2, 1, 1, 2.0),
        "(unknown)": (1, 0, 0, 1.0),
    }
    assert sum(row.leads for row in six.by_segment) == six.leads


def test_the_leads_that_move_most_are_reported_with_the_facts_that_changed_most(six):
    first = six.top_changes[0]
    assert [change.lead_id for change in six.top_changes] == ["a", "b", "e", "f"]
    assert (first.owner, first.points_before, first.points_after) == ("ann", 50, 66)
    assert (first.band_before, first.band_after) == ("C", "A")
    assert first.because == "pages -3.0 → +15.0, industry +3.0 → +1.0"
    assert six.top_changes[3].because == "new +0.0 → +1.0"
    assert six.top_changes[3].owner is None


def test_the_best_tenth_is_of_those_that_are_scored(six):
    assert (six.top_size, six.top_leaving, six.churn) == (1, 1, 1.0)
    assert six.words == (
        "4 of 6 open leads (66.7%) cross a band: 2 up, 2 down.",
        "1 of the 1 best leads (a tenth) leave the best tenth, and as many enter it.",
        "50 points stand for a chance of 12.0%, until now 10.0%.",
    )


def test_quantiles_leave_out_who_is_not_scored(six):
    assert six.points_before[2] == 50
    assert six.points_after[2] == 50


def test_points_are_cut_for_people_but_ranked_uncut():
    view = see([120, 104, -7, 40])

    assert view.points.tolist() == [100, 100, 0, 40]
    assert find_top(view.points_uncut, 1).tolist() == [True, False, False, False]
    assert view.band.tolist() == [0, 0, 3, 3]


def test_the_same_model_changes_nothing():
    view = see(np.linspace(0, 100, 200))
    everyone = Everyone([f"L{i}" for i in range(200)], [None] * 200)
    impact = measure_impact(
        everyone, view, view, lambda rows: ([{}] * len(rows), [{}] * len(rows))
    )

    assert (impact.up, impact.down, impact.top_size, impact.top_leaving) == (0, 0, 20, 0)
    assert np.array(impact.crossings).sum() == np.trace(np.array(impact.crossings)) == 200
    assert len(impact.top_changes) == TOP_CHANGES


def test_a_quarter_of_the_best_tenth_swapped_is_a_churn_of_a_quarter():
    points = np.linspace(0, 100, 400)
    after = points.copy()
    after[[390, 391, 392, 393, 394, 395, 396, 397, 398, 399]] = 10.0
    everyone = Everyone([str(i) for i in range(400)], ["x"] * 400)
    impact = measure_impact(
        everyone, see(points), see(after), lambda rows: ([{}] * len(rows), [{}] * len(rows))
    )

    assert (impact.top_size, impact.churn) == (40, 0.25)


def test_nobody_open_is_no_error():
    nobody = see([])
    impact = measure_impact(Everyone([], []), nobody, nobody, lambda _: ([], []))

    assert (impact.leads, impact.top_size, impact.top_changes, impact.by_owner) == (0, 0, (), ())
    assert np.isnan(impact.churn)
    assert impact.words[0] == "0 of 0 open leads (0.0%) cross a band: 0 up, 0 down."


def test_bands_of_other_names_are_compared_by_rank():
    before = build_view([70, 20], [0.5, 0.1], (("hot", 60.0), ("cold", -np.inf)), 0.1)
    after = build_view([70, 65], [0.5, 0.4], (("first", 60.0), ("second", -np.inf)), 0.1)
    impact = measure_impact(
        Everyone(["a", "b"], [None, None]), before, after, lambda _: ([{}] * 2, [{}] * 2)
    )

    assert impact.bands_after == ("first", "second", "not enough known")
    assert (impact.up, impact.down) == (1, 0)
