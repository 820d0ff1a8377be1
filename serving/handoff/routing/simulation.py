"""Routing tried out on made-up leads: how load and turns fall on sellers. Pure; chance comes in."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.routing.rules import (
    AccountOwner,
    LeadToRoute,
    Ledger,
    Roster,
    Route,
    route_queue,
)


@dataclass(frozen=True)
class Arrivals:
    """Leads that come over some time."""

    first_at: datetime
    days: float
    leads: int
    accounts: int
    """Companies they are spread over: some have several leads."""
    refused: float = 0.0
    """Chance that a seller does not take a lead."""
    answer_hours: float = 2.0
    """Hours until another seller gets what was not taken."""
    hand_raisers: float = 0.1
    """Share of leads that asked for sales."""


@dataclass(frozen=True)
class SimulatedLoad:
    """What fell on one seller."""

    seller: str
    leads: int
    days_present: int
    busiest_day: int
    """Leads on the fullest day."""
    capacity_per_day: int
    behind: float
    """Leads behind the agreed share of what came on days of work; negative: ahead."""


@dataclass(frozen=True)
class Simulated:
    """What routing did."""

    loads: tuple[SimulatedLoad, ...]
    offers: tuple[tuple[datetime, Route], ...]
    """Every assignment, those that were not taken with it."""
    waits: tuple[timedelta, ...]
    """Of each lead that found a seller: time from the handoff to the first one."""
    undecided: int
    """Leads that somebody had to decide about."""


def simulate_routing(
    playbook: Playbook,
    leads: Sequence[LeadToRoute],
    arrivals: Arrivals,
    rng: np.random.Generator,
) -> Simulated:
    """Route leads as they come, when somebody becomes free, and when one is not taken."""
    run = _Run(Roster(playbook), arrivals, rng)
    # What happens next: a moment, and the leads that are routed then.
    agenda = [(lead.since, number, lead) for number, lead in enumerate(leads)]
    heapq.heapify(agenda)
    while agenda:
        at = agenda[0][0]
        queue = {}
        while agenda and agenda[0][0] == at:
            _, number, lead = heapq.heappop(agenda)
            queue[lead.lead_id] = (number, lead)
        for moment, number, lead in run.route(queue, at):
            heapq.heappush(agenda, (moment, number, lead))
    loads = _measure_loads(run.roster, run.ledger, run.offers, arrivals)
    return Simulated(loads, tuple(run.offers), tuple(run.waits.values()), run.undecided)


Planned = tuple[datetime, int, LeadToRoute]


class _Run:
    """What has happened so far."""

    def __init__(self, roster: Roster, arrivals: Arrivals, rng: np.random.Generator) -> None:
        self.roster, self.arrivals, self.rng = roster, arrivals, rng
        self.ledger = Ledger()
        self.owners: dict[str, AccountOwner] = {}
        self.offers: list[tuple[datetime, Route]] = []
        self.waits: dict[str, timedelta] = {}
        self.undecided = 0

    def route(
        self, queue: Mapping[str, tuple[int, LeadToRoute]], at: datetime
    ) -> Iterator[Planned]:
        """Route what waits at a moment; plan what must be looked at again."""
        owned = [
            replace(lead, owner=self.owners.get(lead.account_id or ""))
            for _, lead in queue.values()
        ]
        routes, self.ledger = route_queue(owned, self.roster, self.ledger, at)
        for route in routes:
            number, lead = queue[route.lead_id]
            if route.wait_until is not None:
                yield route.wait_until, number, lead
            elif route.seller is None:
                self.undecided += 1
            elif not self._is_taken(route, route.seller, lead, at):
                later = at + timedelta(hours=self.arrivals.answer_hours)
                yield later, number, replace(lead, offered_to=(*lead.offered_to, route.seller))

    def _is_taken(self, route: Route, seller: str, lead: LeadToRoute, at: datetime) -> bool:
        self.offers.append((at, route))
        self.waits.setdefault(route.lead_id, at - lead.since)
        if self.rng.random() < self.arrivals.refused:
            return False
        self.owners[lead.account_id or ""] = AccountOwner(seller, at)
        return True


def _measure_loads(
    roster: Roster, ledger: Ledger, offers: Sequence[tuple[datetime, Route]], arrivals: Arrivals
) -> tuple[SimulatedLoad, ...]:
    by_day: dict[str, Counter[object]] = {seller: Counter() for seller in roster.sellers}
    for at, route in offers:
        seller = route.seller or ""
        by_day[seller][roster.hours[seller].local_day(at)] += 1
    noons = [
        arrivals.first_at + timedelta(days=day, hours=12) for day in range(int(arrivals.days))
    ]
    behind = dict.fromkeys(roster.sellers, 0.0)
    for group in ledger.credits.values():
        for name, credit in group.items():
            behind[name] += credit
    return tuple(
        SimulatedLoad(
            seller=name,
            leads=by_day[name].total(),
            days_present=sum(
                bool(roster.hours[name].intervals_on(roster.hours[name].local_day(day)))
                for day in noons
            ),
            busiest_day=max(by_day[name].values(), default=0),
            capacity_per_day=seller.capacity_per_day,
            behind=behind[name],
        )
        for name, seller in roster.sellers.items()
    )
