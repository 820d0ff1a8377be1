"""The one artefact: native model files, manifest, reference profile and card in one folder.

Loads without MLflow, scikit-learn, LightGBM or pickle. The only door by which serving enters
training.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.compute.derived import bind_formulas, check_as_before
from features.errors import FeaturesError
from training.errors import BundleError, BundleFamilyError
from training.models.amount import AmountModel
from training.models.linear import LinearModel
from training.models.odds import POINTS_PER_LOGIT, sigmoid
from training.models.segmented import Plain, SegmentedModel, read_part
from training.models.trees import TreeModel
from training.reference_profile import ReferenceProfile, Support
from training.timing.models.model import Curve, Timing, has_come
from training.timing.models.served import ServedTiming, read_served

__all__ = [
    "AMOUNT",
    "AVERAGE_POINTS",
    "CARD",
    "FORMAT",
    "HIGHEST_POINTS",
    "LINEAR",
    "LOWEST_POINTS",
    "MANIFEST",
    "REFERENCE",
    "SEAL",
    "SEGMENTS",
    "TIMING",
    "TREES",
    "AnyModel",
    "Band",
    "Bundle",
    "Contract",
    "Curve",
    "Scale",
    "Scores",
    "ServedTiming",
    "Timing",
    "has_come",
    "install_champion",
    "load_bundle",
    "seal_bundle",
    "write_bundle",
]

FORMAT = 2
MANIFEST, CARD, SEAL = "manifest.json", "card.json", "fingerprint.json"
TREES, LINEAR = "model.txt", "model.json"
SEGMENTS, AMOUNT = "segments.json", "amount.json"
REFERENCE = ("reference_rows.npy", "reference_probability.npy", "reference_points.npy")

TIMING = "timing-"
"""How the names of the files of the best moment begin."""

AnyModel = Plain | SegmentedModel

AVERAGE_POINTS = 50.0
LOWEST_POINTS, HIGHEST_POINTS = 0.0, 100.0
"""Where the points that people see are cut."""


@dataclass(frozen=True)
class Contract:
    """What a score promises: P(event within horizon | what was known at the moment)."""

    event: str
    horizon_days: float
    text: str


@dataclass(frozen=True)
class Band:
    """A range of points, with what was measured in it on the newest slice."""

    name: str
    points_from: float
    """Lower edge, inclusive; minus infinity for the last band."""
    leads: int
    """Snapshots of the newest slice that fell in it."""
    predicted: float | None
    observed: float | None
    calibration_error: float | None
    """Absolute difference of the two; None where the band was empty."""


@dataclass(frozen=True)
class Scores:
    """Scores of a matrix of rows."""

    probability: NDArray[np.float64]  # (n_rows,)
    points: NDArray[np.float64]  # (n_rows,) before the cut to 0-100
    reasons: NDArray[np.float64]  # (n_rows, n_features) points; 50 + their sum = points
    amounts: NDArray[np.float64] | None = None  # (n_rows,) expected if it converts; None: unknown


@dataclass(frozen=True)
class Scale:
    """From margins to probabilities and points, all affine in log-odds."""

    slope: float
    intercept: float
    bias: float
    """Expected margin: the typical lead, which stands at 50 points."""

    @property
    def base_logit(self) -> float:
        """Calibrated log-odds of the typical lead."""
        return self.slope * self.bias + self.intercept

    @property
    def base_probability(self) -> float:
        """Chance of the typical lead."""
        return float(sigmoid(self.base_logit))

    def scores(self, contributions: NDArray[np.float64]) -> Scores:
        """Scale contributions in margin to points and probabilities."""
        reasons = POINTS_PER_LOGIT * self.slope * contributions
        points = AVERAGE_POINTS + reasons.sum(axis=1)
        logits = self.base_logit + (points - AVERAGE_POINTS) / POINTS_PER_LOGIT
        return Scores(sigmoid(logits), points, reasons)


@dataclass(frozen=True)
class Bundle:
    """A model in use, with everything a score must say about itself."""

    folder: Path
    name: str
    fingerprint: str
    catalog: Catalog
    contract: Contract
    scale: Scale
    bands: tuple[Band, ...]
    support: Support
    model: AnyModel
    model_kind: str
    amount: AmountModel | None = None
    """What a lead that converts is expected to bring; None where the history knows no amounts."""
    timing: ServedTiming | None = None
    """When to hand a lead over; None where nothing was learned of it."""

    @property
    def version(self) -> str:
        """First twelve hex digits of the fingerprint."""
        return self.fingerprint[:12]

    @property
    def base_probability(self) -> float:
        """The chance that stands at 50 points."""
        return self.scale.base_probability

    @cached_property
    def card(self) -> dict[str, Any]:
        """The model card."""
        card: dict[str, Any] = json.loads((self.folder / CARD).read_text(encoding="utf-8"))
        return card

    @cached_property
    def profile(self) -> ReferenceProfile:
        """What inputs and scores looked like at training time."""
        return ReferenceProfile.read(self.folder)

    def score(self, rows: NDArray[np.float32]) -> Scores:
        """Score rows of the catalogue's features.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features), float32
            From ``features.compute``, with this bundle's catalogue.
        """
        scores = self.scale.scores(self.model.contributions(rows))
        amounts = None if self.amount is None else self.amount.expected(rows)
        return replace(scores, amounts=amounts)

    def find_unknown(self, rows: NDArray[np.float32]) -> list[str | None]:
        """Say, per row, why not enough is known to score it; None where it can be scored."""
        return self.support.find_unknown(rows)

    def band_of(self, points: float) -> Band:
        """Find the band of a score."""
        return next(band for band in self.bands if points >= band.points_from)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _decides(name: str) -> bool:
    """Whether a file has a say in a score; card and pictures only describe it."""
    return (
        name in {MANIFEST, SEGMENTS, AMOUNT, *REFERENCE}
        or name.endswith((TREES, LINEAR))
        or (name.startswith(TIMING) and not name.endswith(".png"))
    )


def _fingerprint(digests: Mapping[str, str]) -> str:
    """Hash what decides a score."""
    deciding = {name: digest for name, digest in digests.items() if _decides(name)}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def _support_json(support: Support) -> dict[str, Any]:
    return {**asdict(support), "attribute_columns": support.attribute_columns.tolist()}


def write_bundle(
    folder: Path,
    *,
    name: str,
    contract: Contract,
    catalog: Catalog,
    model: AnyModel,
    model_kind: str,
    scale: Scale,
    bands: tuple[Band, ...],
    support: Support,
    profile: ReferenceProfile,
    provenance: Mapping[str, str],
    amount: AmountModel | None = None,
    timing: ServedTiming | None = None,
) -> str:
    """Write a bundle without its card and pictures; `seal_bundle` closes it.

    Returns
    -------
    str
        The fingerprint of what decides a score.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_models(folder, model)
    if amount is not None:
        (folder / AMOUNT).write_text(json.dumps(amount.to_json()), encoding="utf-8")
    if timing is not None:
        for file_name, held in timing.files().items():
            (folder / f"{TIMING}{file_name}").write_bytes(held)
    profile.write(folder)
    manifest = {
        "format": FORMAT,
        "name": name,
        "contract": asdict(contract),
        "model_kind": model_kind,
        "scale": asdict(scale),
        "bands": [
            {**asdict(b), "points_from": None if np.isinf(b.points_from) else b.points_from}
            for b in bands
        ],
        "support": _support_json(support),
        "catalog": catalog.to_json(),
        "catalog_fingerprint": catalog.fingerprint,
        "provenance": dict(provenance),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return _fingerprint({p.name: _digest(p) for p in folder.iterdir()})


def seal_bundle(folder: Path) -> None:
    """Record the hash of every file, so that a damaged bundle is never served."""
    digests = {p.name: _digest(p) for p in sorted(folder.iterdir()) if p.name != SEAL}
    seal = {"fingerprint": _fingerprint(digests), "files": digests}
    (folder / SEAL).write_text(json.dumps(seal, indent=1) + "\n", encoding="utf-8")


def _verify(folder: Path) -> str:
    if not (folder / SEAL).is_file():
        raise BundleError(str(folder), "is not there or was never finished")
    seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    for name, digest in seal["files"].items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or _digest(path) != digest:
            raise BundleError(str(folder), f"is damaged: {name} is missing or changed")
    for path in folder.iterdir():
        if _decides(path.name) and path.name not in seal["files"]:
            raise BundleError(str(folder), f"is damaged: {path.name} was never sealed")
    if seal["fingerprint"] != _fingerprint(seal["files"]):
        raise BundleError(str(folder), "is damaged: its fingerprint is not that of its files")
    return str(seal["fingerprint"])


def _write_models(folder: Path, model: AnyModel) -> None:
    if not isinstance(model, SegmentedModel):
        _write_plain(folder, "", model)
        return
    _write_plain(folder, "", model.everyone)
    (folder / SEGMENTS).write_text(json.dumps(model.parts_json(), indent=1), encoding="utf-8")
    for number, part in enumerate(model.parts):
        _write_plain(folder, f"segment-{number}-", part.model)


def _write_plain(folder: Path, prefix: str, model: Plain) -> None:
    if isinstance(model, TreeModel):
        (folder / f"{prefix}{TREES}").write_text(model.text, encoding="utf-8")
    else:
        text = json.dumps(model.to_json())
        (folder / f"{prefix}{LINEAR}").write_text(text, encoding="utf-8")


def _read_models(folder: Path) -> AnyModel:
    everyone = _read_plain(folder, "")
    if not (folder / SEGMENTS).is_file():
        return everyone
    entries = json.loads((folder / SEGMENTS).read_text(encoding="utf-8"))
    parts = tuple(
        read_part(entry, _read_plain(folder, f"segment-{number}-"))
        for number, entry in enumerate(entries)
    )
    return SegmentedModel(everyone, parts)


def _read_plain(folder: Path, prefix: str) -> Plain:
    trees = folder / f"{prefix}{TREES}"
    if trees.is_file():
        return TreeModel(trees.read_text(encoding="utf-8"))
    return LinearModel.from_json(json.loads((folder / f"{prefix}{LINEAR}").read_text("utf-8")))


def _read_amount(folder: Path) -> AmountModel | None:
    if not (folder / AMOUNT).is_file():
        return None
    return AmountModel.from_json(json.loads((folder / AMOUNT).read_text(encoding="utf-8")))


def _read_timing(folder: Path) -> ServedTiming | None:
    files = {
        path.name.removeprefix(TIMING): path.read_bytes()
        for path in folder.glob(f"{TIMING}*")
        if path.suffix != ".png"
    }
    return read_served(files) if files else None


def _check_families(folder: Path, catalog: Catalog) -> None:
    """Check that what other packages compute is what they computed for the reference rows."""
    try:
        if bind_formulas(catalog):
            check_as_before(catalog, ReferenceProfile.read(folder).matrix)
    except FeaturesError as problem:
        raise BundleFamilyError(str(folder), str(problem)) from problem


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking every file against its seal.

    Raises
    ------
    BundleError
        If it is missing, damaged, or of a format this version does not read.
    BundleFamilyError
        If it needs a feature family that is not installed here, or computes otherwise here.
    """
    folder = folder.resolve()  # a champion link may be swapped while we read
    fingerprint = _verify(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise BundleError(str(folder), f"has format {manifest['format']}, not {FORMAT}")
    support = manifest["support"]
    catalog = Catalog.from_json(manifest["catalog"])
    _check_families(folder, catalog)
    return Bundle(
        folder=folder,
        name=manifest["name"],
        fingerprint=fingerprint,
        catalog=catalog,
        contract=Contract(**manifest["contract"]),
        scale=Scale(**manifest["scale"]),
        bands=tuple(
            Band(**{**b, "points_from": -np.inf if b["points_from"] is None else b["points_from"]})
            for b in manifest["bands"]
        ),
        support=Support(
            **{**support, "attribute_columns": np.array(support["attribute_columns"], np.int64)}
        ),
        model=_read_models(folder),
        model_kind=manifest["model_kind"],
        amount=_read_amount(folder),
        timing=_read_timing(folder),
    )


def install_champion(bundle_folder: Path, champion: Path) -> None:
    """Point the server at a bundle: a link is swapped in one move, so no reader sees half of one.

    Raises
    ------
    BundleError
        If something other than a link is in the champion's place.
    """
    if champion.exists() and not champion.is_symlink():
        raise BundleError(str(champion), "is a folder of its own, not a link; move it away first")
    champion.parent.mkdir(parents=True, exist_ok=True)
    aside = champion.with_name(f".{champion.name}-{bundle_folder.name}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(bundle_folder.resolve(), target_is_directory=True)
    aside.replace(champion)
