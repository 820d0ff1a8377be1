"""Nurture mails: what is sent on schedule, and what comes back."""

import numpy as np

from features.simulation.behaviour.activity import MINUTE, Events, build_events, join_events
from features.simulation.behaviour.intent import Bumps
from features.simulation.behaviour.population import Flags, Floats, Ints, Population, is_weekend
from features.simulation.chance import sigmoid
from features.simulation.world import Mail, World

HOUR = 60 * MINUTE


def _schedule(
    rng: np.random.Generator, world: World, population: Population
) -> tuple[Ints, Floats]:
    """List each lead's mails and when they go out, weekends moved to Monday."""
    mail = world.mail
    span = world.arrivals.days - mail.steps[-1]
    later = mail.steps[-1] + np.arange(mail.then_every_days, max(span, 0), mail.then_every_days)
    age = np.r_[np.array(mail.steps), later]
    day = np.floor(population.arrived)[:, None] + age[None, :]
    day = day + np.where(is_weekend(day), 7 - day % 7, 0)
    lead, step = np.nonzero(day < world.arrivals.days)
    local = 9 / 24 + rng.exponential(40 * MINUTE, len(lead))
    sent = day[lead, step] + (local - population.utc_offset_days[lead]) % 1.0
    after = sent > population.arrived[lead]
    return lead[after], sent[after]


def _stop_unsubscribed(
    rng: np.random.Generator, mail: Mail, lead: Ints, interest: Floats
) -> tuple[Ints, Ints]:
    """Tell which mails were still sent, and which of them was answered by unsubscribing.

    Each lead's mails follow each other in the order of sending, as the schedule gives them.
    """
    leaves = rng.random(len(lead)) < mail.unsubscribe_chance * np.exp2(-interest)
    before: Ints = np.cumsum(leaves) - leaves
    first = np.r_[True, lead[1:] != lead[:-1]] if len(lead) else np.zeros(0, bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(lead)), 0))
    still: Flags = before == before[start]
    return np.flatnonzero(still), np.flatnonzero(still & leaves)


def draw_mails(
    rng: np.random.Generator, world: World, population: Population, bumps: Bumps
) -> Events:
    """Draw the mails a group of leads would get and their reactions; unsorted.

    They are drawn as if nurturing went on for ever. Which of them are really sent is decided
    when it is known who was with sales: each reaction knows its mail by ``sent``.
    """
    mail = world.mail
    lead, sent = _schedule(rng, world, population)
    interest = bumps.interest(lead, sent)
    kept, left = _stop_unsubscribed(rng, mail, lead, interest)
    quit_lead, quit_sent = lead[left], sent[left]
    quit_at = quit_sent + rng.exponential(5 * HOUR, len(left))
    lead, sent, interest = lead[kept], sent[kept], interest[kept]
    chatty = np.log(population.chattiness)[lead]
    opening = sigmoid(
        mail.open_log_odds + mail.open_interest * interest + mail.open_chattiness * chatty
    )
    machine = (rng.random(len(population)) < mail.machine_share)[lead]
    reads = rng.random(len(lead)) < opening
    read_at = sent + rng.exponential(6 * HOUR, len(lead))
    opened_at = np.where(machine, sent + rng.uniform(0.1, 2.0, len(lead)) * MINUTE, read_at)
    clicking = sigmoid(mail.click_log_odds + mail.click_interest * interest)
    clicks = reads & (rng.random(len(lead)) < clicking)
    clicked_at = read_at + rng.exponential(1.5 * MINUTE, len(lead))
    opens = reads | machine
    return join_events(
        [
            build_events(lead, sent, "email_receive", "email", sent=sent),
            build_events(lead[opens], opened_at[opens], "email_open", "email", sent=sent[opens]),
            build_events(
                lead[clicks], clicked_at[clicks], "email_click", "email", sent=sent[clicks]
            ),
            build_events(quit_lead, quit_at, "unsubscribe", "email", sent=quit_sent),
        ]
    )
