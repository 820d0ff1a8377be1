"""Who belongs to which account, since when; and each account's records, its people's together.

An account's history is what its people did: before they were known as its people, from the moment
they became known as such; and until they became known as somebody else's. So a record belongs to
every account its lead was known to belong to when the record became known, or at any time later.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel.layout import Columns
from features.kernel.plan import AccountPlan
from features.kernel.record import CHANNEL_BITS, KIND_MASK, TIME_SHIFT

Ints = NDArray[np.int64]

ENDLESS = 1 << 62
LEFT, JOINED, SENIOR_NOT, SENIOR_YES = range(4)
"""What a change says of somebody."""


class Memberships(NamedTuple):
    """Times at which leads were known to belong to accounts, ordered by lead, then by time."""

    lead: Ints
    account: Ints
    member: Ints  # number of the lead among those of the account
    since: Ints  # became known, microseconds
    until: Ints  # became known as somebody else's
    taken_until: Ints  # records known before this came with an earlier membership of the same pair


class AccountColumns(NamedTuple):
    """Accounts and the records of their people. Account ``i`` owns ``offsets[i]:offsets[i + 1]``."""

    n_members: Ints  # (n_accounts,)
    offsets: Ints  # (n_accounts + 1,)
    at: Ints  # (n_records,) ascending within the account
    known_at: Ints  # the account could know: never before `at`, nor before the membership
    kind: Ints
    member: Ints
    by_known: Ints  # positions of the account's records in the order of `known_at`
    change_offsets: Ints  # (n_accounts + 1,)
    change_at: Ints  # ascending within the account
    change_member: Ints
    change: Ints  # LEFT, JOINED, ...


def _offsets(owner: Ints, n_owners: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n_owners))]).astype(
        np.int64
    )


def find_memberships(columns: Columns) -> Memberships:
    """Join versions of a lead that name the same account into memberships."""
    lead = np.repeat(np.arange(len(columns.created_at)), np.diff(columns.version_offsets))
    account, known_at = columns.version_account, columns.version_known_at
    begins = np.ones(len(lead), np.bool_)
    begins[1:] = (lead[1:] != lead[:-1]) | (account[1:] != account[:-1])
    lead, account, since = lead[begins], account[begins], known_at[begins]
    until = np.full(len(lead), ENDLESS)
    goes_on = lead[1:] == lead[:-1]
    until[:-1][goes_on] = since[1:][goes_on]
    named = account >= 0
    lead, account, since, until = lead[named], account[named], since[named], until[named]
    # Members are numbered by lead, so that their numbers do not depend on the order of time.
    pairs, pair = np.unique(np.stack([account, lead]), axis=1, return_inverse=True)
    first = np.searchsorted(pairs[0], pairs[0], side="left")
    order = np.lexsort((since, pair))
    taken = np.full(len(lead), -ENDLESS)
    again = pair[order][1:] == pair[order][:-1]
    taken[order[1:][again]] = until[order[:-1][again]]
    return Memberships(lead, account, (np.arange(len(first)) - first)[pair], since, until, taken)


def _records(columns: Columns, of: Memberships) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Give account, member, at, known_at and kind of every record of an account."""
    n_own = (columns.offsets[1:] - columns.offsets[:-1])[of.lead]
    membership = np.repeat(np.arange(len(of.lead)), n_own)
    begins = np.cumsum(n_own) - n_own
    position = np.arange(len(membership)) - np.repeat(begins - columns.offsets[of.lead], n_own)
    word = columns.records[2 * position]
    at = word >> TIME_SHIFT
    known_at = np.maximum(columns.known_at[position], at) if len(columns.known_at) else at
    own = (known_at < of.until[membership]) & (known_at >= of.taken_until[membership])
    of_own = membership[own]
    return (
        of.account[of_own],
        of.member[of_own],
        at[own],
        np.maximum(known_at[own], of.since[of_own]),
        ((word >> CHANNEL_BITS) & KIND_MASK)[own],
    )


def _changes(
    columns: Columns, plan: AccountPlan, of: Memberships
) -> tuple[Ints, Ints, Ints, Ints]:
    """Give account, moment, member and what changed."""
    leaves = of.until < ENDLESS
    found = [
        (of.account, of.since, of.member, np.full(len(of.lead), JOINED)),
        (of.account[leaves], of.until[leaves], of.member[leaves], np.full(leaves.sum(), LEFT)),
    ]
    if plan.seniority >= 0:
        versions = np.diff(columns.version_offsets)
        n_own = versions[of.lead]
        membership = np.repeat(np.arange(len(of.lead)), n_own)
        shift = columns.version_offsets[of.lead] - (np.cumsum(n_own) - n_own)
        version = np.arange(len(membership)) + np.repeat(shift, n_own)
        cell = columns.version_values[version, plan.seniority]
        known = ~np.isnan(cell)
        senior = np.zeros(len(cell), np.bool_)
        senior[known] = plan.is_senior[cell[known].astype(np.int64)]
        found.append(
            (
                of.account[membership],
                # What was known of somebody before counts from the joining on.
                np.maximum(columns.version_known_at[version], of.since[membership]),
                of.member[membership],
                np.where(senior, SENIOR_YES, SENIOR_NOT),
            )
        )
    account, at, member, change = (np.concatenate(part) for part in zip(*found, strict=True))
    return account, at, member, change


@njit(cache=True, nogil=True, error_model="numpy")
def sort_within(offsets: Ints, key: Ints) -> Ints:
    """Order positions by a key, each owner's among themselves."""
    order = np.empty(key.shape[0], np.int64)
    for owner in range(offsets.shape[0] - 1):
        begin, end = offsets[owner], offsets[owner + 1]
        sorted_already = True
        for i in range(begin, end):
            order[i] = i
            sorted_already &= i == begin or key[i - 1] <= key[i]
        if not sorted_already:
            order[begin:end] = begin + np.argsort(key[begin:end])
    return order


def _by_account(of: Memberships) -> Memberships:
    order = np.argsort(of.account, kind="stable")
    return Memberships(*(column[order] for column in of))


def assemble_accounts(columns: Columns, plan: AccountPlan, of: Memberships) -> AccountColumns:
    """Sort the records of every account's people into columns."""
    n_accounts = int(columns.version_account.max(initial=-1)) + 1
    account, member, at, known_at, kind = _records(columns, _by_account(of))
    offsets = _offsets(account, n_accounts)
    order = sort_within(offsets, at)
    at, known_at = at[order], known_at[order]
    changed, change_at, change_member, change = _changes(columns, plan, of)
    # A stable sort: of changes known at one moment the one listed last holds.
    in_time = np.lexsort((change_at, changed))
    members = np.zeros(n_accounts, np.int64)
    np.maximum.at(members, of.account, of.member + 1)
    return AccountColumns(
        members,
        offsets,
        at,
        known_at,
        kind[order],
        member[order],
        sort_within(offsets, known_at),
        _offsets(changed, n_accounts),
        change_at[in_time],
        change_member[in_time],
        change[in_time],
    )
