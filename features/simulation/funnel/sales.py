"""What sales makes of a handoff: the chances, the draws and the stages that follow."""

from dataclasses import dataclass

import numpy as np

from features.lifecycle.stages import Stage
from features.simulation.behaviour.population import LOOKER, Flags, Floats, Ints, Population
from features.simulation.chance import sigmoid
from features.simulation.funnel.deals import Qualified, draw_days, log_deals
from features.simulation.funnel.stage_log import REASON, SIGNAL, StageLog
from features.simulation.world import Sales, World


@dataclass(frozen=True)
class Handoffs:
    """Handoffs as sales answers them; the hidden columns are the truth about each."""

    lead: Ints
    handed_at: Floats
    answered_at: Floats
    signal: Ints
    returns_before: Ints
    intent: Floats
    """Intent at the handoff. Hidden."""
    propensity: Floats
    """Chance, that day, of being handed off at all; of a hand-raiser, given the raised hand."""
    points: Floats
    heat: Floats

    def __len__(self) -> int:
        return len(self.lead)

    @property
    def wait_days(self) -> Floats:
        """Measure the days from each handoff to its first answer."""
        return np.asarray(self.answered_at - self.handed_at)


@dataclass(frozen=True)
class Outcomes:
    """What became of each handoff; times in days, infinity where it did not happen."""

    p_accept: Floats
    p_qualify: Floats
    """Chance of SQL once accepted."""
    accepted: Flags
    sql_at: Floats
    back_at: Floats
    """When the lead went back to marketing."""
    closed_at: Floats
    """When it was lost with sales."""
    seller: Ints


def chance_to_accept(
    sales: Sales, fit: Floats, intent: Floats, is_raiser: Flags | Floats
) -> Floats:
    """Give the true chance that sales accepts a handoff."""
    return sigmoid(
        sales.accept_log_odds
        + sales.accept_fit * fit
        + sales.accept_intent * intent
        + sales.accept_raiser * is_raiser
    )


def chance_to_qualify(
    sales: Sales,
    population: Population,
    lead: Ints,
    *,
    intent: Floats,
    delay: Floats,
    returns: Ints,
) -> Floats:
    """Give the true chance that an accepted handoff becomes an SQL.

    ``intent`` is that at the handoff, ``delay`` the days until the first answer.
    """
    return sigmoid(
        sales.qualify_log_odds
        + sales.qualify_intent * intent
        + sales.qualify_fit * population.fit[lead]
        + sales.qualify_need * population.need[lead]
        + sales.qualify_delay * delay
        + sales.qualify_return * returns
        + sales.qualify_looker * (population.type[lead] == LOOKER)
    )


def _draw_reason(
    rng: np.random.Generator, population: Population, lead: Ints, intent: Floats, is_raiser: Flags
) -> Ints:
    """Draw why sales gives a lead back; the reason leans on what is true of it."""
    log_odds = {
        "no_budget": -0.4 * (np.log(population.employees[lead]) - 4.7),
        "too_early": 0.5 - 0.5 * intent,
        "wrong_person": 0.5 * (population.seniority[lead] - 2.0),
        "unreachable": np.where(is_raiser, -1.0, 0.3),
    }
    scores = np.stack(list(log_odds.values()), axis=1)
    drawn = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)
    return np.asarray(np.array([REASON[name] for name in log_odds])[drawn])


def answer_handoffs(
    rng: np.random.Generator, world: World, population: Population, handed: Handoffs, log: StageLog
) -> Outcomes:
    """Let sales answer handoffs, and log every stage that follows from the answer."""
    sales, n = world.sales, len(handed)
    is_raiser = handed.signal == SIGNAL["hand_raiser"]
    p_accept = chance_to_accept(sales, population.fit[handed.lead], handed.intent, is_raiser)
    p_qualify = chance_to_qualify(
        sales,
        population,
        handed.lead,
        intent=handed.intent,
        delay=handed.wait_days,
        returns=handed.returns_before,
    )
    accepted = rng.random(n) < p_accept
    qualified = accepted & (rng.random(n) < p_qualify)
    dropped = accepted & ~qualified & (rng.random(n) < sales.drop_share)
    qualify_days = draw_days(rng, sales.qualify_days, sales.time_spread, n)
    return_days = draw_days(rng, sales.return_days, sales.time_spread, n)
    given_up_at = handed.answered_at + np.where(accepted, return_days, 0.0)
    outcomes = Outcomes(
        p_accept=p_accept,
        p_qualify=p_qualify,
        accepted=accepted,
        sql_at=np.where(qualified, handed.answered_at + qualify_days, np.inf),
        back_at=np.where(qualified | dropped, np.inf, given_up_at),
        closed_at=np.where(dropped, given_up_at, np.inf),
        seller=rng.integers(1, sales.sellers + 1, n),
    )
    _log_answers(rng, population, handed, outcomes, log)
    won_over = Qualified(handed.lead, outcomes.sql_at, handed.intent, outcomes.seller)
    log_deals(rng, world, population, won_over.take(qualified), log)
    return outcomes


def _log_answers(
    rng: np.random.Generator,
    population: Population,
    handed: Handoffs,
    outcomes: Outcomes,
    log: StageLog,
) -> None:
    lead, seller = handed.lead, outcomes.seller
    is_raiser = handed.signal == SIGNAL["hand_raiser"]
    reason = _draw_reason(rng, population, lead, handed.intent, is_raiser)
    yes, sql = outcomes.accepted, np.isfinite(outcomes.sql_at)
    log.add(lead[yes], handed.answered_at[yes], Stage.SAL, "accepted", actor=seller[yes])
    log.add(lead[sql], outcomes.sql_at[sql], Stage.SQL, "qualified", actor=seller[sql])
    for back, signal in (
        (np.isfinite(outcomes.back_at) & ~yes, "rejected"),
        (np.isfinite(outcomes.back_at) & yes, "given_back"),
    ):
        log.add(
            lead[back],
            outcomes.back_at[back],
            Stage.RETURNED,
            signal,
            reason=reason[back],
            actor=seller[back],
        )
    lost = np.isfinite(outcomes.closed_at)
    why = np.where(rng.random(len(lead)) < 0.6, REASON["no_need"], REASON["competitor"])
    log.add(
        lead[lost],
        outcomes.closed_at[lost],
        Stage.LOST,
        "disqualified",
        reason=why[lost],
        actor=seller[lost],
    )
