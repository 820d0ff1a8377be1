"""What a run says of the model it made: measures, bands, card, pictures."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.clock import DAY_US, from_us
from training.bundle import AVERAGE_POINTS, Band, Bundle, Contract, Scale
from training.card.business_fields import find_fields
from training.card.explanations import ModelExplanation, explain_model, write_explanation_plots
from training.card.plots import write_card_plots, write_reasons_plot, write_score_plot
from training.card.report import (
    CardContract,
    CardFacts,
    DataFacts,
    EvaluationInputs,
    Quality,
    SliceFacts,
    WithheldField,
    measure_candidate,
    measure_quality,
)
from training.card.stability import Stability, measure_stability
from training.dataset.moments import Dataset
from training.evaluation.segments import SegmentColumn
from training.models.odds import POINTS_PER_LOGIT
from training.reference_profile import ReferenceProfile, sample_evenly
from training.selection.competition import Competition, FittedCandidate, Progress, fit_data

BAND_EDGES: tuple[tuple[str, float], ...] = (
    ("A", 65.0),
    ("B", 55.0),
    ("C", 45.0),
    ("D", -np.inf),
)
"""Default edges in points: A has at least 2.8 times the typical lead's odds, D at most 0.7."""

SEGMENTS_SHOWN = 4


def _band_positions(points: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = np.array([edge for _, edge in BAND_EDGES])
    return np.asarray((points[:, None] < edges[None, :]).sum(axis=1), np.int64)


def list_segments(dataset: Dataset) -> tuple[SegmentColumn, ...]:
    """List the fields the newest slice is sliced by: attributes with few values."""
    newest = dataset.split.newest
    columns = [
        SegmentColumn(f.field_words, dataset.rows[newest, i], f.categories)
        for i, f in enumerate(dataset.catalog.features)
        if f.op is Op.ATTRIBUTE and 2 <= len(f.categories) <= 30
    ]
    return tuple(columns[:SEGMENTS_SHOWN])


def evaluate(dataset: Dataset, chosen: FittedCandidate, scale: Scale, seed: int) -> Quality:
    """Measure the chosen model on the newest slice."""
    fit, newest = dataset.split.fit, dataset.split.newest
    points = points_of(scale, chosen.margins[newest])
    return measure_quality(
        EvaluationInputs(
            y=dataset.converted[newest],
            p=chosen.probabilities[newest],
            lead_index=dataset.lead_of[newest],
            base_rate_train=float(dataset.converted[fit].mean()),
            band=_band_positions(points),
            band_names=[name for name, _ in BAND_EDGES],
            band_points_from=[edge for _, edge in BAND_EDGES],
            segments=list_segments(dataset),
        ),
        rng=np.random.default_rng(seed),
    )


def points_of(scale: Scale, margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn uncalibrated margins into points, before the cut to 0-100."""
    return np.asarray(
        AVERAGE_POINTS + scale.scores((margin - scale.bias)[:, None]).reasons[:, 0], np.float64
    )


def measured_bands(quality: Quality) -> tuple[Band, ...]:
    """Put what was measured in each band beside its edge."""
    measured = {row.name: row for row in quality.bands}
    bands = []
    for name, edge in BAND_EDGES:
        row = measured.get(name)
        if row is None or not row.rows:
            bands.append(Band(name, edge, 0, None, None, None))
        else:
            measures = (row.predicted, row.observed, row.calibration_error)
            bands.append(Band(name, edge, row.rows, *measures))
    return tuple(bands)


def _slice(dataset: Dataset, name: str) -> SliceFacts:
    mask = getattr(dataset.split, name)
    as_of = dataset.moments.snapshots.as_of[mask]
    return SliceFacts(
        name,
        int(mask.sum()),
        len(np.unique(dataset.lead_of[mask])),
        int(dataset.converted[mask].sum()),
        from_us(int(as_of.min())),
        from_us(int(as_of.max())),
    )


def gather_facts(
    dataset: Dataset, contract: Contract, competition: Competition, data_fingerprint: str
) -> CardFacts:
    """Gather all that the card tells beside measures and leak audit."""
    newest, moments = dataset.split.newest, dataset.moments
    leads, y = dataset.lead_of[newest], dataset.converted[newest]
    about, chosen = moments.history.about, competition.chosen
    return CardFacts(
        contract=CardContract(contract.event, contract.horizon_days, f"P({contract.text})"),
        data=DataFacts(
            source=about.source,
            rows=len(moments),
            leads=len(np.unique(dataset.lead_of)),
            slices=[_slice(dataset, name) for name in ("fit", "calibrate", "newest")],
            split_rule=f"{dataset.split.order_words} Each lead is looked at {moments.grid.words}.",
            purge=dataset.split.purge_words,
            withheld=[WithheldField(n, why) for n, why in about.withheld.items()],
            fingerprint=data_fingerprint,
        ),
        candidates=[
            measure_candidate(f.name, y, f.probabilities[newest], leads)
            for f in competition.fitted
        ],
        chosen=chosen.name,
        because=f"{competition.because} The newest slice took no part in the choice.",
        folds=competition.folds,
        calibration=chosen.calibration,
        limits=list_limits(dataset, competition),
        pictures=("reliability.png", "gains.png", "scores.png", "reasons.png"),
    )


def list_limits(dataset: Dataset, competition: Competition) -> list[str]:
    """List what the model is not for, and how its data came about."""
    left_out = sorted(dataset.moments.left_out.items())
    delay = f"{dataset.moments.delay_us / DAY_US:.1f} days"
    return [
        *(f"{n:,} moments not used: {why}." for why, n in left_out),
        *dataset.warnings,
        competition.tuned.words,
        "The k-th snapshot of a lead has weight 1/k in fitting, so that leads with many snapshots do "
        "not dominate; every figure counts each moment once.",
        f"Outcomes became known within {delay} of happening, but for one in a hundred; labels "
        "wait that long beyond the horizon.",
    ]


@dataclass(frozen=True)
class ModelReasons:
    """What a model relies on, and how firmly it does."""

    explanation: ModelExplanation
    stability: Stability


def explain(
    dataset: Dataset,
    competition: Competition,
    scale: Scale,
    profile: ReferenceProfile,
    seed: int,
    progress: Progress,
) -> ModelReasons:
    """Explain the chosen model as a whole, and refit it on drawn leads to see what stays."""
    chosen, station = competition.chosen, "explaining the model"
    progress(station, 0.0)
    explanation = explain_model(dataset.catalog, chosen.model, scale, profile.matrix)
    stability = measure_stability(
        chosen.model,
        chosen.learned.refit,
        fit_data(dataset, dataset.split.fit, seed),
        profile.matrix,
        explanation.fields,
        rng=np.random.default_rng(seed),
        points_per_margin=POINTS_PER_LOGIT * scale.slope,
        progress=partial(progress, station),
    )
    return ModelReasons(explanation, stability)


def write_pictures(folder: Path, bundle: Bundle, quality: Quality) -> None:
    """Write the pictures of the card beside it."""
    write_card_plots(folder, quality, f"P({bundle.contract.text})")
    profile = bundle.profile
    edges = [edge for _, edge in BAND_EDGES]
    write_score_plot(
        folder / "scores.png", profile.points, [name for name, _ in BAND_EDGES], edges
    )
    fields = find_fields(bundle.catalog)
    reasons = fields.fold(bundle.score(profile.matrix).reasons)
    write_reasons_plot(folder / "reasons.png", fields.words, reasons)


def write_model_reasons(folder: Path, model_reasons: ModelReasons) -> tuple[str, ...]:
    """Write the pictures of what the model relies on; return their names."""
    return write_explanation_plots(folder, model_reasons.explanation, model_reasons.stability)


def sample_profile(dataset: Dataset, chosen: FittedCandidate, scale: Scale) -> ReferenceProfile:
    """Sample what inputs and scores looked like, for drift."""
    # Only rows the model was not fitted on: on those it was fitted on its scores flatter.
    later = np.flatnonzero(dataset.split.calibrate | dataset.split.newest)
    later = later[np.argsort(dataset.moments.snapshots.as_of[later], kind="stable")]
    sample = later[sample_evenly(len(later))]
    return ReferenceProfile(
        dataset.rows[sample],
        chosen.probabilities[sample],
        points_of(scale, chosen.margins[sample]),
    )
