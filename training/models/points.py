"""The points table: what a marketing team gives by hand, scored like any other model."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature
from features.catalog.manifest import Catalog
from features.toml import FILE, parse_toml
from training.errors import PointsTableError
from training.models.design import measure_from_mean
from training.models.fit_data import FitData, Progress
from training.models.linear import LinearModel, Term
from training.models.odds import POINTS_PER_LOGIT

MOST_STEPS = 1000


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one fact about a lead gives."""

    feature: str
    points: float | None = None
    at_least: float | None = None
    is_: tuple[str, ...] | None = msgspec.field(default=None, name="is")
    unknown: bool = False
    each: float | None = None
    most: float | None = None

    @property
    def words(self) -> str:
        """Say what it gives, and when.

        >>> Rule("demo_request_count_30d", points=20, at_least=1).words
        '20 points from 1 on'
        >>> Rule("pricing_view_count_30d", each=4, most=16).words
        '4 points each, at most 16'
        """
        if self.each is not None:
            return f"{self.each:g} points each, at most {self.most:g}"
        if self.at_least is not None:
            return f"{self.points:g} points from {self.at_least:g} on"
        if self.is_ is not None:
            return f"{self.points:g} points for {' or '.join(self.is_)}"
        return f"{self.points:g} points where not known"


class _PointsFile(msgspec.Struct, forbid_unknown_fields=True):
    rule: Annotated[list[Rule], msgspec.Meta(min_length=1)]


@dataclass(frozen=True)
class PointsTable:
    """Rules, and the text they were read from."""

    rules: tuple[Rule, ...]
    text: str
    is_default: bool = False
    """The table that ships with Baton: its rules for features that a history lacks are skipped."""

    def check(self, catalog: Catalog) -> None:
        """Refuse a team's own table that asks what a history cannot answer.

        Raises
        ------
        PointsTableError
            Naming the rule, and the feature or value that is not there.
        """
        by_name = {feature.name: feature for feature in catalog.features}
        if not self.is_default:
            for number, rule in enumerate(self.rules, start=1):
                _check_answerable(number, rule, by_name)

    def list_rules(self, catalog: Catalog) -> tuple[Rule, ...]:
        """List the rules a catalogue can answer."""
        names = set(catalog.names)
        return tuple(rule for rule in self.rules if rule.feature in names)


def read_points(text: str) -> PointsTable:
    """Read a points table from TOML; `default_points` shows one, with every key explained.

    Raises
    ------
    PointsTableError
        Naming the rule, what is wrong with it, and what it should be.
    """
    try:
        read = msgspec.convert(parse_toml(text, FILE), _PointsFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise PointsTableError(str(problem)) from problem
    for number, rule in enumerate(read.rule, start=1):
        _check_form(number, rule)
    return PointsTable(tuple(read.rule), text)


def choose_points(text: str) -> PointsTable:
    """Read a team's own table, or take the one that ships with Baton where there is no text."""
    return read_points(text) if text else default_points()


@cache
def default_points() -> PointsTable:
    """Read the points table that ships with Baton."""
    text = files("training.models").joinpath("points.toml").read_text(encoding="utf-8")
    return PointsTable(read_points(text).rules, text, is_default=True)


def _check_form(number: int, rule: Rule) -> None:
    ways = [rule.at_least is not None, rule.is_ is not None, rule.unknown, rule.each is not None]
    if sum(ways) != 1:
        raise PointsTableError(
            f"rule {number} ({rule.feature}) must have one of at_least, is, unknown and each"
        )
    if rule.each is None and (rule.points is None or rule.most is not None):
        raise PointsTableError(f"rule {number} ({rule.feature}) must say points, and no most")
    if rule.each is None:
        return
    if rule.points is not None or rule.most is None or not rule.each or rule.most / rule.each <= 0:
        raise PointsTableError(
            f"rule {number} ({rule.feature}) has each, so it must say most, of the same sign, "
            "and no points"
        )
    if rule.most / rule.each > MOST_STEPS:
        raise PointsTableError(
            f"rule {number} ({rule.feature}) takes more than {MOST_STEPS} steps from each to most"
        )


def _check_answerable(number: int, rule: Rule, by_name: Mapping[str, Feature]) -> None:
    feature = by_name.get(rule.feature)
    if feature is None:
        near = get_close_matches(rule.feature, by_name, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise PointsTableError(
            f"rule {number} names {rule.feature!r}, which this history has no feature of.{hint} "
            "`baton features list --history FOLDER` lists them"
        )
    if rule.is_ is not None:
        for value in rule.is_:
            if value not in feature.categories:
                known = ", ".join(feature.categories) or "none: it is a number"
                raise PointsTableError(
                    f"rule {number}: {rule.feature} is never {value!r}. Its values: {known}"
                )
    elif feature.categories and not rule.unknown:
        raise PointsTableError(f"rule {number}: {rule.feature} is a category; say is = [...]")


def fit_points(
    train: FitData, progress: Progress, table: PointsTable | None = None
) -> tuple[LinearModel, dict[str, Any]]:
    """Turn a points table into a model; the rows only tell where the typical lead stands.

    Ten points double the odds, unless the calibration, which every candidate gets, finds that
    they do more or less.
    """
    used = table or default_points()
    terms = build_point_terms(train.catalog, used)
    terms = measure_from_mean(terms, train.rows)
    bias = sum(term.mean for term in terms.values())
    progress(1.0)
    return LinearModel(float(bias), train.rows.shape[1], terms), {"points_rules": len(terms)}


def build_point_terms(catalog: Catalog, table: PointsTable) -> dict[int, Term]:
    """Build a term per feature that has rules, in log-odds."""
    rules: dict[str, list[Rule]] = {}
    for rule in table.list_rules(catalog):
        rules.setdefault(rule.feature, []).append(rule)
    position = {feature.name: at for at, feature in enumerate(catalog.features)}
    return {
        position[name]: _build_term(catalog.features[position[name]], own)
        for name, own in rules.items()
    }


def _build_term(feature: Feature, rules: Sequence[Rule]) -> Term:
    missing = sum(rule.points or 0.0 for rule in rules if rule.unknown)
    if feature.categories:
        given = np.zeros(len(feature.categories))
        for rule in rules:
            for value in rule.is_ or ():
                given[feature.categories.index(value)] += rule.points or 0.0
        edges: tuple[float, ...] = ()
    else:
        steps = [step for rule in rules for step in _list_steps(rule)]
        edges = tuple(sorted({edge for edge, _ in steps}))
        given = np.zeros(len(edges) + 1)
        for edge, points in steps:
            given[edges.index(edge) + 1 :] += points
    return Term(0.0, 1.0, 0.0, missing / POINTS_PER_LOGIT, _in_logits(given), 0.0, edges)


def _list_steps(rule: Rule) -> list[tuple[float, float]]:
    """List from which value on a rule adds how many points."""
    if rule.at_least is not None:
        return [(rule.at_least, rule.points or 0.0)]
    if rule.each is None or rule.most is None:
        return []
    whole = int(rule.most / rule.each + 1e-9)
    steps = [(float(count), rule.each) for count in range(1, whole + 1)]
    rest = rule.most - whole * rule.each
    return steps if abs(rest) < 1e-9 else [*steps, (whole + 1.0, rest)]


def _in_logits(points: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(own) for own in points / POINTS_PER_LOGIT)
