"""Leads made up to try routing out on."""

from datetime import datetime, timedelta

import numpy as np

from features.clock import to_us
from serving.handoff.decision.conditions import ConditionFacts
from serving.handoff.decision.definitions import Definitions, run_definitions
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.routing.rules import LeadToRoute
from serving.handoff.routing.simulation import Arrivals

COUNTRIES = ("NL", "DE", "US")
EMPLOYEES = (30.0, 300.0, 3000.0)


def draw_leads(
    playbook: Playbook, arrivals: Arrivals, rng: np.random.Generator
) -> list[LeadToRoute]:
    """Draw leads at any hour, by day more than by night, with a value and an account each."""
    count = arrivals.leads
    days = rng.integers(0, max(1, int(arrivals.days)), count)
    hours = np.clip(rng.normal(13.0, 4.0, count), 0.0, 23.99)
    accounts = rng.integers(0, arrivals.accounts, count)
    values = rng.lognormal(8.0, 1.0, count)
    raised = rng.random(count) < arrivals.hand_raisers
    kinds = rng.integers(0, len(COUNTRIES) * len(EMPLOYEES), count)
    known = [
        _look(playbook, arrivals.first_at, country, size)
        for country in COUNTRIES
        for size in EMPLOYEES
    ]
    drawn = []
    for i in range(count):
        since = arrivals.first_at + timedelta(days=int(days[i]), minutes=int(hours[i] * 60))
        facts, found = known[kinds[i]]
        lead = LeadToRoute(
            f"L{i:05d}",
            since,
            facts,
            found,
            float(values[i]),
            is_hand_raiser=bool(raised[i]),
            account_id=f"A{accounts[i]}",
        )
        drawn.append(lead)
    return drawn


def _look(
    playbook: Playbook, at: datetime, country: str, employees: float
) -> tuple[ConditionFacts, Definitions]:
    attributes: dict[str, float | str | bool | None] = {"country": country, "employees": employees}
    facts = ConditionFacts(to_us(at), attributes)
    return facts, run_definitions(playbook, facts)
