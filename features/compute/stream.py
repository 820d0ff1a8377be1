"""A history streamed to a matrix, partition by partition, on all cores of this machine.

Memory holds a partition per thread, whatever the number of partitions.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from features.compute.output import MatrixFormat, replaced_matrix, write_part
from features.compute.part import Job, Part, compute_part
from features.compute.written import Written, describe_matrix

T = TypeVar("T")


def in_order(task: Callable[[int], T], positions: Iterable[int], threads: int) -> Iterator[T]:
    """Run a task for each position on some threads; give the results in order.

    No more than ``threads`` results wait to be taken, so a slow taker bounds the memory.
    """
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for position in positions:
                if len(waiting) >= threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(task, position))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def stream_parts(job: Job, *, threads: int | None = None) -> Iterator[Part]:
    """Compute the parts of a matrix, in the order of the partitions.

    Examples
    --------
    The whole matrix as a DataFrame::

        parts = stream_parts(Job("var/simulated", catalog, Periodic(WEEK_US)))
        frame = build_table(parts, catalog, "weekly").to_pandas()
    """
    folder = job.folder

    def compute(position: int) -> Part:
        return compute_part(job.of_partition(position), position)

    return in_order(compute, range(folder.n_partitions), threads or os.cpu_count() or 1)


def compute_and_write(folder: Path, format_: MatrixFormat, job: Job, position: int) -> Written:
    """Compute one part and write its file: the task of a thread here or a worker elsewhere.

    Parameters
    ----------
    folder, format_
        Where the file goes, and how it is written.
    job
        As for ``compute_part``.
    """
    part = compute_part(job, position)
    rows = write_part(part, job.catalog, job.grid.words, folder, format_)
    return Written(position, rows, len(part.lead_ids), part.left_out)


def write_matrix(
    job: Job,
    to: Path,
    format_: MatrixFormat,
    *,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Written]:
    """Compute a matrix and write it, a file per partition.

    Parameters
    ----------
    job, to, format_
        What is computed, into which folder, as what.
    threads
        As many partitions are in memory; all cores by default.
    progress
        Called with the number of each partition that is done.

    Raises
    ------
    MatrixFolderTakenError
        If the folder holds files but no matrix.
    """
    n_partitions = job.folder.n_partitions
    with replaced_matrix(to) as matrix:
        done = []
        task = partial(_compute_own, matrix.folder, format_, job)
        for written in in_order(task, range(n_partitions), threads or os.cpu_count() or 1):
            done.append(written)
            progress(written.position)
        matrix.about = describe_matrix(job, format_, done)
    return done


def _compute_own(folder: Path, format_: MatrixFormat, job: Job, position: int) -> Written:
    return compute_and_write(folder, format_, job.of_partition(position), position)
