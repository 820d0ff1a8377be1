"""Hold the proof of timing to the truth: whether its intervals cover what policies bring, on many markets."""

from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.laboratory.counterfactual import simulate_nurtured
from benchmarks.laboratory.policies import value_of_rule
from benchmarks.laboratory.structures import draw_structure
from benchmarks.measure import console, print_table
from benchmarks.timing_best import Watched, watch
from features.lifecycle.prices import Prices
from features.simulation.generate import simulate_history
from training.run.timing import give_points
from training.timing.dataset import TimingDataset, build_timing_dataset
from training.timing.fit import fit_timing
from training.timing.models.model import TimingModel
from training.timing.proof.off_policy import Estimate
from training.timing.proof.policies import THRESHOLD, TIMING, TODAY, Proof, find_poor_overlap
from training.timing.proof.run import prove_timing

SEEDS, LEADS, JUDGING_LEADS = 10, 4_000, 4_000

OVER_THRESHOLD, OVER_TODAY = f"gain over {THRESHOLD}", f"gain over {TODAY}"

RULE_LEADS = 20_000
"""For the truth of today's rule, which a log tells so well that fewer would blur it as much."""


@dataclass
class _Kept:
    """Fits, and keeps what was fitted: each half's model is a policy of its own."""

    models: list[TimingModel] = field(default_factory=list)

    def __call__(self, dataset: TimingDataset) -> TimingModel:
        self.models.append(fit_timing(dataset, Prices(), divisions=1))
        return self.models[-1]


def prove_market(
    seed: int, *, leads: int = LEADS, insight: float = 0.0, exploration: float = 0.0
) -> tuple[Proof, dict[str, float]]:
    """Prove timing on one market's log; give the true value of each rule beside it."""
    world = draw_structure(seed, insight=insight, exploration=exploration)
    history = simulate_history(world, n_leads=leads, seed=1000 * seed + 3).history
    dataset, learn = build_timing_dataset(history), _Kept()
    points = give_points(dataset.catalog, dataset.rows)
    proof = prove_timing(history, dataset, learn, Prices(), points)
    judged = watch(world, n_leads=JUDGING_LEADS, seed=1000 * seed + 9)
    truth = {}
    rows = judged.look(dataset.catalog)
    for name in (TIMING, THRESHOLD):
        values = [_value(judged, rows, model, name) for model in learn.models]
        truth[name] = float(np.mean(values))
    # On the same leads, so that which they are hardly matters.
    truth[OVER_TODAY] = truth[TIMING] - float(value_of_rule(judged.market).value.mean())
    many = simulate_nurtured(world, n_leads=RULE_LEADS, seed=1000 * seed + 9)
    truth[TODAY] = float(value_of_rule(many).value.mean())
    return proof, truth


def _value(judged: Watched, rows: np.ndarray, model: TimingModel, name: str) -> float:
    advice = model.advise(rows)
    comes = model.has_come(advice) if name == TIMING else advice.p_sql >= model.threshold
    return float(judged.worth(comes.astype(np.float64), 1.0).value.mean())


def measure_proof(seeds: int = SEEDS, leads: int = LEADS) -> None:
    """Print, per market, estimates beside the truth, and how often intervals cover it."""
    rows, covered, widths, readable = [], {}, {}, list[dict[str, bool]]()
    judged = partial(prove_market, leads=leads)
    for seed in range(seeds):
        began = perf_counter()
        proof, truth = judged(seed)
        estimates = {name: proof.row(name).value for name in (TIMING, THRESHOLD, TODAY)}
        compared = {name: (estimates[name], truth[name]) for name in estimates}
        compared |= {
            OVER_THRESHOLD: (proof.gains[THRESHOLD], truth[TIMING] - truth[THRESHOLD]),
            OVER_TODAY: (proof.gains[TODAY], truth[OVER_TODAY]),
        }
        for name, (estimate, true) in compared.items():
            covered.setdefault(name, []).append(estimate.interval.covers(true))
            widths.setdefault(name, []).append(estimate.interval.high - estimate.interval.low)
        # Where the log says too little of a policy the proof abstains: nothing is to be read then.
        enough = {n: find_poor_overlap(proof.row(n).overlap) is None for n in (TIMING, THRESHOLD)}
        readable.append(dict.fromkeys(compared, enough[TIMING]) | enough | {TODAY: True})
        verdict = "abstains" if proof.served.abstains else proof.served.rule
        rows.append((str(seed), *(_format_estimate(*pair) for pair in compared.values()), verdict))
        inside = ", ".join(f"{name} {own[-1]}" for name, own in covered.items())
        console.print(f"market {seed}: {perf_counter() - began:.0f} s; {inside}")
    print_table(
        f"Estimated [95 %] and true value per lead, {leads:,} leads, everything learned on half",
        ["market", *covered, "verdict"],
        rows,
    )
    for name, own in covered.items():
        read = [hit for hit, may in zip(own, readable, strict=True) if may[name]]
        console.print(
            f"{name}: covered in {sum(own)} of {len(own)} markets, by intervals {median(widths[name]):.2f} "
            f"wide (median); where the log says enough of it, in {sum(read)} of {len(read)}",
        )


def _format_estimate(estimate: Estimate, true: float) -> str:
    ends = estimate.interval
    return f"{estimate.value:.2f} [{ends.low:.2f}, {ends.high:.2f}], {true:.2f}"


def measure_warnings(leads: int = LEADS, markets: int = 5) -> None:
    """Print how often the card warns, where sellers see what the log does not hold and where not."""
    for insight in (0.0, 1.5):
        warned = 0
        for seed in range(markets):
            proof, _ = prove_market(seed, leads=leads, insight=insight, exploration=0.002)
            warned += any("sellers" in w or "by lot" in w for w in proof.warnings)
        console.print(f"insight {insight:g}: the card warns in {warned} of {markets} markets")
