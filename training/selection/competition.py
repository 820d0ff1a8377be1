"""Candidates compete over rolling folds; the simplest within one standard error of the best wins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.families import without_orphans
from training.dataset.moments import Dataset
from training.dataset.splits import Split, rolling_folds
from training.engine import IN_PROCESS, Engine
from training.estimators.candidates import TREES, TUNED, Candidate, FittedModel
from training.evaluation.calibration import (
    AffineFit,
    compute_log_loss,
    fit_affine,
    list_log_losses,
)
from training.models.fit_data import FitData, margins
from training.selection.tuning import Budget, Tuned, tune

Progress = Callable[[str, float], None]
"""Called with the station's name and the share of it that is done."""

MOST_FOLD_ROWS = 40_000
"""Rows a fold learns from, thinned by lead: enough to rank candidates, and the folds stay quick."""

TRIED_ROWS = 3000
"""Rows on which an estimator of another package is tried out."""

FEWEST_OUTCOMES = 15
"""Conversions, and others, that each slice of a fold needs, else it is left out."""


@dataclass(frozen=True)
class FittedCandidate:
    """A candidate, calibrated."""

    learned: FittedModel
    model: Any
    """What it has learned, extended by models of segments where they are better."""
    calibration: AffineFit
    margins: NDArray[np.float64]
    """Uncalibrated, of every row of the data set."""

    @property
    def name(self) -> str:
        """Name of the candidate."""
        return self.learned.candidate.name

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters, for the record."""
        return self.learned.settings

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated chances of every row."""
        return self.calibration.apply(self.margins)


@dataclass(frozen=True)
class FoldRow:
    """How one candidate fared over all folds."""

    name: str
    log_loss: float
    behind: float
    """Mean log loss above that of the best candidate; 0 for the best."""
    standard_error: float
    """Of ``behind``, over leads: what both models find hard cancels out."""

    @property
    def is_as_good(self) -> bool:
        """Whether it lies within one standard error of the best."""
        return self.behind <= self.standard_error


@dataclass(frozen=True)
class Competition:
    """What the folds said, and every candidate fitted on the whole fit slice."""

    fitted: tuple[FittedCandidate, ...]
    chosen: FittedCandidate
    because: str
    folds: tuple[FoldRow, ...] = ()
    n_folds: int = 0
    tuned: Tuned = field(default_factory=Tuned)
    fold_losses: tuple[NDArray[np.float64], ...] = ()
    """Losses of the chosen recipe on the rows each of `usable_folds` is judged on."""


def compete(
    dataset: Dataset,
    seed: int,
    progress: Progress = lambda _station, _share: None,
    engine: Engine = IN_PROCESS,
    *,
    budget: Budget = Budget(),  # noqa: B008 - frozen
) -> Competition:
    """Choose a recipe on rolling folds, fit every recipe on the fit slice, calibrate on the later one.

    Parameters
    ----------
    dataset
        Its newest slice is only computed for: nothing here looks at its outcomes.
    seed
        Of whatever is random in fitting.
    engine
        Whose candidates compete.
    budget
        For tuning LightGBM, on the leads that no fold is judged on.
    """
    folds = usable_folds(dataset)
    candidates = dict(engine.candidates)
    tuned = Tuned()
    if folds and TREES in candidates:
        oldest = fit_data(dataset, thin(dataset, folds[0].fit | folds[0].calibrate, seed), seed)
        tuned = tune(oldest, budget, partial(progress, f"tuning {TREES}"))
    if tuned.settings:
        # Beside the usual ones, not instead: the best of many trials is best by luck, too.
        searched = candidates[TREES].with_params(**tuned.settings)
        candidates[TUNED] = replace(searched, name=TUNED)
    found = _judge_folds(dataset, folds, candidates, seed, progress)
    fitted = fit_all(dataset, candidates, seed, progress)
    judged = f"over {len(folds)} rolling folds, each judged on leads later than it learned from"
    if folds:
        leads = np.concatenate([dataset.lead_of[fold.newest] for fold in folds])
        table = compare({name: np.concatenate(own) for name, own in found.items()}, leads)
    else:
        table = _judge_calibrated(dataset, fitted)
        judged = "on the slice that calibrates, the history being too short for folds"
    name, because = choose(table, judged)
    chosen = next(f for f in fitted if f.name == name)
    return Competition(fitted, chosen, because, table, len(folds), tuned, tuple(found[name]))


def usable_folds(dataset: Dataset) -> list[Split]:
    """List the rolling folds that have outcomes enough in each slice."""
    moments = dataset.moments
    times = (moments.created_at, moments.snapshots.as_of, moments.label_known_at)
    return [fold for fold in rolling_folds(dataset.split, *times) if _is_enough(dataset, fold)]


def _is_enough(dataset: Dataset, fold: Split) -> bool:
    for mask in (fold.fit, fold.calibrate, fold.newest):
        own = dataset.converted[mask]
        if min(int(own.sum()), int((own == 0).sum())) < FEWEST_OUTCOMES:
            return False
    return True


def fit_data(dataset: Dataset, rows: NDArray[np.bool_], seed: int) -> FitData:
    """Gather what a candidate is fitted on."""
    return FitData(
        dataset.catalog,
        dataset.rows[rows],
        dataset.converted[rows],
        dataset.moments.created_at[rows],
        dataset.lead_of[rows],
        seed,
        dataset.moments.outcome.is_hoped_for,
    )


def thin(dataset: Dataset, rows: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Leave out leads at random until the rows are few enough for a fold."""
    count = int(rows.sum())
    if count <= MOST_FOLD_ROWS:
        return rows
    n_leads = int(dataset.lead_of.max()) + 1
    keep = np.random.default_rng(seed).random(n_leads) < MOST_FOLD_ROWS / count
    return np.asarray(rows & keep[dataset.lead_of])


def fit_calibrated(
    dataset: Dataset,
    split: Split,
    candidate: Candidate,
    seed: int,
    progress_of: Callable[[float], None] = lambda _share: None,
) -> FittedCandidate:
    """Fit one candidate on a split's fit slice and calibrate it on the later one."""
    learned = candidate.fit(fit_data(dataset, split.fit, seed), progress_of)
    every = margins(learned.model, dataset.rows)
    calibration = fit_affine(every[split.calibrate], dataset.converted[split.calibrate])
    return FittedCandidate(learned, learned.model, calibration, every)


def fit_all(
    dataset: Dataset, candidates: Mapping[str, Candidate], seed: int, progress: Progress
) -> tuple[FittedCandidate, ...]:
    """Fit every candidate on the fit slice and calibrate it on the later one."""
    return tuple(
        fit_calibrated(
            dataset, dataset.split, candidate, seed, partial(progress, f"fitting {name}")
        )
        for name, candidate in candidates.items()
    )


def _judge_folds(
    dataset: Dataset,
    folds: list[Split],
    candidates: Mapping[str, Candidate],
    seed: int,
    progress: Progress,
) -> dict[str, list[NDArray[np.float64]]]:
    """Fit and calibrate every candidate in every fold; give the losses where each is judged."""
    station, todo = "comparing on rolling folds", max(1, len(folds) * len(candidates))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in candidates}
    done = 0
    for fold in folds:
        own = fold.within(thin(dataset, fold.fit | fold.calibrate, seed) | fold.newest)
        small = narrow(dataset, own)
        for name, candidate in candidates.items():
            fitted = fit_calibrated(small, small.split, candidate, seed)
            judged = small.split.newest
            found[name].append(
                list_log_losses(small.converted[judged], fitted.probabilities[judged])
            )
            done += 1
            progress(station, done / todo)
    return found


def _judge_calibrated(
    dataset: Dataset, fitted: tuple[FittedCandidate, ...]
) -> tuple[FoldRow, ...]:
    later = dataset.split.calibrate
    y = dataset.converted[later]
    found = {f.name: list_log_losses(y, f.probabilities[later]) for f in fitted}
    return compare(found, dataset.lead_of[later])


def narrow(dataset: Dataset, split: Split) -> Dataset:
    """Keep only the rows of a split."""
    used = split.fit | split.calibrate | split.newest
    return replace(
        dataset,
        moments=dataset.moments.take(used),
        rows=dataset.rows[used],
        split=split.keep(used),
    )


def compare(
    found: Mapping[str, NDArray[np.float64]], leads: NDArray[np.int64]
) -> tuple[FoldRow, ...]:
    """Compare candidates by their losses on the same rows.

    Parameters
    ----------
    found : mapping of str to ndarray of shape (n,)
        Log loss per row.
    leads : ndarray of shape (n,), int64
        Rows of one lead are not independent: the standard error of a mean difference is that of
        the leads' sums.
    """
    means = {name: float(own.mean()) for name, own in found.items()}
    best = min(means, key=lambda name: means[name])
    _, lead = np.unique(leads, return_inverse=True)
    rows = []
    for name, own in found.items():
        difference = own - found[best]
        sums = np.bincount(lead, difference - difference.mean())
        error = float(np.sqrt((sums**2).sum()) / len(own))
        rows.append(FoldRow(name, means[name], means[name] - means[best], error))
    return tuple(rows)


def choose(table: tuple[FoldRow, ...], judged: str) -> tuple[str, str]:
    """Choose the simplest candidate within one standard error of the best; say why.

    Parameters
    ----------
    table
        In order of simplicity, the simplest first.
    judged
        Where they were judged, to complete the sentence.

    Returns
    -------
    name, because : str
        One standard error: Breiman, Friedman, Olshen, Stone, *Classification and Regression
        Trees*, 1984, section 3.4.3. Here it is that of the paired difference, since all are
        judged on the same rows.
    """
    best = min(table, key=lambda row: row.log_loss)
    chosen = next(row for row in table if row.is_as_good)
    if chosen is best:
        return best.name, (
            f"It has the lowest log loss ({best.log_loss:.4f}) {judged}; nothing simpler comes "
            "within one standard error."
        )
    return chosen.name, (
        f"It is the simplest within one standard error of the best {judged}: log loss "
        f"{chosen.log_loss:.4f}, {best.name} {best.log_loss:.4f} (difference "
        f"{chosen.behind:.4f}, standard error {chosen.standard_error:.4f})."
    )


def try_out(dataset: Dataset, engine: Engine, seed: int) -> None:
    """Fit what other packages bring on a few rows, so that it is refused before hours of fitting.

    Raises
    ------
    EstimatorRefusedError
        If it fails, or learns nothing that can be served.
    """
    train = fit_data(dataset, dataset.split.fit, seed)
    some = train.take(np.arange(0, len(train.rows), max(1, len(train.rows) // TRIED_ROWS)))
    for candidate in engine.candidates.values():
        if candidate.package:
            candidate.fit(some)


def keep_accounts_if_they_help(
    dataset: Dataset, seed: int, progress: Progress, engine: Engine = IN_PROCESS
) -> Dataset:
    """Leave out the account family unless it lowers the log loss on later data; say so.

    What colleagues do tells much in some markets and nothing in others, and a model that asks for
    it makes every caller send it.
    """
    own = [f for f in dataset.catalog.features if f.family != "account"]
    features = without_orphans(own)
    keep = np.isin(dataset.catalog.names, [feature.name for feature in features])
    if keep.all():
        return dataset
    without = replace(
        dataset,
        catalog=replace(dataset.catalog, features=features),
        rows=np.ascontiguousarray(dataset.rows[:, keep]),
    )
    rows = thin(dataset, dataset.split.fit | dataset.split.calibrate, seed)
    later = _log_loss_later(dataset, rows, seed, progress, engine)
    later_without = _log_loss_later(without, rows, seed, progress, engine)
    helps = later < later_without
    words = (
        f"Features of the account were {'kept' if helps else 'left out'}: on the calibration slice "
        f"trees have a log loss of {later:.4f} with them and {later_without:.4f} without."
    )
    return replace(dataset if helps else without, warnings=(*dataset.warnings, words))


def _log_loss_later(
    dataset: Dataset, rows: NDArray[np.bool_], seed: int, progress: Progress, engine: Engine
) -> float:
    """Fit trees on some rows and measure them, calibrated, on those that calibrate."""
    progress_of = partial(progress, "judging the account family")
    small = narrow(dataset, dataset.split.within(rows))
    fitted = fit_calibrated(small, small.split, engine.candidates[TREES], seed, progress_of)
    later = small.split.calibrate
    return compute_log_loss(small.converted[later], fitted.probabilities[later])
