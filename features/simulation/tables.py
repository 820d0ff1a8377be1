"""The four tables of the history, cut at the end of observation."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY_US, to_us
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.columns import TIME
from features.contracts.events import EVENT_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.stages import Stage
from features.simulation.behaviour.activity import Events
from features.simulation.behaviour.population import Floats, Ints, Population, draw_code
from features.simulation.funnel.sales import Handoffs, Outcomes
from features.simulation.funnel.stage_log import MARKETING, SIGNAL, STAGE, SYSTEM, StageChanges
from features.simulation.recording import CATEGORIES, FLAGS, NUMBERS, Versions
from features.simulation.vocabulary import (
    ATTEMPT_CHANNELS,
    ATTEMPT_RESULTS,
    CHANNELS,
    EVENT_KINDS,
    KIND_NAMES,
    PRODUCTS,
    REASONS,
    SIGNALS,
    STAGES,
)
from features.simulation.world import World

PATHS = {
    "page_view": "/product/{}",
    "blog_view": "/blog/{}",
    "case_study_view": "/customers/{}",
    "pricing_view": "/pricing",
    "content_download": "/guides/{}",
}
NO_ATTEMPTS_AFTER_DAYS = 30.0


def count_us(world: World, day: Floats) -> npt.NDArray[np.int64]:
    """Count microseconds since the epoch at each day of the simulation, cut to whole ones."""
    return np.floor(day * DAY_US).astype(np.int64) + to_us(world.arrivals.starts_at)


def build_time(world: World, day: Floats) -> pa.Array:
    """Turn days into UTC timestamps."""
    return pa.array(count_us(world, day)).cast(TIME)


def build_words(words: tuple[str, ...], code: npt.NDArray[np.generic]) -> pa.Array:
    """Turn codes into words; negative codes into null."""
    codes = code.astype(np.int32)
    indices = pa.array(np.maximum(codes, 0), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string())).cast(pa.string())


def build_ids(prefix: str, number: Ints, width: int = 7) -> pa.Array:
    """Turn numbers into ids such as ``L0000042``; negative numbers into null."""
    digits = pc.utf8_lpad(pa.array(number, mask=number < 0).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, pa.scalar(""))


def build_numbers(number: npt.NDArray[np.generic]) -> pa.Array:
    """Turn floats into doubles; NaN into null."""
    return pa.array(number.astype(np.float64), mask=np.isnan(number.astype(np.float64)))


def build_leads(world: World, population: Population, versions: Versions) -> pa.Table:
    """Build the lead table: one row per version known before the cut."""
    seen = versions.known_at < world.arrivals.days
    lead = versions.lead[seen]
    columns: dict[str, pa.Array] = {
        "lead_id": build_ids("L", lead),
        "known_at": build_time(world, versions.known_at[seen]),
        "created_at": build_time(world, population.arrived[lead]),
        "account_id": build_ids("A", population.account[lead]),
    }
    for name, column in versions.columns.items():
        if name in NUMBERS:
            columns[name] = build_numbers(column[seen])
        elif name in FLAGS:
            columns[name] = pa.array(column[seen].astype(bool))
        else:
            columns[name] = build_words(CATEGORIES[name], column[seen])
    return pa.table(columns)


def find_unsent(stages: StageChanges, events: Events) -> npt.NDArray[np.bool_]:
    """Tell which events did not happen because of where the lead stood.

    Nurture mails pause from the handoff until sales gives the lead back, and stop at the close;
    of won and lost leads the log holds nothing further.
    """
    key = _key(stages.lead, stages.at)
    mail = ~np.isnan(events.sent)
    moment = np.where(mail, events.sent, events.at)
    last = np.searchsorted(key, _key(events.lead, moment), side="right") - 1
    stage_then = stages.stage[last]
    nurtured = np.isin(stage_then, [STAGE[Stage.LEAD], STAGE[Stage.RETURNED]])
    quiet = stages.signal[last] == SIGNAL["gone_quiet"]
    closed = np.isin(stage_then, [STAGE[Stage.WON], STAGE[Stage.LOST]]) & ~quiet
    return np.where(mail, ~nurtured, closed)


def _key(lead: Ints, at: Floats) -> Floats:
    # One ascending number per lead and time; a market lasts far less than 10,000 days.
    return np.asarray(lead * 10_000.0 + at)


def _build_properties(events: Events, product: Ints) -> pa.Array:
    topics = tuple(choice.name for choice in PRODUCTS)
    texts = [
        f'{{"path": "{PATHS[kind].format(topic)}"}}' if kind in PATHS else ""
        for kind in KIND_NAMES
        for topic in topics
    ]
    has_path = np.array([kind in PATHS for kind in KIND_NAMES])[events.kind]
    code = events.kind.astype(np.int64) * len(topics) + product[events.lead]
    return build_words(tuple(texts), np.where(has_path, code, -1))


def build_events(
    world: World, population: Population, events: Events, known_at: Floats
) -> pa.Table:
    """Build the event table from events in the order of their ids."""
    return pa.Table.from_arrays(
        [
            build_ids("E", np.arange(len(events)), 8),
            build_ids("L", events.lead),
            build_time(world, events.at),
            build_time(world, known_at),
            build_words(KIND_NAMES, events.kind),
            build_words(tuple(kind.name for kind in EVENT_KINDS), events.kind),
            build_words(CHANNELS, events.channel),
            build_numbers(events.value),
            _build_properties(events, population.product),
        ],
        schema=EVENT_SCHEMA,
    )


def build_stages(world: World, stages: StageChanges, known_at: Floats) -> pa.Table:
    """Build the stage table: what was known before the cut."""
    seen = np.flatnonzero(known_at < world.arrivals.days)
    actors = (
        "rules",
        "marketing",
        *(f"seller-{n:02d}" for n in range(1, world.sales.sellers + 1)),
    )
    actor = np.select(
        [stages.actor == SYSTEM, stages.actor == MARKETING], [0, 1], stages.actor + 1
    )
    return pa.Table.from_arrays(
        [
            build_ids("L", stages.lead[seen]),
            build_time(world, stages.at[seen]),
            build_time(world, known_at[seen]),
            build_words(tuple(str(stage) for stage in STAGES), stages.stage[seen]),
            build_words(SIGNALS, stages.signal[seen]),
            build_words(REASONS, stages.reason[seen]),
            build_words(actors, actor[seen]),
            build_numbers(stages.amount[seen]),
            build_numbers(stages.propensity[seen]),
        ],
        schema=STAGE_SCHEMA,
    )


def draw_attempts(
    rng: np.random.Generator, world: World, handoffs: Handoffs, outcomes: Outcomes
) -> pa.Table:
    """Draw what sellers did to reach each lead, from the first answer to the end of the handoff."""
    ends = np.minimum(np.minimum(outcomes.sql_at, outcomes.back_at), outcomes.closed_at)
    span = np.clip(ends - handoffs.answered_at, 0.02, NO_ATTEMPTS_AFTER_DAYS)
    count = 1 + rng.poisson(np.where(outcomes.accepted, 2.5, 0.5))
    row = np.repeat(np.arange(len(handoffs)), count)
    first = np.r_[True, row[1:] != row[:-1]] if len(row) else np.zeros(0, bool)
    share = np.where(first, 0.0, rng.random(len(row)))
    # The first attempt is the answer itself; a refused handoff was tried just before it.
    before = np.where(outcomes.accepted, 0.0, np.minimum(0.02, handoffs.wait_days))[row]
    at = handoffs.answered_at[row] - before + share * np.where(outcomes.accepted, span, 0.0)[row]
    order = np.lexsort((at, row))
    row, at = row[order], at[order]
    seen = at < world.arrivals.days
    row, at = row[seen], at[seen]
    channel = draw_code(rng, [share for _, share in ATTEMPT_CHANNELS], len(row))
    names = tuple(name for name, _ in ATTEMPT_CHANNELS)
    results = tuple(result for name in names for result in ATTEMPT_RESULTS[name])
    result = channel * 3 + draw_code(rng, (0.4, 0.4, 0.2), len(row))
    sellers = tuple(f"seller-{n:02d}" for n in range(1, world.sales.sellers + 1))
    return pa.Table.from_arrays(
        [
            build_ids("L", handoffs.lead[row]),
            build_ids("H", row),
            build_time(world, at),
            build_time(world, at),
            build_words(names, channel),
            build_words(results, result),
            build_words(sellers, outcomes.seller[row] - 1),
        ],
        schema=ATTEMPT_SCHEMA,
    )
