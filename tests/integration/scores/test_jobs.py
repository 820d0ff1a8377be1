"""Jobs are done by the worker as it runs, and again after the database was away."""

import asyncio
import time
from pathlib import Path

from serving.jobs.tasks import TIDY, House
from serving.jobs.worker import Worker
from serving.notify.outbox import Outbox
from serving.store.deferring import defer
from serving.store.session import Store
from tests.integration.scores.house import Clock, ask, make_scorer

SECONDS = 20


def count_jobs(store: Store) -> int:
    return int(ask(store, "SELECT count(*) FROM procrastinate_jobs")[0][0])


async def work_until_done(worker: Worker, store: Store) -> None:
    worker.start()
    end = time.monotonic() + SECONDS
    # The queue is another process's as well: there is no event to wait for.
    while await asyncio.to_thread(count_jobs, store) and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await worker.stop()


def test_a_job_that_was_put_off_is_done_by_the_worker(store: Store, tmp_path: Path) -> None:
    house = House(store, make_scorer(store, tmp_path, Clock()), Outbox(store, {}))
    with store.work() as work:
        defer(work, TIDY, {"timestamp": 0})

    asyncio.run(work_until_done(Worker(house, check_seconds=0.1), store))

    assert count_jobs(store) == 0
