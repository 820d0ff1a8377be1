"""Feature families that other packages bring, by the entry point ``baton.features``.

A family lists entries of the catalogue. Most are computed by the operations there are; some by a
formula of the family's own, which makes a column out of other columns of the same row. It sees
nothing else, so it knows nothing that was not known at the moment.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature, Op
from features.catalog.fit import LeadAttribute
from features.errors import FeaturesError
from features.taxonomy import Taxonomy

GROUP = "baton.features"
"""The entry points that name a `FeatureFamily`."""

Column = NDArray[np.float64]
Formula = Callable[..., Column]
"""Takes the columns of its inputs, each of shape (n_rows,) with NaN for "not known"; gives one."""


class FeatureFamilyError(FeaturesError):
    """A feature family of another package cannot be used."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(
            f"The feature family {name!r} {problem}. See docs/how-to/bring-your-own-model.md."
        )


class FamilyNotInstalledError(FeaturesError):
    """A catalogue asks for a feature family that is not installed."""

    def __init__(self, name: str, feature: str = "") -> None:
        self.name = name
        asked = f", which computes {feature!r}," if feature else ""
        super().__init__(
            f"The feature family {name!r}{asked} is not installed here. Install the package that "
            f"brings it (entry point {GROUP}), the same as where the model was trained."
        )


@dataclass(frozen=True)
class FeatureFamily:
    """What a package offers under the entry point."""

    list_features: Callable[[Taxonomy, tuple[LeadAttribute, ...]], Sequence[Feature]]
    """The entries for a company's taxonomy and attributes. With ``op=Op.DERIVED`` an entry is
    computed by a formula from the features named in ``inputs``."""
    formulas: Mapping[str, Formula] = field(default_factory=dict)
    """By feature name, for the derived entries."""


@dataclass(frozen=True)
class InstalledFamily:
    """A family, and the package that brought it."""

    name: str
    package: str
    """With its version."""
    family: FeatureFamily

    def list_features(
        self, taxonomy: Taxonomy, attributes: tuple[LeadAttribute, ...]
    ) -> tuple[Feature, ...]:
        """List its entries, under its own name.

        Raises
        ------
        FeatureFamilyError
            If an entry has no formula, or one too many.
        """
        listed = tuple(
            replace(feature, family=self.name)
            for feature in self.family.list_features(taxonomy, attributes)
        )
        for feature in listed:
            if (feature.op is Op.DERIVED) != (feature.name in self.family.formulas):
                raise FeatureFamilyError(
                    self.name,
                    f"must have a formula for each derived feature and for no other; see "
                    f"{feature.name!r}",
                )
            if (feature.op is Op.DERIVED) != bool(feature.inputs):
                raise FeatureFamilyError(
                    self.name, f"must name inputs of derived features only; see {feature.name!r}"
                )
        return listed


def find_families(names: Collection[str] | None = None) -> tuple[InstalledFamily, ...]:
    """Find the installed families, or some of them, by name.

    Raises
    ------
    FeatureFamilyError
        If one cannot be imported, or is something else.
    FamilyNotInstalledError
        If one of the names is not installed.
    """
    entries = _find_entries()
    for name in names or ():
        if name not in entries:
            raise FamilyNotInstalledError(name)
    return tuple(_load(name) for name in sorted(entries if names is None else set(names)))


def get_formula(feature: Feature) -> Formula:
    """Get the formula of a derived feature.

    Raises
    ------
    FamilyNotInstalledError
        If its family is not installed, or does not know the feature any more.
    """
    formulas = _load(feature.family).family.formulas if feature.family in _find_entries() else {}
    if feature.name not in formulas:
        raise FamilyNotInstalledError(feature.family, feature.name)
    return formulas[feature.name]


@cache
def _find_entries() -> Mapping[str, EntryPoint]:
    """Look once: what is installed does not change under a running process."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if entry.name in found:
            raise FeatureFamilyError(entry.name, "is brought by two packages; uninstall one")
        found[entry.name] = entry
    return found


@cache
def _load(name: str) -> InstalledFamily:
    entry = _find_entries()[name]
    try:
        family = entry.load()
    except Exception as problem:
        raise FeatureFamilyError(name, f"cannot be imported: {problem}") from problem
    if not isinstance(family, FeatureFamily):
        raise FeatureFamilyError(name, f"is a {type(family).__name__}, not a FeatureFamily")
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return InstalledFamily(name, package, family)


def without_orphans(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Leave out derived features of which an input is not among the others."""
    computed = {feature.name for feature in features if feature.op is not Op.DERIVED}
    return tuple(f for f in features if computed.issuperset(f.inputs))
