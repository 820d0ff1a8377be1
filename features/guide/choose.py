"""Which catalogue is asked about, and which of its features."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from features.catalog.families import find_families
from features.catalog.feature import Feature
from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import Catalog, build_catalog
from features.contracts.leads import attribute_types
from features.guide.errors import NoBundleError, UnknownFamilyError, UnknownFeatureError
from features.sources.history.folder import open_history
from features.taxonomy import default_taxonomy


def read_catalog(history: Path | None, bundle: Path | None) -> Catalog:
    """Read a bundle's catalogue, or build that of a history, or of Baton's own taxonomy.

    Raises
    ------
    HistoryNotFoundError, NoBundleError
        If the folder does not hold one.
    """
    if bundle is not None:
        return catalog_of_bundle(bundle)
    if history is not None:
        return catalog_of_history(history)
    return build_catalog(default_taxonomy(), (), accounts=True, families=find_families())


def catalog_of_history(folder: Path) -> Catalog:
    """Build the catalogue of a history's taxonomy, attributes and accounts, reading little of it.

    Which values of a category get a code of their own is learned at training; here all share one.
    """
    taxonomy = open_history(folder).about.taxonomy
    with pq.ParquetFile(folder / "leads.parquet") as leads:
        types = attribute_types(leads.schema_arrow.empty_table())
        accounts = _knows_accounts(leads)
    attributes = (
        LeadAttribute(name, kind, (OTHER_CATEGORY,) if kind == "category" else ())
        for name, kind in types.items()
    )
    return build_catalog(taxonomy, tuple(attributes), accounts=accounts, families=find_families())


def _knows_accounts(leads: pq.ParquetFile) -> bool:
    """Tell whether the account of any lead is known; the first that is ends the reading."""
    groups = (leads.read_row_group(n, ["account_id"]) for n in range(leads.num_row_groups))
    return any(group.column(0).null_count < group.num_rows for group in groups)


def catalog_of_bundle(folder: Path) -> Catalog:
    """Read the catalogue that a bundle's model was trained with."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return Catalog.from_json(manifest["catalog"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoBundleError(str(folder), f"{type(error).__name__}: {error}") from error


def list_families(catalog: Catalog) -> list[str]:
    """List the families, in the order of the catalogue."""
    return list(dict.fromkeys(f.family for f in catalog.features))


def choose_family(catalog: Catalog, family: str | None) -> list[Feature]:
    """List the features of a family by family; of one, if its name or beginning is given.

    Raises
    ------
    UnknownFamilyError
        If no family's name begins like that.
    """
    families = list_families(catalog)
    wanted = families
    if family is not None:
        folded = family.strip().casefold()
        wanted = [name for name in families if name == folded]
        wanted = wanted or [name for name in families if folded and name.startswith(folded)]
        if not wanted:
            raise UnknownFamilyError(family, families)
    return [f for name in wanted for f in catalog.features if f.family == name]


def get_feature(catalog: Catalog, name: str) -> Feature:
    """Get the feature of a name.

    Raises
    ------
    UnknownFeatureError
        With the names that come nearest.
    """
    for feature in catalog.features:
        if feature.name == name.strip():
            return feature
    raise UnknownFeatureError(name, catalog.names)
