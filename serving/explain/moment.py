"""When to hand a lead over: from curves to a verdict and its sentences. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serving.explain.reasons import Explainer, FieldColumns
from serving.explain.wording import (
    describe_fact,
    describe_timing_reason,
    format_days,
    format_number,
    format_share,
)
from training.bundle import has_come

Verdict = Literal["hand_off_now", "hand_off_later", "keep_nurturing", "let_go"]

EVEN_CHANCE = 0.5
"""That the moment comes within so many days: then it is "in about k days"."""

SLIM_CHANCE = 0.05
"""That the moment comes within the curve: below, with next to nothing to wait for, let go."""

NOTHING_TO_WAIT_FOR = 0.02
"""Worth of waiting, as a share of an SQL's."""

MOST_FACTS = 3

LEAST_SHARE = 0.02
"""Of the whole movement: a fact that moves the advantage by less drives nothing."""


@dataclass(frozen=True)
class MomentFacts:
    """What is known of one lead's moment. Curves run from today on, a number a day."""

    by_timing: bool
    """Whether the moment is chosen; else a threshold of P(SQL) decides."""
    advantage: float
    highest: float
    """Upper end of the advantage's interval: below 0 waiting is surely better."""
    value_waiting: float
    p_sql: float
    threshold: float
    floor: float
    """Of P(SQL): below it no moment has come, whatever the advantage."""
    sql_worth: float
    values: Sequence[float]
    """Of a handoff in k days."""
    p_moment: Sequence[float]


@dataclass(frozen=True)
class TimingDecision:
    """What to do with the lead, and why, in a sentence."""

    verdict: Verdict
    in_days: int | None
    """Until the handoff; 0 now, None where none is foreseen."""
    because: str


def decide_moment(facts: MomentFacts) -> TimingDecision:
    """Decide: now, in about k days, keep nurturing, or let go."""
    if not facts.by_timing:
        return _decide_by_threshold(facts)
    if has_come(facts.highest, facts.p_sql, facts.floor):
        return TimingDecision(
            "hand_off_now", 0, f"Hand off now: {_describe_advantage(facts.advantage)}."
        )
    likely = next((k for k, p in enumerate(facts.p_moment) if p >= EVEN_CHANCE), None)
    if likely is not None:
        return TimingDecision(
            "hand_off_later",
            likely,
            f"Hand off in about {format_days(likely)}: by then the moment has come for every other "
            "lead like this one.",
        )
    last, within = len(facts.p_moment) - 1, facts.p_moment[-1]
    if within < SLIM_CHANCE and facts.value_waiting < NOTHING_TO_WAIT_FOR * facts.sql_worth:
        return TimingDecision(
            "let_go",
            None,
            f"Let go: in {format_share(1.0 - within)} of such leads no moment comes within {last} "
            "days, and waiting for it is worth next to nothing.",
        )
    return TimingDecision(
        "keep_nurturing",
        None,
        f"Keep nurturing: the moment comes within {last} days for {format_share(within)} of such "
        "leads.",
    )


def _describe_advantage(advantage: float) -> str:
    if advantage < 0.0:
        return "the chance is good enough, and no later day is surely better"
    return f"a handoff today is worth {format_number(round(advantage, 2))} more than waiting"


def _decide_by_threshold(facts: MomentFacts) -> TimingDecision:
    chance, level = format_share(facts.p_sql), format_share(facts.threshold)
    if facts.p_sql >= facts.threshold:
        return TimingDecision(
            "hand_off_now",
            0,
            f"Hand off now: the chance of an SQL if handed off now, {chance}, is at least the "
            f"threshold of {level}.",
        )
    return TimingDecision(
        "keep_nurturing",
        None,
        f"Keep nurturing: the chance of an SQL if handed off now, {chance}, is below the threshold "
        f"of {level}.",
    )


def find_stands_until(
    decision: TimingDecision, facts: MomentFacts, as_of: datetime
) -> tuple[datetime | None, bool]:
    """Find until when a handoff that is due now stays worth making.

    Returns
    -------
    until : datetime or None
        The last day on which a handoff is not surely worth less than waiting is worth today; None
        where no handoff is due.
    at_least : bool
        Whether it may stand for longer: the curve ends there.
    """
    if decision.verdict != "hand_off_now":
        return None, False
    unsure = facts.highest - facts.advantage
    floor = facts.value_waiting - unsure if facts.by_timing else 0.0
    days = 0
    for k, value in enumerate(facts.values):
        if k and value < floor:
            break
        days = k
    return as_of + timedelta(days=days), days == len(facts.values) - 1


@dataclass(frozen=True, slots=True)
class Driver:
    """A fact that drives the advantage."""

    field: str
    label: str
    worth: float
    """Added to the advantage, in the unit of the prices."""
    words: str


def list_drivers(
    explainer: Explainer, values: NDArray[np.float32], shares: NDArray[np.float64]
) -> list[Driver]:
    """List the two or three facts that drive the advantage most, in words.

    Parameters
    ----------
    values : ndarray of shape (n_features,), float32
        The lead's feature row.
    shares : ndarray of shape (n_features,)
        What each feature adds to the advantage.
    """
    totals = explainer.total(shares)
    strength = np.abs(totals)
    least = LEAST_SHARE * strength.sum()
    return [
        _drive(explainer, explainer.fields[i], float(totals[i]), values, shares)
        for i in np.argsort(-strength, kind="stable")[:MOST_FACTS].tolist()
        if strength[i] > least
    ]


def _drive(
    explainer: Explainer,
    field: FieldColumns,
    total: float,
    values: NDArray[np.float32],
    shares: NDArray[np.float64],
) -> Driver:
    sign = 1.0 if total > 0 else -1.0
    spoken = max(field.columns, key=lambda column: sign * shares[column])
    fact = describe_fact(
        explainer.features[spoken], float(values[spoken]), explainer.category_words
    )
    return Driver(field.field, field.label, total, describe_timing_reason(total, fact))


def format_support(alike: int, fewest: int) -> str:
    """Say how many handoffs the verdict rests on."""
    if alike < fewest:
        count = "no handoff" if alike == 0 else f"only {alike:,} handoff{'s' if alike > 1 else ''}"
        return (
            f"There was {count} like this one so far (at least {fewest} are needed): no timing "
            "is recommended. Let a person decide."
        )
    return f"Rests on {alike:,} past handoffs of leads like this one."
