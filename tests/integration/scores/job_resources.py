"""What the tests of live scores share: records that land, and a scorer to call by hand."""

import json
from atexit import register
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
from sqlalchemy import text

from features.catalog.manifest import Catalog
from serving.champion import ModelHolder
from serving.intake.envelope import open_envelope
from serving.intake.service import Intake, take_in
from serving.scoring.live.worker import LiveScorer
from serving.scoring.models_in_use import ModelCache
from serving.scoring.replay import replay
from serving.scoring.request.shadow import Shadow
from serving.store.session import Store
from tests.unit.serving.factories import NOW, make_catalog, write_small_bundle

CATALOG = make_catalog()
CREATED = NOW - timedelta(days=12)
KINDS = ("pricing_view", "email_open", "page_view", "demo_request", "email_click")


class Clock:
    """A clock that tests move on."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


def land(
    store: Store, record: Any, *items: dict[str, Any], at: datetime, catalog: Catalog = CATALOG
) -> None:
    """Land records as the API does."""
    body = json.dumps({f"{record}s": items}).encode()
    intake = Intake(catalog.taxonomy, catalog, at)
    landed = store.run(
        lambda work: take_in(work, record, open_envelope(record, body, 10_000), intake)
    )
    assert {result.status for result in landed.results} <= {"landed", "repeated", "changed"}, (
        landed
    )


def make_item(lead_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "lead_id": lead_id,
        "created_at": CREATED.isoformat(),
        "attributes": {"industry": "software", "employees": 250},
        **changes,
    }


def make_event(
    lead_id: str, event_id: str, occurred_at: datetime, **changes: Any
) -> dict[str, Any]:
    event = {
        "lead_id": lead_id,
        "event_id": event_id,
        "kind": "pricing_view",
        "channel": "web",
        "occurred_at": occurred_at.isoformat(),
    }
    return {**event, **changes}


def make_move(lead_id: str, stage: str, at: datetime) -> dict[str, Any]:
    return {"lead_id": lead_id, "stage": stage, "at": at.isoformat()}


def draw_event(
    rng: np.random.Generator, lead_id: str, number: int, before: datetime
) -> dict[str, Any]:
    return make_event(
        lead_id,
        f"{lead_id}-{number}",
        before - timedelta(minutes=float(rng.integers(1, 14_000))),
        kind=str(rng.choice(KINDS)),
        channel=str(rng.choice(["web", "email"])),
    )


@lru_cache
def find_small_bundle() -> Path:
    """Write the small bundle once for all tests, and point to it."""
    folder = Path(mkdtemp(prefix="baton-bundle-"))
    register(rmtree, folder, ignore_errors=True)
    return write_small_bundle(folder / "small")


def make_model_holder(folder: Path, clock: Clock) -> ModelHolder:
    holder = ModelHolder(folder)
    holder.refresh(clock())
    return holder


def make_scorer(
    store: Store,
    folder: Path,
    clock: Clock,
    *,
    model_holders: Sequence[ModelHolder] | None = None,
    shadow: Shadow | None = None,
    most: int = 100,
    **more: Any,
) -> LiveScorer:
    """Make a scorer with a small bundle of its own, unless holders are given."""
    if model_holders is None:
        model_holders = [make_model_holder(find_small_bundle(), clock)]
    model_cache = ModelCache(folder / "served")
    return LiveScorer(store, model_holders, model_cache, shadow, most=most, now=clock, **more)


def drain(scorer: LiveScorer) -> None:
    """Score until nothing is due."""
    while scorer.run_once():
        pass


def replay_at(scorer: LiveScorer, lead_id: str, as_of: datetime, **more: Any) -> bytes:
    with scorer.store.work(read_only=True) as work:
        return replay(work, scorer.model_cache, scorer.model_holders, lead_id, as_of, **more)


def ask(store: Store, query: str, **values: Any) -> list[Any]:
    with store.work(read_only=True) as work:
        return [tuple(row) for row in work.session.execute(text(query), values)]


def read_stored(store: Store, lead_id: str) -> list[Any]:
    """Read what was said of a lead: moment, answer, whether it is the latest, what made it due."""
    return ask(
        store,
        "SELECT as_of, answer, is_latest, because, contract FROM score WHERE lead_id = :lead "
        "ORDER BY as_of, score_number",
        lead=lead_id,
    )
