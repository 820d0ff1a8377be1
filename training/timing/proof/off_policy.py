"""What a handoff policy would have brought, from a log made under another: estimates and intervals.

Advantage doubly robust scores (Nie, Brunskill, Wager, JASA 116, 2021, 392-409): the worth of
handing over now is compared with that of handing over at the next step; each comparison is predicted
and then corrected by what the log saw, weighted by one over the chance of seeing it. Summed from
one policy's day to another's the comparisons are the gain of the one over the other; laid out along
a path they telescope, and that is how they are computed here. Beside them, plain weighting: only
paths that went as the policy would have gone count, each by one over the chance of that.

Where a policy hands over and the log hardly ever did, nothing corrects what is predicted, and a model
that is too hopeful there would be believed. So the interval covers whatever such a handoff may bring,
from a rejection to an SQL (Manski 1990, *American Economic Review* 80(2), 319-323; ends as in Imbens,
Manski 2004, *Econometrica* 72(6), 1845-1857): the estimate says what is likely, the interval what is
known.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from training.evaluation.resampling import NORMAL_975, Floats, Integers, Interval
from training.timing.proof.paths import (
    ALONE,
    CUT,
    ENDED,
    HANDED,
    RAISED,
    Flags,
    LoggedPaths,
)

LARGEST = 400.0
"""Weights are cut here: a step the log hardly ever acted on would else outweigh all others."""

PROPENSITY_FLOOR = 0.02
"""A step with a smaller chance of a logged handoff does not overlap with a policy that hands over."""


@dataclass(frozen=True)
class EvaluatedPaths:
    """What is predicted and what was seen on each step of some paths. Shape (n_steps,) each.

    Worths are in the unit of the prices, at the moment of the step.
    """

    paths: LoggedPaths
    now: Floats
    """Predicted worth of a handoff on this step."""
    following: Floats
    """Predicted worth of a handoff at the next step instead."""
    propensity: Floats
    """Chance of a logged handoff before the next step."""
    stays: Floats
    """Chance of none, given how long the step lasted."""
    outcome: Floats
    """What the handoff brought that followed, or the raised hand; 0 where none did."""
    outcome_weight: Floats
    """One over the chance of knowing it by now; 0 where it is not known."""
    made: Floats
    """What was predicted of that handoff as it was made, with the answer it got."""
    made_now: Floats
    """The same had it been answered as promised."""
    sql_worth: float
    discount_by_day: float
    worst: float
    """What a handoff brings at the least: accepted, worked, and no SQL."""
    best: float
    """What it brings at the most: an SQL."""

    def take(self, chosen: Flags) -> "EvaluatedPaths":
        """Keep some paths."""
        steps = np.repeat(chosen, np.diff(self.paths.offsets))
        return replace(
            self,
            paths=self.paths.take(chosen),
            **{name: getattr(self, name)[steps] for name in OF_STEPS},
        )

    @property
    def corrected(self) -> Floats:
        """Worth of each logged handoff: predicted for the promised answer, corrected by outcome."""
        return self.made_now + self.outcome_weight * (self.outcome - self.made)


OF_STEPS = (
    "now",
    "following",
    "propensity",
    "stays",
    "outcome",
    "outcome_weight",
    "made",
    "made_now",
)


@dataclass(frozen=True)
class PolicyScores:
    """One policy on some paths. Shape (n_paths,) each."""

    value: Floats
    """Advantage doubly robust score; its mean is the estimate."""
    weight: Floats
    """Of a path that went as the policy would have; 0 for the others."""
    brought: Floats
    """What those paths brought."""
    stop: Integers
    """Step on which the policy hands over, counted over all paths; -1: not on what was seen."""
    reached: Floats
    """Weight of a path that was seen to its end under the policy: on average 1."""
    agreed: Floats
    """Weight of a handoff in the log where the policy hands over, less that of standing there: on
    average 0."""
    worst: Floats
    """What a handoff where the log hardly ever made one, so that what is predicted of it stands
    alone, takes off the score if it brings the least there is."""
    best: Floats
    """What it adds if it brings the most."""


def score_policy(judged: EvaluatedPaths, stops: Flags) -> PolicyScores:
    """Score a policy that hands over on the first step where ``stops`` says so."""
    kind = judged.paths.followed_by
    ends = np.isin(kind, (RAISED, ALONE, ENDED))
    return _score(judged, stops.astype(np.bool_), ends, kind == HANDED, judged.stays)


def score_log(judged: EvaluatedPaths) -> PolicyScores:
    """Score what was done: by what came of it, had sales answered as promised."""
    kind = judged.paths.followed_by
    nowhere = np.zeros(len(kind), np.bool_)
    ends = np.isin(kind, (RAISED, ALONE, ENDED, HANDED))
    return _score(judged, nowhere, ends, nowhere, np.ones(len(kind)))


def _score(
    judged: EvaluatedPaths, stops: Flags, ends: Flags, handed: Flags, stays: Floats
) -> PolicyScores:
    paths, kind = judged.paths, judged.paths.followed_by
    alone = np.where(kind == ALONE, judged.sql_worth, 0.0)
    by_handoff = (kind == RAISED) | (kind == HANDED)
    value, weight, brought, stop, reached, agreed, unseen = _walk(
        paths.offsets,
        stops,
        ends,
        handed,
        kind == CUT,
        judged.discount_by_day**paths.day,
        judged.discount_by_day**paths.gap_days,
        paths.followed,
        paths.followed_after,
        judged.now,
        judged.following,
        np.maximum(judged.propensity, 1.0 / LARGEST),
        stays,
        judged.outcome_weight * (judged.outcome - judged.made),
        np.where(by_handoff, judged.corrected, alone),
        np.where(by_handoff, judged.outcome, alone),
        np.where(by_handoff, judged.outcome_weight, 1.0),
        (judged.propensity >= PROPENSITY_FLOOR).astype(np.float64),
    )
    now = judged.now[np.maximum(stop, 0)]
    # Beyond what any handoff brings nothing is predicted: neither end lies inside of it.
    worst = unseen * np.minimum(judged.worst - now, 0.0)
    best = unseen * np.maximum(judged.best - now, 0.0)
    return PolicyScores(value, weight, brought, stop, reached, agreed, worst, best)


@njit(cache=True, nogil=True)
def _walk(
    offsets: Integers,
    stops: Flags,
    ends: Flags,
    handed: Flags,
    cut: Flags,
    discount: Floats,
    gap_discount: Floats,
    followed: Floats,
    followed_after: Floats,
    now: Floats,
    following: Floats,
    propensity: Floats,
    stays: Floats,
    correction: Floats,
    worth: Floats,
    outcome: Floats,
    outcome_weight: Floats,
    overlaps: Floats,
) -> tuple[Floats, Floats, Floats, Integers, Floats, Floats, Floats]:
    """Walk each path from its begin until the policy hands over, the path ends, or the log stops."""
    n_paths = len(offsets) - 1
    value, weight = np.zeros(n_paths), np.zeros(n_paths)
    brought, stop = np.zeros(n_paths), np.full(n_paths, -1, np.int64)
    reached, agreed, unseen = np.zeros((3, n_paths))
    for path in range(n_paths):
        nurtured = 1.0
        for step in range(offsets[path], offsets[path + 1]):
            seen = min(nurtured / followed[step], LARGEST) * discount[step]
            after = discount[step] * gap_discount[step]
            if stops[step]:
                stop[path] = step
                value[path] += seen * now[step]
                reached[path] = seen / discount[step]
                agreed[path] = -reached[path] * overlaps[step]
                unseen[path] = seen * (1.0 - overlaps[step])
                if handed[step]:
                    # Of those who stood here, so many were handed over: they speak for all.
                    agrees = min(nurtured / followed_after[step] / propensity[step], LARGEST)
                    agreed[path] += agrees * overlaps[step]
                    value[path] += agrees * overlaps[step] * discount[step] * correction[step]
                    weight[path] = agrees * outcome_weight[step]
                    brought[path] = after * outcome[step]
                break
            nurtured /= stays[step]
            # What was predicted of the next step is added, and taken off where more was seen.
            value[path] += seen * following[step]
            if handed[step] or cut[step]:
                break
            seen_after = min(nurtured / followed_after[step], LARGEST)
            value[path] -= seen_after * discount[step] * following[step]
            if ends[step]:
                reached[path] = seen_after
                value[path] += seen_after * after * worth[step]
                weight[path] = seen_after * outcome_weight[step]
                brought[path] = after * outcome[step]
    return value, weight, brought, stop, reached, agreed, unseen


def settle(scores: PolicyScores) -> Floats:
    """Take from each score what its weights would have added by themselves.

    The weights of paths seen to their end average 1 and those of agreeing handoffs 0, but for
    chance and for hazards that are a little off; where many leads are handed over, by a lot. The
    scores are regressed on both (regression estimator; Robinson, Cressie et al. call it calibration
    of weights), which is self-normalisation where the score is all weight.

    Returns
    -------
    ndarray of shape (n_paths,)
        Their mean is the estimate, their spread its error.
    """
    apart = np.stack([scores.reached - 1.0, scores.agreed], axis=1)
    middle = apart.mean(axis=0)
    spread = apart - middle
    slope, *_ = np.linalg.lstsq(spread, scores.value - scores.value.mean(), rcond=None)
    return np.asarray(scores.value - apart @ slope)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over leads, with its 95 % interval."""

    value: float
    standard_error: float
    ends: tuple[float, float] | None = None
    """Of the interval where the log leaves more open than which leads there were."""

    @property
    def interval(self) -> Interval:
        """Normal, over leads: a path is one lead's."""
        if self.ends is not None:
            return Interval(*self.ends, "normal, over leads, around all that the log leaves open")
        half = NORMAL_975 * self.standard_error
        return Interval(self.value - half, self.value + half, "normal, over leads")


def mean_over_leads(
    scores: Floats, worst: Floats | None = None, best: Floats | None = None
) -> Estimate:
    """Average scores of leads.

    Parameters
    ----------
    scores : ndarray of shape (n_paths,)
    worst, best : ndarray of shape (n_paths,), optional
        What each score may be less, and more, where the log tells nothing.

    Examples
    --------
    >>> mean_over_leads(np.array([1.0, 3.0])).value
    2.0
    """
    n = len(scores)
    if n < 2:
        return Estimate(float("nan"), float("nan"))
    middle = Estimate(float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(n)))
    if worst is None or best is None or not (worst.any() or best.any()):
        return middle
    low, high = mean_over_leads(scores + worst).interval, mean_over_leads(scores + best).interval
    return replace(middle, ends=(low.low, high.high))


def weigh_paths(scores: PolicyScores) -> Estimate:
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
    """Of their weight, on the heaviest path."""
    staying: float
    """As many equally weighted paths say as much of the policy altogether, its waiting included."""


def measure_overlap(propensity: Floats, scores: PolicyScores) -> Overlap:
    """Measure overlap of a policy with the log.

    Parameters
    ----------
    propensity : ndarray of shape (n_paths,)
        Chance of a logged handoff where the policy hands over; anything where it does not.
    """
    stopped = scores.stop >= 0
    weight = scores.weight[stopped]
    return Overlap(
        recommended=int(stopped.sum()),
        share=float((propensity[stopped] >= PROPENSITY_FLOOR).mean()) if stopped.any() else 0.0,
        agreeing=int((weight > 0).sum()),
        effective=count_effective(weight),
        largest_share=float(weight.max() / weight.sum()) if weight.sum() > 0 else 1.0,
        staying=count_effective(scores.weight),
    )


def count_effective(weight: Floats) -> float:
    """Count how many equal weights say as much (Kish 1965, *Survey Sampling*).

    Examples
    --------
    >>> count_effective(np.array([1.0, 1.0, 0.0])), count_effective(np.array([3.0, 1.0]))
    (2.0, 1.6)
    """
    squares = float((weight**2).sum())
    return float(weight.sum() ** 2 / squares) if squares else 0.0
