"""Candidates fitted on the fit slice, calibrated on the later one, and the one that is chosen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.engine import IN_PROCESS, Engine
from training.evaluation.calibration import AffineFit, compute_log_loss, fit_affine
from training.models.fit_data import FitData, margins
from training.models.recipes import TREES

Progress = Callable[[str, float], None]
"""Called with the station's name and the share of it that is done."""


@dataclass(frozen=True)
class Fitted:
    """A candidate, calibrated."""

    name: str
    model: Any
    settings: dict[str, Any]
    calibration: AffineFit
    margins: NDArray[np.float64]
    """Uncalibrated, of every row of the data set."""

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated chances of every row."""
        logits = self.calibration.slope * self.margins + self.calibration.intercept
        return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float64)


def _fit_data(dataset: Dataset, seed: int) -> FitData:
    fit = dataset.split.fit
    return FitData(
        dataset.catalog,
        dataset.rows[fit],
        dataset.converted[fit],
        dataset.created_at[fit],
        dataset.snapshots.lead_index[fit],
        seed,
    )


def _log_loss_later(dataset: Dataset, seed: int, progress: Progress, engine: Engine) -> float:
    """Fit trees and measure them, calibrated, on the slice that calibrates."""
    model, _ = engine.fitters[TREES](
        _fit_data(dataset, seed), lambda share: progress("judging the account family", share)
    )
    later = dataset.split.calibrate
    y, every = dataset.converted[later], margins(model, dataset.rows[later])
    line = fit_affine(every, y)
    chances = 1.0 / (1.0 + np.exp(-(line.slope * every + line.intercept)))
    return compute_log_loss(y.astype(np.float64), chances)


def keep_accounts_if_they_help(
    dataset: Dataset, seed: int, progress: Progress, engine: Engine = IN_PROCESS
) -> Dataset:
    """Leave out the account family unless it lowers the log loss on later data; say so.

    What colleagues do tells much in some markets and nothing in others, and a model that asks for
    it makes every caller send it.
    """
    keep = np.array([f.family != "account" for f in dataset.catalog.features])
    if keep.all():
        return dataset
    features = tuple(f for f in dataset.catalog.features if f.family != "account")
    without = replace(
        dataset,
        catalog=replace(dataset.catalog, features=features),
        rows=np.ascontiguousarray(dataset.rows[:, keep]),
    )
    loss = _log_loss_later(dataset, seed, progress, engine)
    loss_without = _log_loss_later(without, seed, progress, engine)
    helps = loss < loss_without
    said = (
        f"Features of the account were {'kept' if helps else 'left out'}: on the calibration slice "
        f"trees have a log loss of {loss:.4f} with them and {loss_without:.4f} without."
    )
    return replace(dataset if helps else without, remarks=(*dataset.remarks, said))


def fit_candidates(
    dataset: Dataset, seed: int, progress: Progress, engine: Engine = IN_PROCESS
) -> tuple[Fitted, ...]:
    """Fit every candidate on the fit slice and calibrate it on the later one."""
    later, train = dataset.split.calibrate, _fit_data(dataset, seed)
    fitted = []
    for name, fitter in engine.fitters.items():

        def tell(share: float, name: str = name) -> None:
            progress(f"fitting {name}", share)

        model, settings = fitter(train, tell)
        every = margins(model, dataset.rows)
        calibration = fit_affine(every[later], dataset.converted[later])
        fitted.append(Fitted(name, model, settings, calibration, every))
    return tuple(fitted)


def choose(dataset: Dataset, fitted: tuple[Fitted, ...]) -> Fitted:
    """Choose the candidate with the lowest log loss on the newest slice."""
    newest = dataset.split.newest
    y = dataset.converted[newest].astype(np.float64)
    return min(fitted, key=lambda f: compute_log_loss(y, f.probabilities[newest]))
