"""Models that compete for a bundle. Each is fitted here and carried away as plain numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from training.errors import MissingOpenMPError
from training.models.linear import LinearModel, Term, standardise, transform
from training.models.trees import TreeModel

FEWEST_TO_TUNE = 5
"""Conversions, and others, that both parts need before one may tune the other."""

Progress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""


class Model(Protocol):
    """What a bundle needs of a model: a bias and reasons that add up to the margin."""

    @property
    def bias(self) -> float:
        """Expected margin."""

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute what each feature adds to the margin."""


@dataclass(frozen=True)
class FitData:
    """The fit slice, oldest first; its newest quarter of leads tunes what must be tuned."""

    catalog: Catalog
    rows: NDArray[np.float32]
    converted: NDArray[np.int8]
    created_at: NDArray[np.int64]
    lead_index: NDArray[np.int64]
    seed: int

    def tuning_mask(self) -> NDArray[np.bool_] | None:
        """Mark the rows of the newest quarter of the leads; None if either part says too little.

        Leads are ranked, not cut at a moment: a list imported in one go shares one creation.
        """
        leads, first = np.unique(self.lead_index, return_index=True)
        order = np.lexsort((leads, self.created_at[first]))
        newest = leads[order[int(0.75 * len(leads)) :]]
        mask = np.isin(self.lead_index, newest)
        for part in (mask, ~mask):
            positive = int(self.converted[part].sum())
            if min(positive, int(part.sum()) - positive) < FEWEST_TO_TUNE:
                return None
        return mask


def margins(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute uncalibrated log-odds, in pieces so that reasons of all rows never coexist."""
    pieces = [
        model.bias + model.contributions(rows[start : start + 8192]).sum(axis=1)
        for start in range(0, len(rows), 8192)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0)


# Logistic regression


@dataclass(frozen=True)
class _Column:
    """How one feature enters the design matrix."""

    position: int
    n_codes: int
    center: float
    scale: float
    has_missing: bool

    @property
    def width(self) -> int:
        return (self.n_codes or 1) + self.has_missing

    def blocks(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        known = ~np.isnan(values)
        if self.n_codes:
            block = (values[:, None] == np.arange(self.n_codes)).astype(np.float64)
        else:
            block = np.where(known, standardise(values, self.center, self.scale), 0.0)[:, None]
        if self.has_missing:
            block = np.hstack([block, (~known)[:, None].astype(np.float64)])
        return np.asarray(block, np.float64)


def _columns(train: FitData) -> list[_Column]:
    columns = []
    for position, feature in enumerate(train.catalog.features):
        values = train.rows[:, position].astype(np.float64)
        known = ~np.isnan(values)
        missing_share = 1.0 - known.mean()
        has_missing = bool(0.001 < missing_share < 0.999)
        n_codes = len(feature.categories)
        squeezed = transform(values[known])
        scale = float(squeezed.std()) if known.any() else 0.0
        if not n_codes and scale < 1e-9:
            if not has_missing:
                continue  # a constant column says nothing
            scale = 1.0
        center = float(squeezed.mean()) if known.any() else 0.0
        columns.append(_Column(position, n_codes, center, scale, has_missing))
    return columns


def _design(columns: list[_Column], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.hstack([c.blocks(rows[:, c.position].astype(np.float64)) for c in columns])


def _terms(
    columns: list[_Column], weights: NDArray[np.float64], rows: NDArray[np.float32]
) -> dict[int, Term]:
    terms: dict[int, Term] = {}
    at = 0
    for column in columns:
        own = weights[at : at + column.width]
        at += column.width
        missing = float(own[-1]) if column.has_missing else 0.0
        codes = tuple(float(w) for w in own[: column.n_codes])
        weight = 0.0 if codes else float(own[0])
        terms[column.position] = Term(column.center, column.scale, weight, missing, codes, 0.0)
    bare = LinearModel(0.0, rows.shape[1], terms)
    means = bare.contributions(rows).mean(axis=0)
    return {at: replace(term, mean=float(means[at])) for at, term in terms.items()}


USUAL_PENALTY = 0.03
PENALTIES = (0.003, 0.03, 0.3, 1.0)
"""Inverse strengths of the ridge penalty that are tried."""

LOGISTIC_ROWS = 60_000
"""More rows than this do not change some two hundred weights; the newest ones are kept."""


def _fit_weights(design: NDArray[np.float64], y: NDArray[np.int8], penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    # Many more rows than weights: the exact Newton step beats thousands of gradient steps.
    solver = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=100, tol=1e-6)
    return solver.fit(design, y)


def _log_loss(y: NDArray[np.int8], margin: NDArray[np.float64]) -> float:
    return float(np.mean(np.logaddexp(0.0, margin) - y * margin))


def _choose_penalty(
    design: NDArray[np.float64], y: NDArray[np.int8], tuning: NDArray[np.bool_], progress: Progress
) -> float:
    losses = {}
    for done, penalty in enumerate(PENALTIES):
        tried = _fit_weights(design[~tuning], y[~tuning], penalty)
        losses[penalty] = _log_loss(y[tuning], tried.decision_function(design[tuning]))
        progress((done + 1) / (len(PENALTIES) + 1))
    return min(losses, key=lambda penalty: losses[penalty])


def fit_logistic(train: FitData, progress: Progress) -> tuple[LinearModel, dict[str, Any]]:
    """Fit a ridge logistic regression; the newest quarter of the leads chooses the penalty."""
    order = np.argsort(train.created_at, kind="stable")[-LOGISTIC_ROWS:]
    rows, y = train.rows[order], train.converted[order]
    columns = _columns(train)
    design = _design(columns, rows)
    tuning = train.tuning_mask()
    best = USUAL_PENALTY
    if tuning is not None:
        best = _choose_penalty(design, y, tuning[order], progress)
    fitted = _fit_weights(design, y, best)
    terms = _terms(columns, fitted.coef_[0], rows)
    bias = float(fitted.intercept_[0]) + sum(term.mean for term in terms.values())
    progress(1.0)
    return LinearModel(bias, rows.shape[1], terms), {"penalty_C": best, "rows": len(rows)}


# LightGBM

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
"""Small trees, strong shrinkage: lead data are small and noisy."""

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
        """Find how many trees foretell the tuning rows best when fitted on the others."""

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
        """Stop when the tuning rows are foretold no better."""
        lgb = import_lightgbm()
        search = lgb.train(
            settings,
            _lgb_dataset(train, ~tuning),
            MAX_ROUNDS,
            valid_sets=[_lgb_dataset(train, tuning)],
            callbacks=[lgb.early_stopping(PATIENCE, verbose=False), _tell(progress, MAX_ROUNDS)],
        )
        return max(int(search.best_iteration), 1)

    def boost(
        self, train: FitData, settings: dict[str, Any], rounds: int, progress: Progress
    ) -> str:
        """Grow so many trees on all rows; give LightGBM's text of them."""
        every = _lgb_dataset(train, np.ones(len(train.converted), np.bool_))
        callbacks = [_tell(progress, rounds)]
        trees = import_lightgbm().train(settings, every, rounds, callbacks=callbacks)
        return str(trees.model_to_string())


def _lgb_dataset(train: FitData, mask: NDArray[np.bool_]) -> Any:
    return import_lightgbm().Dataset(
        train.rows[mask],
        train.converted[mask],
        feature_name=list(train.catalog.names),
        categorical_feature=[f.name for f in train.catalog.features if f.categories],
        params={"max_bin": BOOSTING["max_bin"], "verbose": -1},
        free_raw_data=True,
    )


def _tell(progress: Progress, rounds: int) -> Callable[[Any], None]:
    return lambda env: progress((env.iteration + 1) / rounds)


LOCAL_BOOSTER = LocalBooster()


def fit_boosting(
    train: FitData, progress: Progress, booster: Booster = LOCAL_BOOSTER
) -> tuple[TreeModel, dict[str, Any]]:
    """Fit LightGBM; the newest quarter of the leads says when to stop, then all leads are used."""
    settings = {**BOOSTING, "seed": train.seed, **booster.settings}
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


TREES = "LightGBM"

Fitter = Callable[[FitData, Progress], tuple[Any, dict[str, Any]]]

FITTERS: dict[str, Fitter] = {
    "logistic regression": fit_logistic,
    TREES: fit_boosting,
}
