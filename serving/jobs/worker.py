"""The worker: scores what is due, sends what waits, runs jobs, and brings back jobs of dead workers.

Scores and effects are queues of their own tables, looked at several times a second: a job for each event
would cost more than the score. What is done once, or by the hour, is a job of procrastinate's.
"""

import asyncio
import logging
from collections.abc import Callable

import structlog

from serving.faults import describe_fault
from serving.jobs.failures import build_recorder
from serving.jobs.queries import count_jobs, note_unexplained, recover_stalled
from serving.jobs.tasks import ATTEMPTS, TASKS, JobResources, build_jobs
from serving.store.errors import StoreUnavailableError

HEARTBEAT_SECONDS, STALLED_SECONDS = 5.0, 20.0
"""A worker that gives no sign of life for so long is dead, and its jobs are taken up by others."""

WATCH_SECONDS = 5.0
"""Seconds between two looks at the queues, for metrics and for jobs of dead workers."""

PATIENCE_SECONDS = 1.0
"""Seconds before the database is tried again."""

STOP_SECONDS = 8.0
"""Seconds a job under way has to finish."""

log = structlog.get_logger(__name__)


class Worker:
    """Does the background work of one process, until it is stopped."""

    def __init__(self, resources: JobResources, *, check_seconds: float) -> None:
        self.resources = resources
        self.check_seconds = check_seconds
        self.jobs: dict[str, int] = {}
        """Jobs by status, when last looked at."""
        self.recovered = 0
        """Jobs of dead workers that were put back."""
        self.given_up = 0
        """Jobs set aside since their workers died again and again."""
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start, on the event loop that is running."""
        # It would log what jobs are told, and tracebacks: our own logs say what may be said.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL + 1)
        self._stop.clear()
        resources, every = self.resources, self.check_seconds
        self._tasks = [
            asyncio.create_task(self._repeat("scores", resources.scorer.run_once, every)),
            asyncio.create_task(self._repeat("outbox", resources.outbox.run_once, every)),
            asyncio.create_task(self._repeat("watch", self._watch, WATCH_SECONDS)),
            asyncio.create_task(self._run_jobs()),
        ]

    async def stop(self) -> None:
        """Stop once what is under way is done."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def run(self) -> None:
        """Work until stopped."""
        self.start()
        await asyncio.gather(*self._tasks)

    def ask_to_stop(self) -> None:
        """Have `run` end; for signal handlers."""
        self._stop.set()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def _repeat(self, name: str, action: Callable[[], int], every_seconds: float) -> None:
        """Run an action again and again; at once where it found much to do, else after a pause."""
        while not self._stop.is_set():
            pause = every_seconds
            try:
                if await asyncio.to_thread(action):
                    continue
            except StoreUnavailableError:
                log.warning("store_unavailable", loop=name)
                pause = max(pause, PATIENCE_SECONDS)
            except Exception as error:  # noqa: BLE001 - edge of a job: the loop goes on
                log.error("loop_failed", loop=name, **describe_fault(error))  # noqa: TRY400 - may hold values
                pause = max(pause, PATIENCE_SECONDS)
            await self._pause(pause)

    def _watch(self) -> int:
        resources = self.resources
        with resources.store.work() as work:
            again, given_up = recover_stalled(work, STALLED_SECONDS, ATTEMPTS, resources.now())
            unexplained = note_unexplained(work, TASKS, resources.now())
        for job_id, problem in unexplained:
            log.error("job_failed", job=job_id, error=problem, where=[])
        self.recovered += again
        self.given_up += given_up
        with resources.store.work(read_only=True) as work:
            self.jobs = count_jobs(work)
        resources.scorer.look_at_queue()
        return 0

    async def _run_jobs(self) -> None:
        """Run procrastinate's worker; start it again when the database comes back."""
        while not self._stop.is_set():
            try:
                await self._work_on_jobs()
            except Exception as error:  # noqa: BLE001 - edge of a job: without the database there is no worker
                log.warning("jobs_interrupted", **describe_fault(error))
            await self._pause(PATIENCE_SECONDS)

    async def _work_on_jobs(self) -> None:
        url = self.resources.store.url.set(drivername="postgresql")
        app = build_jobs(self.resources, url.render_as_string(hide_password=False))
        async with app.open_async():
            working = asyncio.create_task(
                app.run_worker_async(
                    install_signal_handlers=False,
                    concurrency=2,
                    fetch_job_polling_interval=1.0,
                    shutdown_graceful_timeout=STOP_SECONDS,
                    delete_jobs="successful",
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    worker_middleware=[build_recorder(self.resources)],
                )
            )
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
            if working.done() and not working.cancelled() and working.exception() is not None:
                raise working.exception()  # type: ignore[misc]
