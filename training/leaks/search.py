"""The hunt for the field behind a model that is too good: leave one group out at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.dataset.moments import Dataset
from training.estimators.boosting import BoostedTreesClassifier
from training.evaluation.association import measure_plain_auc
from training.leaks.audit import TOO_GOOD, LeakAudit, find_undated
from training.leaks.rules import DATE_IT, LeakFinding, LeakVerdict
from training.selection.competition import Progress, fit_data, narrow, thin

STATION = "hunting the field that is too good"

LEAST_FALL = 0.05
"""A field is guilty if the AUC falls by so much without it."""

MOST_SUSPECTS = 24
MOST_DATED = 8
"""Dated fields that are suspected, the strongest alone first."""

STRONG_ALONE = 0.85
"""A dated field that ranks leads so well by itself stops the run, too: its dates may be wrong."""

ROUNDS = 40

MOST_ACCOMPLICES = 8
"""Fields that are taken away together where none is missed alone."""

WITHOUT = "AUC without it"
BY_ITSELF = "AUC by itself, the model being too good"


@dataclass(frozen=True)
class Suspect:
    """A business field, and why it is suspected."""

    field: str
    columns: NDArray[np.int64]
    dated: bool
    journey: bool
    """Whether it is the lead's own path through the stages, honestly strong by nature."""
    alone: float
    """The AUC of its strongest feature by itself, where it is known; in `search_leak`, of all leads."""

    @property
    def is_strong(self) -> bool:
        """Whether it ranks leads by itself nearly as well as the model that is too good."""
        return self.alone >= STRONG_ALONE and not self.journey


def search_leak(
    dataset: Dataset, audit: LeakAudit, seed: int, progress: Progress
) -> tuple[LeakFinding, ...]:
    """Find the fields without which the model is no longer too good.

    A few trees are grown on the fit slice without one field at a time and judged on the slice that
    calibrates. Where leaving out one changes nothing, because others say the same, the strongest
    undated ones are taken away one after the other until the alarm falls silent. A field that ranks
    leads that well by itself needs no proof: siblings may cover for it. Leaks that were allowed are
    left out from the beginning: what they alone make too good is nobody else's fault.

    Returns
    -------
    tuple of Finding
        A leak for a field claimed known at creation; for dated records only where the field alone
        is very strong, else a warning: strong honest interest is no crime.
    """
    allowed = {finding.field for finding in audit.allowed}
    listed = _list_suspects(dataset, audit)
    known = [suspect for suspect in listed if suspect.field in allowed]
    small = _leave_out(narrow(dataset, dataset.split.within(_thin(dataset, seed))), known)
    suspects = [
        _look_at_all(small, suspect, seed) for suspect in listed if suspect.field not in allowed
    ]
    todo = len(suspects) + MOST_ACCOMPLICES + 1
    done = 0

    def measure(without: list[Suspect]) -> float:
        nonlocal done
        found = _measure_without(small, without, seed)
        done += 1
        progress(STATION, min(1.0, done / todo))
        return found

    whole = measure([])
    if known and whole <= TOO_GOOD:
        progress(STATION, 1.0)
        return ()
    without = {suspect.field: measure([suspect]) for suspect in suspects}
    guilty = [s for s in suspects if whole - without[s.field] >= LEAST_FALL or s.is_strong]
    if not guilty:
        guilty, rest = _take_away(suspects, measure)
        without |= dict.fromkeys((suspect.field for suspect in guilty), rest)
    progress(STATION, 1.0)
    return tuple(_word(dataset, suspect, without[suspect.field], whole) for suspect in guilty)


def _thin(dataset: Dataset, seed: int) -> NDArray[np.bool_]:
    split = dataset.split
    return thin(dataset, split.fit | split.calibrate, seed)


def _list_suspects(dataset: Dataset, audit: LeakAudit) -> list[Suspect]:
    """List undated fields and the strongest dated ones, the strongest alone first."""
    undated = find_undated(dataset.catalog)
    features = dataset.catalog.features
    alone = {row.field: np.nan_to_num(row.strongest_auc, nan=0.5) for row in audit.list_fields()}
    suspects = []
    dated_ones = 0
    for field in sorted(alone, key=lambda name: -alone[name]):
        dated = field not in undated
        dated_ones += dated
        if dated and dated_ones > MOST_DATED:
            continue
        own = [i for i, f in enumerate(features) if f.field == field]
        journey = all(features[i].sub_score == "journey" for i in own)
        suspects.append(Suspect(field, np.array(own), dated, journey, float(alone[field])))
    return suspects[:MOST_SUSPECTS]


def _look_at_all(small: Dataset, suspect: Suspect, seed: int) -> Suspect:
    """Rank all leads by a field that is strong among the leads where it is known.

    Among a few dozen leads chance makes such an AUC; a field that explains the whole model must
    rank the others as well.
    """
    if not suspect.is_strong:
        return suspect
    rows = np.full_like(small.rows, np.nan)
    rows[:, suspect.columns] = small.rows[:, suspect.columns]
    return replace(suspect, alone=_measure(replace(small, rows=rows), seed))


def _leave_out(small: Dataset, fields: list[Suspect]) -> Dataset:
    """Blank the columns of some fields."""
    rows = small.rows.copy()
    for suspect in fields:
        rows[:, suspect.columns] = np.nan
    return replace(small, rows=rows)


def _measure_without(small: Dataset, without: list[Suspect], seed: int) -> float:
    """Measure the AUC on the calibrate slice of trees that never see some fields."""
    return _measure(_leave_out(small, without), seed)


def _measure(blind: Dataset, seed: int) -> float:
    """Measure the AUC on the calibrate slice of a few quick trees."""
    train = fit_data(blind, blind.split.fit, seed)
    trees = BoostedTreesClassifier(
        train.features, learning_rate=0.1, rounds=ROUNDS, random_state=seed
    )
    trees.fit(train.rows, train.converted, train.weights)
    later = blind.split.calibrate
    return measure_plain_auc(
        trees.decision_function(blind.rows[later]), blind.converted[later] == 1
    )


def _take_away(
    suspects: list[Suspect], measure: Callable[[list[Suspect]], float]
) -> tuple[list[Suspect], float]:
    """Take the strongest fields away until the AUC is ordinary; none if it never is."""
    taken: list[Suspect] = []
    for suspect in [s for s in suspects if not s.dated][:MOST_ACCOMPLICES]:
        taken.append(suspect)
        rest = measure(taken)
        if rest <= TOO_GOOD:
            return taken, rest
    return [], float("nan")


def _word(dataset: Dataset, suspect: Suspect, rest: float, whole: float) -> LeakFinding:
    stops = not suspect.dated or suspect.is_strong
    names = [dataset.catalog.features[i].name for i in suspect.columns]
    name = names[0] if len(names) == 1 else f"{len(names)} features of {suspect.field}"
    falls = whole - rest >= LEAST_FALL or not suspect.is_strong
    advice = f"The model is too good because of it. {DATE_IT}."
    verdict = LeakVerdict.LEAK if stops else LeakVerdict.WARN
    if falls:
        limit = f"falls by {LEAST_FALL:g} from {whole:.3f}, or ends the alarm at {TOO_GOOD:g}"
        return LeakFinding(name, suspect.field, WITHOUT, rest, limit, verdict, advice)
    limit = f">= {STRONG_ALONE:g}"
    return LeakFinding(name, suspect.field, BY_ITSELF, suspect.alone, limit, verdict, advice)
