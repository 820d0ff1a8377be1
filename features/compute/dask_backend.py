"""The same deeds on Dask: partitions go to workers, on this machine or on many.

Nothing is shuffled: all that happened to a lead and to its colleagues is in one partition already,
so each task is ``compute_part``, the function that runs in process, and the result is the same bit
for bit. Skew: the partitions with the most records are handed out first, so that the run does not
end on one worker still busy with the largest. A lead's features need all of its records, so the
largest lead, or account, sets how small a partition can be; it costs time in proportion to its
records, not more, and the memory of one worker.

The only module that knows Dask.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from features.compute.errors import NoDaskError, SchedulerNotFoundError, WorkerError
from features.compute.output import MatrixFormat, build_table, replaced_matrix
from features.compute.part import Job, compute_part
from features.compute.settings import LOCAL
from features.compute.stream import compute_and_write
from features.compute.written import Written, describe_matrix
from features.errors import FeaturesError
from features.sources.history_folder import HistoryFolder

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
        from distributed import Client, LocalCluster
    except ImportError as problem:
        raise NoDaskError(str(problem)) from problem
    with ExitStack() as stack:
        # Dask's profiler would sample each worker a hundred times a second, for a dashboard.
        stack.enter_context(dask.config.set({"distributed.worker.profile.enabled": False}))
        address: Any = where
        if where == LOCAL:
            address = stack.enter_context(
                LocalCluster(
                    n_workers=workers or os.cpu_count() or 1,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                )
            )
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as problem:
            raise SchedulerNotFoundError(where, str(problem)) from problem
        if not client.scheduler_info()["workers"]:
            raise SchedulerNotFoundError(where, "no worker has joined it")
        yield client


def largest_first(folder: HistoryFolder) -> list[int]:
    """List the partitions, those with the most records first."""
    records = np.add(folder.count_rows("events"), folder.count_rows("stages"))
    return [int(n) for n in np.argsort(-records, kind="stable")]


def on_workers(
    client: "Client", deed: Callable[[Job, int], T], job: Job, positions: Sequence[int]
) -> Iterator[T]:
    """Do a deed for each partition on the workers; give the results as they come.

    Raises
    ------
    WorkerError
        If a partition fails; the others are given up.
    """
    from distributed import as_completed

    futures = {
        # Pure tasks of one name would be answered from an earlier run whose files have changed.
        client.submit(deed, job.of_partition(n), n, pure=False, priority=-rank): n
        for rank, n in enumerate(positions)
    }
    waiting = as_completed(futures)
    try:
        for future in waiting:
            if future.status != "finished":
                problem = future.exception()
                if isinstance(problem, FeaturesError):
                    raise problem
                raise WorkerError(futures[future], f"{type(problem).__name__}: {problem}")
            yield future.result()
            future.release()
    finally:
        client.cancel(list(futures), force=True)


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
        deed = partial(compute_and_write, matrix.folder, format_)
        done = []
        for written in on_workers(client, deed, job, largest_first(job.folder)):
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
