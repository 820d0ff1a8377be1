"""What only the simulation knows: types, intent, and the chances behind each outcome."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.lifecycle.stages import Stage
from features.simulation.behaviour.intent import Bumps, intent_of
from features.simulation.behaviour.population import TYPES, Floats, Ints, Population
from features.simulation.funnel.sales import chance_to_accept, chance_to_qualify
from features.simulation.funnel.stage_log import STAGE, StageChanges
from features.simulation.funnel.walk import FunnelRun
from features.simulation.tables import build_ids, build_time, build_words
from features.simulation.vocabulary import SIGNALS
from features.simulation.world import World

PROMISED_DELAY_DAYS = 1.0
"""The response delay at which "if handed off now" is evaluated."""


def _first_time(stages: StageChanges, stage: Stage, n_leads: int) -> Floats:
    first = np.full(n_leads, np.inf)
    rows = stages.stage == STAGE[stage]
    np.minimum.at(first, stages.lead[rows], stages.at[rows])
    return first


def _time_or_null(world: World, day: Floats) -> pa.Array:
    happens = np.isfinite(day)
    times = build_time(world, np.where(happens, day, 0.0))
    return pc.if_else(pa.array(happens), times, pa.scalar(None, times.type))


def build_lead_truth(
    world: World, population: Population, bumps: Bumps, stages: StageChanges
) -> pa.Table:
    """Build one row per lead: its hidden nature, and what became of it, also past the cut."""
    columns = {
        "lead_id": build_ids("L", np.arange(len(population))),
        "type": build_words(TYPES, population.type),
        "fit": population.fit,
        "need": population.need,
        "account_demand": population.demand,
        "chattiness": population.chattiness,
        "sql_at": _time_or_null(world, _first_time(stages, Stage.SQL, len(population))),
        "won_at": _time_or_null(world, _first_time(stages, Stage.WON, len(population))),
    }
    for bump in range(bumps.peak.shape[1]):
        columns[f"peak_{bump}_at"] = build_time(world, bumps.peak[:, bump])
        columns[f"height_{bump}"] = bumps.height[:, bump]
        columns[f"rise_days_{bump}"] = bumps.rise[:, bump]
        columns[f"cool_days_{bump}"] = bumps.cool[:, bump]
    return pa.table(columns)


def chance_if_handed_off(
    world: World, population: Population, lead: Ints, *, intent: Floats, returns: Ints
) -> Floats:
    """Give the true P(SQL | handed off now) at the promised delay, by rule or discretion."""
    accept = chance_to_accept(world.sales, population.fit[lead], intent, np.zeros(len(lead)))
    delay = np.full(len(lead), PROMISED_DELAY_DAYS)
    qualify = chance_to_qualify(
        world.sales, population, lead, intent=intent, delay=delay, returns=returns
    )
    return accept * qualify


def build_chances(
    world: World, population: Population, bumps: Bumps, every_days: int = 7
) -> pa.Table:
    """Build one row per lead and week: the hidden intent, and the chance if handed off then.

    The chance is that of a first handoff; each earlier return lowers it.
    """
    weeks = np.arange(every_days, world.arrivals.days, every_days, dtype=float)
    lead, week = np.nonzero(weeks[None, :] > population.arrived[:, None])
    at = weeks[week]
    interest = bumps.interest(lead, at)
    intent = intent_of(population, lead, interest)
    chance = chance_if_handed_off(
        world, population, lead, intent=intent, returns=np.zeros(len(lead), np.int64)
    )
    return pa.table(
        {
            "lead_id": build_ids("L", lead),
            "at": build_time(world, at),
            "interest": interest.astype(np.float32),
            "intent": intent.astype(np.float32),
            "p_sql_if_handed_off": chance.astype(np.float32),
        }
    )


def build_handoff_truth(world: World, run: FunnelRun) -> pa.Table:
    """Build one row per answered handoff, also past the cut, with the chances it was drawn from."""
    handed, outcomes = run.handoffs, run.outcomes
    return pa.table(
        {
            "handoff_id": build_ids("H", np.arange(len(handed))),
            "lead_id": build_ids("L", handed.lead),
            "at": build_time(world, handed.handed_at),
            "answered_at": build_time(world, handed.answered_at),
            "signal": build_words(SIGNALS, handed.signal),
            "returns_before": handed.returns_before,
            "points": handed.points,
            "heat": handed.heat,
            "propensity": handed.propensity,
            "intent": handed.intent,
            "p_accept": outcomes.p_accept,
            "p_qualify": outcomes.p_qualify,
            "p_sql": outcomes.p_accept * outcomes.p_qualify,
            "accepted": outcomes.accepted,
            "is_sql": np.isfinite(outcomes.sql_at),
        }
    )
