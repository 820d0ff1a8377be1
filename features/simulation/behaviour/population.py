"""Who the leads of a made-up market are: what the log will hold, and what stays hidden."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.simulation.vocabulary import (
    COUNTRIES,
    DEPARTMENTS,
    INDUSTRIES,
    PRODUCTS,
    SENIORITIES,
    SOURCES,
    Choice,
)
from features.simulation.world import Arrivals, Intent, World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BUYER, LOOKER, SILENT = 0, 1, 2
TYPES = ("buyer", "looker", "silent")

FIT_MEAN, FIT_SPREAD = -0.13, 0.85
"""Mean and standard deviation of raw fit over many seeds: constants, so that one lead's chance
does not depend on which others were drawn."""

WORKDAY_HOURS = np.array(
    [
        0.3,
        0.2,
        0.1,
        0.1,
        0.1,
        0.2,
        0.5,
        1.2,
        3,
        5,
        6,
        6,
        4,
        5,
        6,
        6,
        5,
        4,
        2.5,
        2,
        2,
        1.8,
        1.2,
        0.6,
    ]
)
"""Relative activity by hour of the lead's own clock."""


@dataclass(frozen=True)
class Population:
    """The leads, in order of arrival: one array entry per lead. Codes index the vocabulary."""

    arrived: Floats
    """Day of creation."""
    account: Ints
    """Number of the account, -1 where no firm is known."""
    industry: Ints
    country: Ints
    employees: Floats
    revenue_eur: Floats
    budget_eur: Floats
    seniority: Ints
    department: Ints
    source: Ints
    product: Ints
    fit: Floats
    """Standardised; from true attributes, also where the log has gaps. Sellers see most of it."""
    type: Ints
    """BUYER, LOOKER or SILENT. Hidden."""
    need: Floats
    """Standard normal: budget, pain, politics. Drives outcomes, leaves no trace. Hidden."""
    demand: Floats
    """Standard normal per account, shared by colleagues. Hidden."""
    chattiness: Floats
    """How active the lead is at the same interest. Hidden."""
    account_start: Floats
    """Day the first colleague came."""

    def __len__(self) -> int:
        return len(self.arrived)

    @property
    def is_looker(self) -> Flags:
        """Tell who never buys."""
        return np.asarray(self.type == LOOKER)

    @property
    def utc_offset_days(self) -> Floats:
        """Tell how far each lead's clock is ahead of UTC."""
        return np.array([c.utc_offset_hours for c in COUNTRIES])[self.country] / 24.0

    def part(self, start: int, stop: int) -> "Population":
        """Take the leads ``start:stop``."""
        return Population(**{name: column[start:stop] for name, column in vars(self).items()})


def draw_code(rng: np.random.Generator, weights: Sequence[float], size: int) -> Ints:
    """Draw positions with the given relative weights."""
    edges = np.cumsum(np.asarray(weights, dtype=float))
    drawn = np.searchsorted(edges, rng.random(size) * edges[-1], side="right")
    return np.asarray(drawn, dtype=np.int64)


def draw_local_hour(rng: np.random.Generator, size: int) -> Floats:
    """Draw hours of the day, 0 to 24, of a person's own clock."""
    return draw_code(rng, WORKDAY_HOURS.tolist(), size) + rng.random(size)


def is_weekend(day: npt.NDArray[np.generic]) -> Flags:
    """Tell which days are a Saturday or Sunday; day 0 is a Monday."""
    return np.asarray(np.floor(day.astype(float)) % 7 >= 5)


def _weights(choices: Sequence[Choice]) -> list[float]:
    return [choice.weight for choice in choices]


def _fits(choices: Sequence[Choice]) -> Floats:
    return np.array([choice.fit for choice in choices])


def _draw_arrival_days(rng: np.random.Generator, arrivals: Arrivals, size: int) -> Floats:
    days = np.arange(arrivals.days)
    weight = np.linspace(1.0, arrivals.growth, arrivals.days)
    weight = np.where(is_weekend(days), weight * arrivals.weekend_factor, weight)
    return draw_code(rng, weight.tolist(), size).astype(float)


def _draw_accounts(
    rng: np.random.Generator, arrivals: Arrivals, n_leads: int
) -> tuple[Ints, Floats, Floats]:
    """Draw each lead's firm, the firm's first day and the lead's own day, in order of arrival."""
    sizes = rng.geometric(1.0 / arrivals.account_size, n_leads)
    firm = np.repeat(np.arange(n_leads), sizes)[:n_leads]
    first_day = _draw_arrival_days(rng, arrivals, n_leads)[firm]
    is_first = np.r_[True, firm[1:] != firm[:-1]]
    later = np.floor(rng.exponential(arrivals.colleague_days, n_leads))
    day = np.where(is_first, first_day, first_day + later)
    # Colleagues who would come after the end, or at a weekend, come on some other day instead.
    odd = (day >= arrivals.days) | (~is_first & is_weekend(day) & (rng.random(n_leads) < 0.65))
    redrawn = np.maximum(_draw_arrival_days(rng, arrivals, n_leads), first_day)
    day = np.where(odd, redrawn, day)
    order = np.argsort(day + rng.random(n_leads), kind="stable")
    return firm[order], first_day[order], day[order]


def _draw_source(rng: np.random.Generator, day: Floats, total_days: int) -> Ints:
    first = np.array([source.weight_first for source in SOURCES])
    last = np.array([source.weight_last for source in SOURCES])
    share = (day / total_days)[:, None]
    edges = np.cumsum((1 - share) * first / first.sum() + share * last / last.sum(), axis=1)
    drawn = (rng.random(len(day))[:, None] > edges).sum(axis=1)
    return np.asarray(np.minimum(drawn, len(SOURCES) - 1), dtype=np.int64)


def _measure_fit(
    industry: Ints, country: Ints, employees: Floats, seniority: Ints, department: Ints
) -> Floats:
    """Sum what makes a good customer, standardised. Firms around 250 people fit best."""
    off_size = (np.log(employees) - np.log(250.0)) / 1.3
    raw = (
        _fits(INDUSTRIES)[industry]
        + np.array([c.fit for c in COUNTRIES])[country]
        + _fits(SENIORITIES)[seniority]
        + _fits(DEPARTMENTS)[department]
        - 0.28 * off_size**2
    )
    return np.asarray((raw - FIT_MEAN) / FIT_SPREAD)


def _draw_type(
    rng: np.random.Generator, intent: Intent, fit: Floats, demand: Floats, source: Ints
) -> Ints:
    buyer = np.array([s.buyer for s in SOURCES])[source]
    looker = np.array([s.looker for s in SOURCES])[source]
    buyer = buyer + intent.buyer_log_odds + intent.fit_slope * fit + intent.account_slope * demand
    looker = looker + intent.looker_log_odds - 0.2 * fit
    # The largest of log-odds plus Gumbel noise is a draw from the softmax.
    scores = np.stack([buyer, looker, np.zeros_like(fit)], axis=1)
    return np.asarray(np.argmax(scores + rng.gumbel(size=scores.shape), axis=1), dtype=np.int64)


def draw_population(rng: np.random.Generator, world: World, n_leads: int) -> Population:
    """Draw the leads of a market, in order of arrival."""
    firm, account_start, day = _draw_accounts(rng, world.arrivals, n_leads)
    industry = draw_code(rng, _weights(INDUSTRIES), n_leads)[firm]
    country = draw_code(rng, [c.weight for c in COUNTRIES], n_leads)[firm]
    employees = np.ceil(rng.lognormal(np.log(110.0), 1.4, n_leads))[firm]
    revenue = employees * 120_000 * rng.lognormal(0.0, 0.5, n_leads)[firm]
    demand = rng.standard_normal(n_leads)[firm]
    lonely = np.bincount(firm, minlength=n_leads)[firm] == 1
    hidden_firm = lonely & (rng.random(n_leads) < world.arrivals.no_account_share)
    seniority = draw_code(rng, _weights(SENIORITIES), n_leads)
    department = draw_code(rng, _weights(DEPARTMENTS), n_leads)
    source = _draw_source(rng, day, world.arrivals.days)
    fit = _measure_fit(industry, country, employees, seniority, department)
    lead_type = _draw_type(rng, world.intent, fit, demand, source)
    offset = np.array([c.utc_offset_hours for c in COUNTRIES])[country]
    arrived = day + (draw_local_hour(rng, n_leads) - offset) % 24 / 24
    activity = world.activity
    habit = np.array([1.0, activity.looker_chattiness, activity.silent_chattiness])[lead_type]
    columns = {
        "arrived": arrived,
        "account": np.where(hidden_firm, -1, firm),
        "industry": industry,
        "country": country,
        "employees": employees,
        "revenue_eur": np.round(revenue, -3),
        "budget_eur": np.round(employees**0.7 * 500 * rng.lognormal(0.0, 0.6, n_leads), -2),
        "seniority": seniority,
        "department": department,
        "source": source,
        "product": draw_code(rng, _weights(PRODUCTS), n_leads),
        "fit": fit,
        "type": lead_type,
        "need": rng.standard_normal(n_leads),
        "demand": demand,
        "chattiness": habit * rng.lognormal(0.0, activity.chattiness_spread, n_leads),
        "account_start": np.minimum(account_start, arrived),
    }
    order = np.argsort(arrived, kind="stable")
    return Population(**{name: column[order] for name, column in columns.items()})
