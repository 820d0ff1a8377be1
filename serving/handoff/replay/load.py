"""What handoffs ask of sales: per seller, against its capacity, by priority and in attempts. Pure."""

from dataclasses import dataclass

import numpy as np

from serving.handoff.playbook.playbook import ASKS_FOR_SALES, Playbook
from serving.handoff.playbook.sections.routing import Seller
from serving.handoff.playbook.sections.sla import Priority, read_hours
from serving.handoff.playbook.sections.triggers import Trigger
from serving.handoff.pursuit import find_plan
from serving.handoff.replay.walk import Taken, find_band


@dataclass(frozen=True)
class SellerLoad:
    """What a seller can expect, by its share of all leads; rules of routing may shift it."""

    seller: str
    per_week: float
    capacity_per_week: float


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
class Load:
    """What the draft asks of sales."""

    capacity_per_week: float
    used: float
    """Handoffs per week over capacity; above 1 is too much."""
    weeks_above: int
    """Weeks with more handoffs than capacity."""
    sellers: tuple[SellerLoad, ...]
    priorities: tuple[PriorityLoad, ...]
    attempts_per_week: float
    """If every plan is followed to its end; leads that are reached need fewer."""


def find_capacity(playbook: Playbook) -> float:
    """Count the leads that all sellers together take in an ordinary week."""
    return sum(_capacity_of(seller, playbook) for seller in playbook.routing.sellers)


def _capacity_of(seller: Seller, playbook: Playbook) -> float:
    calendar = playbook.sla.calendars[seller.calendar]
    worked = {day for line in calendar.hours for day in read_hours(line)[0]}
    return float(seller.capacity_per_day * len(worked))


def find_load(
    taken: Taken, by_week: list[int], weeks: float, playbook: Playbook, capacity: float
) -> Load:
    """Tell what handoffs ask of sales.

    Parameters
    ----------
    taken
        The draft's handoffs.
    by_week
        Handoffs in each week.
    weeks
        Length of the period.
    playbook
        The draft.
    capacity
        Handoffs a week that sales can take.
    """
    per_week = len(taken) / weeks
    shares = sum(seller.share for seller in playbook.routing.sellers)
    sellers = tuple(
        SellerLoad(seller.id, per_week * seller.share / shares, _capacity_of(seller, playbook))
        for seller in playbook.routing.sellers
    )
    return Load(
        capacity_per_week=capacity,
        used=per_week / capacity if capacity else float("inf"),
        weeks_above=sum(count > capacity for count in by_week),
        sellers=sellers,
        priorities=_find_priorities(taken, weeks, playbook),
        attempts_per_week=_count_attempts(taken, playbook) / weeks,
    )


def _find_priorities(taken: Taken, weeks: float, playbook: Playbook) -> tuple[PriorityLoad, ...]:
    bands = find_band(taken.at.points, playbook)
    left = np.ones(len(taken), np.bool_)
    loads = []
    for priority in playbook.sla.priorities:
        own = left & _fits(priority, taken, bands)
        left &= ~own
        days = taken.at.as_of[own] // (24 * 3600 * 1_000_000)
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


def _fits(priority: Priority, taken: Taken, bands: np.ndarray) -> np.ndarray:
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


def _count_attempts(taken: Taken, playbook: Playbook) -> int:
    asking = len(find_plan(playbook.pursuit, (ASKS_FOR_SALES,)).steps)
    others = len(find_plan(playbook.pursuit, ()).steps)
    asked = int(taken.asked.sum())
    return asked * asking + (len(taken) - asked) * others
