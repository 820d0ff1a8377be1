"""Proof before use: the timing policy against today's rule and thresholds, on logged handoffs.

Off-policy evaluation accepts or refuses; it never tunes the policy. Estimates are advantage doubly
robust and, beside them, weighted; both are made for each half of the leads with everything learned
from the other half, so they speak of policies learned from half the data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from training.evaluation.resampling import Floats
from training.timing.proof.confounding import ConfoundingCheck
from training.timing.proof.off_policy import (
    Estimate,
    EvaluatedPaths,
    Overlap,
    PolicyScores,
    mean_over_leads,
    measure_overlap,
    score_log,
    score_policy,
    settle,
    weigh_paths,
)
from training.timing.proof.paths import Flags

TIMING, THRESHOLD, POINTS, TODAY = "timing", "P(SQL) threshold", "points threshold", "today's rule"

LEAST_OVERLAP = 0.5
"""Share of recommended handoffs with a fair chance of a logged one, below which we abstain."""

LEAST_EFFECTIVE = 25.0
"""Agreeing handoffs, counted as if of equal weight, below which we abstain."""

LEAST_STAYING = 100.0
"""The same of all paths that went as the policy would, waiting included."""

LARGEST_SHARE = 0.2
"""Of the whole weight on one path, above which we abstain."""


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """What one policy would have brought per lead, in the unit of the prices."""

    name: str
    value: Estimate
    weighted: Estimate
    overlap: Overlap
    """Of today's rule: with itself."""


@dataclass(frozen=True, slots=True)
class Served:
    """Which rule is served, and why."""

    rule: str
    """``timing`` or ``threshold``."""
    because: str
    abstains: bool = False
    """Whether the log says too little of the timing policy to judge it at all."""


@dataclass(frozen=True)
class Proof:
    """All that the card tells of timing."""

    leads: int
    handoffs: int
    horizon_days: float
    rows: tuple[PolicyRow, ...]
    gains: Mapping[str, Estimate]
    """Of the timing policy over each other."""
    served: Served
    confounding_checks: tuple[ConfoundingCheck, ...]
    warnings: tuple[str, ...]
    chances: Floats
    """Predicted P(SQL) of held-out handoffs that came to an end, as they were made."""
    sqls: Floats
    """Whether each became an SQL."""
    calibration: tuple[float, float, float]
    """Slope of the log-odds of an SQL on the predicted log-odds, with its 95 % interval."""
    propensities: Mapping[str, Floats]
    """Chance of a logged handoff where each policy hands over."""

    def row(self, name: str) -> PolicyRow:
        """Find a policy's row."""
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True)
class Fold:
    """One half of the leads, and what each policy says of each of their steps."""

    judged: EvaluatedPaths
    stops: Mapping[str, Flags]


def compare_policies(
    folds: Sequence[Fold],
) -> tuple[tuple[PolicyRow, ...], dict[str, Estimate], dict[str, Floats]]:
    """Estimate each policy's value, and the timing policy's gain over the others.

    Returns
    -------
    rows : tuple of PolicyRow
    gains : dict
        Paired on the same leads.
    propensities : dict
        Chance of a logged handoff where each policy hands over.
    """
    names = folds[0].stops
    scores = {name: [score_policy(f.judged, f.stops[name]) for f in folds] for name in names}
    scores[TODAY] = [score_log(f.judged) for f in folds]
    values = {name: np.concatenate([settle(s) for s in own]) for name, own in scores.items()}
    together = {name: _join(own) for name, own in scores.items()}
    rows, propensities = [], {}
    for name, own in scores.items():
        joined = together[name]
        chance = np.concatenate(
            [f.judged.propensity[np.maximum(s.stop, 0)] for f, s in zip(folds, own, strict=True)]
        )
        overlap = measure_overlap(chance, joined)
        value = mean_over_leads(values[name], joined.worst, joined.best)
        rows.append(PolicyRow(name, value, weigh_paths(joined), overlap))
        propensities[name] = chance[joined.stop >= 0]
    gains = {
        name: _estimate_gain(values[TIMING] - values[name], together[TIMING], together[name])
        for name in values
        if name != TIMING
    }
    return tuple(rows), gains, propensities


def _estimate_gain(gain: Floats, own: PolicyScores, other: PolicyScores) -> Estimate:
    """Average a gain; where both hand a lead over on the same step it is none, whatever that brings."""
    apart = own.stop != other.stop
    return mean_over_leads(
        gain,
        np.where(apart, own.worst - other.best, 0.0),
        np.where(apart, own.best - other.worst, 0.0),
    )


def _join(parts: Sequence[PolicyScores]) -> PolicyScores:
    return PolicyScores(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(PolicyScores))
    )


def find_poor_overlap(overlap: Overlap) -> str | None:
    """Say why the log tells too little of a policy; None if it tells enough."""
    if overlap.recommended == 0:
        return "the policy hands over none of the logged leads"
    if overlap.share < LEAST_OVERLAP:
        return (
            f"only {overlap.share:.0%} of its handoffs had a fair chance of happening in the log "
            f"({LEAST_OVERLAP:.0%} are needed)"
        )
    if overlap.effective < LEAST_EFFECTIVE:
        return (
            f"the log agrees with it on {overlap.agreeing} handoffs, which say as much as "
            f"{overlap.effective:.0f} ({LEAST_EFFECTIVE:.0f} are needed)"
        )
    if overlap.staying < LEAST_STAYING:
        return (
            f"so many leads were handed over before the policy would have that the others say as "
            f"much as {overlap.staying:.0f} leads ({LEAST_STAYING:.0f} are needed)"
        )
    if overlap.largest_share > LARGEST_SHARE:
        return f"one lead alone carries {overlap.largest_share:.0%} of all weight"
    return None


def decide_served(gain: Estimate, overlap: Overlap, unit: str) -> Served:
    """Decide whether the timing policy is served: only if its gain over the threshold is sure.

    Parameters
    ----------
    gain
        Of the timing policy over the threshold of P(SQL), per lead.
    unit
        Of the prices, in words.
    """
    poor = find_poor_overlap(overlap)
    if poor is not None:
        return Served(
            "threshold",
            f"The threshold of P(SQL) is served: the log says too little of the timing policy, as "
            f"{poor}.",
            abstains=True,
        )
    low, high = gain.interval.low, gain.interval.high
    figures = f"{gain.value:+.3f} {unit} per lead ({low:+.3f} to {high:+.3f})"
    if low > 0:
        return Served(
            "timing",
            f"The timing policy is served: on logged handoffs it gains {figures} over the "
            "threshold of P(SQL).",
        )
    return Served(
        "threshold",
        f"The threshold of P(SQL) is served: the gain of timing over it, {figures}, is not surely "
        "above zero.",
    )
