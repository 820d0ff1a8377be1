"""How good handoffs were, by what history knows came after them. Pure.

A handoff is judged once its horizon has been observed. History only knows what came of leads under
the company's own handoffs: a lead that only the draft hands over had no seller who could have made
it a SQL, so what the draft gains there nobody can see, and its precision is a lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.clock import DAY_US
from serving.handoff.intervals import Rate, find_rate
from serving.handoff.replay.lead_timeline import NEVER
from serving.handoff.replay.snapshots import ReplaySnapshots

WEEK_DAYS = 7


@dataclass(frozen=True)
class Period:
    """The days that are replayed, and until when outcomes are known."""

    begin_us: int
    end_us: int
    observed_until_us: int
    horizon_us: int
    confidence: float = 0.95

    @property
    def weeks(self) -> float:
        """Length of the period in weeks."""
        return (self.end_us - self.begin_us) / (WEEK_DAYS * DAY_US)


@dataclass(frozen=True)
class Figures:
    """What a way of handing over achieves in the period."""

    handoffs: int
    leads: int
    per_week: float
    busiest_week: int
    asked: int
    """Handoffs of leads that had asked for sales."""
    matured: int
    """Handoffs whose horizon has been observed; the shares below are of these."""
    sql: Rate
    """Precision: became a SQL within the horizon."""
    won: Rate
    lift: float | None
    """Precision over the share of all leads; None where either is not known."""
    recall: Rate
    """Of the leads that became a SQL: handed over before."""
    recall_won: Rate
    """Of the leads that were won: handed over before."""


@dataclass(frozen=True)
class Everyone:
    """The leads that were looked at, each once, at its first look."""

    first: ReplaySnapshots
    period: Period

    @property
    def base(self) -> Rate:
        """Share of them that became a SQL within the horizon, whoever was handed over."""
        return rate_sql(self.first, self.period)


def find_everyone(snapshots: ReplaySnapshots, period: Period) -> Everyone:
    """Keep each lead's first look."""
    _, first = np.unique(snapshots.lead, return_index=True)
    return Everyone(snapshots.take(first), period)


def has_matured(snapshots: ReplaySnapshots, period: Period) -> NDArray[np.bool_]:
    """Tell of which looks the whole horizon has been observed."""
    return np.asarray(snapshots.as_of + period.horizon_us <= period.observed_until_us)


def _rate_within(
    snapshots: ReplaySnapshots, outcome_us: NDArray[np.int64], period: Period
) -> Rate:
    matured = has_matured(snapshots, period)
    happened = outcome_us[matured] < snapshots.as_of[matured] + period.horizon_us
    return find_rate(int(happened.sum()), int(matured.sum()), period.confidence)


def rate_sql(snapshots: ReplaySnapshots, period: Period) -> Rate:
    """Compute the share that became a SQL within the horizon."""
    return _rate_within(snapshots, snapshots.next_sql, period)


def judge(handoffs: ReplaySnapshots, asked: NDArray[np.bool_], everyone: Everyone) -> Figures:
    """Judge handoffs against what became of all leads that were looked at.

    Parameters
    ----------
    handoffs
        The look, or moment, of each.
    asked
        Whether the lead of each had asked for sales.
    everyone
        All leads that could have been handed over in the period.
    """
    period = everyone.period
    sql = rate_sql(handoffs, period)
    base = everyone.base
    known = sql.share is not None and bool(base.share)
    return Figures(
        handoffs=len(handoffs),
        leads=len(np.unique(handoffs.lead)),
        per_week=len(handoffs) / period.weeks,
        busiest_week=max(count_by_week(handoffs, period), default=0),
        asked=int(asked.sum()),
        matured=int(has_matured(handoffs, period).sum()),
        sql=sql,
        won=_rate_within(handoffs, handoffs.next_won, period),
        lift=(sql.share or 0.0) / (base.share or 1.0) if known else None,
        recall=_recall(handoffs, everyone, handoffs.next_sql, everyone.first.next_sql),
        recall_won=_recall(handoffs, everyone, handoffs.next_won, everyone.first.next_won),
    )


def _recall(
    handoffs: ReplaySnapshots,
    everyone: Everyone,
    after_handoff: NDArray[np.int64],
    after_first: NDArray[np.int64],
) -> Rate:
    happened = np.unique(everyone.first.lead[after_first < NEVER])
    before = np.unique(handoffs.lead[after_handoff < NEVER])
    found = int(np.isin(happened, before).sum())
    return find_rate(found, len(happened), everyone.period.confidence)


def count_by_week(handoffs: ReplaySnapshots, period: Period) -> Sequence[int]:
    """Count handoffs in each week of the period; weeks begin with its first day."""
    week = (handoffs.as_of - period.begin_us) // (WEEK_DAYS * DAY_US)
    return [int(n) for n in np.bincount(week, minlength=int(np.ceil(period.weeks)))]


@dataclass(frozen=True)
class Difference:
    """Leads that only one of two ways hands over."""

    leads: int
    sql: Rate
    """Share that became a SQL within the horizon, of those that matured."""


@dataclass(frozen=True)
class Compared:
    """The draft beside what the company did."""

    both: Difference
    gained: Difference
    """Handed over by the draft alone."""
    lost: Difference
    """Handed over by the company alone."""
    earlier_days: float | None
    """Days by which the draft is earlier, in the median of the leads that both hand over."""
    later: int
    """Leads that both hand over and the draft later: its score then knew of the handoff."""


def compare(draft: ReplaySnapshots, today: ReplaySnapshots, period: Period) -> Compared:
    """Compare by lead: each counts once, by its first handoff."""
    first_draft, first_today = _first_of_each(draft), _first_of_each(today)
    in_both = np.isin(first_draft.lead, first_today.lead)
    also = np.isin(first_today.lead, first_draft.lead)
    ahead = (first_today.as_of[also] - first_draft.as_of[in_both]) / DAY_US
    return Compared(
        both=_differ(first_draft.take(in_both), period),
        gained=_differ(first_draft.take(~in_both), period),
        lost=_differ(first_today.take(~also), period),
        earlier_days=float(np.median(ahead)) if len(ahead) else None,
        later=int((ahead < 0).sum()),
    )


def _first_of_each(handoffs: ReplaySnapshots) -> ReplaySnapshots:
    in_order = handoffs.take(np.lexsort((handoffs.as_of, handoffs.lead)))
    _, first = np.unique(in_order.lead, return_index=True)
    return in_order.take(first)


def _differ(handoffs: ReplaySnapshots, period: Period) -> Difference:
    return Difference(len(handoffs), rate_sql(handoffs, period))
