"""The catalogue on a terminal: families, a list, one feature in full."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.table import Table

from features.catalog.feature import STAGES_GROUP, Feature
from features.catalog.manifest import Catalog
from features.guide.choose import list_families
from features.guide.feature_docs import (
    FAMILY_WORDS,
    NEVER_EMPTY,
    describe_direction,
    describe_empty,
    describe_example,
    describe_feature,
    describe_meaning,
    format_window,
    list_sentences,
)

WIDE = 110
"""Width of terminal from which examples, and what an empty cell means, have their own column."""

_ARROWS = {1: "↑", -1: "↓", 0: ""}


def build_family_table(catalog: Catalog, width: int) -> Table:
    """Show the families: how many features, what they tell, an example where there is room."""
    counts = Counter(f.family for f in catalog.features)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("family", no_wrap=True, style="bold")
    table.add_column("features", justify="right")
    table.add_column("tells")
    if width >= WIDE:
        table.add_column("for example", style="dim")
    for family in list_families(catalog):
        first = next(f for f in catalog.features if f.family == family)
        cells = [family, str(counts[family]), FAMILY_WORDS.get(family, "")]
        table.add_row(*cells, *([describe_example(first, catalog)] if width >= WIDE else []))
    return table


def build_feature_table(
    features: Sequence[Feature], catalog: Catalog, width: int, names: int
) -> Table:
    """List features; names take ``names`` characters, so that tables of several families align."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("feature", min_width=names, no_wrap=True)
    table.add_column("says, for example")
    table.add_column("unit", min_width=9, no_wrap=True)
    table.add_column("window", min_width=10, no_wrap=True)
    table.add_column("", min_width=1)
    if width >= WIDE:
        table.add_column("empty means", style="dim")
    for f in features:
        example, empty = describe_example(f, catalog), describe_empty(f)
        if width < WIDE and f.op not in NEVER_EMPTY:
            example = f"{example}\nempty: {empty}"
        cells = [f.name, example, f.unit, format_window(f), _ARROWS[f.direction]]
        table.add_row(*cells, *([empty] if width >= WIDE else []))
    return table


def build_feature_card(feature: Feature, catalog: Catalog) -> Table:
    """Show everything about one feature."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, text in _card_lines(feature, catalog):
        if text:
            table.add_row(label, text)
    return table


def _card_lines(f: Feature, catalog: Catalog) -> list[tuple[str, str]]:
    examples = [(f"says ({value})", f"“{words}”") for value, words in list_sentences(f, catalog)]
    return [
        ("family", f"{f.family}: {FAMILY_WORDS.get(f.family, '')}".rstrip(": ")),
        ("means", describe_meaning(f)),
        ("of", _format_counted(f.group, catalog)),
        ("share of", _format_counted(f.other_group, catalog) if f.other_group != f.group else ""),
        ("attribute", f.attribute),
        ("window", _window_line(f)),
        ("half-life", f"{f.half_life_days:g} days" if f.half_life_days else ""),
        ("unit", f.unit),
        ("direction", describe_direction(f)),
        ("empty means", describe_empty(f)),
        *examples,
        ("categories", ", ".join(f"{n} {name}" for n, name in enumerate(f.categories))),
        ("reasons", f"under “{f.field_words}” ({f.field}), sub-score {f.sub_score}"),
    ]


def _format_counted(group: str, catalog: Catalog) -> str:
    """Say which records count: a kind with its raw names, a group with its kinds, or stages."""
    if not group:
        return ""
    if group == STAGES_GROUP or group.startswith("stage:"):
        stage = group.removeprefix("stage:")
        return "all stage changes" if stage == group else f"stage changes to {stage}"
    if group.startswith("returned:"):
        return f"returns whose reason says {group.removeprefix('returned:').replace('_', ' ')}"
    for kind in catalog.taxonomy.kinds:
        if kind.name == group:
            return ", ".join((group, *(f"“{name}”" for name in kind.names)))
    return f"{group}: {', '.join(catalog.taxonomy.kinds_in(group))}"


def _window_line(f: Feature) -> str:
    if not f.window:
        return ""
    if f.window == "life":
        return "all that was known before the moment of looking"
    line = f"[moment - {f.window}, moment)"
    differs = f.other_window and f.other_window != f.window
    return f"{line}, against {f.other_window}" if differs else line


def write_json(features: Sequence[Feature], catalog: Catalog) -> str:
    """Write features as a JSON array."""
    return json.dumps(
        [describe_feature(f, catalog) for f in features], indent=2, ensure_ascii=False
    )


def write_csv(features: Sequence[Feature], catalog: Catalog) -> str:
    """Write features as CSV; lists become words with a semicolon between."""
    rows = [describe_feature(f, catalog) for f in features]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: ";".join(v) if isinstance(v, list) else v for k, v in row.items()})
    return text.getvalue().rstrip("\n")
