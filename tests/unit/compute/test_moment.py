"""The moment of looking itself is not seen, be there late reports in the history or none."""

import numpy as np
import pytest

from features.clock import DAY_US
from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion
from tests.unit.serving.factories import make_catalog

CATALOG = make_catalog()
BORN, LOOK = 0, 10 * DAY_US


def make_lead(*events: tuple[int, int]) -> LeadRecord:
    """Make a lead of some page views, by when they happened and when they were known."""
    viewed = tuple(EventRecord(at, known_at, "page_view", "web", None) for at, known_at in events)
    return LeadRecord("ann", BORN, (LeadVersion(BORN, {}),), viewed, ())


@pytest.mark.parametrize("delay", [0, 5], ids=["nobody reports late", "one report is late"])
def test_an_event_of_the_very_moment_is_not_seen(delay: int) -> None:
    before = (5 * DAY_US, 5 * DAY_US + delay)
    with_it, without = make_lead(before, (LOOK, LOOK)), make_lead(before)

    def look(lead: LeadRecord, as_of: int) -> bytes:
        return compute_rows(CATALOG, [lead], [as_of]).tobytes()

    assert look(with_it, LOOK) == look(without, LOOK)
    assert look(with_it, LOOK + 1) != look(without, LOOK + 1)
    views = CATALOG.names.index("page_view_count_7d")
    seen = compute_rows(CATALOG, [with_it], [LOOK + 1])[0, views]
    assert seen == np.float32(2.0)
