"""When each field was known, counted by hand."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from training.dataset.availability import list_availability

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Records:
    """The part of a history that is looked at."""

    def __init__(self, leads: pa.Table) -> None:
        self.leads = leads


def test_a_field_is_known_at_creation_later_or_never():
    moment = pa.timestamp("us", tz="UTC")
    leads = pa.table(
        {
            "lead_id": ["a", "a", "b", "c", "d"],
            "created_at": pa.array([BEGIN] * 5, moment),
            "known_at": pa.array([BEGIN, BEGIN + timedelta(days=9), *[BEGIN] * 3], moment),
            "account_id": pa.array([None] * 5, pa.string()),
            "budget": [None, 5.0, 7.0, None, None],
            "region": ["x", "x", "y", "y", None],
        }
    )
    found = {row.field: row for row in list_availability(Records(leads))}
    budget, region = found["budget"], found["region"]
    assert (budget.at_creation, budget.later, budget.never) == (0.25, 0.25, 0.5)
    assert (region.at_creation, region.later, region.never) == (0.75, 0.0, 0.25)
    assert budget.words == "25 % at creation, 25 % later, 50 % never"
    assert "region" not in {
        row.field for row in list_availability(Records(leads), frozenset({"region"}))
    }
