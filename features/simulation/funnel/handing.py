"""When marketing hands a lead over: a blurred points rule, and sellers who pick for themselves."""

from dataclasses import dataclass

import numpy as np

from features.simulation.behaviour.population import Floats, Ints, Population, is_weekend
from features.simulation.chance import sigmoid
from features.simulation.funnel.stage_log import SIGNAL
from features.simulation.world import World

FIT_POINTS_PER_SPREAD = 6.0
"""Marketing's fit points per standard deviation of fit, never below 0."""


@dataclass
class Standings:
    """What the handoff rules keep of each lead."""

    points: Floats
    """Activity points, fading."""
    heat: Floats
    """Points of the last days, fading fast."""
    returns: Ints
    """How often sales gave the lead back."""
    rests_until: Floats
    """Day before which a returned lead is left alone."""


@dataclass(frozen=True)
class Decided:
    """Leads handed off today, why, and how likely that was."""

    lead: Ints
    signal: Ints
    propensity: Floats
    logged: Floats
    """Chance of a handoff that was drawn by lot; NaN for all others."""


def give_points(population: Population, standings: Standings, lead: Ints) -> Floats:
    """Give marketing's points: activity that fades, and fit that stays."""
    fit_points = np.maximum(FIT_POINTS_PER_SPREAD * (population.fit[lead] + 1.0), 0.0)
    return np.asarray(standings.points[lead] + fit_points)


def chance_by_threshold(world: World, points: Floats) -> Floats:
    """Give the chance that the points rule hands a lead off on a working day."""
    rules = world.handoffs
    return rules.threshold_by_day * sigmoid((points - rules.points_needed) / rules.points_noise)


def chance_by_discretion(world: World, *, fit: Floats, heat: Floats, hidden: Floats) -> Floats:
    """Give the chance that a seller picks a lead on a working day.

    ``hidden`` is what the log does not hold; it counts only in worlds where sellers see it.
    """
    rules = world.handoffs
    if not rules.discretion_by_day:
        return np.zeros_like(fit)
    average = np.log(rules.discretion_by_day / (1.0 - rules.discretion_by_day))
    seen = rules.discretion_fit * fit + rules.discretion_heat * heat
    return sigmoid(average + np.minimum(seen + rules.insight * hidden, 4.0))


def decide_handoffs(
    rng: np.random.Generator,
    world: World,
    population: Population,
    standings: Standings,
    lead: Ints,
    *,
    day: int,
    intent: Floats,
) -> Decided:
    """Draw who of the nurtured leads is handed off today by the rule or by a seller."""
    rests = standings.rests_until[lead] > day
    working = world.handoffs.weekend_factor if is_weekend(np.array([day]))[0] else 1.0
    may = np.where(rests, 0.0, working)
    rule = may * chance_by_threshold(world, give_points(population, standings, lead))
    pick = may * chance_by_discretion(
        world,
        fit=population.fit[lead],
        heat=standings.heat[lead],
        hidden=intent - 0.3 + population.need[lead],
    )
    by_rule = rng.random(len(lead)) < rule
    picked = rng.random(len(lead)) < pick
    handed = by_rule | picked
    signal = np.where(by_rule, SIGNAL["threshold"], SIGNAL["discretionary"])
    propensity = 1.0 - (1.0 - rule) * (1.0 - pick)
    logged = np.full(len(lead), np.nan)
    if world.handoffs.exploration_by_day:
        lot = may * world.handoffs.exploration_by_day
        drawn = ~handed & (rng.random(len(lead)) < lot)
        signal = np.where(drawn, SIGNAL["exploration"], signal)
        logged[drawn] = lot[drawn]
        propensity = 1.0 - (1.0 - propensity) * (1.0 - lot)
        handed |= drawn
    return Decided(lead[handed], signal[handed], propensity[handed], logged[handed])
