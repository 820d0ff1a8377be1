"""Models for segments that have enough data and are better off with one of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.catalog.manifest import Catalog
from training.dataset.moments import Dataset
from training.dataset.splits import Split
from training.errors import UnknownSegmentError
from training.evaluation.calibration import list_log_losses
from training.models.fit_data import margins
from training.models.segmented import SegmentedModel, SegmentPart
from training.selection.competition import (
    Competition,
    FittedCandidate,
    Progress,
    compare,
    fit_calibrated,
    narrow,
    usable_folds,
)

FEWEST_OF_EACH = 40
"""Conversions, and others, that a segment needs in the fit slice: the lowest bar a vendor states
(Dynamics 365 Sales, 40 qualified and 40 disqualified leads)."""

FEWEST_LATER = 15
"""And in each slice that calibrates or judges it."""

STATION = "comparing models of segments"


@dataclass(frozen=True)
class SegmentRule:
    """Who is in a segment: the leads with one of these values of an attribute."""

    field: str
    values: tuple[str, ...]

    @property
    def words(self) -> str:
        """Name the segment.

        >>> SegmentRule("industry", ("software", "telecom")).words
        'industry: software or telecom'
        """
        return f"{self.field}: {' or '.join(self.values)}"


@dataclass(frozen=True)
class SegmentVerdict:
    """Whether a segment got a model of its own, and why."""

    segment: str
    kept: bool
    because: str


def read_rules(texts: Sequence[str], catalog: Catalog) -> tuple[SegmentRule, ...]:
    """Read filters such as ``industry`` (each value a segment) or ``industry=software,telecom``.

    Raises
    ------
    UnknownSegmentError
        If the field or the value is not there.
    """
    known = {f.attribute: f for f in catalog.features if f.op is Op.ATTRIBUTE and f.categories}
    rules: list[SegmentRule] = []
    for text in texts:
        name, equals, listed = (part.strip() for part in text.partition("="))
        if name not in known:
            raise UnknownSegmentError(text, "field", name, tuple(known))
        categories = known[name].categories
        if not equals:
            rules += [SegmentRule(name, (value,)) for value in categories]
            continue
        values = tuple(value.strip() for value in listed.split(","))
        for value in values:
            if value not in categories:
                raise UnknownSegmentError(text, f"value of {name}", value, categories)
        rules.append(SegmentRule(name, values))
    return tuple(rules)


def fit_segments(
    dataset: Dataset,
    texts: Sequence[str],
    competition: Competition,
    seed: int,
    progress: Progress,
) -> tuple[Competition, tuple[SegmentVerdict, ...]]:
    """Give each segment the recipe that won, fitted on it alone, where that is better.

    Better means: over the rolling folds its log loss on the segment's later leads lies more than
    one standard error (paired, over leads) below that of the model for everyone. Elsewhere the
    model for everyone stays (Salesforce's "the better of", decided per segment).

    Returns
    -------
    competition : Competition
        With the chosen model extended by the parts that were kept.
    verdicts : tuple of SegmentVerdict
        One per segment.
    """
    rules = read_rules(texts, dataset.catalog)
    if not rules:
        return competition, ()
    folds = usable_folds(dataset)
    verdicts, parts = [], []
    for done, rule in enumerate(rules):
        column, codes = _find_column(dataset.catalog, rule)
        member = np.isin(dataset.rows[:, column], np.array(codes, np.float32))
        verdict = _judge(dataset, rule, member, folds, competition, seed)
        verdicts.append(verdict)
        if verdict.kept:
            parts.append(_fit_part(dataset, rule, member, competition, seed))
        progress(STATION, (done + 1) / len(rules))
    return _extend(dataset, competition, tuple(parts)), tuple(verdicts)


def _find_column(catalog: Catalog, rule: SegmentRule) -> tuple[int, tuple[int, ...]]:
    column = next(
        i
        for i, f in enumerate(catalog.features)
        if f.op is Op.ATTRIBUTE and f.attribute == rule.field
    )
    names = catalog.features[column].categories
    return column, tuple(names.index(value) for value in rule.values)


def _fit(
    dataset: Dataset, split: Split, competition: Competition, seed: int
) -> NDArray[np.float64]:
    """Fit the winning recipe on a split; give the loss of each judged row."""
    small = narrow(dataset, split)
    fitted = fit_calibrated(small, small.split, competition.chosen.learned.candidate, seed)
    judged = small.split.newest
    return list_log_losses(small.converted[judged], fitted.probabilities[judged])


def _lacking(dataset: Dataset, split: Split, fewest: dict[str, int]) -> str:
    """Name the first slice with too few outcomes of a kind; empty if none has."""
    for name, needed in fewest.items():
        own = dataset.converted[getattr(split, name)]
        conversions = int(own.sum())
        if min(conversions, len(own) - conversions) < needed:
            return (
                f"its {name} slice has {conversions} conversions in {len(own)} moments; {needed} that "
                "converted and as many that did not are needed"
            )
    return ""


ENOUGH = {"fit": FEWEST_OF_EACH, "calibrate": FEWEST_LATER, "newest": FEWEST_LATER}


def _judge(
    dataset: Dataset,
    rule: SegmentRule,
    member: NDArray[np.bool_],
    folds: list[Split],
    competition: Competition,
    seed: int,
) -> SegmentVerdict:
    """Decide by the folds whether the segment's own model is better."""
    lacking = _lacking(dataset, dataset.split.within(member), ENOUGH)
    if lacking:
        return SegmentVerdict(rule.words, False, f"Too little data: {lacking}.")
    own, same, leads = [], [], []
    for fold, known in zip(folds, competition.fold_losses, strict=True):
        inside = fold.within(member)
        if _lacking(dataset, inside, dict.fromkeys(ENOUGH, FEWEST_LATER)):
            continue
        own.append(_fit(dataset, inside, competition, seed))
        same.append(known[member[fold.newest]])
        leads.append(dataset.lead_of[inside.newest])
    if not own:
        return SegmentVerdict(rule.words, False, "Too little data: no fold could judge it.")
    table = compare(
        {"own": np.concatenate(own), "everyone": np.concatenate(same)}, np.concatenate(leads)
    )
    mine, others = table
    kept = mine.behind == 0.0 and others.behind > others.standard_error
    sentence = (
        f"Over {len(own)} folds the log loss on its later leads is {mine.log_loss:.4f} with a "
        f"model of its own and {others.log_loss:.4f} with the model for everyone (standard error "
        f"of the difference {max(mine.standard_error, others.standard_error):.4f})."
    )
    return SegmentVerdict(rule.words, kept, sentence)


def _fit_part(
    dataset: Dataset,
    rule: SegmentRule,
    member: NDArray[np.bool_],
    competition: Competition,
    seed: int,
) -> SegmentPart:
    """Fit the segment's model, calibrate it on its later leads, and bring it to one scale."""
    everyone = competition.chosen
    fitted = fit_calibrated(
        dataset, dataset.split.within(member), everyone.learned.candidate, seed
    )
    slope, intercept = everyone.calibration.slope, everyone.calibration.intercept
    own = fitted.calibration
    typical = slope * everyone.model.bias + intercept
    shift = (own.slope * fitted.model.bias + own.intercept - typical) / slope
    column, codes = _find_column(dataset.catalog, rule)
    return SegmentPart(rule.words, column, codes, own.slope / slope, shift, fitted.model)


def _extend(
    dataset: Dataset, competition: Competition, parts: tuple[SegmentPart, ...]
) -> Competition:
    if not parts:
        return competition
    chosen = competition.chosen
    model = SegmentedModel(chosen.model, parts)
    extended: FittedCandidate = replace(chosen, model=model, margins=margins(model, dataset.rows))
    fitted = tuple(extended if f is chosen else f for f in competition.fitted)
    return replace(competition, chosen=extended, fitted=fitted)
