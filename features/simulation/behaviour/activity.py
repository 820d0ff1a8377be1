"""What leads do on the web, at events and with the product, driven by hidden interest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.clock import DAY_US
from features.simulation.behaviour.intent import Bumps
from features.simulation.behaviour.population import (
    Floats,
    Ints,
    Population,
    draw_code,
    draw_local_hour,
    is_weekend,
)
from features.simulation.vocabulary import (
    CHANNELS,
    KIND_NAMES,
    SESSION_CHANNELS,
    SESSION_INTENT,
    SESSION_KINDS,
    SESSION_LOOKER,
    SESSION_SHARES,
    SOURCES,
)
from features.simulation.world import Activity, World

Codes = npt.NDArray[np.int8]

KIND = {name: code for code, name in enumerate(KIND_NAMES)}
CHANNEL = {name: code for code, name in enumerate(CHANNELS)}
PAID_SOURCES = [code for code, source in enumerate(SOURCES) if source.campaigns]
MINUTE = 60e6 / DAY_US
"""A minute, in days."""


@dataclass(frozen=True)
class Events:
    """Events of many leads as columns; times in days, codes by the vocabulary."""

    lead: Ints
    at: Floats
    kind: Codes
    channel: Codes
    value: Floats
    """Minutes for webinars and product use, NaN elsewhere."""
    sent: Floats
    """For mails and reactions to them, when the mail went out; NaN elsewhere."""

    def __len__(self) -> int:
        return len(self.lead)

    def between(self, start: int, stop: int) -> "Events":
        """Take the rows ``start:stop``."""
        return Events(**{name: column[start:stop] for name, column in vars(self).items()})

    def take(self, rows: npt.NDArray[np.generic]) -> "Events":
        """Take some rows, by position or by flag."""
        return Events(**{name: column[rows] for name, column in vars(self).items()})


def build_events(
    lead: Ints,
    at: Floats,
    kind: str | Codes,
    channel: str | Codes,
    value: Floats | None = None,
    sent: Floats | None = None,
) -> Events:
    """Assemble events; a name stands for one kind or channel throughout."""
    empty = np.full(len(lead), np.nan)
    return Events(
        lead.astype(np.int64),
        at,
        np.full(len(lead), KIND[kind], np.int8) if isinstance(kind, str) else kind,
        np.full(len(lead), CHANNEL[channel], np.int8) if isinstance(channel, str) else channel,
        empty if value is None else value,
        empty if sent is None else sent,
    )


def join_events(parts: Sequence[Events]) -> Events:
    """Put events one after the other."""
    return Events(
        **{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
    )


@dataclass(frozen=True)
class Days:
    """Interest on every day of a group of leads: arrays of shape ``(n_leads, n_days)``."""

    interest: Floats
    intent: Floats
    alive: npt.NDArray[np.bool_]
    """Whether the lead has arrived by that day's end."""
    pace: Floats
    """Activity on that day against an ordinary working day."""


def build_days(world: World, population: Population, bumps: Bumps) -> Days:
    """Lay out interest, intent and the week for each lead-day."""
    days = np.arange(world.arrivals.days, dtype=np.float64)
    interest = bumps.interest_by_day(days + 0.5)
    intent = np.where(population.is_looker[:, None], 0.0, interest)
    alive = days[None, :] >= np.floor(population.arrived)[:, None]
    pace = np.where(is_weekend(days), world.activity.weekend_factor, 1.0)
    return Days(interest, intent, alive, pace)


def _draw_moments(
    rng: np.random.Generator, population: Population, rate: Floats
) -> tuple[Ints, Ints, Floats]:
    """Draw from daily rates: each occurrence's lead, day, and moment by its own clock."""
    lead, day = np.nonzero(counts := rng.poisson(rate))
    repeats = counts[lead, day]
    lead, day = np.repeat(lead, repeats), np.repeat(day, repeats)
    hour = (draw_local_hour(rng, len(lead)) / 24 - population.utc_offset_days[lead]) % 1.0
    at = day + hour
    # On the day of arrival itself, what was drawn for an hour before it happens soon after it.
    early = at < population.arrived[lead]
    at = np.where(early, population.arrived[lead] + rng.exponential(20 * MINUTE, len(lead)), at)
    return lead, day, at


def _draw_views(
    rng: np.random.Generator, world: World, population: Population, days: Days
) -> Events:
    """Draw web sessions: bursts of views within minutes."""
    activity = world.activity
    age = np.arange(world.arrivals.days)[None, :] - np.floor(population.arrived)[:, None]
    curious = activity.curious_sessions * np.exp(-np.maximum(age, 0.0) / activity.curious_days)
    rate = activity.idle_sessions + activity.interest_sessions * days.interest + curious
    rate = rate * population.chattiness[:, None] * days.pace * days.alive
    lead, day, start = _draw_moments(rng, population, rate)
    channel = np.array([CHANNEL[name] for name, _ in SESSION_CHANNELS], np.int8)[
        draw_code(rng, [share for _, share in SESSION_CHANNELS], len(lead))
    ]
    views = rng.geometric(1.0 / activity.views_per_session, len(lead))
    session = np.repeat(np.arange(len(lead)), views)
    gaps = rng.exponential(activity.view_gap_minutes * MINUTE, len(session))
    elapsed = np.cumsum(gaps)
    first = np.r_[0, np.cumsum(views)[:-1]] if len(views) else np.zeros(0, np.int64)
    at = start[session] + elapsed - elapsed[first][session]
    lead, day = lead[session], day[session]
    shares = np.log(SESSION_SHARES) + np.outer(days.intent[lead, day], SESSION_INTENT)
    shares = np.exp(shares + np.outer(population.is_looker[lead], SESSION_LOOKER))
    edges = np.cumsum(shares, axis=1)
    drawn = (rng.random(len(lead)) * edges[:, -1])[:, None] > edges
    kind = np.minimum(drawn.sum(axis=1), SESSION_KINDS - 1).astype(np.int8)
    return build_events(lead, at, kind, channel[session])


def _draw_requests(
    rng: np.random.Generator, activity: Activity, population: Population, days: Days
) -> list[Events]:
    """Draw demo requests and requests to be contacted: the clearest sign, and not a sure one."""
    active = days.pace * days.alive * np.sqrt(population.chattiness)[:, None]
    found = []
    for kind, per_intent, channels in (
        ("demo_request", activity.demo_rate, ("web",)),
        ("contact_request", activity.contact_rate, ("web", "phone", "chat")),
    ):
        rate = (per_intent * days.intent**2 + activity.idle_request_rate / 2) * active
        lead, _, at = _draw_moments(rng, population, rate)
        codes = np.array([CHANNEL[name] for name in channels], np.int8)
        found.append(
            build_events(lead, at, kind, codes[rng.integers(len(channels), size=len(lead))])
        )
    return found


def _draw_webinars(
    rng: np.random.Generator, world: World, population: Population, days: Days
) -> Events:
    """Draw who attends the webinar of every other Wednesday, 15:00 UTC, and for how long."""
    held = np.arange(world.arrivals.days) % 14 == 9
    chance = world.activity.webinar_rate * (days.interest + 0.05) * held * days.alive
    chance = np.minimum(chance * population.chattiness[:, None], 0.9)
    lead, day = np.nonzero(rng.random(chance.shape) < chance)
    at = day + 15 / 24 + rng.uniform(-2, 8, len(lead)) * MINUTE
    here = at > population.arrived[lead]
    lead, at = lead[here], at[here]
    minutes = np.round(rng.uniform(8, 50, len(lead)))
    return build_events(lead, at, "webinar_attend", "event", value=minutes)


def _draw_ad_clicks(
    rng: np.random.Generator, activity: Activity, population: Population, days: Days
) -> Events:
    paid = np.where(np.isin(population.source, PAID_SOURCES), 1.5, 0.6)[:, None]
    rate = activity.ad_rate * (days.interest + 0.33) * paid * days.pace * days.alive
    lead, _, at = _draw_moments(rng, population, rate * np.sqrt(population.chattiness)[:, None])
    return build_events(lead, at, "ad_click", "ads")


def _draw_trials(
    rng: np.random.Generator, world: World, population: Population, bumps: Bumps, days: Days
) -> Events:
    """Draw product trials: a fortnight around the first peak, buyers and lookers alike."""
    activity = world.activity
    tries = rng.random(len(population)) < activity.trial_share
    start = np.maximum(population.arrived, bumps.peak[:, 0] - rng.uniform(0, 10, len(population)))
    day = np.arange(world.arrivals.days)[None, :]
    running = (day >= np.floor(start)[:, None]) & (day < (start + activity.trial_days)[:, None])
    rate = activity.trial_use_rate * np.minimum(days.interest, 1.5) * days.pace
    lead, _, at = _draw_moments(rng, population, rate * running * tries[:, None] * days.alive)
    minutes = np.round(rng.lognormal(2.5, 0.8, len(lead)), 1)
    return build_events(lead, at, "product_use", "product", value=minutes)


def _first_touches(rng: np.random.Generator, population: Population) -> Events:
    """List the form each lead filled in to become one, within seconds of being created."""
    everyone = np.arange(len(population))
    at = population.arrived + rng.uniform(0, 5, len(population)) * MINUTE / 60
    return build_events(everyone, at, "form_submit", "web")


def draw_activity(
    rng: np.random.Generator, world: World, population: Population, bumps: Bumps, days: Days
) -> Events:
    """Draw everything a group of leads does, mails apart; unsorted."""
    return join_events(
        [
            _first_touches(rng, population),
            _draw_views(rng, world, population, days),
            *_draw_requests(rng, world.activity, population, days),
            _draw_webinars(rng, world, population, days),
            _draw_ad_clicks(rng, world.activity, population, days),
            _draw_trials(rng, world, population, bumps, days),
        ]
    )
