"""Gradient-boosted trees by LightGBM, carried away as its text model."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature
from training.estimators.classifier import LeadClassifier, Progress, TrainingRows, ignore_progress
from training.models.tree_growth import import_lightgbm
from training.models.trees import TreeModel

ALWAYS: Mapping[str, Any] = MappingProxyType(
    {
        "objective": "binary",
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
)
"""Settings that nobody chooses. No class is weighed up."""

MAX_ROUNDS, USUAL_ROUNDS = 600, 60
PATIENCE = 40

SEARCH_SHARE = 0.6
"""Of the time of fitting trees, what the search for the number of rounds takes, about."""


class Booster(Protocol):
    """Grows trees, here or elsewhere."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is set beside the settings of the estimator."""

    def find_rounds(
        self,
        learned_from: TrainingRows,
        settings: dict[str, Any],
        tuning: NDArray[np.bool_],
        progress: Progress,
    ) -> int:
        """Find how many trees predict the tuning rows best when fitted on the others."""

    def boost(
        self,
        learned_from: TrainingRows,
        settings: dict[str, Any],
        rounds: int,
        progress: Progress,
    ) -> str:
        """Grow so many trees on all rows; give LightGBM's text of them."""


class LocalBooster:
    """Grows trees in this process."""

    settings: Mapping[str, Any] = MappingProxyType({"num_threads": 2})

    def find_rounds(
        self,
        learned_from: TrainingRows,
        settings: dict[str, Any],
        tuning: NDArray[np.bool_],
        progress: Progress,
    ) -> int:
        """Stop when the tuning rows are predicted no better."""
        return search_rounds(learned_from, settings, tuning, progress)[0]

    def boost(
        self,
        learned_from: TrainingRows,
        settings: dict[str, Any],
        rounds: int,
        progress: Progress,
    ) -> str:
        """Grow so many trees on all rows; give LightGBM's text of them."""
        laid_out = _lay_out(learned_from, settings)
        callbacks = [_report(progress, rounds)]
        trees = import_lightgbm().train(settings, laid_out, rounds, callbacks=callbacks)
        return str(trees.model_to_string())


LOCAL_BOOSTER = LocalBooster()


def search_rounds(
    learned_from: TrainingRows,
    settings: Mapping[str, Any],
    tuning: NDArray[np.bool_],
    progress: Progress = ignore_progress,
) -> tuple[int, float]:
    """Grow trees on the other rows until the tuning rows are predicted no better.

    Returns
    -------
    rounds : int
        From 1.
    loss : float
        Weighted log loss of the tuning rows after so many trees.
    """
    lgb = import_lightgbm()
    search = lgb.train(
        dict(settings),
        _lay_out(learned_from.take(~tuning), settings),
        MAX_ROUNDS,
        valid_sets=[_lay_out(learned_from.take(tuning), settings)],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False), _report(progress, MAX_ROUNDS)],
    )
    return max(int(search.best_iteration), 1), float(
        search.best_score["valid_0"]["binary_logloss"]
    )


def list_directions(features: Sequence[Feature]) -> list[int]:
    """List what trees must hold to, per feature: more means a higher chance (1), a lower (-1).

    Only where the field agrees on it, as the catalogue says; a category has no direction.
    """
    return [0 if f.categories else f.direction for f in features]


def _lay_out(learned_from: TrainingRows, settings: Mapping[str, Any]) -> Any:
    return import_lightgbm().Dataset(
        learned_from.rows,
        learned_from.converted,
        weight=learned_from.weights,
        feature_name=[f.name for f in learned_from.features],
        categorical_feature=[f.name for f in learned_from.features if f.categories],
        params={"max_bin": settings["max_bin"], "verbose": -1},
        free_raw_data=True,
    )


def _report(progress: Progress, rounds: int) -> Callable[[Any], None]:
    return lambda env: progress((env.iteration + 1) / rounds)


class BoostedTreesClassifier(LeadClassifier):
    """LightGBM; the tuning rows say when to stop, then all rows are learned from.

    Its parameters have LightGBM's names. Small trees and strong shrinkage are usual: lead data are
    few and noisy.

    Parameters
    ----------
    features : sequence of Feature, optional
        One per column; without them every column is a number. Their directions are held to.
    rounds : int, optional
        How many trees. None: as many as predict the tuning rows best, or `USUAL_ROUNDS` where
        there are none.
    random_state : int
    booster : Booster, optional
        Who grows the trees; None: this process.

    Attributes
    ----------
    rounds_ : int
    """

    model_: TreeModel

    def __init__(
        self,
        features: Sequence[Feature] | None = None,
        *,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        min_data_in_leaf: int = 60,
        feature_fraction: float = 0.5,
        bagging_fraction: float = 0.8,
        bagging_freq: int = 1,
        lambda_l2: float = 5.0,
        cat_smooth: float = 20.0,
        max_bin: int = 127,
        rounds: int | None = None,
        random_state: int = 7,
        booster: Booster | None = None,
    ) -> None:
        self.features = features
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_data_in_leaf = min_data_in_leaf
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.bagging_freq = bagging_freq
        self.lambda_l2 = lambda_l2
        self.cat_smooth = cat_smooth
        self.max_bin = max_bin
        self.rounds = rounds
        self.random_state = random_state
        self.booster = booster

    def build_settings(self, features: Sequence[Feature]) -> dict[str, Any]:
        """Put together what LightGBM is given, for these columns."""
        chosen = self.get_params(deep=False)
        booster = chosen.pop("booster") or LOCAL_BOOSTER
        del chosen["features"], chosen["rounds"]
        return {
            **ALWAYS,
            "seed": chosen.pop("random_state"),
            **chosen,
            "monotone_constraints": list_directions(features),
            **booster.settings,
        }

    def _learn(
        self, learned_from: TrainingRows, tuning: NDArray[np.bool_] | None, progress: Progress
    ) -> TreeModel:
        booster = self.booster or LOCAL_BOOSTER
        settings = self.build_settings(learned_from.features)
        self.rounds_ = USUAL_ROUNDS if self.rounds is None else self.rounds
        begun = 0.0
        if self.rounds is None and tuning is not None:
            begun = SEARCH_SHARE
            self.rounds_ = booster.find_rounds(
                learned_from, settings, tuning, lambda share: progress(begun * share)
            )
        text = booster.boost(
            learned_from,
            settings,
            self.rounds_,
            lambda share: progress(begun + (1.0 - begun) * share),
        )
        progress(1.0)
        return TreeModel(text)

    def get_found_params(self) -> dict[str, Any]:
        """Give the number of trees that was found; again they are grown in this process."""
        return {"rounds": self.rounds_, "booster": None}
