"""The account family of a matrix: which account each lead belonged to then, and what it adds."""

import numpy as np
from numpy.typing import NDArray

from features.kernel.accounts import fill_account_rows, find_newest_versions
from features.kernel.layout import Columns
from features.kernel.memberships import Memberships, assemble_accounts, find_memberships
from features.kernel.plan import AccountPlan


def _members(
    of: Memberships, account: NDArray[np.int64], lead: NDArray[np.int64], n_leads: int
) -> NDArray[np.int64]:
    """Find each asking lead's number among the people of its account."""
    keys = of.account * n_leads + of.lead
    order = np.argsort(keys)
    return np.asarray(of.member[order][np.searchsorted(keys[order], account * n_leads + lead)])


def write_account_family(
    plan: AccountPlan,
    columns: Columns,
    lead: NDArray[np.int64],
    as_of: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill the account family's columns.

    Parameters
    ----------
    plan, columns
        From the kernel; all leads of an account are among the columns.
    lead, as_of : ndarray of shape (n_rows,), int64
        Which lead asks, and when.
    out : ndarray of shape (n_rows, n_features), float32
        NaN is written where the lead's account is not known.
    """
    out[:, plan.columns] = np.nan
    if not (columns.version_account >= 0).any():
        return
    version = find_newest_versions(columns.version_offsets, columns.version_known_at, lead, as_of)
    account = np.append(columns.version_account, -1)[version]  # version -1 finds the last
    asking = np.flatnonzero(account >= 0)
    if not len(asking):
        return
    of = find_memberships(columns)
    accounts = assemble_accounts(columns, plan, of)
    asking = asking[np.lexsort((as_of[asking], account[asking]))]
    counts = np.bincount(account[asking], minlength=len(accounts.n_members))
    fill_account_rows(
        accounts,
        plan,
        0,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        as_of[asking],
        _members(of, account[asking], lead[asking], len(columns.created_at)),
        asking,
        out,
    )
