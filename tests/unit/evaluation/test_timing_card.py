"""What the card says of the best moment."""

import numpy as np

from features.clock import DAY_US
from training.card.pages import render_page
from training.timing.proof.paths import count_working_days


def render_timing(card):
    return render_page("card/templates/timing.md.j2", card=card)


MONDAY = 4 * DAY_US  # 5 January 1970


def test_a_card_without_the_moment_states_nothing():
    assert not render_timing({"pictures": []}).strip()


def test_too_few_handoffs_are_stated_as_such():
    page = render_timing(
        {"timing": {"because": "Of 12 handoffs 3 became an SQL."}, "pictures": []}
    )

    assert page.startswith("## The best moment to hand off\n\nOf 12 handoffs")


def test_the_proof_is_a_table_with_intervals_and_warnings():
    overlap = {"recommended": 50, "share": 0.8, "effective": 20.2, "largest_share": 0.1}
    policy = {"name": "timing", "value": 0.5, "low": 0.1, "high": 0.9, "weighted": None}
    policy |= {"weighted_low": None, "weighted_high": None, "overlap": overlap}
    proof = {"leads": 1200, "handoffs": 300, "horizon_days": 180.0, "policies": [policy]}
    proof |= {"gains": [{"over": "today's rule", "value": 0.2, "low": -0.1, "high": 0.5}]}
    proof |= {
        "calibration_slope": {"value": 1.0, "low": 0.9, "high": 1.1},
        "warnings": ["Beware."],
    }
    timing = {"because": "The threshold is served.", "threshold": 0.4, "unit": "hours"}

    page = render_timing({"timing": {**timing, "proof": proof}, "pictures": ["timing-value.png"]})

    assert "| timing | 0.500 [0.100, 0.900] | - | 50 | 80 % | 20 | 10 % |" in page
    assert "| today's rule | 0.200 [-0.100, 0.500] |" in page
    assert "slope 1.00 [0.90, 1.10]" in page
    assert "- Beware." in page
    assert "![Estimated value of each rule](timing-value.png)" in page
    assert "timing-overlap.png" not in page


def test_working_days_of_a_step_leave_weekends_out_and_never_come_to_none():
    begins = MONDAY + np.array([0, 0, 4, 5, 0]) * DAY_US
    lasts = np.array([1.0, 3.0, 3.0, 1.0, 90.0])

    assert count_working_days(begins, lasts).tolist() == [1.0, 3.0, 1.0, 1.0, 5.0]
