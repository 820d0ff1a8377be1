"""One readable statement about features: a timeline, and the numbers worked out by hand."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import dedent

from features.catalog.feature import Feature
from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.taxonomy import default_taxonomy
from tests.spec.timeline import AttributeValue, Mark, Timeline, read_timeline

CATALOG = build_catalog(
    default_taxonomy(),
    (
        LeadAttribute("industry", "category", ("bank", "software", OTHER_CATEGORY)),
        LeadAttribute("job_title", "category", ("Head of Sales", OTHER_CATEGORY)),
        LeadAttribute("seniority", "category", ("manager", "vp", OTHER_CATEGORY)),
        LeadAttribute("employees", "number"),
        LeadAttribute("phone_known", "flag"),
        LeadAttribute("trial_ends", "time"),
    ),
    accounts=True,
)
"""Baton's own taxonomy, attributes of every type, and accounts."""

FEATURES = {feature.name: feature for feature in CATALOG.features}
UNKNOWN = "unknown"

_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def work_out(sum_by_hand: str) -> float:
    """Work out a sum as one writes it by hand.

    >>> work_out("2/7 - 1/23"), work_out("2 ** 0.5"), work_out("-3")
    (0.2422360248447205, 1.4142135623730951, -3.0)
    """

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            return _OPERATIONS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        raise ValueError(f"{sum_by_hand!r} is no sum of numbers.")

    return value(ast.parse(sum_by_hand, mode="eval").body)


def read_cell(feature: Feature, text: str) -> float:
    """Read an expected value: a number or sum, the name of a category, or ``unknown``."""
    if text == UNKNOWN:
        return math.nan
    if feature.categories:
        return float(feature.categories.index(text))
    return work_out(text)


@dataclass(frozen=True)
class Spec:
    """One statement, true on every engine."""

    statement: str
    """The statement, as a sentence."""
    drawing: str
    expect: str
    """A table: features down, ``ann`` or ``ann at B`` across; every number written by hand."""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """Letters of this drawing that mean something of their own."""
    values: Mapping[str, AttributeValue] = field(default_factory=dict)
    """What the letters in rows of attributes stand for."""
    because: str = ""
    """Shown below the numbers, where they need a word."""

    @cached_property
    def timeline(self) -> Timeline:
        """The drawing, read."""
        return read_timeline(self.drawing, self.marks, self.values)

    @cached_property
    def table(self) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """Headings of the expected values, and a row of cells for each feature."""
        lines = dedent(self.expect).strip("\n").splitlines()
        cells = [tuple(cell.strip() for cell in line.split("|")) for line in lines]
        return cells[0][1:], {row[0]: row[1:] for row in cells[1:]}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features it speaks of."""
        return tuple(self.table[1])

    def expected(self) -> dict[tuple[str, str], float]:
        """Give each expected value by lead (and moment) and feature."""
        headings, rows = self.table
        return {
            (heading, name): read_cell(FEATURES[name], cell)
            for name, cells in rows.items()
            for heading, cell in zip(headings, cells, strict=True)
        }


@dataclass(frozen=True)
class Chapter:
    """The statements about one family of features, or about all of them."""

    title: str
    """A family of the catalogue, or the title of a chapter of its own."""
    about: str
    """What a reader should know first; Markdown."""
    specs: tuple[Spec, ...]
