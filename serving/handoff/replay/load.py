"""What handoffs ask of sales: per seller, against its capacity, by priority and in attempts. Pure."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from features.clock import DAY_US, from_us
from serving.handoff.decision.definitions import facts_at, run_definitions
from serving.handoff.playbook.playbook import ASKS_FOR_SALES, Playbook
from serving.handoff.playbook.sections.routing import PlaybookSeller
from serving.handoff.playbook.sections.sla import Priority, read_hours
from serving.handoff.playbook.sections.triggers import Trigger
from serving.handoff.pursuit.rules import find_plan
from serving.handoff.replay.judge import WEEK_DAYS, Period, count_by_week
from serving.handoff.replay.simulate import SimulatedHandoffs, find_band
from serving.handoff.replay.snapshots import ReplayData
from serving.handoff.routing.rules import LeadToRoute
from serving.handoff.routing.simulation import Arrivals, Simulated, simulate_routing


@dataclass(frozen=True)
class SellerLoad:
    """What the rules of routing give a seller, if nobody refuses."""

    seller: str
    per_week: float
    busiest_day: int
    capacity_per_day: int


@dataclass(frozen=True)
class PriorityLoad:
    """Handoffs that must be answered within one time."""

    priority: str
    answer: str
    """Working time until the answer is due."""
    first_contact: str
    decision: str
    per_week: float
    busiest_day: int
    """Most of them that come up within one day (UTC)."""


@dataclass(frozen=True)
class ReplayLoad:
    """What the draft asks of sales."""

    capacity_per_week: float
    used: float
    """Handoffs per week over capacity; above 1 is too much."""
    weeks_above: int
    """Weeks with more handoffs than capacity."""
    sellers: tuple[SellerLoad, ...]
    waits_hours: float | None
    """Hours by the clock from the handoff to a seller who works and has room, in the median."""
    undecided: int
    """Leads no rule finds a seller for."""
    priorities: tuple[PriorityLoad, ...]
    attempts_per_week: float
    """If every plan is followed to its end; leads that are reached need fewer."""


def find_capacity(playbook: Playbook) -> float:
    """Count the leads that all sellers together take in an ordinary week."""
    return sum(_capacity_of(seller, playbook) for seller in playbook.routing.sellers)


def _capacity_of(seller: PlaybookSeller, playbook: Playbook) -> float:
    calendar = playbook.sla.calendars[seller.calendar]
    worked = {day for line in calendar.hours for day in read_hours(line)[0]}
    return float(seller.capacity_per_day * len(worked))


def find_load(
    taken: SimulatedHandoffs, seen: ReplayData, period: Period, playbook: Playbook, capacity: float
) -> ReplayLoad:
    """Tell what handoffs ask of sales.

    Parameters
    ----------
    taken
        The draft's handoffs.
    seen
        What the replay went through.
    period
        Its days.
    playbook
        The draft.
    capacity
        Handoffs a week that sales can take.
    """
    weeks = period.weeks
    per_week = len(taken) / weeks
    routed = _route(taken, seen, period, playbook)
    waits = [wait / timedelta(hours=1) for wait in routed.waits]
    return ReplayLoad(
        capacity_per_week=capacity,
        used=per_week / capacity if capacity else float("inf"),
        weeks_above=sum(count > capacity for count in count_by_week(taken.at, period)),
        sellers=tuple(
            SellerLoad(load.seller, load.leads / weeks, load.busiest_day, load.capacity_per_day)
            for load in routed.loads
        ),
        waits_hours=float(np.median(waits)) if waits else None,
        undecided=routed.undecided,
        priorities=_find_priorities(taken, weeks, playbook),
        attempts_per_week=_count_attempts(taken, playbook) / weeks,
    )


def _route(
    taken: SimulatedHandoffs, seen: ReplayData, period: Period, playbook: Playbook
) -> Simulated:
    """Route the handoffs by the draft's rules, as if every seller took what came."""
    leads = []
    snapshots = zip(taken.at.lead, taken.at.as_of, taken.at.points, taken.asked, strict=True)
    for number, (lead, as_of, points, asked) in enumerate(snapshots):
        record = seen.records[int(lead)]
        facts = facts_at(record, int(as_of), score=None if np.isnan(points) else float(points))
        account = next((v.account_id for v in reversed(record.versions)), None)
        leads.append(
            LeadToRoute(
                # A lead that comes back is routed again.
                f"{record.lead_id}#{number}",
                from_us(int(as_of)),
                facts,
                run_definitions(playbook, facts),
                facts.score,
                is_hand_raiser=bool(asked),
                account_id=account,
            )
        )
    arrivals = Arrivals(
        from_us(period.begin_us), period.weeks * WEEK_DAYS, len(leads), accounts=1, refused=0.0
    )
    # Nobody refuses, so nothing is left to the lot.
    return simulate_routing(playbook, leads, arrivals, np.random.default_rng(0))


def _find_priorities(
    taken: SimulatedHandoffs, weeks: float, playbook: Playbook
) -> tuple[PriorityLoad, ...]:
    bands = find_band(taken.at.points, playbook)
    left = np.ones(len(taken), np.bool_)
    loads = []
    for priority in playbook.sla.priorities:
        own = left & _fits(priority, taken, bands)
        left &= ~own
        days = taken.at.as_of[own] // DAY_US
        busiest = int(np.unique(days, return_counts=True)[1].max()) if own.any() else 0
        loads.append(
            PriorityLoad(
                priority.name,
                priority.answer,
                priority.first_contact,
                priority.decision,
                int(own.sum()) / weeks,
                busiest,
            )
        )
    return tuple(loads)


def _fits(priority: Priority, taken: SimulatedHandoffs, bands: np.ndarray) -> np.ndarray:
    """Find what a priority is for. Segments of profiles are not known here; that of asking is."""
    fits = np.ones(len(taken), np.bool_)
    if priority.triggers:
        by_asking = Trigger.HAND_RAISER in priority.triggers
        by_score = Trigger.SCORE in priority.triggers
        fits &= (taken.asked & by_asking) | (~taken.asked & by_score)
    if priority.bands:
        fits &= np.isin(bands, priority.bands)
    if priority.segments:
        fits &= taken.asked if ASKS_FOR_SALES in priority.segments else False
    return fits


def _count_attempts(taken: SimulatedHandoffs, playbook: Playbook) -> int:
    asking = len(find_plan(playbook.pursuit, (ASKS_FOR_SALES,)).steps)
    others = len(find_plan(playbook.pursuit, ()).steps)
    asked = int(taken.asked.sum())
    return asked * asking + (len(taken) - asked) * others
