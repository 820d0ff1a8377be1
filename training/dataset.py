"""Features as of t joined with labels after t."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.clock import to_us
from features.compute.offline import Snapshots
from features.compute.vocabulary import learn_catalog
from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index
from training.engine import IN_PROCESS, Engine
from training.errors import NoSnapshotsError, TooLittleHistoryError
from training.labels.conversion import Grid, Outcome, label_history
from training.splits import Split, split_by_time

FEWEST_OUTCOMES = 15
"""Conversions, and non-conversions, that each slice needs at the least."""

MOST_ROWS = 300_000
"""Snapshots above this are thinned by leaving out whole leads."""


@dataclass(frozen=True)
class Dataset:
    """Everything a run learns from and is judged on."""

    catalog: Catalog
    outcome: Outcome
    grid: Grid
    snapshots: Snapshots
    created_at: NDArray[np.int64]
    """Creation of each snapshot's lead, microseconds."""
    rows: NDArray[np.float32]
    converted: NDArray[np.int8]
    split: Split
    left_out: dict[str, int]
    delay_us: int
    """How long outcomes take to become known; see `Labelled`."""
    remarks: tuple[str, ...] = ()
    """What the card should say of how it was made."""


def _thin(n_leads: int, lead_of: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Choose leads at random until their snapshots fit; all of them if they do anyway."""
    if len(lead_of) <= MOST_ROWS:
        return np.ones(len(lead_of), np.bool_)
    rng = np.random.default_rng(seed)
    keep = rng.random(n_leads) < MOST_ROWS / len(lead_of)
    return np.asarray(keep[lead_of])


def _check_slices(split: Split, converted: NDArray[np.int8]) -> None:
    for name in ("fit", "calibrate", "newest"):
        own = converted[getattr(split, name)]
        positive = int(own.sum())
        if min(positive, len(own) - positive) < FEWEST_OUTCOMES:
            raise TooLittleHistoryError(name, len(own), positive, FEWEST_OUTCOMES)


def build_dataset(
    history: History,
    outcome: Outcome,
    grid: Grid,
    *,
    seed: int,
    drop: frozenset[str] = frozenset(),
    engine: Engine = IN_PROCESS,
    progress: Callable[[float], None] = lambda _: None,
) -> Dataset:
    """Look, label, split, learn the vocabulary, and compute the features.

    Parameters
    ----------
    history, outcome, grid
        What is known, what is predicted, when leads are looked at.
    seed
        Chooses the leads when there are too many.
    drop
        Attributes to leave out of the catalogue.
    engine
        Who computes the features.
    progress
        Called with the share of the matrix that is done.

    Raises
    ------
    NoSnapshotsError
        If nothing can be labelled.
    TooLittleHistoryError
        If a slice has too few outcomes.
    """
    labelled = label_history(history, outcome, grid)
    if not len(labelled.snapshots):
        raise NoSnapshotsError(outcome.event, outcome.horizon_days)
    ids = lead_index(history.leads)
    kept = _thin(len(ids), labelled.snapshots.lead_index, seed)
    snapshots, converted = labelled.snapshots.take(kept), labelled.converted[kept]
    created = creation_times(history.leads)[snapshots.lead_index]
    split = split_by_time(created, snapshots.as_of, labelled.known_at[kept])
    _check_slices(split, converted)
    catalog = learn_catalog(
        history.about.taxonomy, [history.leads], to_us(split.calibrate_from), without=drop
    )
    done = 0

    def tell(n: int) -> None:
        nonlocal done
        done += n
        progress(done / len(snapshots))

    rows = engine.compute(catalog, history, snapshots, progress=tell)
    return Dataset(
        catalog,
        outcome,
        grid,
        snapshots,
        created,
        rows,
        converted,
        split,
        labelled.left_out,
        labelled.delay_us,
        engine.remarks,
    )
