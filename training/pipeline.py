"""One run, from snapshots to a registered bundle."""

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.clock import DAY_US, from_us
from features.contracts.history import History
from training.bundle import (
    AVERAGE_POINTS,
    Band,
    Bundle,
    Contract,
    Scale,
    load_bundle,
    seal_bundle,
    write_bundle,
)
from training.competition import (
    Fitted,
    Progress,
    choose,
    fit_candidates,
    keep_accounts_if_they_help,
)
from training.dataset import Dataset, build_dataset
from training.engine import IN_PROCESS, Engine
from training.evaluation.plots import write_card_plots, write_reasons_plot, write_score_plot
from training.evaluation.report import (
    Candidate,
    CardContract,
    CardFacts,
    DataFacts,
    EvaluationInputs,
    Quality,
    SliceFacts,
    WithheldField,
    build_card,
    measure_candidate,
    measure_quality,
    render_card_markdown,
)
from training.evaluation.segments import SegmentColumn
from training.labels.conversion import Grid, Outcome
from training.leakage import LeakAudit, audit, build_audit_columns
from training.reference_profile import ReferenceProfile, build_support, sample_evenly

BAND_EDGES: tuple[tuple[str, float], ...] = (
    ("A", 65.0),
    ("B", 55.0),
    ("C", 45.0),
    ("D", -np.inf),
)
"""Default edges in points: A has at least 2.8 times the typical lead's odds, D at most 0.7."""

SEGMENTS_SHOWN = 4
PACKAGES = ("numpy", "numba", "scikit-learn", "lightgbm", "pyarrow")


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked to do. Together with the history's files it repeats the run exactly."""

    outcome: Outcome
    grid: Grid
    name: str
    seed: int = 7
    drop: frozenset[str] = frozenset()
    allow_leaks: Mapping[str, str] = field(default_factory=dict)
    """Attribute to the reason it may stay although the audit calls it a leak."""


@dataclass(frozen=True)
class Run:
    """What a run made."""

    bundle: Bundle
    quality: Quality
    audit: LeakAudit
    fitted: tuple[Fitted, ...]
    chosen: str
    parameters: dict[str, Any]

    @property
    def refusal(self) -> str | None:
        """Say why this bundle must not be served; None if it may."""
        q = self.quality
        if not q.has_signal:
            return (
                f"no signal: on the newest leads the interval of AUC ({q.auc.interval.low:.2f} to "
                f"{q.auc.interval.high:.2f}) does not lie above one half"
            )
        if q.losses.log_loss >= q.losses.log_loss_of_training_rate:
            return "on the newest leads its log loss is no better than the base rate's"
        return None

    @property
    def metrics(self) -> dict[str, float]:
        """Name the figures of the newest slice for the record."""
        q = self.quality
        return {
            "auc": q.auc.value,
            "auc_low": q.auc.interval.low,
            "auc_high": q.auc.interval.high,
            "average_precision": q.average_precision,
            "log_loss": q.losses.log_loss,
            "log_loss_base_rate": q.losses.log_loss_of_training_rate,
            "brier": q.losses.brier,
            "ece": q.calibration_error.value,
            "calibration_slope": q.line.slope,
            "lift_at_10": q.lift_at_10,
            "base_rate": q.base_rate,
        }


def fingerprint_history(folder: Path) -> str:
    """Hash the files of a history, in order of name."""
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix == ".parquet" or path.name == "history.json"
    }
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def audit_dataset(dataset: Dataset, allow: Mapping[str, str]) -> LeakAudit:
    """Audit the fit slice's features for leaks, with the newest slice beside it."""
    fit, newest = dataset.split.fit, dataset.split.newest
    columns = build_audit_columns(
        dataset.catalog.features,
        dataset.rows[fit],
        undated_fields={attribute.name for attribute in dataset.catalog.attributes},
        later=dataset.rows[newest],
    )
    leads = dataset.snapshots.lead_index[fit]
    return audit(columns, dataset.converted[fit], lead_index=leads, allow=allow)


def _band_positions(points: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = np.array([edge for _, edge in BAND_EDGES])
    return np.asarray((points[:, None] < edges[None, :]).sum(axis=1), np.int64)


def _segments(dataset: Dataset) -> tuple[SegmentColumn, ...]:
    newest = dataset.split.newest
    columns = [
        SegmentColumn(f.field_words, dataset.rows[newest, i], f.categories)
        for i, f in enumerate(dataset.catalog.features)
        if f.op is Op.ATTRIBUTE and 2 <= len(f.categories) <= 30
    ]
    return tuple(columns[:SEGMENTS_SHOWN])


def evaluate(dataset: Dataset, chosen: Fitted, scale: Scale, seed: int) -> Quality:
    """Measure the chosen model on the newest slice."""
    fit, newest = dataset.split.fit, dataset.split.newest
    points = _points(scale, chosen.margins[newest])
    return measure_quality(
        EvaluationInputs(
            y=dataset.converted[newest],
            p=chosen.probabilities[newest],
            lead_index=dataset.snapshots.lead_index[newest],
            base_rate_train=float(dataset.converted[fit].mean()),
            band=_band_positions(points),
            band_names=[name for name, _ in BAND_EDGES],
            band_points_from=[edge for _, edge in BAND_EDGES],
            segments=_segments(dataset),
        ),
        rng=np.random.default_rng(seed),
    )


def _points(scale: Scale, margin: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        AVERAGE_POINTS + scale.scores((margin - scale.bias)[:, None]).reasons[:, 0], np.float64
    )


def _bands(quality: Quality) -> tuple[Band, ...]:
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


def _slice(dataset: Dataset, name: str, said: str) -> SliceFacts:
    mask = getattr(dataset.split, name)
    as_of = dataset.snapshots.as_of[mask]
    return SliceFacts(
        said,
        int(mask.sum()),
        len(np.unique(dataset.snapshots.lead_index[mask])),
        int(dataset.converted[mask].sum()),
        from_us(int(as_of.min())),
        from_us(int(as_of.max())),
    )


def _facts(
    history: History,
    dataset: Dataset,
    contract: Contract,
    fitted: tuple[Fitted, ...],
    chosen: Fitted,
    data_fingerprint: str,
) -> CardFacts:
    newest = dataset.split.newest
    leads = dataset.snapshots.lead_index[newest]
    candidates: list[Candidate] = [
        measure_candidate(f.name, dataset.converted[newest], f.probabilities[newest], leads)
        for f in fitted
    ]
    used = dataset.split.fit | dataset.split.calibrate | newest
    delay = f"{dataset.delay_us / DAY_US:.1f} days"
    notes = [f"{n:,} moments not used: {why}." for why, n in sorted(dataset.left_out.items())]
    return CardFacts(
        contract=CardContract(contract.event, contract.horizon_days, f"P({contract.text})"),
        data=DataFacts(
            source=history.about.source,
            rows=int(used.sum()),
            leads=len(np.unique(dataset.snapshots.lead_index[used])),
            slices=[
                _slice(dataset, "fit", "fit"),
                _slice(dataset, "calibrate", "calibrate"),
                _slice(dataset, "newest", "newest"),
            ],
            split_rule=f"{dataset.split.order_words} Each lead is looked at {dataset.grid.words}.",
            purge=dataset.split.purge_words,
            withheld=[WithheldField(n, why) for n, why in history.about.withheld.items()],
            fingerprint=data_fingerprint,
        ),
        candidates=candidates,
        chosen=chosen.name,
        because="It has the lowest log loss on the newest slice. That slice chose among "
        f"{len(fitted)} models, so its figures flatter the chosen one a little.",
        calibration=chosen.calibration,
        limits=[
            *notes,
            *dataset.remarks,
            f"Outcomes became known within {delay} of happening, but for one in a hundred; labels "
            "wait that long beyond the horizon.",
            "Who was handed to sales, and when, was decided by the old rule: the model learned "
            "what happened under it, not what would happen under another.",
        ],
        pictures=("reliability.png", "gains.png", "scores.png", "reasons.png"),
    )


def _write_pictures(folder: Path, bundle: Bundle, quality: Quality) -> None:
    write_card_plots(folder, quality, f"P({bundle.contract.text})")
    profile = bundle.profile
    edges = [edge for _, edge in BAND_EDGES]
    write_score_plot(
        folder / "scores.png", profile.points, [name for name, _ in BAND_EDGES], edges
    )
    reasons = bundle.score(profile.matrix).reasons
    fields = list(dict.fromkeys(f.field_words for f in bundle.catalog.features))
    owner = np.array([fields.index(f.field_words) for f in bundle.catalog.features])
    by_field = np.zeros((len(reasons), len(fields)))
    for position, column in enumerate(owner):
        by_field[:, column] += reasons[:, position]
    write_reasons_plot(folder / "reasons.png", fields, by_field)


def _provenance(options: RunOptions, data_fingerprint: str, chosen: Fitted) -> dict[str, str]:
    return {
        "data_fingerprint": data_fingerprint,
        "seed": str(options.seed),
        "grid": options.grid.words,
        "dropped": ",".join(sorted(options.drop)),
        "model_settings": json.dumps(chosen.settings, sort_keys=True),
        **{f"package_{name}": importlib.metadata.version(name) for name in PACKAGES},
    }


def _profile(dataset: Dataset, chosen: Fitted, scale: Scale) -> ReferenceProfile:
    # Only rows the model was not fitted on: on those it was fitted on its scores flatter.
    later = np.flatnonzero(dataset.split.calibrate | dataset.split.newest)
    later = later[np.argsort(dataset.snapshots.as_of[later], kind="stable")]
    sample = later[sample_evenly(len(later))]
    return ReferenceProfile(
        dataset.rows[sample],
        chosen.probabilities[sample],
        _points(scale, chosen.margins[sample]),
    )


def train(
    history: History,
    options: RunOptions,
    bundles: Path,
    *,
    data_fingerprint: str,
    engine: Engine = IN_PROCESS,
    progress: Progress = lambda _station, _share: None,
) -> Run:
    """Run every station and leave a sealed bundle in ``bundles/<name>-<version>``.

    Raises
    ------
    TrainingError
        If the history is too short or too small.
    LeakFoundError
        If the audit finds a leak that is not allowed by name.
    """
    progress("looking at leads", 0.0)
    dataset = build_dataset(
        history,
        options.outcome,
        options.grid,
        seed=options.seed,
        drop=options.drop,
        engine=engine,
        progress=lambda share: progress("computing features", share),
    )
    dataset = keep_accounts_if_they_help(dataset, options.seed, progress, engine)
    progress("leak audit", 0.0)
    leaks = audit_dataset(dataset, options.allow_leaks)
    progress("leak audit", 1.0)
    leaks.check()
    fitted = fit_candidates(dataset, options.seed, progress, engine)
    progress("judging on the newest slice", 0.0)
    chosen = choose(dataset, fitted)
    scale = Scale(chosen.calibration.slope, chosen.calibration.intercept, chosen.model.bias)
    quality = evaluate(dataset, chosen, scale, options.seed)
    leaks = leaks.judge_auc(quality.auc.value)
    outcome = options.outcome
    contract = Contract(str(outcome.event), outcome.horizon_days, outcome.words)
    provenance = _provenance(options, data_fingerprint, chosen)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=_made(bundles)))
    fingerprint = write_bundle(
        draft,
        name=options.name,
        contract=contract,
        catalog=dataset.catalog,
        model=chosen.model,
        model_kind=chosen.name,
        scale=scale,
        bands=_bands(quality),
        support=build_support(dataset.catalog, dataset.rows[dataset.split.fit]),
        profile=_profile(dataset, chosen, scale),
        provenance=provenance,
    )
    facts = _facts(history, dataset, contract, fitted, chosen, data_fingerprint)
    card = build_card(facts, quality, leaks.describe())
    card["model"] = {"name": options.name, "version": fingerprint[:12], "kind": chosen.name}
    folder = _finish(draft, bundles / f"{options.name}-{fingerprint[:12]}", card, quality)
    progress("judging on the newest slice", 1.0)
    parameters = {
        "outcome": outcome.words,
        "history": history.about.source,
        **provenance,
        "chosen": chosen.name,
        "split": dataset.split.words,
    }
    return Run(load_bundle(folder), quality, leaks, fitted, chosen.name, parameters)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _finish(draft: Path, folder: Path, card: dict[str, Any], quality: Quality) -> Path:
    """Add card and pictures, seal, and move into place."""
    (draft / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (draft / "card.md").write_text(render_card_markdown(card), encoding="utf-8")
    seal_bundle(draft)
    _write_pictures(draft, load_bundle(draft), quality)
    seal_bundle(draft)
    draft.chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)  # the same version, trained again
    draft.rename(folder)
    return folder
