"""How the truth reaches the log: gaps that are not random, look-ups later, late arrivals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.simulation.behaviour.activity import KIND, MINUTE, Events
from features.simulation.behaviour.population import Floats, Ints, Population
from features.simulation.chance import sigmoid
from features.simulation.funnel.stage_log import StageChanges
from features.simulation.vocabulary import (
    COUNTRIES,
    DEPARTMENT_TITLES,
    DEPARTMENTS,
    INDUSTRIES,
    PRODUCTS,
    SENIORITIES,
    SENIORITY_TITLES,
    SOURCES,
)
from features.simulation.world import Recording, World

HOUR = 60 * MINUTE
MISSING = -1
"""The code of a category the log is silent about; numbers use NaN."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "job_title": tuple(t.format(d) for t in SENIORITY_TITLES for d in DEPARTMENT_TITLES),
    "seniority": tuple(choice.name for choice in SENIORITIES),
    "department": tuple(choice.name for choice in DEPARTMENTS),
    "industry": tuple(choice.name for choice in INDUSTRIES),
    "country": tuple(country.name for country in COUNTRIES),
    "region": tuple(dict.fromkeys(country.region for country in COUNTRIES)),
    "source": tuple(source.name for source in SOURCES),
    "campaign": tuple(campaign for source in SOURCES for campaign in source.campaigns),
    "landing_page": tuple(source.landing_page for source in SOURCES),
    "product_interest": tuple(choice.name for choice in PRODUCTS),
    "email_domain_kind": ("business", "free"),
    "contract_type": ("annual", "monthly"),
}
NUMBERS = ("employees", "annual_revenue", "budget")
FLAGS = ("phone_known", "consent_given")

# Web trackers send at once, mostly; lists of webinar guests are uploaded the next day.
STREAMED = np.array(
    [KIND[n] for n in ("page_view", "blog_view", "case_study_view", "pricing_view", "ad_click")]
)

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Versions:
    """Versions of leads as the log holds them, by lead and then time."""

    lead: Ints
    known_at: Floats
    columns: Columns


def _is_small(population: Population) -> Floats:
    """Measure smallness from 0 to 1: one at firms of ten, a half at sixty."""
    return sigmoid(-(np.log(population.employees) - np.log(60.0)) / 0.8)


def _draw_campaign(rng: np.random.Generator, population: Population, total_days: int) -> Ints:
    counts = np.array([len(source.campaigns) for source in SOURCES])
    first = np.r_[0, np.cumsum(counts)[:-1]]
    share = np.minimum(
        population.arrived / total_days + rng.uniform(0, 0.04, len(population)), 0.999
    )
    running = np.floor(share * counts[population.source]).astype(np.int64)
    return np.where(counts[population.source] == 0, MISSING, first[population.source] + running)


def _title(seniority: Ints, department: Ints) -> Ints:
    return seniority * len(DEPARTMENT_TITLES) + department


def _true_columns(rng: np.random.Generator, population: Population, total_days: int) -> Columns:
    regions = CATEGORIES["region"]
    region = np.array([regions.index(country.region) for country in COUNTRIES])[population.country]
    return {
        "job_title": _title(population.seniority, population.department),
        "seniority": population.seniority,
        "department": population.department,
        "industry": population.industry,
        "employees": population.employees,
        "annual_revenue": population.revenue_eur,
        "budget": population.budget_eur,
        "country": population.country,
        "region": region,
        "source": population.source,
        "campaign": _draw_campaign(rng, population, total_days),
        "landing_page": population.source,
        "product_interest": population.product,
        "email_domain_kind": (population.account < 0).astype(np.int64),
        "phone_known": rng.random(len(population)) < 0.35 + 0.25 * (population.seniority >= 2),
        "consent_given": rng.random(len(population)) < 0.8,
    }


def _draw_gaps(
    rng: np.random.Generator, population: Population
) -> dict[str, npt.NDArray[np.bool_]]:
    """Draw which fields stay empty at first: small firms and juniors leave more blank."""
    small, lonely = _is_small(population), population.account < 0
    person = rng.random(len(population)) < 0.06 + 0.22 * small
    chance = {
        "industry": 0.10 + 0.35 * small + 0.25 * lonely,
        "employees": 0.15 + 0.40 * small + 0.30 * lonely,
        "annual_revenue": 0.35 + 0.40 * small + 0.20 * lonely,
        "budget": 0.92 - 0.15 * (population.seniority <= 2) - 0.10 * (population.fit > 0),
        "product_interest": 0.15 + 0.15 * small,
        "country": np.full(len(population), 0.03),
    }
    gaps = {name: rng.random(len(population)) < share for name, share in chance.items()}
    return gaps | {
        "region": gaps["country"],
        "job_title": person,
        # The tool that reads seniority and department off a title misses some.
        "seniority": person | (rng.random(len(population)) < 0.05),
        "department": person | (rng.random(len(population)) < 0.05),
    }


def _blank(columns: Columns, gaps: dict[str, npt.NDArray[np.bool_]]) -> Columns:
    return {
        name: np.where(gaps[name], np.nan if name in NUMBERS else MISSING, column)
        if name in gaps
        else column
        for name, column in columns.items()
    }


def _change_job(rng: np.random.Generator, columns: Columns, rows: Ints) -> Columns:
    """Give some leads a new title, as often a step up as sideways."""
    changed = {name: column[rows] for name, column in columns.items()}
    seniority = np.maximum(changed["seniority"] - rng.integers(0, 2, len(rows)), 0)
    department = rng.integers(0, len(DEPARTMENTS), len(rows))
    return changed | {
        "seniority": seniority,
        "department": department,
        "job_title": _title(seniority, department),
    }


def draw_versions(rng: np.random.Generator, world: World, population: Population) -> Versions:
    """Draw what the log says of each lead at creation, after a look-up, and after a job change."""
    recording = world.recording
    true = _true_columns(rng, population, world.arrivals.days)
    gaps = _draw_gaps(rng, population)
    first = _blank(true, gaps)
    looked_up = (population.account >= 0) & (
        rng.random(len(population)) < recording.enriched_share
    )
    found = {
        name: gaps[name] & ~(looked_up & (rng.random(len(population)) < 0.85))
        if name in ("industry", "employees", "annual_revenue")
        else gap
        for name, gap in gaps.items()
    }
    second = _blank(true, found)
    enriched = np.flatnonzero(looked_up)
    moved = np.flatnonzero(rng.random(len(population)) < recording.job_change_share)
    third = _change_job(rng, second, moved)
    lead = np.concatenate([np.arange(len(population)), enriched, moved])
    known_at = np.concatenate(
        [
            population.arrived,
            population.arrived[enriched] + rng.uniform(2, 20, len(enriched)),
            population.arrived[moved] + rng.uniform(30, 240, len(moved)),
        ]
    )
    order = np.lexsort((known_at, lead))
    return Versions(
        lead[order],
        known_at[order],
        {
            name: np.concatenate([first[name], second[name][enriched], third[name]])[order]
            for name in true
        },
    )


def draw_known_at(rng: np.random.Generator, recording: Recording, events: Events) -> Floats:
    """Draw when each event reaches the log: at once, minutes to hours later, or days later."""
    draw = rng.random(len(events))
    streamed = np.isin(events.kind, STREAMED)
    late = streamed & (draw < recording.late_share)
    very_late = streamed & (draw > 1.0 - recording.very_late_share)
    wait = np.where(late, rng.exponential(90 * MINUTE, len(events)), 0.0)
    wait = np.where(very_late, rng.uniform(0.2, 3.0, len(events)), wait)
    webinar = events.kind == KIND["webinar_attend"]
    wait = np.where(webinar, rng.uniform(0.5, 1.2, len(events)), wait)
    return np.asarray(events.at + np.minimum(wait, 3.0))


def draw_stage_known_at(
    rng: np.random.Generator, recording: Recording, stages: StageChanges
) -> Floats:
    """Draw when each stage change is entered: sellers are late now and then."""
    late = (stages.actor > 0) & (rng.random(len(stages)) < recording.late_stage_share)
    wait = np.minimum(rng.exponential(10 * HOUR, len(stages)), 2.0)
    return np.asarray(stages.at + np.where(late, wait, 0.0))
