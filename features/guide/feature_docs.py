"""One feature in words: its meaning, an example sentence, what more of it and none of it mean."""

from typing import Any

from features.catalog.feature import STAGES_GROUP, Feature, Op
from features.catalog.fit import OTHER_CATEGORY
from features.catalog.manifest import Catalog
from features.kernel.reference import MEANINGS

FAMILY_WORDS = {
    "counts": "how often something was done",
    "recency": "how long ago something was done",
    "decayed intensity": "how strong the interest is, older activity counting less",
    "channel and content mix": "how varied the activity is, and what share is of one sort",
    "values": "what activities were worth",
    "first and last touch": "how the lead came, and what it did last",
    "sessions": "how many visits, on how many days",
    "gaps and rhythm": "the lead's own rhythm, and whether it has fallen silent",
    "trend": "more or less than before, by the lead's own measure",
    "hours and weekdays": "when in the day and week the lead is active",
    "journey": "how old the lead is, and where it stands",
    "earlier handoffs and returns": "whether the lead has been here before",
    "fit": "who the lead is, as known then",
    "completeness": "how much is known about the lead",
    "account": "what the lead's company does besides",
}
"""What each family tells, in one line."""

NEVER_EMPTY = frozenset(
    {
        Op.COUNT, Op.INTENSITY, Op.ACTIVE_DAYS, Op.SESSIONS, Op.CHANNELS, Op.KINDS, Op.VALUE_SUM,
        Op.AGE, Op.CREATED_WEEKDAY, Op.CREATED_HOUR, Op.COMPLETENESS,
    }
)  # fmt: skip
"""Operations that always have an answer, for a lead that exists."""

SAMPLES: dict[str, tuple[float, str]] = {
    "count": (3.0, "3"),
    "days": (5.0, "5 days"),
    "share": (0.35, "35 %"),
    "per day": (0.4, "+0.4"),
    "hour": (14.0, "14"),
    "as given": (1250.0, "1,250"),
    "yes or no": (1.0, "yes"),
}
"""A value of each unit, and how it is said."""

_DIRECTIONS = {
    1: "more is agreed to mean a higher chance",
    -1: "more is agreed to mean a lower chance",
    0: "the field does not agree whether more is better",
}


def describe_meaning(feature: Feature) -> str:
    """Say what the operation computes: the first line of its definition in the reference."""
    return (MEANINGS[feature.op].__doc__ or "").strip().splitlines()[0]


def describe_example(feature: Feature, catalog: Catalog) -> str:
    """Say the feature's sentence for a value that could be.

    >>> from features.catalog.manifest import build_catalog
    >>> from features.taxonomy import default_taxonomy
    >>> catalog = build_catalog(default_taxonomy(), ())
    >>> describe_example(catalog.features[catalog.names.index("pricing_view_count_7d")], catalog)
    '3 pricing-page views in the last 7 days'
    """
    words = SAMPLES.get(feature.unit, (0.0, ""))[1]
    named = [c for c in feature.categories if c != OTHER_CATEGORY]
    if feature.categories:
        words = named[-1] if feature.unit == "yes or no" else (*named, "...")[0]
    if feature.group:
        words = {kind.name: kind.one for kind in catalog.taxonomy.kinds}.get(words, words)
    return feature.words.replace("{value}", words)


def list_sentences(feature: Feature, catalog: Catalog) -> list[tuple[str, str]]:
    """List the sentences a reader may meet, each with the value it stands for."""
    sample = "a category" if feature.categories else SAMPLES[feature.unit][1]
    sentences = [
        (sample, describe_example(feature, catalog)),
        ("1", feature.words_one),
        ("0", feature.words_zero),
        ("ahead", feature.words_ahead.replace("{value}", "5 days")),
        ("empty", "" if feature.op in NEVER_EMPTY else feature.null_words),
    ]
    return [(value, words) for value, words in sentences if words]


def describe_empty(feature: Feature) -> str:
    """Say what an empty cell means."""
    return "never empty" if feature.op in NEVER_EMPTY else feature.null_words


def describe_direction(feature: Feature) -> str:
    """Say whether more of it is agreed to be better."""
    if feature.categories and not feature.direction:
        return "a category has no more or less"
    return _DIRECTIONS[feature.direction]


def format_window(feature: Feature) -> str:
    """Say the window, or both: ``7d of 30d``."""
    if feature.other_window and feature.other_window != feature.window:
        return f"{feature.window} of {feature.other_window}"
    return feature.window


def list_kinds(feature: Feature, catalog: Catalog) -> tuple[str, ...]:
    """List the kinds of activity, or the stages, that the feature counts."""
    if not feature.group:
        return ()
    if feature.group == STAGES_GROUP or feature.group.startswith(("stage:", "returned:")):
        return (feature.group,)
    return catalog.taxonomy.kinds_in(feature.group)


def describe_feature(feature: Feature, catalog: Catalog) -> dict[str, Any]:
    """Tell everything about a feature, for machines: JSON and CSV."""
    return {
        "name": feature.name,
        "family": feature.family,
        "says": describe_example(feature, catalog),
        "unit": feature.unit,
        "type": feature.dtype,
        "window": feature.window,
        "compared_window": feature.other_window,
        "half_life_days": feature.half_life_days or None,
        "direction": feature.direction,
        "empty_means": describe_empty(feature),
        "operation": str(feature.op),
        "meaning": describe_meaning(feature),
        "group": feature.group,
        "kinds": list(list_kinds(feature, catalog)),
        "attribute": feature.attribute,
        "categories": list(feature.categories),
        "field": feature.field,
        "field_words": feature.field_words,
        "sub_score": feature.sub_score,
    }
