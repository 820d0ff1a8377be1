"""Champion and challenger on one history: what each is measured on, and who would feel a change."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.clock import DAY_US, from_us, to_us
from features.compute.offline import Snapshots, compute_matrix
from features.contracts.history import History
from features.kernel.layout import lead_index
from features.lifecycle.targets import Target
from training.bundle import MANIFEST, Bundle
from training.dataset.moments import build_moments
from training.dataset.open_leads import find_open, find_owners
from training.errors import BundleError, OutcomesDifferError, SameModelError
from training.evaluation.segments import SegmentColumn
from training.labels.conversion import Grid
from training.promotion.impact import Everyone, Impact, View, build_view, measure_impact
from training.promotion.paired import Comparison, compare
from training.promotion.rules import (
    PromotionDecision,
    PromotionRules,
    PromotionVerdict,
    decide_promotion,
)
from training.run.options import read_options

ROWS_AT_A_TIME = 8192
"""Rows whose reasons are in memory at a time."""

MOST_VALUES, SEGMENT_FIELDS = 30, 6
"""Fields of up to so many values are sliced by, at most so many fields."""

Progress = Callable[[str, float], None]
"""Called with the station's name and the share of it that is done."""


@dataclass(frozen=True)
class Review:
    """Everything there is to know before a champion is replaced."""

    champion: Bundle
    challenger: Bundle
    later_since: datetime
    """Compared are leads created at or after this: everything older was known to one of them."""
    as_of: datetime
    """The moment of the impact: the end of the history."""
    champion_age_days: float | None
    comparison: Comparison | None
    """None where no later lead has a matured outcome."""
    decision: PromotionDecision
    impact: Impact
    before: View
    after: View
    rules: PromotionRules


def seen_until(bundle: Bundle) -> datetime:
    """Tell the moment after which no lead was known to whoever fitted or calibrated a bundle.

    By its provenance; a bundle that does not say so is asked for its card, whose newest slice
    begins with the first moment of looking at a lead that it had not learned from.

    Raises
    ------
    BundleError
        If neither says.
    """
    manifest = json.loads((bundle.folder / MANIFEST).read_text(encoding="utf-8"))
    recorded = manifest["provenance"].get("seen_until") or _newest_slice(bundle).get("first")
    try:
        moment = datetime.fromisoformat(recorded or "")
        to_us(moment)
    except ValueError:
        raise BundleError(
            str(bundle.folder),
            "does not say until when it learned, so later leads cannot be identified",
        ) from None
    return moment


def _newest_slice(bundle: Bundle) -> Mapping[str, str]:
    slices = bundle.card.get("data", {}).get("slices") or [{}]
    newest: Mapping[str, str] = slices[-1]
    return newest


def find_age_days(champion: Bundle, newest: datetime) -> float | None:
    """Find how long before ``newest`` the champion's newest examples lie; None if unknown."""
    try:
        last = datetime.fromisoformat(_newest_slice(champion).get("last") or "")
        return max(0.0, (to_us(newest) - to_us(last)) / DAY_US)
    except ValueError:
        return None


def check_comparable(champion: Bundle, challenger: Bundle) -> None:
    """Check that two bundles promise the same thing and are not one.

    Raises
    ------
    SameModelError, OutcomesDifferError
    """
    if champion.fingerprint == challenger.fingerprint:
        raise SameModelError(challenger.name, challenger.version)
    old, new = champion.contract, challenger.contract
    if old != new:
        raise OutcomesDifferError(old.text, new.text)


def review(
    history: History,
    champion: Bundle,
    challenger: Bundle,
    *,
    rules: PromotionRules = PromotionRules(),  # noqa: B008 - frozen
    progress: Progress = lambda _station, _share: None,
) -> Review:
    """Compare two bundles on the leads neither knew, decide, and measure what would change.

    Raises
    ------
    SameModelError, OutcomesDifferError
        If they cannot be compared.
    BundleError
        If one does not say what it learned from.
    """
    check_comparable(champion, challenger)
    options, _ = read_options(challenger.folder)
    since = max(seen_until(champion), seen_until(challenger))
    progress("looking at later leads", 0.0)
    moments = build_moments(history, options.outcome, options.grid, seed=options.seed)
    age = find_age_days(champion, from_us(int(moments.snapshots.as_of.max())))
    later = moments.take(moments.created_at >= to_us(since))
    progress("looking at later leads", 1.0)
    comparison = None
    if len(later):
        progress("comparing on later leads", 0.0)
        rows = [
            compute_matrix(b.catalog, history, later.snapshots) for b in (champion, challenger)
        ]
        progress("comparing on later leads", 0.5)
        comparison = compare(
            later.converted,
            _chances(champion, rows[0]),
            _chances(challenger, rows[1]),
            later.lead_of,
            base_rate_train=_base_rate(challenger, float(later.converted.mean())),
            segments=list_segments((challenger, rows[1]), (champion, rows[0])),
            rng=np.random.default_rng(options.seed),
        )
        progress("comparing on later leads", 1.0)
    target = options.outcome.target
    impact, before, after = find_impact(history, champion, challenger, target, progress)
    return Review(
        champion=champion,
        challenger=challenger,
        later_since=since,
        as_of=history.about.observed_until,
        champion_age_days=age,
        comparison=comparison,
        decision=_decide(comparison, rules, age, since, options.grid),
        impact=impact,
        before=before,
        after=after,
        rules=rules,
    )


def _decide(
    comparison: Comparison | None,
    rules: PromotionRules,
    age: float | None,
    since: datetime,
    grid: Grid,
) -> PromotionDecision:
    if comparison is not None:
        return decide_promotion(comparison, rules, champion_age_days=age)
    sentence = (
        f"No lead created on {since:%Y-%m-%d} or later, looked at {grid.words}, has a matured "
        "outcome: there is nothing that both models can be judged on. Wait, or bring a longer "
        "history."
    )
    return PromotionDecision(PromotionVerdict.CANNOT_TELL, (sentence,))


def _chances(bundle: Bundle, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    return _score(bundle, rows)[1]


def _score(
    bundle: Bundle, rows: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute uncut points and chances, a few rows at a time."""
    points, chances = np.empty(len(rows)), np.empty(len(rows))
    for begin in range(0, len(rows), ROWS_AT_A_TIME):
        own = slice(begin, begin + ROWS_AT_A_TIME)
        scores = bundle.score(rows[own])
        points[own], chances[own] = scores.points, scores.probability
    return points, chances


def _base_rate(bundle: Bundle, otherwise: float) -> float:
    recorded = bundle.card.get("quality", {}).get("base_rate_train")
    return otherwise if recorded is None else float(recorded)


def list_segments(*seen: tuple[Bundle, NDArray[np.float32]]) -> tuple[SegmentColumn, ...]:
    """List the fields to slice by: attributes with few values, of any of the bundles."""
    found: dict[str, SegmentColumn] = {}
    for bundle, rows in seen:
        for position, feature in enumerate(bundle.catalog.features):
            if feature.op is Op.ATTRIBUTE and 2 <= len(feature.categories) <= MOST_VALUES:
                column = SegmentColumn(feature.field_words, rows[:, position], feature.categories)
                found.setdefault(feature.field_words, column)
    return tuple(found.values())[:SEGMENT_FIELDS]


def find_impact(
    history: History, champion: Bundle, challenger: Bundle, target: Target, progress: Progress
) -> tuple[Impact, View, View]:
    """Find what a change would do to the leads that are open at the end of a history.

    Returns
    -------
    impact : Impact
    before, after : View
        How the two models see each of them.
    """
    progress("scoring everyone who is open now", 0.0)
    as_of = to_us(history.about.observed_until)
    chosen = find_open(history, target, as_of)
    asked = Snapshots(chosen, np.full(len(chosen), as_of, np.int64))
    old = compute_matrix(champion.catalog, history, asked)
    progress("scoring everyone who is open now", 0.3)
    new = compute_matrix(challenger.catalog, history, asked)
    progress("scoring everyone who is open now", 0.6)
    ids = list(lead_index(history.leads))
    owners = find_owners(history, as_of)
    everyone = Everyone(
        [ids[lead] for lead in chosen],
        [owners.get(ids[lead]) for lead in chosen],
        list_segments((challenger, new), (champion, old)),
    )
    before, after = see(champion, old), see(challenger, new)
    impact = measure_impact(
        everyone,
        before,
        after,
        lambda rows: (field_points(champion, old[rows]), field_points(challenger, new[rows])),
    )
    progress("scoring everyone who is open now", 1.0)
    return impact, before, after


def see(bundle: Bundle, rows: NDArray[np.float32]) -> View:
    """Score rows as people would see them; not enough known is no score."""
    points, chances = _score(bundle, rows)
    unknown = np.array([why is not None for why in bundle.find_unknown(rows)], np.bool_)
    edges = [(band.name, band.points_from) for band in bundle.bands]
    return build_view(
        np.where(unknown, np.nan, points),
        np.where(unknown, np.nan, chances),
        edges,
        bundle.base_probability,
    )


def field_points(bundle: Bundle, rows: NDArray[np.float32]) -> Sequence[Mapping[str, float]]:
    """Sum the points of each business field, per row."""
    reasons = bundle.score(rows).reasons
    points_by_field: list[dict[str, float]] = [{} for _ in rows]
    for position, feature in enumerate(bundle.catalog.features):
        for row, points in enumerate(reasons[:, position].tolist()):
            words = feature.field_words
            points_by_field[row][words] = points_by_field[row].get(words, 0.0) + points
    return points_by_field
