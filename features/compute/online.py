"""Some leads, one moment each: records in, rows out, through the same compiled pass."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.compute.colleagues import write_account_family
from features.compute.derived import Derived, bind_formulas, write_derived
from features.contracts.records import LeadRecord
from features.kernel.encode import Encoder
from features.kernel.layout import Columns, columns_of_records
from features.kernel.packed import PackedLead, columns_of_packed_leads
from features.kernel.plan import AccountPlan, Plan, build_account_plan, build_plan
from features.kernel.rows import fill_rows

FIRST, BOTH = np.zeros(1, np.int64), np.array([0, 1], np.int64)


class _Compiled(NamedTuple):
    encoder: Encoder
    plan: Plan
    accounts: AccountPlan | None
    derived: tuple[Derived, ...]


@lru_cache(maxsize=8)
def _compile(catalog: Catalog) -> _Compiled:
    plans = build_plan(catalog), build_account_plan(catalog)
    return _Compiled(Encoder(catalog), *plans, bind_formulas(catalog))


def compute_rows(
    catalog: Catalog, leads: Sequence[LeadRecord], as_of: Sequence[int]
) -> NDArray[np.float32]:
    """Compute the features of leads, each at its own moment.

    Parameters
    ----------
    catalog
        The catalogue of the bundle that will read the rows.
    leads
        Leads with their records, in any order.
    as_of
        One moment per lead, microseconds since the epoch. Records at or after it do not count.

    Returns
    -------
    ndarray of shape (n_leads, n_features), float32
        NaN where a feature is not known.
    """
    made = _compile(catalog)
    columns = columns_of_records(made.encoder, leads)
    return _fill(made, columns, _asked(leads), np.array(as_of, np.int64))


def compute_packed_rows(
    catalog: Catalog, leads: Sequence[PackedLead], as_of: Sequence[int]
) -> NDArray[np.float32]:
    """Compute the features of packed leads, each at its own moment, in one pass.

    Returns
    -------
    ndarray of shape (n_leads, n_features), float32
        NaN where a feature is not known.

    Raises
    ------
    PackedHistoryError
        If a moment is not after all that its packed history knows.
    """
    made = _compile(catalog)
    columns = columns_of_packed_leads(made.encoder, leads, as_of)
    return _fill(made, columns, _asked(leads), np.array(as_of, np.int64))


def _asked(leads: Sequence[LeadRecord] | Sequence[PackedLead]) -> NDArray[np.int64]:
    """Tell where each lead lies, given that its colleagues follow it."""
    if len(leads) == 1:
        return FIRST
    followers = [len(lead.colleagues or ()) for lead in leads]
    asked: NDArray[np.int64] = np.arange(len(leads)) + np.cumsum([0, *followers])[: len(leads)]
    return asked


def _fill(
    made: _Compiled,
    columns: Columns,
    asked: NDArray[np.int64],
    as_of: NDArray[np.int64],
) -> NDArray[np.float32]:
    rows = np.empty((len(as_of), made.plan.n_features), np.float32)
    n_leads = len(columns.created_at)
    offsets = BOTH if n_leads == 1 else np.searchsorted(asked, np.arange(n_leads + 1))
    fill_rows(columns, made.plan, 0, offsets, as_of, rows)
    if made.accounts is not None:
        write_account_family(made.accounts, columns, asked, as_of, rows)
    write_derived(made.derived, rows)
    return rows
