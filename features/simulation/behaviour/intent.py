"""Hidden interest: bumps that rise, peak and cool, each at its own time."""

from dataclasses import dataclass

import numpy as np

from features.simulation.behaviour.population import LOOKER, SILENT, Floats, Ints, Population
from features.simulation.world import Intent

BUMPS = 3
"""A lead's first bump, perhaps a second, and the one it shares with its colleagues."""


@dataclass(frozen=True)
class Bumps:
    """The bumps of each lead; arrays of shape ``(n_leads, BUMPS)``, times in days."""

    peak: Floats
    height: Floats
    rise: Floats
    cool: Floats

    def part(self, start: int, stop: int) -> "Bumps":
        """Take the leads ``start:stop``."""
        return Bumps(
            self.peak[start:stop],
            self.height[start:stop],
            self.rise[start:stop],
            self.cool[start:stop],
        )

    def interest(self, lead: Ints, day: Floats) -> Floats:
        """Measure what moves the leads' activity, at one day each.

        The sum of half-bells: ``height * exp(-((day - peak) / width)**2 / 2)``, where the width
        is ``rise`` before the peak and ``cool`` after it.
        """
        level = np.zeros(len(lead))
        for bump in range(BUMPS):
            off = day - self.peak[lead, bump]
            width = np.where(off < 0, self.rise[lead, bump], self.cool[lead, bump])
            level += self.height[lead, bump] * np.exp(-0.5 * (off / width) ** 2)
        return level

    def interest_by_day(self, days: Floats) -> Floats:
        """Measure the interest of every lead on each of ``days``; shape ``(n_leads, n_days)``."""
        level = np.zeros((len(self.peak), len(days)))
        for bump in range(BUMPS):
            off = days[None, :] - self.peak[:, bump, None]
            width = np.where(off < 0, self.rise[:, bump, None], self.cool[:, bump, None])
            level += self.height[:, bump, None] * np.exp(-0.5 * (off / width) ** 2)
        return level


def draw_bumps(rng: np.random.Generator, intent: Intent, population: Population) -> Bumps:
    """Draw every lead's bumps of interest."""
    shape = (len(population), BUMPS)
    hot = rng.random(len(population)) < intent.hot_on_arrival
    first = np.where(
        hot,
        rng.exponential(intent.first_peak_days, len(population)),
        rng.gamma(2.0, intent.later_peak_days / 2.0, len(population)),
    )
    peak = np.empty(shape)
    peak[:, 0] = population.arrived + first
    peak[:, 1] = peak[:, 0] + 20.0 + rng.exponential(80.0, len(population))
    height = intent.height * rng.lognormal(0.0, intent.height_spread, shape)
    height[:, 1] *= rng.random(len(population)) < intent.second_bump_share
    rise = intent.rise_days * rng.lognormal(0.0, intent.width_spread, shape)
    cool = intent.cool_days * rng.lognormal(0.0, intent.width_spread, shape)
    # Colleagues look on the same days: their shared bump hangs on the account, not on the lead,
    # so its shape is drawn once per firm and its time counts from the firm's first lead.
    firm = np.unique(
        np.where(population.account < 0, -1 - np.arange(len(population)), population.account)
    )
    number = np.searchsorted(
        firm, np.where(population.account < 0, -1 - np.arange(len(population)), population.account)
    )
    peak[:, 2] = population.account_start + rng.gamma(2.0, 15.0, len(firm))[number]
    height[:, 2] = intent.account_height * np.maximum(population.demand, 0.0)
    rise[:, 2] = rise[:, 2][np.unique(number, return_index=True)[1]][number]
    cool[:, 2] = cool[:, 2][np.unique(number, return_index=True)[1]][number]
    height *= np.where(population.type == SILENT, intent.silent_height, 1.0)[:, None]
    return Bumps(peak, height, rise, cool)


def intent_of(population: Population, lead: Ints, interest: Floats) -> Floats:
    """Tell how much of the interest is intent to buy: all of it, except lookers', who have none."""
    return np.where(population.type[lead] == LOOKER, 0.0, interest)
