"""Candidates fitted on the fit slice, calibrated on the later one, and the one that is chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.evaluation.calibration import AffineFit, compute_log_loss, fit_affine
from training.models.candidates import FITTERS, FitData, margins

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


def fit_candidates(dataset: Dataset, seed: int, progress: Progress) -> tuple[Fitted, ...]:
    """Fit every candidate on the fit slice and calibrate it on the later one."""
    fit, later = dataset.split.fit, dataset.split.calibrate
    train = FitData(
        dataset.catalog,
        dataset.rows[fit],
        dataset.converted[fit],
        dataset.created_at[fit],
        dataset.snapshots.lead_index[fit],
        seed,
    )
    fitted = []
    for name, fitter in FITTERS.items():

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
