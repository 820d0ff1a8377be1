"""Features that are alike: they differ only in kind or group, window or half-life."""

from features.catalog.feature import Feature
from tests.spec.spec import CATALOG

GROUPS = frozenset({*CATALOG.taxonomy.kind_names, *CATALOG.taxonomy.group_words})


def shape_of(f: Feature) -> tuple[object, ...]:
    """Give what a feature has in common with those like it.

    >>> from tests.spec.spec import FEATURES
    >>> shape_of(FEATURES["web_count_7d"]) == shape_of(FEATURES["page_view_count_life"])
    True
    """
    name = f.name
    if f.group in GROUPS:
        name = name.removeprefix(f"{f.group}_")
    for span in (f.other_window, f.window, f"{f.half_life_days:g}d"):
        name = name.removesuffix(f"_{span}")
    return (f.family, f.op, name)
