"""Looking k days ahead along a path, by hand."""

import numpy as np
import pytest

from features.clock import DAY_US
from training.timing.models.curve import walk_ahead

DAYS = np.array([0, 1, 4, 9])
"""Decision days of one lead; the path ends on day 12."""


def look(row: int, days: int) -> tuple[int, bool, bool]:
    ends = np.append(DAYS[1:], 12) * DAY_US
    reached, is_over, came = walk_ahead(
        np.array([True, True, True, False]),
        DAYS * DAY_US,
        ends,
        np.array([True, False, True, False]),
        np.array([row]),
        np.array([days * DAY_US]),
    )
    return int(reached[0]), bool(is_over[0]), bool(came[0])


@pytest.mark.parametrize(
    ("row", "days", "meant"),
    [
        pytest.param(0, 3, (1, False, False), id="the last decision day before is what is known"),
        pytest.param(0, 4, (2, False, True), id="the moment came on the fourth day"),
        pytest.param(2, 4, (2, False, False), id="the moment of the day itself is not ahead"),
        pytest.param(1, 10, (3, False, True), id="the path goes on beyond"),
        pytest.param(1, 11, (3, True, True), id="the path ended by then"),
    ],
)
def test_looking_ahead(row, days, meant):
    assert look(row, days) == meant
