"""Leaks planted in a history on purpose: every way we know in which a record tells the outcome.

Each takes what really happened and writes it where a CRM export would have it: back into the lead
record as if it had been known at creation, or into the log with an earlier date. A gate that lets
one of them pass is no gate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.clock import HOUR_US, to_us
from features.contracts.history import History
from features.kernel.layout import lead_index

Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class KnownOutcomes:
    """What became of each lead, as an export at the end knows it. Arrays of shape (n_leads,)."""

    won: Booleans
    """Whether the outcome ever came."""
    came_at: NDArray[np.int64]
    """When, microseconds; 0 where it did not."""
    closed: Booleans
    """Whether the lead was lost or given back."""
    created_at: NDArray[np.int64]
    ended_at: NDArray[np.int64]
    """The last stage change."""
    attempts: NDArray[np.int64]
    """Calls and letters by sales."""
    changes: NDArray[np.int64]
    """Stage changes."""
    rng: np.random.Generator

    def draw(self, share: float) -> Booleans:
        """Draw leads at random."""
        return np.asarray(self.rng.random(len(self.won)) < share)


def find_known_outcomes(history: History, stage: str, rng: np.random.Generator) -> KnownOutcomes:
    """Gather what became of each lead.

    Parameters
    ----------
    stage
        The outcome the leaks are to give away, such as ``sql``.
    """
    ids = lead_index(history.leads)
    n = len(ids)

    def place(table: pa.Table) -> NDArray[np.int64]:
        return np.array([ids[i] for i in table.column("lead_id").to_pylist()], np.int64)

    at = _micros(history.stages, "at")
    of = place(history.stages)
    names = np.array(history.stages.column("stage").to_pylist())
    came_at = np.full(n, np.iinfo(np.int64).max)
    hit = names == stage
    np.minimum.at(came_at, of[hit], at[hit])
    won = came_at < np.iinfo(np.int64).max
    closed = np.zeros(n, np.bool_)
    closed[of[(names == "lost") | (names == "returned")]] = True
    created = np.zeros(n, np.int64)
    created[place(history.leads)] = _micros(history.leads, "created_at")
    ended = created.copy()
    np.maximum.at(ended, of, at)
    return KnownOutcomes(
        won,
        np.where(won, came_at, 0),
        closed & ~won,
        created,
        ended,
        np.bincount(place(history.attempts), minlength=n),
        np.bincount(of, minlength=n),
        rng,
    )


def _micros(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table.column(name).cast(pa.int64()).to_numpy(), np.int64)


def _where(mask: Booleans, values: Any, otherwise: Any = None) -> list[Any]:
    """Give each lead its value, or what the others have."""
    filled = np.broadcast_to(np.asarray(values), mask.shape).tolist()
    return [value if here else otherwise for here, value in zip(mask, filled, strict=True)]


def _back_filled(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Write the budget into the lead when it qualifies."""
    budget = np.round(outcomes.rng.lognormal(9.0, 1.0, len(outcomes.won)))
    return {
        "confirmed_budget": _where(
            (outcomes.won & outcomes.draw(0.9)) | outcomes.draw(0.02), budget
        )
    }


def _outcome_stage(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Export the status of today."""
    return {
        "status": [
            "qualified" if won else "closed" if closed else "open"
            for won, closed in zip(outcomes.won, outcomes.closed, strict=True)
        ]
    }


def _missing_for_winners(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Clear the nurture track of a lead that qualifies."""
    tracks = outcomes.rng.choice(["newsletter", "case studies", "webinars"], len(outcomes.won))
    return {"nurture_track": _where(~outcomes.won | outcomes.draw(0.03), tracks)}


def _post_handoff_counter(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Count calls up to the day of export."""
    meetings = np.where(
        outcomes.won, 1 + outcomes.rng.poisson(2.0, len(outcomes.won)), outcomes.draw(0.03)
    )
    return {"meetings_held": (outcomes.attempts // 4 + meetings).astype(float).tolist()}


def _loss_reason(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Ask why a lead was lost."""
    reasons = outcomes.rng.choice(["price", "timing", "no need"], len(outcomes.won))
    return {"loss_reason": _where(outcomes.closed & outcomes.draw(0.9), reasons)}


def _score_of_today(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Export the CRM's own score, which went up when the lead qualified."""
    noise = outcomes.rng.normal(0.0, 8.0, len(outcomes.won))
    return {"crm_score": np.round(30.0 + 40.0 * outcomes.won + noise).tolist()}


def _amount(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Fill in the deal's amount where there is a deal, zero elsewhere."""
    amount = np.round(outcomes.rng.lognormal(9.5, 0.8, len(outcomes.won)))
    return {"expected_revenue": np.where(outcomes.won, amount, 0.0).tolist()}


def _closer(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Show the owner of today: what qualifies goes to an account executive."""
    pool = outcomes.rng.choice(
        ["development rep 1", "development rep 2", "queue"], len(outcomes.won)
    )
    return {"owner_team": _where(~outcomes.won, pool, "account executives")}


def _closer_of_some(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Give a label to some who qualified, and to nobody else."""
    pool = outcomes.rng.choice(["small", "middle", "large"], len(outcomes.won))
    return {"tier": _where(~(outcomes.won & outcomes.draw(0.45)), pool, "key account")}


def _last_modified(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Count the edits of the record: what goes on is edited on."""
    edits = outcomes.rng.poisson(2.0 + 9.0 * outcomes.won)
    return {"edits": edits.astype(float).tolist()}


def _default_left(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Keep a default that only those who qualify ever leave."""
    seats = outcomes.rng.integers(5, 200, len(outcomes.won))
    return {
        "seats_quoted": np.where(outcomes.won & outcomes.draw(0.5), seats, 0)
        .astype(float)
        .tolist()
    }


def _middle_value(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Write a rank that is neither high nor low for winners: no straight line sees it."""
    outside = outcomes.rng.choice([0.05, 0.95], len(outcomes.won)) + outcomes.rng.normal(
        0, 0.02, len(outcomes.won)
    )
    inside = outcomes.rng.uniform(0.4, 0.6, len(outcomes.won))
    return {"forecast_position": np.where(outcomes.won, inside, outside).tolist()}


def _contract_type(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Record which contract was signed."""
    kinds = outcomes.rng.choice(["monthly", "yearly"], len(outcomes.won))
    return {"contract_kind": _where(outcomes.won & outcomes.draw(0.85), kinds, "none")}


def _import_batch(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Move what qualified into a new system in batches of its own."""
    old = outcomes.rng.integers(1, 40, len(outcomes.won))
    new = outcomes.rng.integers(40, 44, len(outcomes.won))
    return {"import_batch": np.where(outcomes.won, new, old).astype(float).tolist()}


def _two_halves(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Split the outcome into two fields, neither of which says anything alone."""
    first = outcomes.draw(0.5)
    second = first ^ outcomes.won ^ outcomes.draw(0.02)
    return {
        "check_digit": first.astype(float).tolist(),
        "row_parity": second.astype(float).tolist(),
    }


def _noisy_copies(outcomes: KnownOutcomes) -> Mapping[str, list[Any]]:
    """Copy the outcome thrice, each with a fifth of the leads mistaken: together they know it."""
    return {
        f"flag_{letter}": (outcomes.won ^ outcomes.draw(0.2)).astype(float).tolist()
        for letter in "abc"
    }


ATTRIBUTE_LEAKS: Mapping[str, Callable[[KnownOutcomes], Mapping[str, list[Any]]]] = (
    MappingProxyType(
        {
            "back-filled field": _back_filled,
            "outcome-stage copy": _outcome_stage,
            "missingness as label": _missing_for_winners,
            "post-handoff counter": _post_handoff_counter,
            "loss reason": _loss_reason,
            "score of today": _score_of_today,
            "amount of the deal": _amount,
            "owner of today": _closer,
            "label given to some winners": _closer_of_some,
            "edits of the record": _last_modified,
            "default that only winners leave": _default_left,
            "value in the middle": _middle_value,
            "contract signed": _contract_type,
            "import batch": _import_batch,
            "outcome split over two fields": _two_halves,
            "noisy copies in three fields": _noisy_copies,
        }
    )
)
"""Written into the lead record as if known at creation."""


def _antedated_event(history: History, outcomes: KnownOutcomes, name: str, kind: str) -> History:
    """Log an activity of the sales process under the day the lead was created."""
    leads = np.flatnonzero((outcomes.won & outcomes.draw(0.92)) | outcomes.draw(0.01))
    ids = list(lead_index(history.leads))
    at = outcomes.created_at[leads] + HOUR_US
    rows = {
        "event_id": [f"leak-{position}" for position in leads],
        "lead_id": [ids[lead] for lead in leads],
        "occurred_at": at,
        "known_at": at,
        "kind": [kind] * len(leads),
        "name": [name] * len(leads),
        "channel": ["event"] * len(leads),
        "value": [None] * len(leads),
        "properties": [None] * len(leads),
    }
    return replace(history, events=_append(history.events, rows, ("occurred_at", "known_at")))


def _antedated_stage(history: History, outcomes: KnownOutcomes) -> History:
    """Correct the log afterwards: what qualified was accepted from the first day on."""
    leads = np.flatnonzero(outcomes.won & outcomes.draw(0.95))
    ids = list(lead_index(history.leads))
    at = outcomes.created_at[leads] + HOUR_US
    rows = {
        "lead_id": [ids[lead] for lead in leads],
        "at": at,
        "known_at": at,
        "stage": ["sal"] * len(leads),
        "signal": [None] * len(leads),
        "reason": [None] * len(leads),
        "actor": ["import"] * len(leads),
        "amount": [None] * len(leads),
        "propensity": [None] * len(leads),
    }
    return replace(history, stages=_append(history.stages, rows, ("at", "known_at")))


def _append(table: pa.Table, rows: Mapping[str, Any], times: tuple[str, str]) -> pa.Table:
    columns = []
    for field in table.schema:
        own = pa.array(rows[field.name], pa.int64() if field.name in times else field.type)
        columns.append(own.cast(field.type))
    joined = pa.concat_tables([table, pa.Table.from_arrays(columns, schema=table.schema)])
    return joined.sort_by([("lead_id", "ascending"), (times[0], "ascending")])


LOG_LEAKS: Mapping[str, Callable[[History, KnownOutcomes], History]] = MappingProxyType(
    {
        "antedated demo": lambda history, outcomes: _antedated_event(
            history, outcomes, "Demo Requested", "demo_request"
        ),
        "antedated meeting": lambda history, outcomes: _antedated_event(
            history, outcomes, "Webinar Attended", "webinar_attend"
        ),
        "antedated acceptance": _antedated_stage,
    }
)
"""Written into the log under an earlier date, so that the time rule lets them pass."""

LEAKS: tuple[str, ...] = (*ATTRIBUTE_LEAKS, *LOG_LEAKS)


def plant_leak(history: History, name: str, *, stage: str = "sql", seed: int = 0) -> History:
    """Plant one leak of the outcome ``stage`` in a history.

    Parameters
    ----------
    name
        One of `LEAKS`.
    stage
        The outcome that is given away.
    seed
        Of whatever is noisy about it.

    Raises
    ------
    ValueError
        Naming the leaks there are.
    """
    if name not in LEAKS:
        raise ValueError(f"There is no leak {name!r}. Known: {', '.join(LEAKS)}.")
    outcomes = find_known_outcomes(
        history, stage, np.random.default_rng([seed, LEAKS.index(name)])
    )
    if name in LOG_LEAKS:
        return LOG_LEAKS[name](history, outcomes)
    ids = lead_index(history.leads)
    of = np.array([ids[i] for i in history.leads.column("lead_id").to_pylist()], np.int64)
    leads = history.leads
    for column, values in ATTRIBUTE_LEAKS[name](outcomes).items():
        leads = leads.append_column(column, pc.take(pa.array(values), pa.array(of)))
    return replace(history, leads=leads)


def shuffle_outcomes(history: History, *, stage: str = "sql", seed: int = 0) -> History:
    """Deal the outcomes out anew: each lead gets, or does not get, another one's after as long.

    Every other stage and all attempts are left out: they would tell of the outcome that was dealt
    away, or lead up to the one that was dealt. What a lead is and did stays. Looked at once, at one
    age, nothing tells who converts, so that any model that finds something has found noise.
    """
    rng = np.random.default_rng(seed)
    outcomes = find_known_outcomes(history, stage, rng)
    giver = rng.permutation(len(outcomes.won))
    at = outcomes.created_at + (outcomes.came_at - outcomes.created_at)[giver]
    until = to_us(history.about.observed_until)
    gets = np.flatnonzero(outcomes.won[giver] & (at < until))
    ids = list(lead_index(history.leads))
    rows = {
        **{name: [None] * len(gets) for name in history.stages.schema.names},
        "lead_id": [ids[lead] for lead in gets],
        "at": at[gets],
        "known_at": at[gets],
        "stage": [stage] * len(gets),
    }
    created = history.stages.filter(pc.equal(history.stages.column("stage"), "lead"))
    return replace(
        history,
        stages=_append(created, rows, ("at", "known_at")),
        attempts=history.attempts.slice(0, 0),
    )
