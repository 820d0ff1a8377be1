"""What the old handoff rule hides, seen through the leads that were handed off by lot."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import expit

from features.clock import to_us
from features.compute.offline import Snapshots
from features.kernel.layout import lead_index
from features.lifecycle.stages import Stage
from training.bundle import Scale
from training.dataset.moments import Dataset
from training.engine import Engine
from training.labels.moves import NEVER, read_moves
from training.models.fit_data import margins
from training.selection.competition import FittedCandidate

FEWEST = 50
"""Handoffs by lot, matured, that an estimate needs."""

RESAMPLES = 400


@dataclass(frozen=True)
class HandoffGroup:
    """Handoffs that came about in one way, on leads the model had not learned from."""

    handoffs: int
    observed: float
    """Share that converted within the horizon, weighted by 1/propensity where that is logged."""
    predicted: float
    """The model's mean chance for them at the handoff, weighted alike."""
    gap_low: float
    gap_high: float
    """95 % interval of ``observed - predicted``, drawn over handoffs."""
    auc: float

    @property
    def gap(self) -> float:
        """How much more of them converted than was predicted."""
        return self.observed - self.predicted


@dataclass(frozen=True)
class Exposure:
    """What the explored slice says of selection by the old rule."""

    explored: HandoffGroup | None
    chosen: HandoffGroup | None
    """Those the old rule or a seller chose."""
    words: str


def measure_exposure(
    dataset: Dataset,
    chosen: FittedCandidate,
    scale: Scale,
    engine: Engine,
    rng: np.random.Generator,
) -> Exposure:
    """Compare the model with what became of later handoffs: those drawn by lot, and the others.

    Leads drawn by lot with a logged chance stand for all that might have been drawn: each counts
    1/propensity (Horvitz, Thompson 1952; weights normalised, Hajek 1971). Those the rule chose stand
    only for themselves; where both differ, the difference is what the rule hides.
    """
    found = _find_handoffs(dataset)
    weights = found.weights
    lot = np.isfinite(weights)
    if lot.sum() < FEWEST:
        return Exposure(None, None, _word_unexplored(int(lot.sum())))
    asked = Snapshots(found.lead, found.at)
    rows = engine.compute(dataset.catalog, dataset.moments.history, asked, progress=lambda _: None)
    p = expit(scale.slope * margins(chosen.model, rows) + scale.intercept)
    explored = _measure(found.converted[lot], p[lot], weights[lot], rng)
    ruled = None
    if (~lot).sum() >= FEWEST:
        ruled = _measure(found.converted[~lot], p[~lot], np.ones(int((~lot).sum())), rng)
    return Exposure(explored, ruled, _word(explored, ruled))


@dataclass(frozen=True)
class _Handoffs:
    lead: NDArray[np.int64]
    at: NDArray[np.int64]
    weights: NDArray[np.float64]
    """1/propensity of those drawn by lot; NaN for the others."""
    converted: NDArray[np.int8]


def _find_handoffs(dataset: Dataset) -> _Handoffs:
    """Find the matured handoffs of leads the model had not learned from."""
    moments = dataset.moments
    history, outcome = moments.history, moments.outcome
    table = history.stages.filter(pc.equal(history.stages.column("stage"), str(Stage.MQL)))
    ids = lead_index(history.leads)
    lead = np.array([ids[i] for i in table.column("lead_id").to_pylist()], np.int64)
    at = np.asarray(table.column("at").cast(pa.int64()).to_numpy(), np.int64)
    propensity = np.asarray(table.column("propensity").to_numpy(zero_copy_only=False), np.float64)
    matured = at + outcome.horizon_us + moments.delay_us <= to_us(history.about.observed_until)
    later = np.isin(lead, np.unique(dataset.lead_of[dataset.split.newest]))
    seen = read_moves(history, outcome.target).seen_at(lead, at)
    keep = matured & later & seen.is_open & ~seen.is_hidden
    observed = (seen.next_at < NEVER) & (seen.next_at < at + outcome.horizon_us)
    return _Handoffs(lead[keep], at[keep], 1.0 / propensity[keep], observed[keep].astype(np.int8))


def _measure(
    y: NDArray[np.int8],
    p: NDArray[np.float64],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
) -> HandoffGroup:
    def gap(times: NDArray[np.int64] | int) -> float:
        own = weights * times
        return float(np.average(y - p, weights=own))

    draws = [
        gap(np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y)))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return HandoffGroup(
        len(y),
        float(np.average(y, weights=weights)),
        float(np.average(p, weights=weights)),
        float(low),
        float(high),
        _weigh_auc(y, p, weights),
    )


def _weigh_auc(y: NDArray[np.int8], p: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Measure the chance that a weighted conversion outranks a weighted other, ties one half."""
    values, place = np.unique(p, return_inverse=True)
    won = np.bincount(place, weights * (y == 1), len(values))
    lost = np.bincount(place, weights * (y == 0), len(values))
    pairs = won.sum() * lost.sum()
    below = np.cumsum(lost) - lost
    return float((won * (below + lost / 2)).sum() / pairs) if pairs else float("nan")


def _word_unexplored(count: int) -> str:
    return (
        "Who was handed to sales, and when, was decided by the old rule: the model learned what "
        "happened under it, not what would happen under another. How much that biases it is "
        f"unknown: {count or 'no'} matured handoffs of later leads were drawn at random with their "
        f"probability logged, {FEWEST} are needed. Hand a small share over at random and log its propensity."
    )


def _word(explored: HandoffGroup, ruled: HandoffGroup | None) -> str:
    sentence = (
        "Who was handed to sales was decided by the old rule, except for a share drawn at random. Of "
        f"{explored.handoffs:,} such handoffs (each counting 1/propensity) {explored.observed:.1%} "
        f"converted and {explored.predicted:.1%} was predicted without knowing that they would be handed over: {explored.gap:+.1%} (95 % "
        f"{explored.gap_low:+.1%} to {explored.gap_high:+.1%}); AUC {explored.auc:.2f}."
    )
    if ruled is None:
        return sentence
    return sentence + (
        f" Of the {ruled.handoffs:,} that the rule chose, {ruled.observed:.1%} and "
        f"{ruled.predicted:.1%}: {ruled.gap:+.1%} (95 % {ruled.gap_low:+.1%} to "
        f"{ruled.gap_high:+.1%}); AUC {ruled.auc:.2f}. Where the two differ, the rule hides it."
    )
