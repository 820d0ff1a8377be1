"""Enough is known of a lead, or it gets no score: why, in words."""

import numpy as np

from training.reference_profile import Support

# Columns: two attributes, kinds of activity, stage changes, age in days.
SUPPORT = Support(np.array([0, 1]), 2, 3, 4, fewest_facts=2, oldest_days=400.0)
UNKNOWN = np.nan


def test_too_few_facts_and_too_great_an_age_are_no_grounds_for_a_score() -> None:
    rows = np.array(
        [
            [UNKNOWN, UNKNOWN, 0, 0, 5],
            [UNKNOWN, 3.0, 0, 0, 5],
            [UNKNOWN, 3.0, 1, 0, 5],
            [UNKNOWN, UNKNOWN, UNKNOWN, 1, 5],
            [0.0, 3.0, 0, 0, 400],
            [0.0, 3.0, 0, 0, 401],
        ],
        np.float32,
    )

    found = SUPPORT.find_unknown(rows)

    assert [why if why is None else why.partition(":")[0].partition(";")[0] for why in found] == [
        "Nothing is known of this lead yet",
        "Only 1 fact known",
        None,
        "Only 1 fact known",
        None,
        "The lead is 401 days old",
    ]
