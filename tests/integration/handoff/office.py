"""What the tests of handoffs share: a playbook both sides agreed to, leads, and a clock to move."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import text

from features.taxonomy import default_taxonomy
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.decide import DecisionOutcome, decide_lead
from serving.handoff.lifecycle.sweep import SweepContext
from serving.handoff.playbook.agreement import Side, Word
from serving.handoff.playbook.repository import propose, sign
from serving.intake.envelope import open_envelope
from serving.intake.service import Intake, take_in
from serving.store.session import Store

MONDAY = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
"""10:00 in Amsterdam, a working day."""

PLAYBOOK = """
[triggers.exploration]
chance = 0.0
[routing]
teams = ["sales"]
[[routing.sellers]]
id = "ann"
team = "sales"
[[routing.sellers]]
id = "ben"
team = "sales"
"""

FITTING = {
    "industry": "software",
    "employees": 250.0,
    "seniority": "vp",
    "region": "europe",
    "budget": 20_000.0,
    "job_title": "VP Marketing",
    "company": "Lumen",
    "source": "webinar",
    "product_interest": "platform",
    "email_domain_kind": "company",
    "has_phone": True,
}
QUALIFIED = {"need": True, "budget": True, "authority": True, "timeline_months": 3.0}


def agree(store: Store, body: str = PLAYBOOK, at: datetime = MONDAY - timedelta(days=60)) -> str:
    """Have both sides agree to a playbook; give how decisions cite it."""
    with store.work() as work:
        row = propose(work, body, by="mia", at=at)
        sign(work, row.number, Side.MARKETING, Word.AGREE, by="mia", at=at)
        sign(work, row.number, Side.SALES, Word.AGREE, by="sam", at=at)
        return f"v{row.number}-{row.version}"


def land(store: Store, record: Any, *items: dict[str, Any], at: datetime) -> None:
    """Land records as the API does, without a model."""
    body = json.dumps({f"{record}s": items}).encode()
    intake = Intake(default_taxonomy(), None, at)
    landed = store.run(
        lambda work: take_in(work, record, open_envelope(record, body, 10_000), intake)
    )
    assert {result.status for result in landed.results} <= {"landed", "changed"}, landed


def add_lead(store: Store, lead_id: str, at: datetime = MONDAY, **changes: Any) -> None:
    created = (at - timedelta(days=20)).isoformat()
    item = {"lead_id": lead_id, "created_at": created, "attributes": FITTING, **changes}
    land(store, "lead", item, at=at)


def do(store: Store, lead_id: str, kind: str, at: datetime, **changes: Any) -> None:
    """Have a lead do something."""
    event = {"lead_id": lead_id, "kind": kind, "channel": "web", "occurred_at": at.isoformat()}
    land(store, "event", {**event, **changes}, at=at)


def ask_for_sales(store: Store, lead_id: str, at: datetime) -> None:
    do(store, lead_id, "demo_request", at - timedelta(minutes=1), name="Request a demo")


def decide(store: Store, lead_id: str, at: datetime, **more: Any) -> DecisionOutcome:
    rng = np.random.default_rng(7)
    return store.run(lambda work: decide_lead(work, lead_id, ActionContext(at), rng, **more))


def make_sweep_context(store: Store) -> SweepContext:
    return SweepContext(store, np.random.default_rng(7))


def ask(store: Store, query: str, **values: Any) -> list[Any]:
    with store.work(read_only=True) as work:
        return [tuple(row) for row in work.session.execute(text(query), values)]


def count(store: Store, query: str, **values: Any) -> Any:
    return ask(store, query, **values)[0][0]
