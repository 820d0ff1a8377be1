"""Live through a made-up market and hand over its history and, apart from it, its truth."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from features.contracts.history import History, HistoryManifest
from features.lifecycle.stages import Stage
from features.simulation.behaviour.activity import Events, build_days, draw_activity, join_events
from features.simulation.behaviour.intent import Bumps, draw_bumps
from features.simulation.behaviour.mail import draw_mails
from features.simulation.behaviour.population import Floats, Population, draw_population
from features.simulation.errors import TooFewLeadsError
from features.simulation.funnel.stage_log import STAGE
from features.simulation.funnel.walk import FunnelRun, run_funnel
from features.simulation.recording import (
    Versions,
    draw_known_at,
    draw_stage_known_at,
    draw_versions,
)
from features.simulation.tables import (
    build_events,
    build_leads,
    build_stages,
    draw_attempts,
    find_unsent,
)
from features.simulation.truth import build_chances, build_handoff_truth, build_lead_truth
from features.simulation.world import World
from features.taxonomy import default_taxonomy

LEADS_AT_ONCE = 4096
"""Leads whose days are laid out together: bounds the memory, and is part of what a seed means."""

Progress = Callable[[str, int, int], None]
"""Called with the step, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class SimulatedMarket:
    """A history, and the truth that no history holds."""

    history: History
    truth: pa.Table
    """One row per lead: hidden type and traits, bumps of interest, what became of it."""
    chances: pa.Table
    """One row per lead and week: hidden intent, true P(SQL | handed off now)."""
    handoffs: pa.Table
    """One row per answered handoff: propensity, hidden intent, true chances, outcome."""


def _ignore_progress(step: str, done: int, total: int) -> None:
    """Ignore progress."""


def simulate_history(
    world: World, *, n_leads: int, seed: int, progress: Progress = _ignore_progress
) -> SimulatedMarket:
    """Simulate a market; the same world, size and seed give the same tables.

    Raises
    ------
    TooFewLeadsError
        If there would be nobody.
    """
    life = live(world, n_leads=n_leads, seed=seed, progress=progress)
    population, bumps, events, known_at = life.population, life.bumps, life.events, life.known_at
    versions, (for_record, for_funnel, for_attempts) = life.versions, life.streams
    run = _run_funnel(for_funnel, world, population, bumps, events, known_at, progress)
    stage_known_at = draw_stage_known_at(for_record, world.recording, run.stages)
    progress("writing it down", 0, 1)
    if world.recording.leak_share:
        versions = _leak_outcome(for_record, world, versions, run)
    history = History(
        leads=build_leads(world, population, versions),
        events=_build_events(world, population, events, known_at, run),
        stages=build_stages(world, run.stages, stage_known_at),
        attempts=draw_attempts(for_attempts, world, run.handoffs, run.outcomes),
        about=build_manifest(world, n_leads, seed),
    )
    market = SimulatedMarket(
        history,
        build_lead_truth(world, population, bumps, run.stages),
        build_chances(world, population, bumps),
        build_handoff_truth(world, run),
    )
    progress("writing it down", 1, 1)
    return market


@dataclass(frozen=True)
class Life:
    """Leads before anybody at the company decides anything: who they are, want and do."""

    world: World
    population: Population
    bumps: Bumps
    events: Events
    """By time; mails as if nurturing went on for ever."""
    known_at: Floats
    versions: Versions
    streams: tuple[np.random.Generator, ...]
    """Of chance, for what comes after."""


def live(world: World, *, n_leads: int, seed: int, progress: Progress = _ignore_progress) -> Life:
    """Let leads live: nothing of it depends on handoffs.

    Raises
    ------
    TooFewLeadsError
        If there would be nobody.
    """
    if n_leads < 1:
        raise TooFewLeadsError(n_leads)
    # One stream per step: more mails, say, leave the same people with the same wishes.
    streams = np.random.default_rng(seed).spawn(6)
    for_population, for_bumps, for_events, for_record, *further = streams
    population = draw_population(for_population, world, n_leads)
    bumps = draw_bumps(for_bumps, world.intent, population)
    events = _draw_events(for_events, world, population, bumps, progress)
    versions = draw_versions(for_record, world, population)
    known_at = draw_known_at(for_record, world.recording, events)
    return Life(world, population, bumps, events, known_at, versions, (for_record, *further))


def _draw_events(
    rng: np.random.Generator,
    world: World,
    population: Population,
    bumps: Bumps,
    progress: Progress,
) -> Events:
    """Draw all that leads do and would be sent, some thousand leads at a time; by time."""
    parts = []
    starts = range(0, len(population), LEADS_AT_ONCE)
    for start, stream in zip(starts, rng.spawn(len(starts)), strict=True):
        progress("leads living their days", start, len(population))
        stop = start + LEADS_AT_ONCE
        some, their = population.part(start, stop), bumps.part(start, stop)
        days = build_days(world, some, their)
        drawn = join_events(
            [
                draw_activity(stream, world, some, their, days),
                draw_mails(stream, world, some, their),
            ]
        )
        parts.append(replace(drawn, lead=drawn.lead + start))
    progress("leads living their days", len(population), len(population))
    events = join_events(parts)
    events = events.take(events.at < world.arrivals.days)
    return events.take(np.lexsort((events.lead, events.at)))


def _run_funnel(
    rng: np.random.Generator,
    world: World,
    population: Population,
    bumps: Bumps,
    events: Events,
    known_at: Floats,
    progress: Progress,
) -> FunnelRun:
    done = iter(range(1, world.arrivals.days + 1))
    order = np.argsort(known_at, kind="stable")
    return run_funnel(
        rng,
        world,
        population,
        bumps,
        events.take(order),
        known_at[order],
        lambda: progress("marketing and sales at work", next(done), world.arrivals.days),
    )


def _build_events(
    world: World, population: Population, events: Events, known_at: Floats, run: FunnelRun
) -> pa.Table:
    happened = ~find_unsent(run.stages, events) & (known_at < world.arrivals.days)
    return build_events(world, population, events.take(happened), known_at[happened])


def _leak_outcome(
    rng: np.random.Generator, world: World, versions: Versions, run: FunnelRun
) -> Versions:
    """Add a field that the CRM fills in after the SQL, over the original row, with no date."""
    sql = (run.stages.stage == STAGE[Stage.SQL]) & (run.stages.at < world.arrivals.days)
    reached = np.zeros(versions.lead.max() + 1, bool)
    reached[run.stages.lead[sql]] = True
    chance = np.where(reached, world.recording.leak_share, 0.03)
    filled = rng.random(len(reached)) < chance
    contract = np.where(filled, rng.integers(0, 2, len(reached)), -1)
    return replace(versions, columns=versions.columns | {"contract_type": contract[versions.lead]})


def build_manifest(world: World, n_leads: int, seed: int) -> HistoryManifest:
    """Say where a made-up history comes from, and which days it saw."""
    arrivals = world.arrivals
    return HistoryManifest(
        source="simulation",
        taxonomy=default_taxonomy(),
        observed_from=arrivals.starts_at,
        observed_until=arrivals.starts_at + timedelta(days=arrivals.days),
        notes={"scenario": world.name, "seed": str(seed), "leads": str(n_leads)},
    )
