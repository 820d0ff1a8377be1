"""Gradient-boosted trees by LightGBM, carried away as its text model."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.errors import MissingOpenMPError
from training.models.fit_data import FitData, Progress
from training.models.trees import TreeModel

BOOSTING: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "cat_smooth": 20.0,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
"""Small trees, strong shrinkage: lead data are small and noisy. No class is weighed up."""

MAX_ROUNDS, USUAL_ROUNDS = 600, 60
PATIENCE = 40


SEARCH_SHARE = 0.6
"""Of the time of fitting trees, what the search for the number of rounds takes, about."""


def import_lightgbm() -> Any:
    """Import LightGBM.

    Raises
    ------
    MissingOpenMPError
        If this machine lacks its OpenMP runtime.
    """
    try:
        import lightgbm
    except OSError as problem:
        raise MissingOpenMPError(str(problem)) from problem
    return lightgbm


def draw_rows(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Choose some of too many rows at random, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def regress(
    laid_out: Any,
    y: NDArray[np.float64],
    chosen: NDArray[np.int64],
    settings: dict[str, Any],
    rounds: int,
    *,
    seed: int = 7,
) -> Any:
    """Grow trees on some of the rows that are laid out already."""
    part = laid_out.subset(chosen).construct()  # labels given before that are lost
    part.set_label(y[chosen])
    return import_lightgbm().train({**settings, "seed": seed}, part, rounds)


class Booster(Protocol):
    """Grows trees, here or elsewhere."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is set beside ``BOOSTING``."""

    def find_rounds(
        self,
        train: FitData,
        settings: dict[str, Any],
        tuning: NDArray[np.bool_],
        progress: Progress,
    ) -> int:
        """Find how many trees predict the tuning rows best when fitted on the others."""

    def boost(
        self, train: FitData, settings: dict[str, Any], rounds: int, progress: Progress
    ) -> str:
        """Grow so many trees on all rows; give LightGBM's text of them."""


class LocalBooster:
    """Grows trees in this process."""

    settings: Mapping[str, Any] = MappingProxyType({"num_threads": 2})

    def find_rounds(
        self,
        train: FitData,
        settings: dict[str, Any],
        tuning: NDArray[np.bool_],
        progress: Progress,
    ) -> int:
        """Stop when the tuning rows are predicted no better."""
        return search_rounds(train, settings, tuning, progress)[0]

    def boost(
        self, train: FitData, settings: dict[str, Any], rounds: int, progress: Progress
    ) -> str:
        """Grow so many trees on all rows; give LightGBM's text of them."""
        every = _lgb_dataset(train, np.ones(len(train.converted), np.bool_))
        callbacks = [_progress_of(progress, rounds)]
        trees = import_lightgbm().train(settings, every, rounds, callbacks=callbacks)
        return str(trees.model_to_string())


def search_rounds(
    train: FitData,
    settings: Mapping[str, Any],
    tuning: NDArray[np.bool_],
    progress: Progress = lambda _: None,
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
        _lgb_dataset(train, ~tuning),
        MAX_ROUNDS,
        valid_sets=[_lgb_dataset(train, tuning)],
        callbacks=[
            lgb.early_stopping(PATIENCE, verbose=False),
            _progress_of(progress, MAX_ROUNDS),
        ],
    )
    return max(int(search.best_iteration), 1), float(
        search.best_score["valid_0"]["binary_logloss"]
    )


def list_directions(catalog: Catalog, *, hoped_for: bool = True) -> list[int]:
    """List what LightGBM must hold to, per feature: more means a higher chance (1), a lower (-1).

    Only where the field agrees on it, as the catalogue says; a category has no direction. Nobody
    agrees on what makes a lead come back, so for such an outcome nothing is held to.
    """
    return [f.direction if hoped_for and not f.categories else 0 for f in catalog.features]


def _lgb_dataset(train: FitData, mask: NDArray[np.bool_]) -> Any:
    return import_lightgbm().Dataset(
        train.rows[mask],
        train.converted[mask],
        weight=train.weights[mask],
        feature_name=list(train.catalog.names),
        categorical_feature=[f.name for f in train.catalog.features if f.categories],
        params={"max_bin": BOOSTING["max_bin"], "verbose": -1},
        free_raw_data=True,
    )


def _progress_of(progress: Progress, rounds: int) -> Callable[[Any], None]:
    return lambda env: progress((env.iteration + 1) / rounds)


LOCAL_BOOSTER = LocalBooster()


def fit_boosting(
    train: FitData,
    progress: Progress,
    booster: Booster = LOCAL_BOOSTER,
    tuned: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[TreeModel, dict[str, Any]]:
    """Fit LightGBM; the newest quarter of the leads says when to stop, then all leads are used.

    ``tuned`` are settings that differ from ``BOOSTING``, as `tuning.tune` finds them.
    """
    settings = choose_settings(train, tuned, booster)
    tuning = train.tuning_mask()
    rounds = USUAL_ROUNDS
    if tuning is not None:
        rounds = booster.find_rounds(
            train, settings, tuning, lambda share: progress(SEARCH_SHARE * share)
        )
    text = booster.boost(
        train,
        settings,
        rounds,
        lambda share: progress(SEARCH_SHARE + (1.0 - SEARCH_SHARE) * share),
    )
    progress(1.0)
    return TreeModel(text), {**settings, "rounds": rounds}


def choose_settings(
    train: FitData, tuned: Mapping[str, Any], booster: Booster = LOCAL_BOOSTER
) -> dict[str, Any]:
    """Put together what LightGBM is told: the usual, what was tuned, the directions, the seed."""
    return {
        **BOOSTING,
        **tuned,
        "monotone_constraints": list_directions(train.catalog, hoped_for=train.hoped_for),
        "seed": train.seed,
        **booster.settings,
    }
