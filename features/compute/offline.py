"""Many leads at many moments: a history in, a matrix out, on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.compute.colleagues import write_account_family
from features.compute.derived import bind_formulas, write_derived
from features.contracts.history import History
from features.kernel.encode import Encoder
from features.kernel.layout import Columns, columns_of_history, own_array
from features.kernel.plan import build_account_plan, build_plan
from features.kernel.rows import fill_rows

LEADS_PER_TASK = 2048
"""Small enough to keep the cores even and the progress bar moving."""


@dataclass(frozen=True)
class Snapshots:
    """Moments of looking: which lead, when. Ordered by lead, then by time."""

    lead_index: NDArray[np.int64]
    as_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.as_of)

    def offsets(self, n_leads: int) -> NDArray[np.int64]:
        """Tell which snapshots each lead owns: ``offsets[i]:offsets[i + 1]``."""
        per_lead = np.bincount(self.lead_index, minlength=n_leads)
        return np.concatenate([[0], np.cumsum(per_lead)]).astype(np.int64)

    def take(self, chosen: NDArray[np.bool_]) -> "Snapshots":
        """Keep the snapshots of a mask."""
        return Snapshots(self.lead_index[chosen], self.as_of[chosen])


def compute_matrix(
    catalog: Catalog,
    history: History,
    snapshots: Snapshots,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Compute the features of a history's leads at their snapshots.

    Parameters
    ----------
    catalog, history
        What to compute, from what.
    snapshots
        ``lead_index`` numbers the leads by first appearance in the lead table.
    progress
        Called with the number of snapshots just done.

    Returns
    -------
    ndarray of shape (n_snapshots, n_features), float32
    """
    columns = columns_of_history(Encoder(catalog), history)
    return compute_columns(catalog, columns, snapshots, progress=progress)


def compute_columns(
    catalog: Catalog,
    columns: Columns,
    snapshots: Snapshots,
    *,
    progress: Callable[[int], None] = lambda _: None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Compute the matrix from columns that are laid out already, on all cores by default."""
    plan = build_plan(catalog)
    as_of = own_array(snapshots.as_of, np.int64)
    n_leads = len(columns.created_at)
    offsets = snapshots.offsets(n_leads)
    matrix = np.empty((len(snapshots), len(catalog.features)), np.float32)

    def fill(first: int) -> int:
        last = min(first + LEADS_PER_TASK, n_leads)
        own = offsets[first : last + 1]
        begin, end = int(own[0]), int(own[-1])
        fill_rows(columns, plan, first, own - begin, as_of[begin:end], matrix[begin:end])
        return end - begin

    # The kernel holds no lock, so threads share the columns and use every core.
    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        for done in pool.map(fill, range(0, n_leads, LEADS_PER_TASK)):
            progress(done)
    accounts = build_account_plan(catalog)
    if accounts is not None:
        lead = own_array(snapshots.lead_index, np.int64)
        write_account_family(accounts, columns, lead, as_of, matrix)
    write_derived(bind_formulas(catalog), matrix)
    return matrix
