"""Settings of LightGBM found by search, within a budget of time."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.estimators.boosting import BoostedTreesClassifier, search_rounds
from training.estimators.classifier import Progress, TrainingRows
from training.models.fit_data import FitData


@dataclass(frozen=True)
class Budget:
    """How long to search. Time decides how many trials there are; repeated, the trials decide."""

    seconds: float = 0.0
    """No new trial is begun after so long; 0 for no search."""
    trials: int | None = None
    """Exactly so many trials, however long they take: repeats a search that was recorded."""


@dataclass(frozen=True)
class Tuned:
    """What a search converted to."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the classifier that differ from the usual ones; empty where nothing was searched or found better."""
    trials: int = 0
    usual_loss: float = float("nan")
    """Log loss of the usual settings on the tuning rows."""
    best_loss: float = float("nan")

    @property
    def words(self) -> str:
        """Say what the search converted to."""
        if not self.trials:
            return "LightGBM has its usual settings; none were searched."
        if not self.settings:
            return (
                f"Of {self.trials} settings of LightGBM that were tried none was better than "
                "the usual."
            )
        return (
            f"{self.trials} settings of LightGBM were tried on the oldest leads: log loss "
            f"{self.best_loss:.4f}, with the usual ones {self.usual_loss:.4f}."
        )


def tune(train: FitData, budget: Budget, progress: Progress) -> Tuned:
    """Search settings by Optuna's tree-structured Parzen estimator, the usual ones first.

    Each trial grows trees on the older leads and is judged on the newest quarter. Give it leads
    that judge nothing later on: settings chosen on the rows that compare models would flatter.

    Parameters
    ----------
    train
        What to search on.
    budget
        With ``trials`` given the search is the same every time (Bergstra et al. 2011, NeurIPS 24;
        the sampler draws from ``train.seed``).
    """
    tuning = train.tuning_mask()
    if tuning is None or (budget.seconds <= 0 and not budget.trials):
        return Tuned()
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    begin = time.monotonic()
    learned_from = TrainingRows(
        train.features, train.rows, train.converted.astype(np.int64), train.weights
    )

    def judge(trial: Any) -> float:
        tried = BoostedTreesClassifier(train.features, random_state=train.seed, **_suggest(trial))
        return search_rounds(learned_from, tried.build_settings(train.features), tuning)[1]

    def report_trial(study: Any, trial: Any) -> None:
        spent = time.monotonic() - begin
        share = (trial.number + 1) / budget.trials if budget.trials else spent / budget.seconds
        progress(min(1.0, share))
        if not budget.trials and spent >= budget.seconds:
            study.stop()

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=train.seed))
    study.enqueue_trial({name: getattr(BoostedTreesClassifier(), name) for name in SPACE})
    study.optimize(judge, n_trials=budget.trials, callbacks=[report_trial])
    best = study.best_trial
    found = {} if best.number == 0 else dict(best.params)
    losses = [float(trial.value or np.nan) for trial in (study.trials[0], best)]
    return Tuned(found, len(study.trials), *losses)


SPACE: Mapping[str, tuple[str, float, float, bool]] = {
    "num_leaves": ("int", 4, 63, True),
    "min_data_in_leaf": ("int", 10, 400, True),
    "learning_rate": ("float", 0.02, 0.15, True),
    "feature_fraction": ("float", 0.15, 0.9, False),
    "lambda_l2": ("float", 0.1, 50.0, True),
    "cat_smooth": ("float", 5.0, 100.0, True),
}
"""Setting: type, least, most, whether on a logarithmic scale."""


def _suggest(trial: Any) -> dict[str, Any]:
    return {
        name: getattr(trial, f"suggest_{kind}")(
            name,
            int(least) if kind == "int" else least,
            int(most) if kind == "int" else most,
            log=log,
        )
        for name, (kind, least, most, log) in SPACE.items()
    }
