"""Who is champion, who challenges, and how one takes the other's place: registry and server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from training.bundle import SEAL, Bundle, install_champion, load_bundle
from training.errors import NoSuchModelError, SameModelError
from training.registry.mlflow_store import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    RegisteredVersion,
    find_bundle,
    find_version,
    log_run,
    move_alias,
    move_champion,
)
from training.settings import TrainingSettings

LOG = "log.jsonl"


@dataclass(frozen=True)
class PromotionAction:
    """Who reviewed or moved, when, and why."""

    by: str
    at: datetime
    reason: str
    """Why it was moved against the verdict, or back; empty where the verdict says it."""
    moved: bool


@dataclass(frozen=True)
class ModelPair:
    """A champion and who may replace it."""

    champion: Bundle
    challenger: Bundle
    warnings: tuple[str, ...]
    """What whoever decides should know about where the two were found."""


@dataclass(frozen=True)
class Change:
    """One champion replaced by another."""

    to: RegisteredVersion
    replaced: RegisteredVersion | None
    is_served: bool
    """Whether the server's link was moved too; not if it serves a model of another name."""

    @property
    def words(self) -> str:
        """Say what changed."""
        sentence = f"{self.to.name}: {self.to.words} is champion now"
        if self.replaced is not None:
            sentence += f", {self.replaced.words} is kept as {PREVIOUS}"
        took = (
            "The server loads it without a restart."
            if self.is_served
            else "The server's link was left alone: it serves a model of another name."
        )
        return f"{sentence}. {took}"


def find_served(settings: TrainingSettings) -> Bundle | None:
    """Find the bundle the server uses; None if there is none.

    Raises
    ------
    BundleError
        If it is damaged.
    """
    return load_bundle(settings.champion) if (settings.champion / SEAL).is_file() else None


def find_pair(settings: TrainingSettings, name: str, wanted: str) -> ModelPair:
    """Find champion and challenger.

    Parameters
    ----------
    name
        Under which both are registered; empty: the challenger's own, else that of the bundle the
        server uses.
    wanted
        Folder of a bundle, version in the registry, or version of a bundle; empty: the one that
        carries the alias ``challenger``.

    Raises
    ------
    NoSuchModelError
        If one of the two is not there.
    BundleError
        If one is damaged.
    """
    served = find_served(settings)
    given = load_bundle(Path(wanted)) if wanted and (Path(wanted) / SEAL).is_file() else None
    called = name or (given.name if given else "") or (served.name if served else "")
    if not called:
        raise NoSuchModelError(
            "?", "champion", "The server has none; make one with `baton train HISTORY`."
        )
    challenger = given or _load_challenger(settings, called, wanted)
    registered = find_version(settings, called, CHAMPION)
    if served is not None and served.name == called:
        return ModelPair(served, challenger, tuple(_compare_records(served, registered)))
    if registered is None:
        raise NoSuchModelError(
            called, CHAMPION, "Make one with `baton train HISTORY`; there is nothing to replace."
        )
    return ModelPair(load_bundle(find_bundle(settings, registered)), challenger, ())


def _load_challenger(settings: TrainingSettings, name: str, wanted: str) -> Bundle:
    found = find_version(settings, name, wanted or CHALLENGER)
    if found is None:
        raise NoSuchModelError(
            name,
            f"version {wanted!r}" if wanted else CHALLENGER,
            "Train one with `baton train HISTORY --alias challenger`, or name one with "
            "--challenger: the folder of a bundle, or its version.",
        )
    return load_bundle(find_bundle(settings, found))


def _compare_records(served: Bundle, registered: RegisteredVersion | None) -> list[str]:
    if registered is not None and registered.fingerprint != served.fingerprint:
        return [
            f"The registry calls {registered.words} champion, the server uses bundle "
            f"{served.version}: compared is with the one in use."
        ]
    return []


def replace_champion(
    settings: TrainingSettings, pair: ModelPair, action: PromotionAction, verdict: str
) -> Change:
    """Put the challenger in the champion's place: the server's link, then the registry.

    Should the registry refuse, the link is put back.
    """
    to = find_version(settings, pair.challenger.name, pair.challenger.fingerprint)
    to = to or _register(settings, pair.challenger)
    replaced = find_version(settings, pair.champion.name, pair.champion.fingerprint)
    if replaced is not None and CHAMPION not in replaced.aliases:
        # The one in use is what a rollback must find.
        move_alias(settings, replaced.name, CHAMPION, replaced.version)
    change = _change(
        settings, to, replaced, pair.challenger, pair.champion.folder, action, verdict
    )
    _end_shadow(settings, pair.challenger)
    return change


def _register(settings: TrainingSettings, bundle: Bundle) -> RegisteredVersion:
    """Register a bundle that was made elsewhere."""
    logged = log_run(
        bundle,
        settings=settings,
        parameters={"registered_from": bundle.folder.name},
        metrics={},
        pictures=sorted(bundle.folder.glob("*.png")),
        alias=CHALLENGER,
    )
    found = find_version(settings, bundle.name, logged.model_version)
    assert found is not None  # noqa: S101 - just made
    return found


def _change(
    settings: TrainingSettings,
    to: RegisteredVersion,
    replaced: RegisteredVersion | None,
    bundle: Bundle,
    folder_before: Path,
    action: PromotionAction,
    verdict: str,
) -> Change:
    served = find_served(settings)
    is_served = served is None or served.name == bundle.name
    if is_served:
        install_champion(bundle.folder, settings.champion)
    params = {
        "promoted_by": action.by,
        "promoted_at": action.at.isoformat(),
        "promoted_because": action.reason or verdict,
    }
    try:
        move_champion(settings, to, tags=params)
    except Exception:
        if is_served:
            install_champion(folder_before, settings.champion)
        raise
    return Change(to, replaced, is_served)


def _end_shadow(settings: TrainingSettings, promoted: Bundle) -> None:
    """Take away the link by which the new champion was tried: it needs no shadow of itself."""
    link = settings.challenger
    if link.is_symlink() and link.resolve() == promoted.folder.resolve():
        link.unlink()


def roll_back(settings: TrainingSettings, name: str, action: PromotionAction) -> Change:
    """Put the previous champion back; the present one is remembered in its stead.

    Raises
    ------
    NoSuchModelError
        If there is no champion, or nothing to go back to.
    SameModelError
        If both are one bundle.
    """
    served = find_served(settings)
    called = name or (served.name if served else "")
    present = find_version(settings, called, CHAMPION) if called else None
    if present is None:
        raise NoSuchModelError(
            called or "?", CHAMPION, "Name a model with --name, or make one with `baton train`."
        )
    back = find_version(settings, called, PREVIOUS)
    if back is None:
        raise NoSuchModelError(
            called, f"{PREVIOUS} champion", "The present one has not replaced any."
        )
    if back.fingerprint == present.fingerprint:
        raise SameModelError(called, back.bundle_version)
    bundle = load_bundle(find_bundle(settings, back))
    before = served.folder if served else bundle.folder
    return _change(settings, back, present, bundle, before, action, "rollback")


def write_log(settings: TrainingSettings, entry: Mapping[str, object]) -> None:
    """Add a line to the log of every change of champion."""
    settings.promotions.mkdir(parents=True, exist_ok=True)
    with (settings.promotions / LOG).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(dict(entry)) + "\n")
