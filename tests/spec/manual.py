"""The manual of features, written from the catalogue and its specs: ``make docs``."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import dedent

from features.catalog.feature import Feature
from features.guide.feature_docs import (
    FAMILY_WORDS,
    describe_empty,
    describe_example,
    describe_meaning,
)
from tests.spec.chapters import CHAPTERS
from tests.spec.shapes import shape_of
from tests.spec.spec import CATALOG, Chapter, Spec
from tests.spec.timeline import MARKS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "features.md"
MANY_GROUPS = 4
"""Features of at least so many kinds or groups share a line."""

ARROWS = {1: "↑", -1: "↓", 0: ""}

HEAD = """
# Features

What Baton knows about a lead at one moment: **{n} features in {families} families**, besides those that come from your
own attributes and kinds of activity. This page is written by `make docs` from the catalogue and from its specs. Every
drawing below is also a test: {specs} of them, held alike by the plain-Python reference, the compiled kernel, the offline
table (whole, and streamed by partitions), Dask, the online row and the packed history.

On the command line, `baton features` shows the families, `baton features list` every feature, `baton features show
pricing_view_count_7d` one in full; with `--history FOLDER` those of your own data. To add one, see
[add a feature](../how-to/add-a-feature.md).

{contents}

## How to read the drawings

{reading}
"""

READING = """
```text
days          | 0123456789
ann           | x..p......
  known       | ......p...
ann, stage    | l...m.....
ann, industry | b.........
look          |        ^
```

A row is a lead's activity; a mark in column *k* happens at the beginning of step *k*, and day 0 begins on Monday,
2 June 2025, at midnight UTC. Where a row `known` stands below, a mark became known in that column; all others were known
when they happened. Further rows of a lead are its moves between stages and its attributes. `look` is the moment we
look; where there are several they have letters. All numbers were worked out by hand.

| letter | activity |
|---|---|
"""

TAIL = """
## Kinds and groups

The kinds of activity are data: this is the taxonomy that ships with Baton (`features/default_taxonomy.toml`). A mapping
or playbook may bring its own; every kind and every group then has its counts and its recency, and every group its
intensity and its share.

| kind | is said | in groups | raw names that mean it |
|---|---|---|---|
"""


def write_manual() -> str:
    """Write the whole page."""
    families = list(dict.fromkeys(f.family for f in CATALOG.features))
    own = [f for f in CATALOG.features if f.attribute == ""]
    letters = "".join(f"| `{letter}` | {mark.words} |\n" for letter, mark in MARKS.items())
    stages = "\nStages are written `l` lead, `m` mql, `a` sal, `q` sql, `o` opportunity, `w` won, `z` lost, `r` returned."
    head = HEAD.strip("\n").format(
        n=len(own),
        families=len(families),
        specs=sum(len(chapter.specs) for chapter in CHAPTERS),
        contents=_contents(),
        reading=READING.strip("\n") + "\n" + letters + stages,
    )
    chapters = (_chapter(chapter, families) for chapter in CHAPTERS)
    return "\n\n".join([head, *chapters, TAIL.strip("\n") + "\n" + _kinds(), ""]).replace(
        "\n\n\n", "\n\n"
    )


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _contents() -> str:
    titles = ((c.title, FAMILY_WORDS.get(c.title, "what counts at a moment")) for c in CHAPTERS)
    return "\n".join(f"- [{title}](#{_anchor(title)}): {words}" for title, words in titles)


def _chapter(chapter: Chapter, families: Sequence[str]) -> str:
    parts = [f"## {chapter.title[0].upper()}{chapter.title[1:]}", chapter.about.strip()]
    if chapter.title in families:
        features = [f for f in CATALOG.features if f.family == chapter.title]
        parts += [_feature_table(features), _meanings(features), _names(features)]
    parts += [_spec(spec) for spec in chapter.specs]
    return "\n\n".join(parts)


def _shapes(features: Sequence[Feature]) -> Iterable[list[Feature]]:
    """Put together what differs only by kind, group, window or half-life."""
    shapes: dict[object, list[Feature]] = {}
    for f in features:
        shapes.setdefault(shape_of(f), []).append(f)
    for alike in shapes.values():
        groups = dict.fromkeys(f.group for f in alike)
        if len(groups) >= MANY_GROUPS:
            yield alike
        else:
            yield from ([f for f in alike if f.group == group] for group in groups)


def _feature_table(features: Sequence[Feature]) -> str:
    lines = [
        "| feature | windows | says, for example | unit | more is | empty means |",
        "|---|---|---|---|---|---|",
    ]
    for alike in _shapes(features):
        shown = _shown(alike)
        cells = (
            _joined_name(alike, shown),
            " ".join(f"`{w}`" for w in dict.fromkeys(_span(f) for f in alike) if w),
            describe_example(shown, CATALOG),
            shown.unit,
            ARROWS[shown.direction],
            describe_empty(shown),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(alike: Sequence[Feature]) -> Feature:
    """Choose the example a marketer would look for: pricing pages, in a week."""
    wanted = (("pricing_view", "7d"), ("pricing_view", ""), ("high_intent", "30d"))
    found = [
        f for group, window in wanted for f in alike if (f.group, f.window) == (group, window)
    ]
    return [*found, *alike][0]


def _span(f: Feature) -> str:
    if f.half_life_days:
        return f"{f.half_life_days:g}d"
    if f.other_window and f.other_window != f.window:
        return f"{f.window}_{f.other_window}"
    return f.window


def _joined_name(alike: Sequence[Feature], shown: Feature) -> str:
    name = shown.name
    spans = {_span(f) for f in alike}
    if len(spans) > 1:
        name = name.removesuffix(f"_{_span(shown)}") + "_<window>"
    groups = {f.group for f in alike}
    if len(groups) >= MANY_GROUPS:
        kinds = groups & set(CATALOG.taxonomy.kind_names)
        name = ("<kind or group>" if kinds else "<group>") + name.removeprefix(shown.group)
    return f"`{name}`" + (f" ({len(alike)})" if len(alike) > 1 else "")


def _meanings(features: Sequence[Feature]) -> str:
    ops = dict.fromkeys((f.op, describe_meaning(f)) for f in features)
    lines = (f"- **{str(op).replace('_', ' ')}**: {meaning}" for op, meaning in ops)
    return "\n".join(lines).replace("``", "`")


def _names(features: Sequence[Feature]) -> str:
    if len(features) <= len(list(_shapes(features))):
        return ""
    names = " ".join(f"`{f.name}`" for f in features)
    return f"<details><summary>All {len(features)} names</summary>\n\n{names}\n\n</details>"


def _spec(spec: Spec) -> str:
    drawing = dedent(spec.drawing).strip("\n")
    own = [*spec.marks, *(letter for letter in spec.values)]
    legend = ", ".join(
        f"`{n}` {spec.timeline.letters[n]}" for n in own if n in spec.timeline.letters
    )
    headings, rows = spec.table
    table = [f"| | {' | '.join(headings)} |", "|---" * (len(headings) + 1) + "|"]
    table += [f"| `{name}` | {' | '.join(cells)} |" for name, cells in rows.items()]
    parts = [
        f"### {spec.statement}",
        f"```text\n{drawing}\n```",
        legend,
        "\n".join(table),
        spec.because,
    ]
    return "\n\n".join(part for part in parts if part)


def _kinds() -> str:
    taxonomy = CATALOG.taxonomy
    rows = [
        f"| `{k.name}` | {k.one} | {', '.join(k.groups)} | {', '.join(k.names)} |"
        for k in taxonomy.kinds
    ]
    groups = ", ".join(f"`{name}` ({many})" for name, (_, many) in taxonomy.group_words.items())
    channels = ", ".join(f"`{name}`" for name in taxonomy.channels)
    return "\n".join([*rows, "", f"Groups: {groups}.", "", f"Channels: {channels}."])


if __name__ == "__main__":
    PAGE.write_text(write_manual(), encoding="utf-8")
