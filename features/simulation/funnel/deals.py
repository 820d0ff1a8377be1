"""What follows an SQL: an opportunity or not, won or lost."""

from dataclasses import dataclass

import numpy as np

from features.lifecycle.stages import Stage
from features.simulation.behaviour.population import LOOKER, Flags, Floats, Ints, Population
from features.simulation.chance import sigmoid
from features.simulation.funnel.stage_log import REASON, StageLog
from features.simulation.world import Sales, World

LONGEST_DAYS = 60.0
"""No step at sales takes longer: the playbook's patience."""


def draw_days(rng: np.random.Generator, median: float, spread: float, size: int) -> Floats:
    """Draw how long steps take: lognormal around their median, never endless."""
    return np.minimum(median * rng.lognormal(0.0, spread, size), LONGEST_DAYS)


@dataclass(frozen=True)
class Qualified:
    """Leads that became SQLs, when, with what intent, and who works them."""

    lead: Ints
    at: Floats
    intent: Floats
    seller: Ints

    def take(self, rows: Flags) -> "Qualified":
        """Take some of them."""
        return Qualified(self.lead[rows], self.at[rows], self.intent[rows], self.seller[rows])


def _draw_wins(
    rng: np.random.Generator, sales: Sales, population: Population, qualified: Qualified
) -> Flags:
    win = sigmoid(
        sales.win_log_odds
        + sales.win_intent * qualified.intent
        + sales.win_need * population.need[qualified.lead]
    )
    draw = rng.random(len(qualified.lead))
    return np.asarray((draw < win) & (population.type[qualified.lead] != LOOKER))


def log_deals(
    rng: np.random.Generator,
    world: World,
    population: Population,
    qualified: Qualified,
    log: StageLog,
) -> None:
    """Log what follows an SQL, deal values included."""
    sales, n = world.sales, len(qualified.lead)
    deal_eur = population.employees[qualified.lead] ** 0.6 * 700 * rng.lognormal(0.0, 0.5, n)
    won_eur = deal_eur * rng.uniform(0.75, 1.0, n)
    decided_at = qualified.at + draw_days(rng, sales.opportunity_days, sales.time_spread, n)
    closed_at = decided_at + draw_days(rng, sales.close_days, sales.time_spread, n)
    opens = rng.random(n) < sales.opportunity_chance
    wins = _draw_wins(rng, sales, population, qualified) & opens
    no_need = np.full(n, REASON["no_need"])
    lost_to = np.where(rng.random(n) < 0.5, REASON["competitor"], REASON["no_budget"])
    for rows, at, stage, signal, reason, amount in (
        (opens, decided_at, Stage.OPPORTUNITY, "proposal", None, np.round(deal_eur, -1)),
        (~opens, decided_at, Stage.LOST, "disqualified", no_need, None),
        (wins, closed_at, Stage.WON, "signed", None, np.round(won_eur, -1)),
        (opens & ~wins, closed_at, Stage.LOST, "declined", lost_to, None),
    ):
        log.add(
            qualified.lead[rows],
            at[rows],
            stage,
            signal,
            reason=None if reason is None else reason[rows],
            actor=qualified.seller[rows],
            amount=None if amount is None else amount[rows],
        )
