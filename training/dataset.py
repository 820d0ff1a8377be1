"""Features as of t joined with labels after t."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.fit import OTHER_CATEGORY, Attribute
from features.catalog.manifest import Catalog, build_catalog
from features.clock import to_us
from features.compute.offline import Snapshots, compute_matrix
from features.contracts.history import History
from features.contracts.leads import attribute_types
from features.kernel.layout import creation_times, lead_index
from training.errors import NoSnapshotsError, TooLittleHistoryError
from training.labels.conversion import Grid, Outcome, label_history
from training.splits import Split, split_by_time

FEWEST_PER_CATEGORY = 10
"""A value seen on fewer leads before the calibration slice has no weight of its own."""

MOST_CATEGORIES = 100

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


def learn_vocabulary(leads: pa.Table, before_us: int) -> tuple[Attribute, ...]:
    """Learn each category's values from what was known before the calibration slice.

    Values on fewer than ``FEWEST_PER_CATEGORY`` leads, and any seen later, share ``(other)``.
    """
    known = leads.filter(pa.compute.less(leads.column("known_at").cast(pa.int64()), before_us))
    attributes = []
    for name, kind in attribute_types(leads).items():
        values: tuple[str, ...] = ()
        if kind == "category":
            counted = (
                known.select(["lead_id", name])
                .filter(pa.compute.is_valid(known.column(name)))
                .group_by(name)
                .aggregate([("lead_id", "count_distinct")])
            )
            pairs = zip(
                counted.column(name).to_pylist(),
                counted.column("lead_id_count_distinct").to_pylist(),
                strict=True,
            )
            ranked = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
            often = [v for v, n in ranked if n >= FEWEST_PER_CATEGORY][:MOST_CATEGORIES]
            values = (*sorted(v for v in often if v != OTHER_CATEGORY), OTHER_CATEGORY)
        attributes.append(Attribute(name, kind, values))
    return tuple(attributes)


def knows_colleagues(leads: pa.Table) -> bool:
    """Tell whether any account has two leads: without that the account family is empty."""
    pairs = leads.select(["account_id", "lead_id"])
    pairs = pairs.filter(pa.compute.is_valid(pairs.column("account_id")))
    people = pairs.group_by("account_id").aggregate([("lead_id", "count_distinct")])
    most = pa.compute.max(people.column("lead_id_count_distinct")).as_py()
    return most is not None and most > 1


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
    leads = history.leads.drop_columns([n for n in drop if n in history.leads.column_names])
    catalog = build_catalog(
        history.about.taxonomy,
        learn_vocabulary(leads, to_us(split.calibrate_from)),
        accounts=knows_colleagues(leads),
    )
    done = 0

    def tell(n: int) -> None:
        nonlocal done
        done += n
        progress(done / len(snapshots))

    rows = compute_matrix(catalog, history, snapshots, progress=tell)
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
    )
