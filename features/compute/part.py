"""One partition of a history in, its part of the matrix out: the same computation wherever it runs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.clock import to_us
from features.compute.grids import Grid
from features.compute.offline import Snapshots, compute_columns
from features.contracts.history import History
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_history
from features.sources.history.folder import HistoryFolder, open_history


@dataclass(frozen=True)
class Part:
    """The snapshots of one partition and their features."""

    position: int
    lead_ids: pa.Array
    """The leads of the partition; ``snapshots`` number them."""
    snapshots: Snapshots
    rows: NDArray[np.float32]
    """Of shape (n_snapshots, n_features)."""
    left_out: int
    """Moments outside of what was observed of their lead."""


@dataclass(frozen=True)
class Job:
    """What is computed of which history. Small enough to be sent to another machine."""

    history: str
    """Folder or URL, the same for everyone who works on it."""
    catalog: Catalog
    grid: Grid

    @cached_property
    def folder(self) -> HistoryFolder:
        """The history, opened."""
        return open_history(self.history)

    def of_partition(self, position: int) -> "Job":
        """Give what one partition needs, without what is open here."""
        return Job(self.history, self.catalog, self.grid.of_partition(position))


def list_leads(leads: pa.Table) -> pa.Array:
    """List the leads of a lead table by first appearance."""
    return leads.column("lead_id").cast(pa.string()).unique()


def compute_part(job: Job, position: int, *, threads: int = 1) -> Part:
    """Read one partition, place its snapshots and compute their features.

    Parameters
    ----------
    job
        Whose grid is that of this partition; see ``Job.of_partition``.
    position
        Number of the partition.
    threads
        One where partitions are spread over threads or machines already.
    """
    return compute_history(
        job.folder.read_partition(position), job.catalog, job.grid, position, threads=threads
    )


def compute_history(
    history: History,
    catalog: Catalog,
    grid: Grid,
    position: int = 0,
    *,
    threads: int | None = None,
) -> Part:
    """Place the snapshots of a history in memory and compute their features, by default on all cores."""
    encoder = Encoder(catalog)
    columns = columns_of_history(encoder, history)
    lead_ids = list_leads(history.leads)
    until_us = to_us(history.about.observed_until)
    del history  # the columns hold all that is read from here on
    look = grid.look(encoder, columns, until_us)
    rows = compute_columns(catalog, columns, look.snapshots, threads=threads)
    return Part(position, lead_ids, look.snapshots, rows, look.left_out)
