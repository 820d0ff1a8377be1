"""How much random folds flatter: the same data, shuffled, beside what time allowed."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.clock import from_us
from training.backtest.figures import RETRAINED, PeriodPredictions
from training.backtest.walk import Backtest, Progress
from training.dataset.moments import Dataset, Moments, build_dataset
from training.dataset.splits import Split
from training.engine import IN_PROCESS, Engine
from training.estimators.candidates import POINTS
from training.evaluation.ranking import Auc, measure_auc
from training.models.fit_data import margins
from training.selection.competition import fit_data, thin

FOLDS = 5


@dataclass(frozen=True)
class RandomSplitOptimism:
    """AUC of one recipe in random folds, and of the walk, where each period is ranked by itself."""

    candidate: str
    random: Auc
    """Of all moments, each predicted by folds that saw leads later than it."""
    in_time: float
    """Mean over the periods of the walk, weighted by their pairs of a conversion and another."""
    pooled: float
    """Of all periods of the walk in one ranking."""

    @property
    def words(self) -> str:
        """Say it in one line."""
        interval = self.random.interval
        return (
            f"AUC {self.random.value:.3f} ({interval.low:.3f}-{interval.high:.3f}) in {FOLDS} "
            f"random folds by lead ({self.candidate}), {self.in_time:.3f} within the periods of the "
            f"walk ({self.pooled:.3f} if they are ranked as one): the difference is optimism."
        )

    def record(self) -> dict[str, Any]:
        """Record the figures."""
        return {
            "candidate": self.candidate,
            "auc_random_folds": self.random.value,
            "auc_random_folds_low": self.random.interval.low,
            "auc_random_folds_high": self.random.interval.high,
            "auc_within_periods": self.in_time,
            "auc_of_all_periods": self.pooled,
        }


def measure_random_split_optimism(
    backtest: Backtest,
    *,
    engine: Engine = IN_PROCESS,
    progress: Progress = lambda _what, _share: None,
) -> RandomSplitOptimism:
    """Set the AUC of random folds beside that of the walk.

    The recipe is the one that the origins chose most often, of those that learn: the points table
    does not, so no folds can flatter it. The difference is what a reader of random folds would be
    flattered by: leads of the same days teach about each other.
    """
    moments, plan = backtest.moments, backtest.plan
    counted = Counter(period.chosen for period in backtest.periods)
    learn = [name for name in engine.candidates if name != POINTS] or list(engine.candidates)
    candidate = max(learn, key=lambda name: counted[name])
    dataset = build_dataset(moments, _all_fit(moments), drop=plan.drop, engine=engine)
    random = random_fold_auc(dataset, candidate, plan.seed, engine=engine, progress=progress)
    chances = np.concatenate([period.chances[RETRAINED] for period in backtest.periods])
    observed = np.concatenate([period.converted for period in backtest.periods])
    pooled = measure_auc(observed, chances).value
    return RandomSplitOptimism(candidate, random, _auc_within(backtest.periods), pooled)


def _all_fit(moments: Moments) -> Split:
    every, none = np.ones(len(moments), np.bool_), np.zeros(len(moments), np.bool_)
    end = from_us(int(moments.snapshots.as_of.max()))
    return Split(every, none, none, end, end, purged=False)


def _auc_within(periods: tuple[PeriodPredictions, ...]) -> float:
    measured = [measure_auc(p.converted, p.chances[RETRAINED], p.lead_of) for p in periods]
    pairs = [auc.positives * auc.negatives for auc in measured]
    return float(np.average([auc.value for auc in measured], weights=pairs))


def random_fold_auc(
    dataset: Dataset,
    candidate: str,
    seed: int,
    *,
    engine: Engine = IN_PROCESS,
    progress: Progress = lambda _what, _share: None,
) -> Auc:
    """Measure the AUC in five random folds by lead: what a model looks like when time is ignored.

    Parameters
    ----------
    dataset
        Its split does not matter. A large one is thinned by leads, as for a fold of a run.
    """
    rows = thin(dataset, np.ones(len(dataset.rows), np.bool_), seed)
    fold_of = np.random.default_rng(seed).integers(0, FOLDS, int(dataset.lead_of.max()) + 1)
    fold = fold_of[dataset.lead_of]
    predicted: NDArray[np.float64] = np.full(len(rows), np.nan)
    for k in range(FOLDS):
        fitted = engine.candidates[candidate].fit(fit_data(dataset, rows & (fold != k), seed))
        own = rows & (fold == k)
        predicted[own] = margins(fitted.model, dataset.rows[own])
        progress("random folds, to compare", (k + 1) / FOLDS)
    return measure_auc(dataset.converted[rows], predicted[rows], dataset.lead_of[rows])
