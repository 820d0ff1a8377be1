"""Rows of the account family: one pass over an account's records, asked by each of its leads.

Hot path. Records are taken in the order in which they became known, and leave a window in the order
in which they happened, so that late arrivals need no second pass: all that is kept are counts and
latest moments, which do not depend on the order of taking. What the asking lead did itself is taken
off again: for counts by subtraction, for latest moments by keeping that of the second person too.
"""

import numpy as np
from numba import njit

from features.catalog.feature import Op
from features.kernel.emit import Row
from features.kernel.memberships import (
    JOINED,
    LEFT,
    SENIOR_YES,
    AccountColumns,
)
from features.kernel.plan import OPS, AccountPlan
from features.kernel.state import (
    ARGUMENT,
    COLUMN,
    DAY,
    GROUP,
    NEVER,
    OTHER_WINDOW,
    WINDOW,
    Flags,
    Floats,
    Ints,
    Places,
    Tally,
)

OP_COLLEAGUES = OPS.index(Op.COLLEAGUES)
OP_COLLEAGUES_ACTIVE = OPS.index(Op.COLLEAGUES_ACTIVE)
OP_COLLEAGUE_COUNT = OPS.index(Op.COLLEAGUE_COUNT)
OP_COLLEAGUE_RECENCY = OPS.index(Op.COLLEAGUE_RECENCY)
OP_COLLEAGUE_TREND = OPS.index(Op.COLLEAGUE_TREND)
OP_COLLEAGUE_KINDS = OPS.index(Op.COLLEAGUE_KINDS)

# Columns of the latest moments of a kind: whose is the latest, when, and the latest of all others.
WHO, LATEST, NEXT = range(3)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _count_in(
    tally: Tally, own: Tally, mask: Tally, kind: int, member: int, row: int, sign: int
) -> None:
    for g in range(mask.shape[1]):
        tally[row, g] += sign * mask[kind, g]
        own[member, row, g] += sign * mask[kind, g]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _note_latest(latest: Ints, kind: int, member: int, at: int) -> None:
    if latest[kind, WHO] == member:
        latest[kind, LATEST] = max(latest[kind, LATEST], at)
    elif at > latest[kind, LATEST]:
        latest[kind, NEXT] = latest[kind, LATEST]
        latest[kind, LATEST] = at
        latest[kind, WHO] = member
    else:
        latest[kind, NEXT] = max(latest[kind, NEXT], at)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _latest_of_others(latest: Ints, kind: int, member: int) -> np.int64:
    return np.int64(latest[kind, NEXT] if latest[kind, WHO] == member else latest[kind, LATEST])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _visit(
    tally: Tally, own: Tally, active: Tally, mask: Tally, low: Ints, senior: Flags, group: int,
    position: int, kind: int, member: int,
) -> None:  # fmt: skip
    """Count a record in every window it is inside of."""
    for w in range(tally.shape[0]):
        # The last window is the lifetime, which nothing leaves.
        if w == tally.shape[0] - 1 or position >= low[w]:
            before = own[member, w, group]
            _count_in(tally, own, mask, kind, member, w, 1)
            if before == 0 and own[member, w, group] > 0:
                active[0, w] += 1
                active[1, w] += senior[member]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _pass_out(
    tally: Tally, own: Tally, active: Tally, mask: Tally, senior: Flags, group: int, w: int,
    kind: int, member: int,
) -> None:  # fmt: skip
    before = own[member, w, group]
    _count_in(tally, own, mask, kind, member, w, -1)
    if before > 0 and own[member, w, group] == 0:
        active[0, w] -= 1
        active[1, w] -= senior[member]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _write(
    row: Row, tally: Tally, own: Tally, active: Tally, latest: Ints, senior: Flags, people: np.int64,
    plan_group: int, group_kinds: Ints, windows_us: Ints, window_days: Floats, start: Places,
    entries: Places, member: int, now: int,
) -> None:  # fmt: skip
    for e in range(start[OP_COLLEAGUES], start[OP_COLLEAGUES + 1]):
        row[entries[e, COLUMN]] = people
    for e in range(start[OP_COLLEAGUES_ACTIVE], start[OP_COLLEAGUES_ACTIVE + 1]):
        w, which = entries[e, WINDOW], entries[e, ARGUMENT]
        myself = own[member, w, plan_group] > 0 and (which == 0 or senior[member])
        row[entries[e, COLUMN]] = active[which, w] - myself
    for e in range(start[OP_COLLEAGUE_COUNT], start[OP_COLLEAGUE_COUNT + 1]):
        w, g = entries[e, WINDOW], entries[e, GROUP]
        row[entries[e, COLUMN]] = tally[w, g] - own[member, w, g]
    life = tally.shape[0] - 1
    for e in range(start[OP_COLLEAGUE_TREND], start[OP_COLLEAGUE_TREND + 1]):
        g, short, long = entries[e, GROUP], entries[e, WINDOW], entries[e, OTHER_WINDOW]
        recent = tally[short, g] - own[member, short, g]
        rest = tally[long, g] - own[member, long, g] - recent
        before = rest / (window_days[long] - window_days[short])
        known = tally[life, g] - own[member, life, g] > 0
        row[entries[e, COLUMN]] = recent / window_days[short] - before if known else np.nan
    for e in range(start[OP_COLLEAGUE_RECENCY], start[OP_COLLEAGUE_RECENCY + 1]):
        last = np.int64(NEVER)
        for k in range(latest.shape[0]):
            if group_kinds[entries[e, GROUP], k]:
                other = _latest_of_others(latest, k, member)
                last = other if other > last else last
        row[entries[e, COLUMN]] = (now - last) / DAY if last != NEVER else np.nan
    for e in range(start[OP_COLLEAGUE_KINDS], start[OP_COLLEAGUE_KINDS + 1]):
        since = now - windows_us[entries[e, WINDOW]]
        n = 0
        for k in range(latest.shape[0]):
            if group_kinds[entries[e, GROUP], k]:
                n += _latest_of_others(latest, k, member) >= since
        row[entries[e, COLUMN]] = n


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _apply(
    active: Tally, own: Tally, joined: Flags, senior: Flags, group: int, member: int, change: int
) -> np.int64:
    """Take in a change; give by how much the number of people grew."""
    if change in (LEFT, JOINED):
        before = joined[member]
        joined[member] = change == JOINED
        return np.int64(joined[member]) - np.int64(before)
    now_senior = change == SENIOR_YES
    for w in range(own.shape[1]):
        if own[member, w, group] > 0:
            active[1, w] += np.int64(now_senior) - np.int64(senior[member])
    senior[member] = now_senior
    return np.int64(0)


@njit(cache=True, nogil=True, error_model="numpy")
def find_newest_versions(offsets: Ints, known_at: Ints, lead: Ints, as_of: Ints) -> Ints:
    """Find the version of each lead that was the newest one known; -1 if none was."""
    found = np.full(lead.shape[0], -1, np.int64)
    for i in range(lead.shape[0]):
        for v in range(offsets[lead[i]], offsets[lead[i] + 1]):
            if known_at[v] >= as_of[i]:
                break
            found[i] = v
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def fill_account_rows(
    columns: AccountColumns,
    plan: AccountPlan,
    first_account: int,
    asked_offsets: Ints,
    as_of: Ints,
    member: Ints,
    row_of: Ints,
    out: Row,
) -> None:
    """Compute the account family for consecutive accounts.

    Parameters
    ----------
    columns, plan
        From ``memberships`` and ``plan``.
    first_account
        Index of the account asked first.
    asked_offsets : ndarray of shape (n_accounts + 1,), int64
        Account ``first_account + i`` is asked ``offsets[i]:offsets[i + 1]``.
    as_of, member, row_of : ndarray of shape (n_asked,), int64
        When, ascending within each account; by which of its people; into which row.
    out : ndarray of shape (n_rows, n_features), float32
        The account family's columns of the rows asked for are filled.
    """
    mask, group_kinds = plan.mask, plan.group_kinds
    windows_us, window_days = plan.windows_us, plan.window_days
    start, entries, group = plan.op_start, plan.entries, plan.active_group
    offsets, all_at, known_at = columns.offsets, columns.at, columns.known_at
    kind_of, member_of, by_known = columns.kind, columns.member, columns.by_known
    change_offsets, change_at = columns.change_offsets, columns.change_at
    change_member, change = columns.change_member, columns.change
    n_windows, n_groups, n_kinds = windows_us.shape[0], mask.shape[1], mask.shape[0]
    most = 1
    for i in range(asked_offsets.shape[0] - 1):
        if asked_offsets[i + 1] > asked_offsets[i]:
            most = max(most, columns.n_members[first_account + i])
    tally = np.empty((n_windows + 1, n_groups), np.int32)
    own = np.empty((most, n_windows + 1, n_groups), np.int32)
    active = np.empty((2, n_windows + 1), np.int32)
    latest, low = np.empty((n_kinds, 3), np.int64), np.empty(n_windows, np.int64)
    joined, senior = np.empty(most, np.bool_), np.empty(most, np.bool_)
    for i in range(asked_offsets.shape[0] - 1):
        if asked_offsets[i + 1] == asked_offsets[i]:
            continue
        account = first_account + i
        tally[:] = 0
        active[:] = 0
        for m in range(columns.n_members[account]):
            own[m] = 0
            joined[m] = False
            senior[m] = False
        latest[:] = NEVER
        latest[:, WHO] = -1
        low[:] = offsets[account]
        nxt, end = offsets[account], offsets[account + 1]
        c, last_change = change_offsets[account], change_offsets[account + 1]
        people = np.int64(0)
        for s in range(asked_offsets[i], asked_offsets[i + 1]):
            now = as_of[s]
            while nxt < end and known_at[by_known[nxt]] < now:
                r = by_known[nxt]
                _visit(
                    tally, own, active, mask, low, senior, group, r, kind_of[r], member_of[r]
                )  # fmt: skip
                _note_latest(latest, kind_of[r], member_of[r], all_at[r])
                nxt += 1
            for w in range(n_windows):
                begin = now - windows_us[w]
                while low[w] < end and all_at[low[w]] < begin:
                    r = low[w]
                    if known_at[r] < now:
                        _pass_out(
                            tally, own, active, mask, senior, group, w, kind_of[r], member_of[r]
                        )  # fmt: skip
                    low[w] += 1
            while c < last_change and change_at[c] < now:
                people += _apply(active, own, joined, senior, group, change_member[c], change[c])
                c += 1
            me = member[s]
            _write(
                out[row_of[s]], tally, own, active, latest, senior, people - joined[me], group,
                group_kinds, windows_us, window_days, start, entries, me, now,
            )  # fmt: skip
