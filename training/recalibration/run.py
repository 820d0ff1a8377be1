"""A bundle whose level follows the newest matured labels: the same model, one number moved."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.clock import from_us, to_us
from features.contracts.history import History
from training.bundle import (
    AVERAGE_POINTS,
    CARD,
    MANIFEST,
    Band,
    Bundle,
    load_bundle,
    seal_bundle,
)
from training.card.pages import render_card
from training.dataset.moments import Moments, build_moments
from training.engine import IN_PROCESS, Engine
from training.errors import BundleError, TrainingError
from training.evaluation.calibration import FEWEST_OF_A_KIND, compute_log_loss
from training.models.odds import POINTS_PER_LOGIT
from training.recalibration.level import LevelFit, fit_level, follow_level, newest_labels
from training.run.draft import make_draft, place_draft
from training.run.options import read_options

ROWS_AT_A_TIME = 8192
"""Rows whose reasons are in memory at a time."""

NEVER = np.iinfo(np.int64).max


class TooFewLabelsError(TrainingError):
    """Too few outcomes have matured since the model was made to say anything of its level."""

    def __init__(self, since: datetime, labels: int, converted: int) -> None:
        self.labels = labels
        self.converted = converted
        super().__init__(
            f"Of leads created since {since:%Y-%m-%d}, which the model has not learned from, "
            f"{labels:,} labels have matured, {converted:,} of them converted; at least "
            f"{FEWEST_OF_A_KIND} of each kind are needed. Wait, or import a longer history."
        )


@dataclass(frozen=True)
class LaterLabels:
    """Later leads whose labels have matured, as a bundle scores them."""

    log_odds: NDArray[np.float64]
    points: NDArray[np.float64]
    converted: NDArray[np.int8]
    as_of: NDArray[np.int64]
    known_at: NDArray[np.int64]
    lead_of: NDArray[np.int64]

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "LaterLabels":
        """Take some of the rows."""
        return LaterLabels(
            self.log_odds[rows],
            self.points[rows],
            self.converted[rows],
            self.as_of[rows],
            self.known_at[rows],
            self.lead_of[rows],
        )


@dataclass(frozen=True)
class Recalibration:
    """What the newest labels say, and whether the level should be moved."""

    bundle: Bundle
    labelled: LaterLabels
    """The labels that were asked: those of the memory."""
    level: LevelFit
    lookback: int
    """Leads; 0: leaving the level alone was as good, so all labels were looked at."""

    @property
    def is_needed(self) -> bool:
        """Whether moving it has paid before and the shift is more than noise."""
        return self.lookback > 0 and not self.level.is_noise

    @property
    def mean_after(self) -> float:
        """Mean chance that the moved level gives the same leads."""
        return float(expit(self.labelled.log_odds + self.level.shift).mean())

    @property
    def words(self) -> str:
        """Say what was found, and what follows."""
        level = self.level
        found = (
            f"{level.labels:,} matured labels of {level.leads:,} leads: {level.expected:.1%} was "
            f"predicted, {level.observed:.1%} converted, a shift of {level.shift:+.3f} in log-odds "
            f"(standard error {level.standard_error:.3f})."
        )
        if self.is_needed:
            return f"{found} The mean chance moves to {self.mean_after:.1%}; points stay."
        why = "it is within noise"
        if not level.is_noise:
            why = "moving it would not have predicted these leads better by a standard error"
        return f"{found} The level stays: {why}."

    @property
    def metrics(self) -> dict[str, float]:
        """Name the figures for the record."""
        own, y = self.labelled, self.labelled.converted.astype(np.float64)
        return {
            "shift": self.level.shift,
            "shift_standard_error": self.level.standard_error,
            "labels": float(self.level.labels),
            "mean_chance_before": self.level.expected,
            "mean_chance_after": self.mean_after,
            "share_converted": self.level.observed,
            "log_loss_before": compute_log_loss(y, expit(own.log_odds)),
            "log_loss_after": compute_log_loss(y, expit(own.log_odds + self.level.shift)),
        }


def find_shift(
    history: History,
    bundle: Bundle,
    *,
    lookback: int | None = None,
    engine: Engine = IN_PROCESS,
    progress: Callable[[float], None] = lambda _: None,
) -> Recalibration:
    """Ask the newest matured labels how far a bundle's level is off.

    Only leads are asked that were created after everything the bundle was fitted and calibrated
    on; they are looked at when it looked at them.

    Parameters
    ----------
    lookback
        Leads whose labels matured last; by default what would have predicted best so far.

    Raises
    ------
    TooFewLabelsError
        If too little has matured since.
    BundleError
        If the bundle does not say what made it.
    """
    options, _ = read_options(bundle.folder)
    since = read_seen_until(bundle)
    moments = build_moments(history, options.outcome, options.grid, seed=options.seed)
    later = moments.take(moments.created_at >= to_us(since))
    converted = int(later.converted.sum())
    if min(converted, len(later) - converted) < FEWEST_OF_A_KIND:
        raise TooFewLabelsError(since, len(later), converted)
    labelled = _score(bundle, later, engine, progress)
    chosen = lookback
    if chosen is None:
        chosen = _choose_lookback(labelled, to_us(history.about.observed_until))
    if chosen:
        labelled = labelled.take(newest_labels(labelled.known_at, labelled.lead_of, chosen))
    level = fit_level(labelled.log_odds, labelled.converted, labelled.lead_of)
    return Recalibration(bundle, labelled, level, chosen)


def read_seen_until(bundle: Bundle) -> datetime:
    """Read until when a bundle's labels reach: nothing known later was used.

    Raises
    ------
    BundleError
        If it does not say.
    """
    manifest = json.loads((bundle.folder / MANIFEST).read_text(encoding="utf-8"))
    try:
        return datetime.fromisoformat(manifest["provenance"]["seen_until"])
    except KeyError as problem:
        raise BundleError(str(bundle.folder), "does not say what it learned from") from problem


def _score(
    bundle: Bundle, moments: Moments, engine: Engine, progress: Callable[[float], None]
) -> LaterLabels:
    """Score moments, without those of which the bundle knows too little."""
    done = 0

    def report_share(count: int) -> None:
        nonlocal done
        done += count
        progress(done / max(1, len(moments)))

    rows = engine.compute(
        bundle.catalog, moments.history, moments.snapshots, progress=report_share
    )
    points = np.concatenate(
        [
            bundle.score(rows[begin : begin + ROWS_AT_A_TIME]).points
            for begin in range(0, len(rows), ROWS_AT_A_TIME)
        ]
    )
    log_odds = bundle.scale.base_logit + (points - AVERAGE_POINTS) / POINTS_PER_LOGIT
    every = LaterLabels(
        log_odds,
        points,
        moments.converted,
        moments.snapshots.as_of,
        moments.label_known_at,
        moments.lead_of,
    )
    return every.take(np.array([why is None for why in bundle.find_unknown(rows)], np.bool_))


def _choose_lookback(labelled: LaterLabels, moment: int) -> int:
    """Choose the memory that has predicted best by a moment; 0 for none."""
    # A row more, looked at now and never matured: what would be used for it?
    followed = follow_level(
        np.append(labelled.log_odds, 0.0),
        np.append(labelled.converted, 0),
        np.append(labelled.as_of, moment),
        np.append(labelled.known_at, NEVER),
        np.append(labelled.lead_of, -1),
    )
    return int(followed.lookback[-1])


def write_recalibrated(found: Recalibration, bundles: Path, data_fingerprint: str) -> Bundle:
    """Write a bundle with the level moved, and give it: the same model, a version of its own.

    Its bands are measured anew on the labels that moved it; its card says so.

    Parameters
    ----------
    bundles
        Folder of all bundles.
    data_fingerprint
        Of the history the labels come from.
    """
    old = found.bundle
    manifest = json.loads((old.folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["scale"]["intercept"] = old.scale.intercept + found.level.shift
    manifest["bands"] = _bands_json(found)
    manifest["provenance"] |= _provenance(found, data_fingerprint)
    draft = make_draft(bundles)
    shutil.copytree(old.folder, draft, dirs_exist_ok=True)
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (draft / MANIFEST).write_text(text + "\n", encoding="utf-8")
    profile = old.profile
    scale = replace(old.scale, intercept=manifest["scale"]["intercept"])
    log_odds = scale.base_logit + (profile.points - AVERAGE_POINTS) / POINTS_PER_LOGIT
    replace(profile, probability=expit(log_odds)).write(draft)
    seal_bundle(draft)
    moved = load_bundle(draft)
    _write_card(draft, moved, found)
    seal_bundle(draft)
    return load_bundle(place_draft(draft, bundles / f"{moved.name}-{moved.version}"))


def _provenance(found: Recalibration, data_fingerprint: str) -> dict[str, str]:
    seen = from_us(int(found.labelled.known_at.max()) + 1)
    return {
        "seen_until": seen.isoformat(),
        "level_moved_from": found.bundle.fingerprint,
        "level_moved_on": data_fingerprint,
        "level_shift": repr(found.level.shift),
        "level_labels": str(found.level.labels),
        "level_leads": str(found.level.leads),
        "level_mean_chance": f"{found.level.expected:.6f} -> {found.mean_after:.6f}",
    }


def measure_moved_bands(found: Recalibration) -> tuple[Band, ...]:
    """Measure each band on the labels that moved the level; one without any keeps no figure."""
    own = found.labelled
    chances = expit(own.log_odds + found.level.shift)
    edges = np.array([band.points_from for band in found.bundle.bands])
    position = (own.points[:, None] < edges[None, :]).sum(axis=1)
    bands = []
    for number, band in enumerate(found.bundle.bands):
        inside = position == number
        if not inside.any():
            bands.append(Band(band.name, band.points_from, 0, None, None, None))
            continue
        predicted, observed = float(chances[inside].mean()), float(own.converted[inside].mean())
        measured = (int(inside.sum()), predicted, observed, abs(observed - predicted))
        bands.append(Band(band.name, band.points_from, *measured))
    return tuple(bands)


def _bands_json(found: Recalibration) -> list[dict[str, Any]]:
    return [
        {
            "name": band.name,
            "points_from": None if np.isinf(band.points_from) else band.points_from,
            "leads": band.leads,
            "predicted": band.predicted,
            "observed": band.observed,
            "calibration_error": band.calibration_error,
        }
        for band in measure_moved_bands(found)
    ]


def _write_card(folder: Path, moved: Bundle, found: Recalibration) -> None:
    """Say on the card what was moved, and that its measures are of the time before."""
    card = dict(found.bundle.card)
    card["model"] = {**card["model"], "version": moved.version}
    sentence = (
        f"The level was moved after training, from version {found.bundle.version}: {found.words} "
        "Chances and calibration on this card and its pictures were measured before that move; "
        "the order of leads is the same."
    )
    card["warnings"] = [sentence, *card["warnings"]]
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / "card.md").write_text(render_card(card), encoding="utf-8")
