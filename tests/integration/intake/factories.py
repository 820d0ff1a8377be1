"""What the tests of the intake send, merge and ask."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from serving.intake.api.tools import land_body
from serving.intake.envelope import open_envelope
from serving.intake.identity.merging import Actor, MergeRecord, merge_leads, undo_merge
from serving.intake.records.items import ItemResult, Landed
from serving.intake.records.parsing import Intake
from serving.intake.service import take_in
from serving.store.session import Patience, Store
from tests.unit.serving.factories import NOW, make_catalog

CATALOG = make_catalog()


def make_event(event_id: str | None = "e1", **changes: Any) -> dict[str, Any]:
    when = (NOW - timedelta(hours=1)).isoformat()
    return {
        "lead_id": "ann",
        "event_id": event_id,
        "name": "Viewed Pricing",
        "occurred_at": when,
        **changes,
    }


def make_intake(at: datetime = NOW, catalog: Any = CATALOG) -> Intake:
    return Intake(CATALOG.taxonomy, catalog, at)


def send(
    store: Store,
    record: Any,
    *items: dict[str, Any],
    at: datetime = NOW,
    catalog: Any = CATALOG,
    **more: Any,
) -> Landed:
    """Land records as the API does; ``more`` stands in the batch beside them."""
    body = json.dumps({f"{record}s": items, **more}).encode()
    envelope = open_envelope(record, body, 1_000)
    intake = make_intake(at, catalog)
    return store.run(lambda work: take_in(work, record, envelope, intake))


def send_messages(
    store: Store,
    *messages: dict[str, Any],
    at: datetime = NOW,
    catalog: Any = CATALOG,
    **more: Any,
) -> list[ItemResult]:
    """Land messages of Segment's libraries as the API does; ``more`` is of the intake."""
    envelope = open_envelope("segment", json.dumps({"batch": messages}).encode(), 10_000)
    intake = replace(make_intake(at, catalog), **more)
    return land_body(store, "segment", envelope, intake, Patience(5.0, 2.0))


def merge(
    store: Store,
    kept: str,
    merged: str,
    at: datetime = NOW,
    *,
    both_known: bool = True,
) -> MergeRecord:
    hand = Actor("ann the admin", at)
    return store.run(
        lambda work: merge_leads(work, kept, merged, "a twin", hand, both_known=both_known)
    )


def undo(store: Store, merge_id: int, at: datetime = NOW) -> MergeRecord:
    hand = Actor("bob the admin", at)
    return store.run(lambda work: undo_merge(work, merge_id, hand))


def ask(store: Store, query: str, **values: Any) -> list[Any]:
    with store.work(read_only=True) as work:
        return [tuple(row) for row in work.session.execute(text(query), values)]


def survivors(store: Store) -> dict[str, str]:
    """Tell which lead each lead is by now."""
    return dict(ask(store, "SELECT lead_id, coalesce(merged_into, lead_id) FROM lead"))
