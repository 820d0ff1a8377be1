"""Logged paths of leads with marketing, laid out so that a policy can be judged on them.

A path is a lead's first time with marketing, cut into steps. A step begins on a day that is chosen
without a look at what followed: the first day, each day after news, one a week. Whether somebody
handed the lead over before the next step is the step's action; a request of the lead, an SQL by
itself or a closing ends the path whatever the policy. What comes after a horizon counts nothing.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.clock import DAY_US, to_us
from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index
from features.lifecycle.prices import Prices
from training.evaluation.resampling import Floats, Integers
from training.timing.labels import (
    ALONE,
    CUT,
    ENDED,
    GOES_ON,
    HANDED,
    MONDAY_OFFSET,
    QUIET_ROW_DAYS,
    RAISED,
    Logged,
)

Flags = NDArray[np.bool_]

WORKING_DAYS = 5

NEVER_US = 4_000 * 366 * DAY_US
"""Later than anything."""

MOST_DAYS = 180.0
"""Days of a path that count at the most."""

LARGEST_WEIGHT = 5.0
"""Of a handoff whose outcome is known, for those that are not resolved yet."""

FEWEST_FOLLOWED = 0.2
"""The horizon ends where fewer of the paths than this share were followed as long."""


@dataclass(frozen=True)
class LoggedPaths:
    """First times with marketing, step by step. Arrays of shape (n_steps,) but for two."""

    lead: Integers  # (n_paths,)
    offsets: Integers  # (n_paths + 1,)
    row: Integers
    """The decision row of each step."""
    day: Floats
    """Days since the path began."""
    gap_days: Floats
    """Days to what followed."""
    working_days: Floats
    """Of those, days on which the lead could have been handed over; at least one."""
    followed_by: NDArray[np.int8]
    """GOES_ON, HANDED, RAISED, ALONE, ENDED or CUT, as in the labels."""
    handoff: Integers
    """Which handoff followed, -1 for none."""
    followed: Floats
    """Share of the paths that were followed as long as the step's begin."""
    followed_after: Floats
    """The same of the moment of what followed."""
    horizon_days: float

    def __len__(self) -> int:
        return len(self.lead)

    def take(self, chosen: Flags) -> "LoggedPaths":
        """Keep some paths."""
        steps = np.repeat(chosen, np.diff(self.offsets))
        offsets = np.concatenate([[0], np.cumsum(np.diff(self.offsets)[chosen])])
        return replace(
            self,
            lead=self.lead[chosen],
            offsets=offsets.astype(np.int64),
            **{name: getattr(self, name)[steps] for name in OF_STEPS},
        )


OF_STEPS = (
    "row",
    "day",
    "gap_days",
    "working_days",
    "followed_by",
    "handoff",
    "followed",
    "followed_after",
)


def lay_out(history: History, logged: Logged, most_days: float = MOST_DAYS) -> LoggedPaths:
    """Lay out the first time with marketing of each lead."""
    decisions = logged.decisions
    lead, as_of = decisions.lead, decisions.snapshots.as_of
    begins = find_first_paths(lead, decisions.followed_by)
    in_first = begins.first
    begin_of = as_of[begins.start[begins.path]]
    end_at = as_of + decisions.gap_days * DAY_US
    keep = in_first & _stands_anyway(history, lead, as_of, begins)
    rows = np.flatnonzero(keep)
    path = begins.path[rows]
    last = np.append(path[1:] != path[:-1], True)
    # What followed a step that stands only by hindsight followed the one before it.
    final = begins.end[path]
    follows = np.where(last, end_at[final], np.append(as_of[rows][1:], 0))
    kind = np.where(last, decisions.followed_by[final], GOES_ON)
    handoff = np.where(last, decisions.handoff[final], -1)
    day = (as_of[rows] - begin_of[rows]) / DAY_US
    after = (follows - begin_of[rows]) / DAY_US
    until = to_us(history.about.observed_until)
    follow_up = np.sort((until - begin_of[begins.start[in_first[begins.start]]]) / DAY_US)
    horizon = min(most_days, float(np.quantile(follow_up, 1.0 - FEWEST_FOLLOWED)))
    over = after > horizon
    # A closed lead may still raise its hand: only at the horizon has it surely come to nothing.
    kind = np.where(over, ENDED, np.where(kind == ENDED, CUT, kind))
    handoff = np.where(over, -1, handoff)
    after = np.minimum(after, horizon)
    inside = day < horizon
    kept = path[inside]
    numbers, counts = np.unique(kept, return_counts=True)
    return LoggedPaths(
        lead=lead[begins.start[numbers]],
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        row=rows[inside],
        day=day[inside],
        gap_days=(after - day)[inside],
        working_days=count_working_days(as_of[rows][inside], (after - day)[inside]),
        followed_by=kind[inside].astype(np.int8),
        handoff=handoff[inside],
        followed=_share_followed(follow_up, day[inside]),
        followed_after=_share_followed(follow_up, after[inside]),
        horizon_days=horizon,
    )


@dataclass(frozen=True)
class _Begins:
    """Where paths begin and end among the decision rows."""

    path: Integers  # (n_rows,)
    start: Integers  # (n_paths,)
    end: Integers
    first: Flags  # (n_rows,) of the lead's first time with marketing


def find_first_paths(lead: Integers, followed_by: NDArray[np.int8]) -> _Begins:
    """Find which rows make up a path, and which paths are their lead's first."""
    if not len(lead):
        none = np.zeros(0, np.int64)
        return _Begins(none, none, none, np.zeros(0, np.bool_))
    other = np.append(True, (lead[1:] != lead[:-1]) | (followed_by[:-1] != GOES_ON))
    path = np.cumsum(other) - 1
    start = np.flatnonzero(other)
    end = np.append(start[1:] - 1, len(lead) - 1)
    is_first = np.append(True, lead[start[1:]] != lead[start[:-1]])
    return _Begins(path, start, end, is_first[path])


def _stands_anyway(history: History, lead: Integers, as_of: Integers, begins: _Begins) -> Flags:
    """Tell which rows would be there whatever followed: the others end a path with hindsight."""
    stands = np.ones(len(lead), np.bool_)
    last = begins.end
    first_day = creation_times(history.leads)[lead[last]] // DAY_US + 1
    day = as_of[last] // DAY_US
    # A weekend's rows stand on the Monday after.
    back = np.where((day + MONDAY_OFFSET) % 7 == 0, 2, 0)
    quiet = np.zeros(len(last), np.bool_)
    news = np.zeros(len(last), np.bool_)
    known = list_news_days(history)
    for earlier in range(3):
        could = earlier <= back
        quiet |= could & ((day - earlier - first_day) % QUIET_ROW_DAYS == 0)
        news |= could & np.isin(_pair(lead[last], day - earlier - 1), known)
    stands[last] = (last == begins.start) | quiet | news
    return stands


def list_news_days(history: History) -> Integers:
    """List on which day something new became known of which lead, as one number each."""
    ids = lead_index(history.leads)
    encoded = history.events.column("lead_id").cast(pa.string()).combine_chunks()
    encoded = pc.dictionary_encode(encoded)
    numbers = np.array([ids[name] for name in encoded.dictionary.to_pylist()] or [0], np.int64)
    lead = numbers[np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)]
    known = np.asarray(history.events.column("known_at").cast(pa.int64()).to_numpy(), np.int64)
    return np.unique(_pair(lead, known // DAY_US))


def _pair(lead: Integers, day: Integers) -> Integers:
    return np.asarray(lead * 1_000_000 + day)


def count_working_days(begin: Integers, gap_days: Floats) -> Floats:
    """Count the working days on which a lead might have been handed over during a step.

    Never none, and never more than a week's: a step lasts longer only where the lead is closed.
    """
    first = begin // DAY_US + MONDAY_OFFSET
    last = (begin + np.maximum(gap_days * DAY_US - 1, 0)).astype(
        np.int64
    ) // DAY_US + MONDAY_OFFSET

    def before(day: Integers) -> Integers:
        return np.asarray(day // 7 * 5 + np.minimum(day % 7, 5))

    return np.asarray(np.clip(before(last + 1) - before(first), 1, WORKING_DAYS), np.float64)


def _share_followed(follow_up: Floats, days: Floats) -> Floats:
    """Give the share of paths whose follow-up is at least so long (no path ends the log early)."""
    before = np.searchsorted(follow_up, days - 1e-9, side="left")
    return np.asarray(1.0 - before / max(1, len(follow_up)))


def worth_of_outcomes(
    logged: Logged, prices: Prices, until: int, *, second_chances: bool = True
) -> tuple[Floats, Floats]:
    """Give what each handoff brought, its lead's second chance included, and its weight.

    Parameters
    ----------
    until
        End of the log, microseconds.
    second_chances
        Whether the lead's next handoff counts, and an SQL it becomes by itself; what comes after
        a second return is nobody's hope.

    Returns
    -------
    worth : ndarray of shape (n_handoffs,)
        In the unit of the prices, at the moment of the handoff.
    weight : ndarray of shape (n_handoffs,)
        One over the share of handoffs that were followed for as long as this one took; 0 for those
        still open (inverse probability of censoring, as in `models.timing`).
    """
    handoffs = logged.handoffs
    follow_up = np.sort(until - handoffs.at)

    def share(took: Integers) -> Floats:
        found = np.searchsorted(follow_up, took, side="left") / max(1, len(follow_up))
        return np.asarray(np.maximum(1.0 - found, 1.0 / LARGEST_WEIGHT))

    own = -prices.touch - prices.work * handoffs.accepted + prices.sql * handoffs.sql
    reached = share(handoffs.resolved_at - handoffs.at)
    later = np.zeros(len(handoffs))
    order = np.lexsort((handoffs.at, handoffs.lead))
    if second_chances:
        one, other = order[:-1], order[1:]
        same = handoffs.lead[one] == handoffs.lead[other]
        one, other = one[same], other[same]
        took = handoffs.resolved_at[other] - handoffs.at[one]
        days = (handoffs.at[other] - handoffs.at[one]) / DAY_US
        brought = prices.discount_by_day**days * own[other] * handoffs.is_resolved[other]
        later[one] += brought * reached[one] / share(took)
        took = find_alone(logged) - handoffs.at
        comes = (took > 0) & (took < NEVER_US)
        days = np.where(comes, took, 0) / DAY_US
        brought = prices.sql * prices.discount_by_day**days * reached / share(took)
        later += np.where(comes, brought, 0.0)
    return own + later, np.where(handoffs.is_resolved, 1.0 / reached, 0.0)


def find_alone(logged: Logged) -> Integers:
    """Find when each handoff's lead became an SQL by itself, later or before; else far away."""
    decisions, handoffs = logged.decisions, logged.handoffs
    alone = decisions.followed_by == ALONE
    when = decisions.snapshots.as_of[alone] + (decisions.gap_days[alone] * DAY_US).astype(np.int64)
    most = int(max(handoffs.lead.max(initial=0), decisions.lead.max(initial=0))) + 1
    at = np.full(most, 2 * NEVER_US)
    at[decisions.lead[alone]] = when
    return np.asarray(at[handoffs.lead])


__all__ = [
    "ALONE",
    "CUT",
    "ENDED",
    "GOES_ON",
    "HANDED",
    "RAISED",
    "Flags",
    "LoggedPaths",
    "lay_out",
]
