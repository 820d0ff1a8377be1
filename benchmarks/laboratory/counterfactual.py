"""What any handoff policy would have brought: leads nurtured on, and what a handoff on each day pays.

Activity does not depend on handoffs in this market, so one life of a lead, lived to the end under
marketing, answers for every day on which it might have been handed over. Payoffs come from the
hidden chances, not from draws: the value of a policy is exact for the leads it is asked of.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.history import History
from features.lifecycle.prices import Prices
from features.lifecycle.stages import Stage
from features.simulation.behaviour.intent import intent_of
from features.simulation.behaviour.population import Flags, Floats, is_weekend
from features.simulation.funnel.handing import (
    FIT_POINTS_PER_SPREAD,
    chance_by_discretion,
    chance_by_threshold,
)
from features.simulation.funnel.sales import chance_to_accept, chance_to_qualify
from features.simulation.funnel.stage_log import StageLog
from features.simulation.funnel.walk import IS_REQUEST, POINTS, SHOWS_LIFE
from features.simulation.generate import Life, build_manifest, live
from features.simulation.tables import build_events, build_leads, build_stages
from features.simulation.truth import PROMISED_DELAY_DAYS
from features.simulation.world import World

LIVED_DAYS = 180
"""Days after its first that each lead is followed; what comes later counts nothing, for every
policy alike."""

BACK_FOR_DAYS = 24
"""How long ago a returned lead came back when it is looked at again: its rest and ten days. On the
day of the return its points were cut, and the cut fades as they do."""

REJECTED_AFTER_DAYS, GIVEN_BACK_AFTER_DAYS = 1, 8
"""Days from a handoff to the return: on the first answer, or after a week's work."""


@dataclass(frozen=True)
class Nurtured:
    """Leads that nobody hands over, and the truth about each of their days.

    Arrays of shape ``(n_leads, LIVED_DAYS)``: the first day is the first whole one after arriving.
    """

    history: History
    lead: npt.NDArray[np.int64]
    """Rows of the history's leads that are followed for as long as that."""
    first_day: npt.NDArray[np.int64]
    """Day of the market on which each one's first whole day is."""
    intent: Floats
    p_accept: Floats
    p_sql: Floats
    """If handed off on that day by rule, and answered as promised."""
    asks: Flags
    """Whether a demo or a call was asked for on that day: a handoff at once under any policy."""
    points: Floats
    """Marketing's points on that day, activity and fit."""
    rule_chance: Floats
    """That the old rule, or a seller, hands over on that day."""
    payoff: Floats
    """Of a handoff on that day, its second chance under the old rule included."""
    raised_payoff: Floats
    """The same of a hand raised."""
    alone: Floats
    """Chance of that day to become an SQL with no handoff."""
    silenced: Floats
    """Chance of that day to be closed as quiet; only a raised hand wakes the lead."""
    raiser_chance: float
    prices: Prices

    @property
    def working(self) -> Flags:
        """Tell which days are working days, when sales takes handoffs."""
        return ~is_weekend(self.first_day[:, None] + np.arange(LIVED_DAYS)[None, :])


@dataclass(frozen=True)
class Daily:
    """What the rules see of each lead on each day, from its own first whole day on."""

    points: Floats
    heat: Floats
    alive: Floats
    """Day of the last sign of life."""
    asks: Flags


def simulate_nurtured(
    world: World, *, n_leads: int, seed: int, prices: Prices | None = None
) -> Nurtured:
    """Let leads live under marketing alone, and work out what each day's handoff would pay.

    Parameters
    ----------
    prices
        By default the plain ones.
    """
    life = live(world, n_leads=n_leads, seed=seed)
    until = world.arrivals.days - LIVED_DAYS - 1
    lead = np.flatnonzero(life.population.arrived < until)
    first_day = np.floor(life.population.arrived[lead]).astype(np.int64) + 1
    at = first_day[:, None] + np.arange(LIVED_DAYS)[None, :]
    rows = np.repeat(lead, LIVED_DAYS)
    noon = at.ravel().astype(np.float64) + 0.5
    intent = intent_of(life.population, rows, life.bumps.interest(rows, noon)).reshape(at.shape)
    daily = _follow(life, lead, first_day)
    accept, qualify = _chances(world, life, rows, intent, returns=0, raised=0.0)
    fit_points = FIT_POINTS_PER_SPREAD * (life.population.fit[lead][:, None] + 1.0)
    points = daily.points + np.maximum(fit_points, 0.0)
    market = Nurtured(
        history=_write_history(world, life, n_leads=n_leads, seed=seed),
        lead=lead,
        first_day=first_day,
        intent=intent,
        p_accept=accept,
        p_sql=accept * qualify,
        asks=daily.asks,
        points=points,
        rule_chance=_rule_chance(world, life, lead, daily, intent, at, points),
        payoff=np.zeros_like(intent),
        raised_payoff=np.zeros_like(intent),
        alone=world.handoffs.self_conversion_by_day * intent,
        silenced=np.where(
            daily.alive < at - world.handoffs.quiet_after_days, world.handoffs.quiet_by_day, 0.0
        ),
        raiser_chance=world.handoffs.raiser_chance,
        prices=prices or Prices(),
    )
    return _price(world, life, rows, market, daily)


def _chances(
    world: World,
    life: Life,
    rows: npt.NDArray[np.int64],
    intent: Floats,
    returns: int,
    raised: float,
) -> tuple[Floats, Floats]:
    flat = intent.ravel()
    accept = chance_to_accept(
        world.sales, life.population.fit[rows], flat, np.full(len(flat), raised)
    )
    qualify = chance_to_qualify(
        world.sales,
        life.population,
        rows,
        intent=flat,
        delay=np.full(len(flat), PROMISED_DELAY_DAYS),
        returns=np.full(len(flat), returns),
    )
    return accept.reshape(intent.shape), qualify.reshape(intent.shape)


def _follow(life: Life, lead: npt.NDArray[np.int64], first_day: npt.NDArray[np.int64]) -> Daily:
    """Add up points, heat and signs of life as the funnel does, on each lead's own days."""
    n_all, rules = len(life.population), life.world.handoffs
    place = np.full(n_all, -1, np.int64)
    place[lead] = np.arange(len(lead))
    own = place[life.events.lead] >= 0
    events, known = life.events.take(own), life.known_at[own]
    row = place[events.lead]
    # What becomes known on a day counts from the next one on, as in the funnel.
    day = np.floor(known).astype(np.int64) + 1 - first_day[row]
    shape = (len(lead), LIVED_DAYS)
    gained, positive = np.zeros(shape), np.zeros(shape)
    points = POINTS[events.kind]
    counted = day < LIVED_DAYS
    at = (row[counted], np.maximum(day[counted], 0))
    np.add.at(gained, at, points[counted])
    np.add.at(positive, at, np.maximum(points[counted], 0.0))
    seen = np.full(shape, -np.inf)
    lives = counted & SHOWS_LIFE[events.kind]
    np.maximum.at(seen, (row[lives], np.maximum(day[lives], 0)), events.at[lives])
    seen[:, 0] = np.maximum(seen[:, 0], life.population.arrived[lead])
    asks = np.zeros(shape, np.bool_)
    request = IS_REQUEST[events.kind] & (day >= 1) & (day <= LIVED_DAYS)
    asks[row[request], day[request] - 1] = True
    return Daily(
        _fade(gained, rules.points_half_life_days),
        _fade(positive, rules.heat_half_life_days),
        np.maximum.accumulate(seen, axis=1),
        asks,
    )


def _fade(gained: Floats, half_life_days: float) -> Floats:
    kept = 0.5 ** (1.0 / half_life_days)
    level = np.empty_like(gained)
    level[:, 0] = gained[:, 0]
    for day in range(1, gained.shape[1]):
        level[:, day] = kept * level[:, day - 1] + gained[:, day]
    return level


def _rule_chance(
    world: World,
    life: Life,
    lead: npt.NDArray[np.int64],
    daily: Daily,
    intent: Floats,
    at: npt.NDArray[np.int64],
    points: Floats,
) -> Floats:
    fit = life.population.fit[lead][:, None]
    rule = chance_by_threshold(world, points)
    hidden = intent - 0.3 + life.population.need[lead][:, None]
    pick = chance_by_discretion(
        world, fit=np.broadcast_to(fit, intent.shape), heat=daily.heat, hidden=hidden
    )
    may = np.where(is_weekend(at), world.handoffs.weekend_factor, 1.0)
    return np.asarray(1.0 - (1.0 - may * rule) * (1.0 - may * pick))


def _pay(prices: Prices, accept: Floats, qualify: Floats) -> Floats:
    return np.asarray(-prices.touch - prices.work * accept + prices.sql * accept * qualify)


def _price(
    world: World, life: Life, rows: npt.NDArray[np.int64], market: Nurtured, daily: Daily
) -> Nurtured:
    """Add what each handoff pays: itself, and the lead's second chance if it comes back."""
    prices, at = market.prices, market.first_day[:, None] + np.arange(LIVED_DAYS)[None, :]
    again, again_sql = _chances(world, life, rows, market.intent, returns=1, raised=0.0)
    raised_again = _chances(world, life, rows, market.intent, returns=1, raised=1.0)
    points = market.points - _cut_points(world, daily.points)
    chance = _rule_chance(world, life, market.lead, daily, market.intent, at, points)
    second = _second_cycle(
        market, chance, _pay(prices, again, again_sql), _pay(prices, *raised_again)
    )
    resting = _rest(market, second, _pay(prices, *raised_again), int(world.handoffs.rest_days))

    def with_second(accept: Floats, qualify: Floats) -> Floats:
        back_later = accept * (1.0 - qualify) * (1.0 - world.sales.drop_share)
        rejected = (1.0 - accept) * _later(market, resting, REJECTED_AFTER_DAYS)
        given_back = back_later * _later(market, resting, GIVEN_BACK_AFTER_DAYS)
        return np.asarray(_pay(prices, accept, qualify) + rejected + given_back)

    accept, qualify = _chances(world, life, rows, market.intent, returns=0, raised=0.0)
    raised = _chances(world, life, rows, market.intent, returns=0, raised=1.0)
    return replace(market, payoff=with_second(accept, qualify), raised_payoff=with_second(*raised))


def _cut_points(world: World, points: Floats) -> Floats:
    """Give what a return some weeks ago still takes off the points."""
    rules, cut = world.handoffs, np.zeros_like(points)
    faded = 0.5 ** (BACK_FOR_DAYS / rules.points_half_life_days)
    cut[:, BACK_FOR_DAYS:] = points[:, :-BACK_FOR_DAYS]
    return np.asarray((1.0 - rules.points_after_return) * faded * cut)


def _later(market: Nurtured, value: Floats, days: int) -> Floats:
    """Give a value that is reached so many days later, as worth now."""
    moved = np.zeros_like(value)
    moved[:, :-days] = value[:, days:] * market.prices.discount_by_day**days
    return moved


def value_of_quiet(market: Nurtured, raised: Floats) -> Floats:
    """Value each day of a lead that was closed as quiet: only a raised hand is to be hoped for.

    Parameters
    ----------
    raised : ndarray of shape (n_leads, LIVED_DAYS)
        What a raised hand pays on each day.

    Returns
    -------
    ndarray of shape (n_leads, LIVED_DAYS + 1)
        In the morning of each day; 0 after the last.
    """
    value = np.zeros((len(raised), LIVED_DAYS + 1))
    for day in reversed(range(LIVED_DAYS)):
        asks = market.asks[:, day] * market.raiser_chance
        later = market.prices.discount_by_day * value[:, day + 1]
        value[:, day] = asks * raised[:, day] + (1.0 - asks) * later
    return value


def pass_day(market: Nurtured, day: int, after: Floats, quiet: Floats) -> Floats:
    """Value a day on which nobody hands over, given what the next morning is worth.

    Parameters
    ----------
    after, quiet : ndarray of shape (n_leads,)
        Worth of the next morning, of a lead with marketing and of one that was closed.
    """
    alone, silenced = market.alone[:, day], market.silenced[:, day]
    next_day = (1.0 - silenced) * after + silenced * quiet
    goes_on = (1.0 - alone) * market.prices.discount_by_day * next_day
    return np.asarray(alone * market.prices.sql + goes_on)


def _second_cycle(market: Nurtured, chance: Floats, payoff: Floats, raised: Floats) -> Floats:
    """Work out the worth of a returned lead that the old rule may hand over again; backwards."""
    value, quiet = np.zeros_like(payoff), value_of_quiet(market, raised)
    after = np.zeros(len(payoff))
    for day in reversed(range(LIVED_DAYS)):
        goes_on = pass_day(market, day, after, quiet[:, day + 1])
        by_rule = chance[:, day] * payoff[:, day] + (1.0 - chance[:, day]) * goes_on
        asks = market.asks[:, day] * market.raiser_chance
        after = asks * raised[:, day] + (1.0 - asks) * by_rule
        value[:, day] = after
    return value


def _rest(market: Nurtured, second: Floats, raised: Floats, days: int) -> Floats:
    """Work out the worth of a lead that came back on a day and is left alone for a while."""
    discount, value = market.prices.discount_by_day, second
    for _ in range(days):
        following = np.zeros_like(value)
        following[:, :-1] = value[:, 1:]
        goes_on = market.alone * market.prices.sql + (1.0 - market.alone) * discount * following
        asks = market.asks * market.raiser_chance
        value = asks * raised + (1.0 - asks) * goes_on
    return value


def _write_history(world: World, life: Life, *, n_leads: int, seed: int) -> History:
    """Write down the history of leads that nobody ever handed over."""
    population = life.population
    log = StageLog()
    log.add(np.arange(len(population)), population.arrived, Stage.LEAD, "created")
    stages = log.build()
    happened = life.known_at < world.arrivals.days
    nobody = build_stages(world, stages, stages.at)
    return History(
        leads=build_leads(world, population, life.versions),
        events=build_events(
            world, population, life.events.take(happened), life.known_at[happened]
        ),
        stages=nobody,
        attempts=ATTEMPT_SCHEMA.empty_table(),
        about=build_manifest(world, n_leads, seed),
    )
