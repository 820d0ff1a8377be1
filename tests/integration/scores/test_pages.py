"""Pages of leads: each lead once, whatever is equal, whatever the size of the pages."""

from datetime import timedelta

import pytest

from serving.leads.queries import LeadFilter, Order, list_leads
from serving.store.session import Store
from serving.store.tables import Lead, Score
from tests.unit.serving.factories import NOW

POINTS = {"a": 50.0, "b": 50.0, "c": 50.0, "d": 40.0, "e": None, "f": None, "g": 60.0}


@pytest.fixture
def scored(store: Store) -> Store:
    """Give a store of leads that were created two at a time, some of equal points, two of none."""
    with store.work() as work:
        for number, (lead_id, points) in enumerate(POINTS.items()):
            at = NOW + timedelta(days=number // 2)
            work.session.add(Lead(lead_id=lead_id, created_at=at, first_known_at=at))
            work.session.flush()
            work.session.add(
                Score(
                    lead_id=lead_id,
                    contract="sql",
                    as_of=NOW,
                    scored_at=NOW,
                    because="event",
                    model_version="v1",
                    status="scored" if points is not None else "not_enough_known",
                    points=points,
                    answer=b"{}",
                )
            )
    return store


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 9])
@pytest.mark.parametrize(
    ("order", "ids"), [("points", "gabcdef"), ("created_at", "gefcdab"), ("lead_id", "abcdefg")]
)
def test_every_lead_comes_once_and_in_order(
    order: Order, ids: str, limit: int, scored: Store
) -> None:
    found: list[str] = []
    cursor = None
    with scored.work(read_only=True) as work:
        while cursor is not None or not found:
            rows, cursor = list_leads(work, LeadFilter("sql"), order, cursor, limit)
            assert len(rows) == limit or cursor is None
            found += [row.lead_id for row in rows]

    assert "".join(found) == ids
