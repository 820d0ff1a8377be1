"""Day by day: who is handed off, who waits for sales, who comes back, who goes quiet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.lifecycle.stages import Stage
from features.simulation.behaviour.activity import MINUTE, Events
from features.simulation.behaviour.intent import Bumps, intent_of
from features.simulation.behaviour.population import Floats, Ints, Population, is_weekend
from features.simulation.funnel.deals import Qualified, log_deals
from features.simulation.funnel.handing import Standings, decide_handoffs
from features.simulation.funnel.sales import Handoffs, Outcomes, answer_handoffs
from features.simulation.funnel.stage_log import MARKETING, REASON, SIGNAL, StageChanges, StageLog
from features.simulation.vocabulary import EVENT_KINDS
from features.simulation.world import World

ABSENT, NURTURED, QUEUED, WITH_SALES, QUIET, GONE = range(6)
"""Where a lead is: not yet here, with marketing, waiting for sales, with sales, closed for
silence (a request still wakes it), or out of the funnel for good."""

HOUR = 60 * MINUTE
POINTS = np.array([kind.points for kind in EVENT_KINDS])
IS_MAIL = np.array([kind.kind.startswith("email") for kind in EVENT_KINDS])
IS_REQUEST = np.array([kind.kind in ("demo_request", "contact_request") for kind in EVENT_KINDS])
# Machines open mails, so an open does not prove that anybody is there.
SHOWS_LIFE = np.array(
    [kind.kind not in ("email_receive", "email_open", "unsubscribe") for kind in EVENT_KINDS]
)


@dataclass
class Funnel:
    """The market on one day."""

    world: World
    population: Population
    bumps: Bumps
    place: npt.NDArray[np.int8]
    standings: Standings
    last_alive: Floats
    back_at: Floats
    log: StageLog
    queue: list[Handoffs]
    """Waiting handoffs: what was left over, then the new ones in parts."""
    usual_load: float
    """New handoffs a working day, of late."""
    availability: float = 1.0
    """Of sales this week, against an ordinary one."""
    answered: list[tuple[Handoffs, Outcomes]] = field(default_factory=list)


@dataclass(frozen=True)
class FunnelRun:
    """What happened in the funnel, and the truth about each handoff that was answered."""

    stages: StageChanges
    handoffs: Handoffs
    outcomes: Outcomes


def _open_funnel(world: World, population: Population, bumps: Bumps) -> Funnel:
    n = len(population)
    log = StageLog()
    log.add(np.arange(n), population.arrived, Stage.LEAD, "created")
    return Funnel(
        world=world,
        population=population,
        bumps=bumps,
        place=np.full(n, ABSENT, np.int8),
        standings=Standings(np.zeros(n), np.zeros(n), np.zeros(n, np.int64), np.zeros(n)),
        last_alive=population.arrived.copy(),
        back_at=np.full(n, np.inf),
        log=log,
        queue=[_no_handoffs()],
        usual_load=0.0,
    )


def _local_working_time(rng: np.random.Generator, funnel: Funnel, lead: Ints, day: int) -> Floats:
    hour = rng.uniform(8, 17, len(lead)) / 24
    return np.asarray(day + (hour - funnel.population.utc_offset_days[lead]) % 1.0)


def _intent_at(funnel: Funnel, lead: Ints, at: Floats) -> Floats:
    return intent_of(funnel.population, lead, funnel.bumps.interest(lead, at))


def _find_nurtured(funnel: Funnel, day: int) -> Ints:
    """List who is with marketing and came before today: their whole day lies ahead."""
    here = (funnel.place == NURTURED) & (funnel.population.arrived < day)
    return np.flatnonzero(here).astype(np.int64)


def _note_events(funnel: Funnel, known: Events) -> None:
    """Add what became known yesterday to points, heat and signs of life."""
    rules, standings = funnel.world.handoffs, funnel.standings
    standings.points *= 0.5 ** (1.0 / rules.points_half_life_days)
    standings.heat *= 0.5 ** (1.0 / rules.heat_half_life_days)
    # Nurture mails pause while a lead is with sales: what they would have earned does not count.
    counted = ~IS_MAIL[known.kind] | (funnel.place[known.lead] == NURTURED)
    lead, points = known.lead[counted], POINTS[known.kind[counted]]
    n = len(funnel.population)
    standings.points += np.bincount(lead, points, minlength=n)
    standings.heat += np.bincount(lead, np.maximum(points, 0.0), minlength=n)
    alive = SHOWS_LIFE[known.kind]
    np.maximum.at(funnel.last_alive, known.lead[alive], known.at[alive])


def _take_back(funnel: Funnel, day: int) -> None:
    """Let leads that sales gave back before today be nurtured again."""
    back = np.flatnonzero((funnel.place == WITH_SALES) & (funnel.back_at < day))
    funnel.place[back] = NURTURED
    funnel.standings.returns[back] += 1
    funnel.standings.points[back] *= funnel.world.handoffs.points_after_return
    funnel.standings.rests_until[back] = funnel.back_at[back] + funnel.world.handoffs.rest_days
    funnel.last_alive[back] = np.maximum(funnel.last_alive[back], funnel.back_at[back])
    funnel.back_at[back] = np.inf


def _hand_off(
    funnel: Funnel,
    lead: Ints,
    at: Floats,
    signal: npt.NDArray[np.int64],
    propensity: Floats,
    logged: Floats | None = None,
) -> None:
    funnel.place[lead] = QUEUED
    funnel.log.add(lead, at, Stage.MQL, signal, propensity=logged)
    funnel.queue.append(
        Handoffs(
            lead=lead,
            handed_at=at,
            answered_at=np.full(len(lead), np.inf),
            signal=signal,
            returns_before=funnel.standings.returns[lead].copy(),
            intent=_intent_at(funnel, lead, at),
            propensity=propensity,
            points=funnel.standings.points[lead].copy(),
            heat=funnel.standings.heat[lead].copy(),
        )
    )


def _take_raised_hands(rng: np.random.Generator, funnel: Funnel, today: Events) -> None:
    """Hand off whoever asked for a demo or a call today, also after months of silence."""
    asks = IS_REQUEST[today.kind] & np.isin(funnel.place[today.lead], (NURTURED, QUIET))
    lead, first = np.unique(today.lead[asks], return_index=True)
    at = today.at[asks][first] + rng.exponential(1.0 * HOUR, len(lead))
    chance = funnel.world.handoffs.raiser_chance
    taken = rng.random(len(lead)) < chance
    lead, at = lead[taken], at[taken]
    propensity = np.full(len(lead), chance)
    _hand_off(funnel, lead, at, np.full(len(lead), SIGNAL["hand_raiser"]), propensity)


def _hand_off_by_rule(rng: np.random.Generator, funnel: Funnel, day: int) -> None:
    lead = _find_nurtured(funnel, day)
    decided = decide_handoffs(
        rng,
        funnel.world,
        funnel.population,
        funnel.standings,
        lead,
        day=day,
        intent=_intent_at(funnel, lead, np.full(len(lead), day + 0.5)),
    )
    at = _local_working_time(rng, funnel, decided.lead, day)
    _hand_off(funnel, decided.lead, at, decided.signal, decided.propensity, decided.logged)


def _convert_alone(rng: np.random.Generator, funnel: Funnel, day: int) -> None:
    """Let a few leads become SQLs with no handoff."""
    lead = _find_nurtured(funnel, day)
    intent = _intent_at(funnel, lead, np.full(len(lead), day + 0.5))
    hazard = funnel.world.handoffs.self_conversion_by_day * intent
    converts = rng.random(len(lead)) < hazard
    lead, intent = lead[converts], intent[converts]
    at = _local_working_time(rng, funnel, lead, day)
    seller = rng.integers(1, funnel.world.sales.sellers + 1, len(lead))
    funnel.place[lead] = GONE
    funnel.log.add(lead, at, Stage.SQL, "self_conversion", actor=seller)
    converted = Qualified(lead, at, intent, seller)
    log_deals(rng, funnel.world, funnel.population, converted, funnel.log)


def _close_quiet(rng: np.random.Generator, funnel: Funnel, day: int) -> None:
    rules = funnel.world.handoffs
    lead = _find_nurtured(funnel, day)
    silent = funnel.last_alive[lead] < day - rules.quiet_after_days
    chance = np.where(silent, rules.quiet_by_day, 0.0)
    draw = rng.random(len(lead))
    quiet = lead[draw < chance]
    funnel.place[quiet] = QUIET
    closed = lead[(draw >= chance) & (draw < chance + rules.closing_by_day)]
    funnel.place[closed] = GONE
    for who, signal in ((quiet, "gone_quiet"), (closed, "disqualified")):
        at = _local_working_time(rng, funnel, who, day)
        reason = np.full(len(who), REASON["no_response"])
        funnel.log.add(who, at, Stage.LOST, signal, reason=reason, actor=MARKETING)


def _join(parts: Sequence[Handoffs]) -> Handoffs:
    return Handoffs(
        **{
            name: np.concatenate([vars(part)[name] for part in parts])
            for name in Handoffs.__dataclass_fields__
        }
    )


def _take(handed: Handoffs, rows: npt.NDArray[np.generic], **changed: Floats) -> Handoffs:
    return Handoffs(**({name: col[rows] for name, col in vars(handed).items()} | changed))


def _draw_slots(rng: np.random.Generator, funnel: Funnel, day: int) -> int:
    """Draw how many handoffs sales can take up today; staffing follows what comes."""
    sales = funnel.world.sales
    new = sum(len(part) for part in funnel.queue[1:])
    funnel.usual_load += (new - funnel.usual_load) / sales.staffing_days
    if day % 7 == 0:
        funnel.availability = rng.lognormal(0.0, sales.availability_spread)
    staffed = sales.headroom * funnel.usual_load + sales.overtime * len(funnel.queue[0])
    mean = staffed * funnel.availability
    return int(rng.poisson(max(mean, 1.0)))


def _serve_queue(rng: np.random.Generator, funnel: Funnel, day: int) -> None:
    """Let sales answer as many handoffs as it can: hand-raisers first, then the longest waiting."""
    sales = funnel.world.sales
    if not sales.around_the_clock and is_weekend(np.array([day]))[0]:
        return
    slots = _draw_slots(rng, funnel, day)
    waiting = _join(funnel.queue)
    order = np.lexsort((waiting.handed_at, waiting.signal != SIGNAL["hand_raiser"]))
    first, rest = order[:slots], order[slots:]
    begun = waiting.handed_at[first]
    if not sales.around_the_clock:
        begun = np.maximum(begun, _local_working_time(rng, funnel, waiting.lead[first], day))
    answered_at = begun + rng.exponential(sales.answer_hours * HOUR, len(first))
    handed = _take(waiting, first, answered_at=answered_at)
    outcomes = answer_handoffs(rng, funnel.world, funnel.population, handed, funnel.log)
    stays = np.isfinite(outcomes.back_at)
    funnel.place[handed.lead] = np.where(stays, WITH_SALES, GONE)
    funnel.back_at[handed.lead] = outcomes.back_at
    funnel.answered.append((handed, outcomes))
    funnel.queue = [_take(waiting, rest)]


def run_funnel(
    rng: np.random.Generator,
    world: World,
    population: Population,
    bumps: Bumps,
    known: Events,
    known_at: Floats,
    tick: Callable[[], None],
) -> FunnelRun:
    """Live through the days: ``known`` and ``known_at`` ascend by the time of being known."""
    funnel = _open_funnel(world, population, bumps)
    bounds = np.searchsorted(known_at, np.arange(world.arrivals.days + 1))
    arrival = np.searchsorted(population.arrived, np.arange(world.arrivals.days + 1))
    # A request counts from the moment it is known, not from the moment it was made.
    known = Events(**(vars(known) | {"at": known_at}))
    for day in range(world.arrivals.days):
        funnel.place[arrival[day] : arrival[day + 1]] = NURTURED
        if day:
            _note_events(funnel, known.between(bounds[day - 1], bounds[day]))
        _take_back(funnel, day)
        _take_raised_hands(rng, funnel, known.between(bounds[day], bounds[day + 1]))
        _hand_off_by_rule(rng, funnel, day)
        _convert_alone(rng, funnel, day)
        _close_quiet(rng, funnel, day)
        _serve_queue(rng, funnel, day)
        tick()
    return _close_funnel(funnel)


def _close_funnel(funnel: Funnel) -> FunnelRun:
    joined = {
        name: np.concatenate([vars(outcomes)[name] for _, outcomes in funnel.answered])
        for name in Outcomes.__dataclass_fields__
    }
    handed = _join([handed for handed, _ in funnel.answered])
    return FunnelRun(funnel.log.build(), handed, Outcomes(**joined))


def _no_handoffs() -> Handoffs:
    number, time = np.zeros(0, np.int64), np.zeros(0)
    return Handoffs(number, time, time, number, number, time, time, time, time)
