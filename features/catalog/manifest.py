"""The whole catalogue of one company, and its fingerprint."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from features.catalog.account import account_features
from features.catalog.engagement import engagement_features
from features.catalog.families import FeatureFamilyError, InstalledFamily, without_orphans
from features.catalog.feature import Feature
from features.catalog.fit import LeadAttribute, fit_features
from features.catalog.journey import journey_features
from features.catalog.rhythm import rhythm_features
from features.taxonomy import Taxonomy, read_taxonomy


@dataclass(frozen=True, eq=False)
class Catalog:
    """The features of one company, in the column order of every matrix."""

    taxonomy: Taxonomy
    attributes: tuple[LeadAttribute, ...]
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        doubled = [n for n, times in Counter(f.name for f in self.features).items() if times > 1]
        if doubled:
            raise ValueError(
                f"Two features are called {doubled[0]!r}. Rename the attribute or event kind "
                "in the mapping that brings in the second."
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalog) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in column order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: the same catalogue has the same fingerprint anywhere."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Shape the catalogue for a bundle's manifest."""
        return {
            "taxonomy": self.taxonomy.to_json(),
            "attributes": [
                {"name": a.name, "type": a.type, "categories": list(a.categories)}
                for a in self.attributes
            ],
            "features": [{**f.to_json(), "categories": list(f.categories)} for f in self.features],
        }

    @staticmethod
    def from_json(manifest: dict[str, Any]) -> "Catalog":
        """Read a catalogue back from a bundle's manifest."""
        return Catalog(
            read_taxonomy(manifest["taxonomy"]),
            tuple(
                LeadAttribute(a["name"], a["type"], tuple(a["categories"]))
                for a in manifest["attributes"]
            ),
            tuple(Feature.from_json(entry) for entry in manifest["features"]),
        )


def build_catalog(
    taxonomy: Taxonomy,
    attributes: tuple[LeadAttribute, ...],
    *,
    accounts: bool = False,
    families: Sequence[InstalledFamily] = (),
) -> Catalog:
    """Build the catalogue of every family for a company's taxonomy and attributes.

    Parameters
    ----------
    accounts
        Adds the account family, for companies that know which leads are colleagues.
    families
        Brought by other packages. Of theirs, what is derived from a feature that is not there is
        left out.

    Raises
    ------
    FeatureFamilyError
        If a family has the name of one of Baton's.
    """
    own = (
        *engagement_features(taxonomy),
        *rhythm_features(taxonomy),
        *journey_features(),
        *fit_features(attributes),
        *(account_features(taxonomy, attributes) if accounts else ()),
    )
    brought = [f for family in families for f in family.list_features(taxonomy, attributes)]
    for family in families:
        if family.name in {feature.family for feature in own}:
            raise FeatureFamilyError(family.name, "has the name of a family of Baton")
    return Catalog(taxonomy, attributes, without_orphans((*own, *brought)))
