"""The same computations on Dask: partitions go to workers, on this machine or on many.

Nothing is shuffled: all that happened to a lead and to its colleagues is in one partition already,
so each task is ``compute_part``, the function that runs in process, and the result is the same bit
for bit. Skew: the partitions with the most records are handed out first, so that the run does not
end on one worker still busy with the largest. A lead's features need all of its records, so the
largest lead, or account, sets how small a partition can be; it costs time in proportion to its
records, not more, and the memory of one worker.

Dask itself is known here and in ``training.dask_engine`` only.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from features.compute.errors import NoDaskError, SchedulerNotFoundError, WorkerError
from features.compute.output import MatrixFormat, build_table, replaced_matrix
from features.compute.part import Job, compute_part
from features.compute.settings import LOCAL
from features.compute.stream import compute_and_write
from features.compute.written import Written, describe_matrix
from features.errors import FeaturesError
from features.sources.history.folder import HistoryFolder

if TYPE_CHECKING:
    import dask.dataframe as dd
    from distributed import Client

T = TypeVar("T")

CONNECT_SECONDS = 10


@contextmanager
def connected(where: str, *, workers: int | None = None) -> Iterator["Client"]:
    """Connect to a scheduler, or start workers on this machine.

    Parameters
    ----------
    where
        Address of a scheduler, or ``LOCAL``: a process per core, one thread each, reachable from
        this machine only, without dashboard.
    workers
        How many, if they are started here.

    Raises
    ------
    NoDaskError
        If Dask is not installed.
    SchedulerNotFoundError
        If no scheduler answers, or it has no worker.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as problem:
        raise NoDaskError(str(problem)) from problem
    with ExitStack() as stack:
        # Dask's profiler would sample each worker a hundred times a second, for a dashboard.
        stack.enter_context(dask.config.set({"distributed.worker.profile.enabled": False}))
        address = stack.enter_context(_workers_here(workers)) if where == LOCAL else where
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as problem:
            raise SchedulerNotFoundError(where, str(problem)) from problem
        if not client.scheduler_info()["workers"]:
            raise SchedulerNotFoundError(where, "no worker has joined it")
        yield client


def _workers_here(workers: int | None) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers or os.cpu_count() or 1,
        threads_per_worker=1,
        host="127.0.0.1",
        # None would mean the usual port on every address of the machine.
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.ERROR,
    )


def largest_first(folder: HistoryFolder) -> list[int]:
    """List the partitions, those with the most records first."""
    records = np.add(folder.count_rows("events"), folder.count_rows("stages"))
    return [int(n) for n in np.argsort(-records, kind="stable")]


def on_workers(
    client: "Client", task: Callable[[Job, int], T], job: Job, positions: Sequence[int]
) -> Iterator[T]:
    """Run a task for each partition on the workers; give the results as they come.

    Partitions are handed out in the order given, a few ahead of what was taken.

    Raises
    ------
    WorkerError
        If a partition fails; the others are given up.
    """
    from distributed import as_completed

    left = iter(positions)
    given: dict[Any, int] = {}
    pending = as_completed()

    def hand_out(count: int) -> None:
        for position in islice(left, count):
            # Pure tasks of one name would be answered from an earlier run of other files.
            own = job.of_partition(position)
            future = client.submit(_do, task, own, position, pure=False)
            given[future] = position
            pending.add(future)

    # One to do and one to come for each thread: what is done but not yet taken stays little.
    hand_out(2 * sum(client.nthreads().values()))
    try:
        for future in pending:
            yield _take(future, given.pop(future))
            hand_out(1)
    finally:
        client.cancel(list(given), force=True)


def _take(future: Any, position: int) -> Any:
    if future.status != "finished":
        problem = future.exception()
        raise WorkerError(position, f"{type(problem).__name__}: {problem}")
    result = future.result()
    if isinstance(result, _Refused):
        raise WorkerError(position, result.words)
    return result


class _Refused(NamedTuple):
    """A refusal on its way back: exceptions that carry facts do not survive the journey."""

    words: str


def _do(task: Callable[[Job, int], T], job: Job, position: int) -> T | _Refused:
    try:
        return task(job, position)
    except FeaturesError as refusal:
        return _Refused(str(refusal))


def write_matrix_on_dask(
    client: "Client",
    job: Job,
    to: Path,
    format_: MatrixFormat,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Written]:
    """Compute a matrix on workers, who write the files; the same bytes as ``write_matrix``.

    Workers need the history and ``to`` under the same path as this process.
    """
    with replaced_matrix(to) as matrix:
        task = partial(compute_and_write, matrix.folder, format_)
        done = []
        for written in on_workers(client, task, job, largest_first(job.folder)):
            done.append(written)
            progress(written.position)
        done.sort(key=lambda written: written.position)
        matrix.about = describe_matrix(job, format_, done)
    return done


def compute_frame(job: Job, position: int) -> Any:
    """Compute one part as a pandas DataFrame."""
    parts = [compute_part(job, position)]
    return build_table(parts, job.catalog, job.grid.words).to_pandas()


def matrix_frame(job: Job) -> "dd.DataFrame":
    """Give the matrix as a Dask DataFrame, a partition per partition of the history.

    Nothing is computed before it is asked for, and no more than a partition per worker is in
    memory then.
    """
    try:
        import dask.dataframe as dd
    except ImportError as problem:
        raise NoDaskError(str(problem)) from problem
    positions = range(job.folder.n_partitions)
    return dd.from_map(
        compute_frame,
        [job.of_partition(n) for n in positions],
        positions,
        meta=build_table([], job.catalog, job.grid.words).to_pandas(),
        enforce_metadata=False,
    )
