"""Candidates that other packages bring, by the entry point ``baton.estimators``."""

from collections.abc import Callable, Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from features.catalog.feature import Feature
from training.errors import EstimatorNotInstalledError, EstimatorRefusedError
from training.estimators.candidates import CANDIDATES, TUNED, Build, Candidate

GROUP = "baton.estimators"
"""The entry points that name an estimator's class, or a function that makes one."""


def find_candidates(names: Collection[str] | None = None) -> tuple[Candidate, ...]:
    """Find the candidates that are installed, or some of them, by name.

    Raises
    ------
    EstimatorRefusedError
        If one cannot be imported, or its name is taken.
    EstimatorNotInstalledError
        If one of the names is not installed.
    """
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if entry.name in {*entries, *CANDIDATES, TUNED}:
            raise EstimatorRefusedError(entry.name, "has a name that another candidate has")
        entries[entry.name] = entry
    for name in names or ():
        if name not in entries:
            raise EstimatorNotInstalledError(name, GROUP)
    return tuple(_load(entries[n]) for n in sorted(entries if names is None else set(names)))


def _load(entry: EntryPoint) -> Candidate:
    try:
        factory = entry.load()
    except Exception as problem:
        raise EstimatorRefusedError(entry.name, f"cannot be imported: {problem}") from problem
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return Candidate(entry.name, _by_keyword(factory), package=package)


def _by_keyword(factory: Callable[..., Any]) -> Build:
    """Let the order of a factory's parameters be its own affair."""

    def build(features: tuple[Feature, ...], seed: int) -> Any:
        return factory(features=features, random_state=seed)

    return build
