"""Which features people see under one name: reasons are told by business field, not by column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature
from features.catalog.manifest import Catalog


@dataclass(frozen=True)
class BusinessFields:
    """The business fields of a catalogue, in the order they first occur."""

    words: tuple[str, ...]
    owner: NDArray[np.int64]  # (n_features,) position of each feature's field

    def fold(self, reasons: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the reasons of features, (n_rows, n_features), by field, (n_rows, n_fields)."""
        member = np.eye(len(self.words))[self.owner]
        return np.asarray(reasons @ member, np.float64)


def find_fields(catalog: Catalog) -> BusinessFields:
    """Find which features belong to which business field: the grouping the answers explain by."""
    keys = [(feature.field, feature.sub_score) for feature in catalog.features]
    words = {
        key: f.field_words for key, f in reversed(list(zip(keys, catalog.features, strict=True)))
    }
    order = {key: position for position, key in enumerate(dict.fromkeys(keys))}
    return BusinessFields(
        tuple(words[key] for key in order), np.array([order[key] for key in keys], np.int64)
    )


UNIT_WORDS = {"days": "days", "share": "share"}
"""What stands for the value where a column is named; elsewhere nothing needs to."""

MOST_LETTERS = 80


def format_column(feature: Feature) -> str:
    """Say what a column holds, for the axis of a picture.

    Examples
    --------
    >>> from features.catalog.manifest import build_catalog
    >>> from features.taxonomy import default_taxonomy
    >>> by_name = {f.name: f for f in build_catalog(default_taxonomy(), ()).features}
    >>> format_column(by_name["pricing_view_count_7d"])
    'pricing-page views in the last 7 days'
    >>> format_column(by_name["pricing_view_recency"]), format_column(by_name["share_night"])
    ('last pricing-page view, days ago', 'share of the activity at night (UTC)')
    """
    value = UNIT_WORDS.get(feature.unit, "...")
    if value == "share" and not feature.words.startswith("{value}"):
        value = "a share"
    text = feature.words.replace(" {value} ago", ", days ago").replace("{value}", value)
    text = text.removeprefix("... ").removesuffix(": ...")
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 3].rstrip() + "..."


def name_columns(features: Sequence[Feature]) -> list[str]:
    """Say every column; two that would read alike are told apart by their names."""
    described = [format_column(feature) for feature in features]
    return [
        words if described.count(words) == 1 else f"{words} ({feature.name})"
        for words, feature in zip(described, features, strict=True)
    ]
