"""The processes that are killed: the server as users run it, and a worker that also has something to send."""

import asyncio
import urllib.request
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from features import clock
from serving.jobs.wiring import build_job_resources, build_model_holders
from serving.jobs.worker import Worker
from serving.notify.outbox import Effect
from serving.scoring.live.stored_scores import StoredScore
from serving.scoring.models_in_use import ModelCache
from serving.server import run_server
from serving.settings import ServingSettings
from serving.store.session import Store, UnitOfWork
from serving.web_api.logs import set_up_logging
from tests.crash import points
from tests.crash.effects import TOPIC, find_effect_key

LEASE_SECONDS = 3
"""Leases of the outbox here: a minute, as in production, would only make the count wait."""


def serve(settings: dict[str, Any], at: str | None) -> None:
    """Run the server, until killed or at a named point."""
    points.arm(at)
    set_up_logging("error")
    with redirect_stdout(StringIO()):  # what it tells people, a hundred times
        run_server(ServingSettings(**settings))


def work(settings: dict[str, Any], at: str | None, receiver: str) -> None:
    """Run a worker whose scores lead to effects, until killed or at a named point."""
    points.arm(at)
    set_up_logging("error")
    asyncio.run(_work(ServingSettings(**settings), receiver))


async def _work(settings: ServingSettings, receiver: str) -> None:
    store = Store(settings)
    await asyncio.to_thread(store.open)
    model_holders = build_model_holders(settings)
    for holder in model_holders:
        holder.refresh(clock.now())
    resources = build_job_resources(
        settings,
        store,
        model_holders,
        ModelCache(settings.served),
        None,
        senders={TOPIC: lambda effect: _send(effect, receiver)},
        after=_announce,
    )
    resources.outbox.lease = LEASE_SECONDS * clock.MICROSECOND * 1_000_000
    await Worker(resources, check_seconds=settings.worker_check_seconds).run()


def _announce(work: UnitOfWork, given: Sequence[StoredScore]) -> None:
    """Decide an effect for each height of score a lead reaches: once, however often it is there."""
    for one in given:
        score = one.score
        key = find_effect_key(score.lead_id, score.points)
        if key is not None:
            work.enqueue_effect(key, TOPIC, {"lead_id": score.lead_id}, clock.now(), score.lead_id)


def _send(effect: Effect, receiver: str) -> None:
    request = urllib.request.Request(receiver, effect.key.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=LEASE_SECONDS) as answer:
        answer.read()
