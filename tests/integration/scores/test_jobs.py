"""Jobs are done by the worker as it runs."""

import asyncio
import time
from pathlib import Path

from serving.jobs.tasks import TIDY, JobResources
from serving.jobs.worker import Worker
from serving.notify.outbox import Outbox
from serving.store.deferring import defer
from serving.store.session import Store
from tests.integration.scores.job_resources import Clock, ask, make_scorer

SECONDS = 20


def count_jobs(store: Store) -> int:
    return int(ask(store, "SELECT count(*) FROM procrastinate_jobs")[0][0])


def is_done(store: Store) -> bool:
    end = time.monotonic() + SECONDS
    while count_jobs(store) and time.monotonic() < end:
        time.sleep(0.1)
    return count_jobs(store) == 0


async def work_until_done(worker: Worker, store: Store) -> bool:
    worker.start()
    done = await asyncio.to_thread(is_done, store)
    await worker.stop()
    return done


def test_a_job_that_was_put_off_is_done_by_the_worker(store: Store, tmp_path: Path) -> None:
    resources = JobResources(store, make_scorer(store, tmp_path, Clock()), Outbox(store, {}))
    with store.work() as work:
        defer(work, TIDY, {"timestamp": 0})

    assert asyncio.run(work_until_done(Worker(resources, check_seconds=0.1), store))
