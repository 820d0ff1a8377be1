"""The background work in a process of its own."""

import asyncio
import signal
from contextlib import suppress

import typer

from features import clock
from serving.jobs.wiring import build_job_resources, build_model_holders
from serving.jobs.worker import Worker
from serving.scoring.models_in_use import ModelCache
from serving.scoring.request.shadow import build_shadow
from serving.settings import ServingSettings
from serving.store.errors import StoreOffError
from serving.store.session import Store


async def run_worker(settings: ServingSettings) -> None:
    """Work until told to stop.

    Raises
    ------
    ServingError
        If there is no store to work on.
    """
    if not settings.has_store:
        raise StoreOffError
    store = Store(settings)
    store.open()
    shadow = build_shadow(settings, store) if settings.shadow else None
    model_holders = build_model_holders(settings)
    job_resources = build_job_resources(
        settings, store, model_holders, ModelCache(settings.served), shadow
    )
    worker = Worker(job_resources, check_seconds=settings.worker_check_seconds)
    watched = [*model_holders, *([] if shadow is None else [shadow.holder])]
    for holder in watched:
        await asyncio.to_thread(holder.refresh, clock.now())
    beside = [
        *(
            asyncio.create_task(holder.watch(settings.champion_check_seconds))
            for holder in watched
        ),
    ]
    if shadow is not None:
        flushing = shadow.rows.keep_flushing(settings.scored_flush_seconds)
        beside.append(asyncio.create_task(flushing))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.ask_to_stop)
    typer.echo("Baton's worker is at work. Stop with Ctrl+C.")
    try:
        await worker.run()
    finally:
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if shadow is not None:
            shadow.rows.flush_safely()
        store.close()
