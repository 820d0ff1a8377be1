"""What a handoff policy would have brought, from a log made under another: estimates and intervals.

Advantage doubly robust scores (Nie, Brunskill, Wager, JASA 116, 2021, 392-409): the worth of
handing over now is compared with that of handing over at the next step; each comparison is foretold
and then corrected by what the log saw, weighted by one over the chance of seeing it. Summed from
one policy's day to another's the comparisons are the gain of the one over the other; laid out along
a path they telescope, and that is how they are computed here. Beside them, plain weighting: only
paths that went as the policy would have gone count, each by one over the chance of that.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from training.evaluation.resampling import NORMAL_975, Floats, Integers, Interval
from training.evaluation.timing_paths import (
    ALONE,
    CUT,
    ENDED,
    HANDED,
    RAISED,
    Flags,
    Paths,
)

LARGEST = 400.0
"""Weights are cut here: a step the log hardly ever acted on would else outweigh all others."""

PROPENSITY_FLOOR = 0.02
"""A step with a smaller chance of a logged handoff does not overlap with a policy that hands over."""


@dataclass(frozen=True)
class Judged:
    """What is foretold and what was seen on each step of some paths. Shape (n_steps,) each.

    Worths are in the unit of the prices, at the moment of the step.
    """

    paths: Paths
    now: Floats
    """Foretold worth of a handoff on this step."""
    following: Floats
    """Foretold worth of a handoff at the next step instead."""
    propensity: Floats
    """Chance of a logged handoff before the next step."""
    stays: Floats
    """Chance of none, given how long the step lasted."""
    outcome: Floats
    """What the handoff brought that followed, or the raised hand; 0 where none did."""
    outcome_weight: Floats
    """One over the chance of knowing it by now; 0 where it is not known."""
    made: Floats
    """What was foretold of that handoff as it was made, with the answer it got."""
    made_now: Floats
    """The same had it been answered as promised."""
    sql_worth: float
    discount_by_day: float

    def take(self, chosen: Flags) -> "Judged":
        """Keep some paths."""
        steps = np.repeat(chosen, np.diff(self.paths.offsets))
        names = (
            "now",
            "following",
            "propensity",
            "stays",
            "outcome",
            "outcome_weight",
            "made",
            "made_now",
        )
        return Judged(
            self.paths.take(chosen),
            *(getattr(self, name)[steps] for name in names),
            self.sql_worth,
            self.discount_by_day,
        )

    @property
    def corrected(self) -> Floats:
        """Worth of each logged handoff: foretold for the promised answer, corrected by outcome."""
        return self.made_now + self.outcome_weight * (self.outcome - self.made)


@dataclass(frozen=True)
class Scores:
    """One policy on some paths. Shape (n_paths,) each."""

    value: Floats
    """Advantage doubly robust score; its mean is the estimate."""
    weight: Floats
    """Of a path that went as the policy would have; 0 for the others."""
    brought: Floats
    """What those paths brought."""
    stop: Integers
    """Step on which the policy hands over, counted over all paths; -1: not on what was seen."""


def score_policy(judged: Judged, stops: Flags) -> Scores:
    """Score a policy that hands over on the first step where ``stops`` says so."""
    return Scores(*_walk(*_columns(judged), stops.astype(np.bool_), False))


def score_log(judged: Judged) -> Scores:
    """Score what was done: by what came of it, had sales answered as promised."""
    never = np.zeros(len(judged.now), np.bool_)
    return Scores(*_walk(*_columns(judged), never, True))


def _columns(judged: Judged) -> tuple[NDArray[np.generic], ...]:
    paths = judged.paths
    ends = np.zeros(len(judged.now))
    kind = paths.followed_by
    ends[kind == ALONE] = judged.sql_worth
    ends[kind == RAISED] = judged.corrected[kind == RAISED]
    return (
        paths.offsets,
        kind,
        judged.discount_by_day**paths.day,
        judged.discount_by_day**paths.gap_days,
        paths.followed,
        paths.followed_after,
        judged.now,
        judged.following,
        np.maximum(judged.propensity, 1.0 / LARGEST),
        judged.stays,
        judged.corrected,
        judged.outcome_weight * (judged.outcome - judged.made),
        judged.outcome,
        judged.outcome_weight,
        ends,
    )


@njit(cache=True, nogil=True)
def _walk(
    offsets: Integers,
    kind: NDArray[np.int8],
    discount: Floats,
    gap_discount: Floats,
    followed: Floats,
    followed_after: Floats,
    now: Floats,
    following: Floats,
    propensity: Floats,
    stays: Floats,
    corrected: Floats,
    surprise: Floats,
    outcome: Floats,
    outcome_weight: Floats,
    ends: Floats,
    stops: NDArray[np.bool_],
    as_logged: bool,
) -> tuple[Floats, Floats, Floats, Integers]:
    """Walk each path from its begin until the policy hands over or the log stops."""
    n_paths = len(offsets) - 1
    value, weight = np.zeros(n_paths), np.zeros(n_paths)
    brought, stop = np.zeros(n_paths), np.full(n_paths, -1, np.int64)
    for path in range(n_paths):
        nurtured = 1.0
        for step in range(offsets[path], offsets[path + 1]):
            worth = discount[step]
            seen = min(nurtured / followed[step], LARGEST)
            seen_after = min(nurtured / followed_after[step], LARGEST)
            if stops[step]:
                stop[path] = step
                value[path] += seen * worth * now[step]
                if kind[step] == HANDED:
                    chance = propensity[step]
                    value[path] += min(seen_after / chance, LARGEST) * worth * surprise[step]
                    weight[path] = min(seen_after / chance, LARGEST) * outcome_weight[step]
                    brought[path] = worth * gap_discount[step] * outcome[step]
                break
            if not as_logged:
                nurtured /= stays[step]
                seen_after = min(seen_after / stays[step], LARGEST)
            # The foretold is added, and taken off again where what followed was seen.
            value[path] += seen * worth * following[step]
            if kind[step] == CUT or (kind[step] == HANDED and not as_logged):
                break
            value[path] -= seen_after * worth * following[step]
            later = worth * gap_discount[step]
            if kind[step] == HANDED:
                value[path] += seen_after * later * corrected[step]
                weight[path] = seen_after * outcome_weight[step]
                brought[path] = later * outcome[step]
            elif kind[step] == RAISED:
                value[path] += seen_after * later * ends[step]
                weight[path] = seen_after * outcome_weight[step]
                brought[path] = later * outcome[step]
            elif kind[step] == ALONE or kind[step] == ENDED:
                value[path] += seen_after * later * ends[step]
                weight[path] = seen_after
                brought[path] = later * ends[step]
    return value, weight, brought, stop


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over leads, with its 95 % interval."""

    value: float
    standard_error: float

    @property
    def interval(self) -> Interval:
        """Normal, over leads: a path is one lead's."""
        half = NORMAL_975 * self.standard_error
        return Interval(self.value - half, self.value + half, "normal, over leads")


def mean_over_leads(scores: Floats) -> Estimate:
    """Average scores of leads.

    Examples
    --------
    >>> mean_over_leads(np.array([1.0, 3.0])).value
    2.0
    """
    n = len(scores)
    if n < 2:
        return Estimate(float("nan"), float("nan"))
    return Estimate(float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(n)))


def weigh_paths(scores: Scores) -> Estimate:
    """Average what the policy's own paths brought, by their weights (self-normalised)."""
    total = scores.weight.sum()
    if total <= 0:
        return Estimate(float("nan"), float("nan"))
    value = float(scores.weight @ scores.brought / total)
    spread = scores.weight * (scores.brought - value)
    return Estimate(value, float(np.sqrt((spread**2).sum()) / total))


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much the log says of a policy's handoffs."""

    recommended: int
    """Paths on which the policy hands over."""
    share: float
    """Of those, with a chance of a logged handoff above the floor."""
    agreeing: int
    """Paths on which the log did as the policy, on the same step."""
    effective: float
    """As many equally weighted agreeing handoffs say as much (Kish)."""
    largest_share: float
    """Of the total weight, on the heaviest path."""


def measure_overlap(judged: Judged, scores: Scores) -> Overlap:
    """Measure overlap of a policy with the log."""
    stopped = scores.stop >= 0
    chance = judged.propensity[scores.stop[stopped]]
    weight = scores.weight[stopped]
    total, squares = weight.sum(), (weight**2).sum()
    return Overlap(
        recommended=int(stopped.sum()),
        share=float((chance >= PROPENSITY_FLOOR).mean()) if stopped.any() else 0.0,
        agreeing=int((weight > 0).sum()),
        effective=float(total**2 / squares) if squares else 0.0,
        largest_share=float(weight.max() / total) if total else 1.0,
    )
