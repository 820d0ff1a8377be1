"""The model card: what was promised, on which data, how it turned out, and what to beware of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np

from training.card.cautions import find_cautions
from training.evaluation.calibration import AffineFit
from training.evaluation.quality import (
    CandidateFigures,
    EvaluationInputs,
    Quality,
    measure_candidate,
    measure_quality,
)

__all__ = [
    "CandidateFigures",
    "CardContract",
    "CardFacts",
    "DataFacts",
    "EvaluationInputs",
    "Quality",
    "SliceFacts",
    "WithheldField",
    "build_card",
    "measure_candidate",
    "measure_quality",
]

BASE_RATE = "base rate"
CARD_FORMAT = 1


@dataclass(frozen=True, slots=True)
class CardContract:
    """What the number promises."""

    event: str
    """Stage that counts as success, e.g. ``sql``."""
    horizon_days: float
    text: str
    """In words, e.g. ``P(SQL within 30 days)``."""


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """One slice of time; ``first`` and ``last`` are the outermost moments of looking."""

    name: str
    rows: int
    leads: int
    positives: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class WithheldField:
    """A field of the import that the model never saw, and why."""

    field: str
    because: str


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Where the examples came from and how they were cut."""

    source: str
    rows: int
    leads: int
    slices: Sequence[SliceFacts]
    """Oldest first: training, calibration, newest."""
    split_rule: str
    """A sentence: how time cuts the slices."""
    purge: str
    """A sentence: what was left out so that no lead or label window straddles a cut."""
    withheld: Sequence[WithheldField] = ()
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that the card tells beside measures and leak audit."""

    contract: CardContract
    data: DataFacts
    candidates: Sequence[CandidateFigures]
    """Measured on the newest slice with `measure_candidate`; the base rate is added."""
    chosen: str
    """Name of the chosen candidate."""
    because: str
    """Why it was chosen, a sentence."""
    folds: Sequence[Any] = ()
    """How each candidate fared over rolling folds: name, log loss, behind, standard error."""
    calibration: AffineFit | None = None
    limits: Sequence[str] = ()
    """What the model is not for, sentences."""
    notes: Sequence[str] = ()
    """Further warnings of the run."""
    pictures: Sequence[str] = ("reliability.png", "gains.png")


def build_card(
    facts: CardFacts, quality: Quality, leak_audit: Mapping[str, Any]
) -> dict[str, Any]:
    """Build the model card as plain JSON values; NaN and infinities become null.

    Parameters
    ----------
    facts : CardFacts
    quality : Quality
        Of the chosen model on the newest slice, see `measure_quality`.
    leak_audit : mapping
        ``LeakAudit.describe()``.

    Returns
    -------
    dict
        Keys ``format contract data candidates folds chosen calibration quality leak_audit warnings
        limits pictures``. ``quality`` has the fields of `Quality` and ``has_signal``.
    """
    card = {
        "format": CARD_FORMAT,
        "contract": facts.contract,
        "data": asdict(facts.data) | {"slices": [describe_slice(s) for s in facts.data.slices]},
        "candidates": [
            *sorted(facts.candidates, key=lambda candidate: candidate.log_loss),
            describe_base_rate(quality),
        ],
        "folds": facts.folds,
        "chosen": {"name": facts.chosen, "because": facts.because},
        "calibration": facts.calibration,
        "quality": asdict(quality) | {"has_signal": quality.has_signal},
        "leak_audit": leak_audit,
        "warnings": list_warnings(facts, quality, leak_audit),
        "limits": facts.limits,
        "pictures": facts.pictures,
    }
    plain: dict[str, Any] = to_plain(card)
    return plain


def describe_slice(facts: SliceFacts) -> dict[str, Any]:
    """Describe one slice with its base rate."""
    return asdict(facts) | {"base_rate": facts.positives / facts.rows if facts.rows else None}


def describe_base_rate(quality: Quality) -> dict[str, Any]:
    """Describe the rival every candidate must beat: the training base rate for everyone."""
    return {
        "name": BASE_RATE,
        "log_loss": quality.losses.log_loss_of_training_rate,
        "auc": 0.5,
        "auc_interval": None,
        "average_precision": quality.base_rate,
        "brier": quality.losses.brier_of_training_rate,
    }


def list_warnings(facts: CardFacts, quality: Quality, leak_audit: Mapping[str, Any]) -> list[str]:
    """List all warnings in words: figures first, then calibration, leak audit and the run."""
    warnings = list(find_cautions(quality))
    if facts.calibration is not None and facts.calibration.because:
        warnings.append(facts.calibration.because)
    warnings.extend(leak_audit.get("warnings", ()))
    warnings.extend(facts.notes)
    return list(dict.fromkeys(warnings))


def to_plain(value: Any) -> Any:
    """Turn dataclasses, tuples, numpy scalars and moments into JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value
