"""Routing of many simulated leads with absences and refusals: fair turns, load, and time a decision takes."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.laboratory.routing_leads import draw_leads
from benchmarks.measure import console, print_table
from serving.handoff.playbook.read import read_playbook
from serving.handoff.routing.simulation import (
    Arrivals,
    Simulated,
    simulate_routing,
)

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 182
SEED = 7

CALENDARS = """
[sla.calendars.office]
time_zone = "Europe/Amsterdam"
country = "NL"
[sla.calendars.berlin]
time_zone = "Europe/Berlin"
hours = ["mon-thu 08:30-17:00", "fri 08:30-15:00"]
country = "DE"
subdivision = "BE"
[sla.calendars.boston]
time_zone = "America/New_York"
hours = ["mon-fri 09:00-18:00"]
country = "US"
subdivision = "MA"
"""

RULES = """
[routing]
teams = ["pool", "field"]
pool = "pool"
[routing.territories.dach]
countries = ["DE"]
[[routing.rules]]
name = "large_dach"
territories = ["dach"]
segments = ["enterprise"]
team = "field"
"""


def _write_playbook(rng: np.random.Generator) -> str:
    """Write eight sellers of a pool and two of the field, each away for two to five weeks."""
    lines = [RULES]
    for number in range(10):
        team = "pool" if number < 8 else "field"
        calendar = ("office", "berlin", "boston")[number % 3]
        share = 0.5 if number == 7 else 1.0
        first = FIRST.date() + timedelta(days=int(rng.integers(0, DAYS - 40)))
        last = first + timedelta(days=int(rng.integers(13, 35)))
        lines.append(
            f'[[routing.sellers]]\nid = "seller{number}"\nteam = "{team}"\ncalendar = "{calendar}"\n'
            f"share = {share}\ncapacity_per_day = 20\n"
            f"away = [{{ first = {first}, last = {last} }}]\n"
        )
    return "\n".join([*lines, CALENDARS])


def measure_routing(leads: int = 10_000) -> None:
    """Print what fell on each seller, how long leads waited, and how long a decision takes."""
    rng = np.random.default_rng(SEED)
    playbook = read_playbook(_write_playbook(rng))
    arrivals = Arrivals(FIRST, DAYS, leads, accounts=leads * 2, refused=0.08)
    drawn = draw_leads(playbook, arrivals, rng)
    start = time.perf_counter()
    found = simulate_routing(playbook, drawn, arrivals, rng)
    took = time.perf_counter() - start
    print_table(
        f"Routing {leads:,} leads over {DAYS} days, 8 % refused, every seller away for 2-5 weeks",
        ["seller", "leads", "days at work", "leads a day", "fullest day", "room a day", "behind"],
        [
            (
                load.seller,
                f"{load.leads:,}",
                str(load.days_present),
                f"{load.leads / max(1, load.days_present):.2f}",
                str(load.busiest_day),
                str(load.capacity_per_day),
                f"{load.behind:+.2f}",
            )
            for load in found.loads
        ],
    )
    _print_waits(found, took)


def _print_waits(found: Simulated, took: float) -> None:
    waits = np.array([wait / timedelta(hours=1) for wait in found.waits])
    at_once = np.mean(waits == 0)
    console.print(
        f"{len(found.offers):,} assignments in {took:.1f} s ({took / len(found.offers) * 1e6:.0f} us "
        f"each); {at_once:.0%} of leads found a seller at once; hours until one did, median "
        f"{np.median(waits):.1f}, 90th percentile {np.quantile(waits, 0.9):.1f}, longest "
        f"{waits.max():.1f}; {found.undecided} leads were refused by as many as allowed and wait "
        "for a decision",
    )
