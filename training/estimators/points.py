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
from training.estimators.classifier import LeadClassifier, Progress, TrainingRows
from training.models.linear import LinearModel, Term, measure_from_mean
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
    text = files("training.estimators").joinpath("points.toml").read_text(encoding="utf-8")
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


class PointsTableClassifier(LeadClassifier):
    """A points table as a model: the rows only tell where the typical lead stands.

    Ten points double the odds, unless the calibration, which every candidate gets, finds that
    they do more or less.

    Parameters
    ----------
    features : sequence of Feature, optional
        One per column; without them the rules find nothing to ask.
    table : PointsTable, optional
        None: the one that ships with Baton.
    """

    model_: LinearModel

    def __init__(
        self, features: Sequence[Feature] | None = None, table: PointsTable | None = None
    ) -> None:
        self.features = features
        self.table = table

    def _learn(
        self,
        learned_from: TrainingRows,
        tuning: NDArray[np.bool_] | None,  # noqa: ARG002 - there is nothing to choose
        progress: Progress,
    ) -> LinearModel:
        table = self.table or default_points()
        model = build_points_model(learned_from.features, table, learned_from.rows)
        progress(1.0)
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # what is not learned may be wrong
        return tags


def build_points_model(
    features: Sequence[Feature], table: PointsTable, rows: NDArray[np.float32]
) -> LinearModel:
    """Build the model of a points table, measured from the mean of some rows."""
    terms = measure_from_mean(build_point_terms(features, table), rows)
    return LinearModel(float(sum(term.mean for term in terms.values())), rows.shape[1], terms)


def build_point_terms(features: Sequence[Feature], table: PointsTable) -> dict[int, Term]:
    """Build a term per feature that has rules, in log-odds."""
    rules: dict[str, list[Rule]] = {}
    for rule in table.rules:
        rules.setdefault(rule.feature, []).append(rule)
    return {
        column: _build_term(feature, rules[feature.name])
        for column, feature in enumerate(features)
        if feature.name in rules
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
