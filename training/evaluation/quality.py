"""All measures of one model on one slice of later leads, taken in one call."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.evaluation.bins import BandRow, Bin, find_bins, measure_bands
from training.evaluation.calibration import (
    CalibrationError,
    CalibrationLine,
    Losses,
    compute_log_loss,
    measure_ece,
    measure_line,
    measure_losses,
)
from training.evaluation.ranking import (
    Auc,
    GainsPoint,
    find_gains,
    measure_auc,
    measure_average_precision,
    measure_lift,
)
from training.evaluation.resampling import (
    RESAMPLES,
    Interval,
    check_labels,
    check_probabilities,
    number_leads,
)
from training.evaluation.segments import SegmentColumn, SegmentRow, measure_segments

LIFT_SHARE = 0.10


SURE = 3.0
"""Standard errors by which AUC must exceed one half, on the logit scale."""


@dataclass(frozen=True)
class EvaluationInputs:
    """One slice of leads, what the model promised them, and what came."""

    y: ArrayLike
    """Shape (n,): 1 where the event came within the horizon, else 0. Matured rows only."""
    p: ArrayLike
    """Shape (n,): calibrated chances in [0, 1]."""
    lead_index: ArrayLike
    """Shape (n,): which lead each row shows; rows of one lead are not independent."""
    base_rate_train: float
    """Share of positives in the training slice, in [0, 1]."""
    band: ArrayLike
    """Shape (n,): position of each row's band in ``band_names``."""
    band_names: Sequence[str]
    """Best band first."""
    band_points_from: Sequence[float]
    """Lower edge of each band in points; ``-inf`` for the last."""
    segments: Sequence[SegmentColumn] = ()
    """Fields to slice by."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured. Chances and rates are in [0, 1]; NaN where nothing can be said."""

    rows: int
    leads: int
    positives: int
    base_rate: float
    base_rate_train: float
    auc: Auc
    average_precision: float
    """Area under the precision-recall curve; ``base_rate`` is what chance gets."""
    losses: Losses
    calibration_error: CalibrationError
    line: CalibrationLine
    lift_at_10: float
    """Conversion rate of the best 10 % over the base rate."""
    bins: tuple[Bin, ...]
    gains: tuple[GainsPoint, ...]
    bands: tuple[BandRow, ...]
    segments: tuple[SegmentRow, ...]

    @property
    def has_signal(self) -> bool:
        """Whether AUC lies three standard errors above one half. False where it is unknown.

        A 95 % interval would let one in forty models of pure noise pass, and models are trained
        again and again.
        """
        return self.auc.spreads > SURE


@dataclass(frozen=True, slots=True)
class CandidateFigures:
    """One model that competed on the newest slice."""

    name: str
    log_loss: float
    auc: float
    auc_interval: Interval
    average_precision: float
    brier: float


def measure_quality(
    inputs: EvaluationInputs, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Quality:
    """Measure ranking, calibration, bands and segments on one slice.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the bootstrap of the calibration error; nothing else is drawn.

    Raises
    ------
    EvaluationError
        If the slice is empty, lengths differ, or labels and chances are out of range. A slice
        with one outcome only is measured, with NaN where a measure needs both.
    """
    y = check_labels(inputs.y, "measure")
    p = check_probabilities(inputs.p, len(y))
    leads, n_leads = number_leads(inputs.lead_index, len(y))
    return Quality(
        rows=len(y),
        leads=n_leads,
        positives=int(y.sum()),
        base_rate=float(y.mean()),
        base_rate_train=float(inputs.base_rate_train),
        auc=measure_auc(y, p, leads),
        average_precision=measure_average_precision(y, p),
        losses=measure_losses(y, p, inputs.base_rate_train),
        calibration_error=measure_ece(y, p, leads, rng=rng, resamples=resamples),
        line=measure_line(y, p, leads),
        lift_at_10=measure_lift(y, p, LIFT_SHARE),
        bins=find_bins(y, p, leads),
        gains=find_gains(y, p),
        bands=measure_bands(y, p, inputs.band, inputs.band_names, inputs.band_points_from, leads),
        segments=tuple(
            row for column in inputs.segments for row in measure_segments(y, p, column, leads)
        ),
    )


def measure_candidate(
    name: str, y: ArrayLike, p: ArrayLike, lead_index: ArrayLike | None = None
) -> CandidateFigures:
    """Measure one competitor for the candidates table of the card."""
    labels = check_labels(y, "compare models on")
    chances = check_probabilities(p, len(labels))
    auc = measure_auc(labels, chances, lead_index)
    return CandidateFigures(
        name=name,
        log_loss=compute_log_loss(labels, chances),
        auc=auc.value,
        auc_interval=auc.interval,
        average_precision=measure_average_precision(labels, chances),
        brier=float(((chances - labels) ** 2).mean()),
    )
