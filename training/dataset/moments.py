"""Moments labelled by what came after them, and the features as of each."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.clock import to_us
from features.compute.derived import check_row_by_row
from features.compute.offline import Snapshots
from features.compute.vocabulary import learn_catalog
from features.contracts.history import History
from features.kernel.layout import creation_times
from training.dataset.duplicates import find_duplicates
from training.dataset.splits import Split, split_by_time
from training.engine import IN_PROCESS, Engine
from training.errors import NoSnapshotsError, TooLittleHistoryError
from training.labels.conversion import Grid, Outcome, label_history

FEWEST_OUTCOMES = 15
"""Conversions, and non-conversions, that each slice needs at the least."""

MOST_ROWS = 300_000
"""Snapshots above this are thinned by leaving out whole leads."""

Share = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""


@dataclass(frozen=True)
class Moments:
    """Moments at which leads were looked at, with matured labels; no features yet."""

    history: History
    outcome: Outcome
    grid: Grid
    snapshots: Snapshots
    created_at: NDArray[np.int64]
    """Creation of each moment's lead, microseconds."""
    converted: NDArray[np.int8]
    label_known_at: NDArray[np.int64]
    """When each label could be known, microseconds."""
    left_out: dict[str, int]
    """Moments that were not used, by reason."""
    delay_us: int
    """How long outcomes take to become known; see `Labelled`."""

    def __len__(self) -> int:
        return len(self.snapshots)

    @property
    def lead_of(self) -> NDArray[np.int64]:
        """The lead of each moment."""
        return self.snapshots.lead_index

    def take(self, chosen: NDArray[np.bool_]) -> "Moments":
        """Keep the moments of a mask."""
        return replace(
            self,
            snapshots=self.snapshots.take(chosen),
            created_at=self.created_at[chosen],
            converted=self.converted[chosen],
            label_known_at=self.label_known_at[chosen],
        )

    def split(self) -> Split:
        """Split as a run does: fit, calibrate, newest."""
        return split_by_time(self.created_at, self.snapshots.as_of, self.label_known_at)


@dataclass(frozen=True)
class Dataset:
    """Everything a model learns from and is judged on."""

    catalog: Catalog
    moments: Moments
    rows: NDArray[np.float32]
    split: Split
    vocabulary_us: int
    """Categories known before this moment have a code of their own."""
    warnings: tuple[str, ...] = ()
    """What the card should say of how it was made."""

    @property
    def converted(self) -> NDArray[np.int8]:
        """Whether the outcome came, per row."""
        return self.moments.converted

    @property
    def lead_of(self) -> NDArray[np.int64]:
        """The lead of each row."""
        return self.moments.lead_of


def build_moments(history: History, outcome: Outcome, grid: Grid, *, seed: int) -> Moments:
    """Look at every lead at the ages of a grid, and label each moment by what came after.

    Parameters
    ----------
    seed
        Chooses the leads when there are too many.

    Raises
    ------
    NoSnapshotsError
        If nothing can be labelled.
    """
    labelled = label_history(history, outcome, grid)
    if not len(labelled.snapshots):
        raise NoSnapshotsError(outcome.target.text, outcome.horizon_days)
    created = creation_times(history.leads)
    moments = Moments(
        history,
        outcome,
        grid,
        labelled.snapshots,
        created[labelled.snapshots.lead_index],
        labelled.converted,
        labelled.known_at,
        dict(labelled.left_out),
        labelled.delay_us,
    )
    return _thin(_leave_out_copies(moments), len(created), seed)


def _leave_out_copies(moments: Moments) -> Moments:
    first = find_duplicates(moments.history)
    original = first[moments.lead_of] == moments.lead_of
    if original.all():
        return moments
    copies = {"the same lead under another id": int((~original).sum())}
    return replace(moments.take(original), left_out={**moments.left_out, **copies})


def _thin(moments: Moments, n_leads: int, seed: int) -> Moments:
    """Choose leads at random until their moments fit; all of them if they do anyway."""
    if len(moments) <= MOST_ROWS:
        return moments
    keep = np.random.default_rng(seed).random(n_leads) < MOST_ROWS / len(moments)
    return moments.take(np.asarray(keep[moments.lead_of]))


def check_slices(split: Split, converted: NDArray[np.int8]) -> None:
    """Check that each slice has outcomes of both kinds to learn from or to judge by.

    Raises
    ------
    TooLittleHistoryError
        Naming the slice that has too few.
    """
    for name in ("fit", "calibrate", "newest"):
        own = converted[getattr(split, name)]
        positive = int(own.sum())
        if min(positive, len(own) - positive) < FEWEST_OUTCOMES:
            raise TooLittleHistoryError(name, len(own), positive, FEWEST_OUTCOMES)


def build_dataset(
    moments: Moments,
    split: Split,
    *,
    drop: frozenset[str] = frozenset(),
    engine: Engine = IN_PROCESS,
    progress: Share = lambda _: None,
) -> Dataset:
    """Compute the features of a split's moments, with the vocabulary its past knew.

    Parameters
    ----------
    moments, split
        From `build_moments`, and how they are divided; moments in no slice are left out.
    drop
        Attributes to leave out of the catalogue.
    engine
        Who computes the features.
    progress
        Called with the share of the matrix that is done.
    """
    return build_datasets([(moments, split)], drop=drop, engine=engine, progress=progress)[0]


def build_datasets(
    wanted: Sequence[tuple[Moments, Split]],
    *,
    drop: frozenset[str] = frozenset(),
    vocabulary_us: int | None = None,
    families: Collection[str] | None = None,
    engine: Engine = IN_PROCESS,
    progress: Share = lambda _: None,
) -> list[Dataset]:
    """Compute the features for several outcomes in one go: a moment they share is computed once.

    All are of one history. The vocabulary is what was known before ``vocabulary_us``, else before
    the earliest of the calibrate slices. ``families`` are those of other packages that are used;
    None: all that are installed.
    """
    history = wanted[0][0].history
    cut = vocabulary_us or min(to_us(split.calibrate_from) for _, split in wanted)
    catalog = learn_catalog(
        history.about.taxonomy, [history.leads], cut, without=drop, families=families
    )
    used = [split.fit | split.calibrate | split.newest for _, split in wanted]
    kept = [moments.take(own) for (moments, _), own in zip(wanted, used, strict=True)]
    snapshots, place = _unite([moments.snapshots for moments in kept])
    done = 0

    def progress_of_labels(n: int) -> None:
        nonlocal done
        done += n
        progress(done / max(1, len(snapshots)))

    rows = engine.compute(catalog, history, snapshots, progress=progress_of_labels)
    check_row_by_row(catalog, rows)
    return [
        Dataset(
            catalog,
            moments,
            rows if len(kept) == 1 else rows[at],
            split.keep(own),
            cut,
            engine.warnings,
        )
        for moments, at, (_, split), own in zip(kept, place, wanted, used, strict=True)
    ]


def _unite(sets: list[Snapshots]) -> tuple[Snapshots, list[NDArray[np.int64]]]:
    """Unite moments of several outcomes; tell where each set's are in the union."""
    if len(sets) == 1:
        return sets[0], [np.arange(len(sets[0]))]
    pairs = np.concatenate([np.stack([s.lead_index, s.as_of], axis=1) for s in sets])
    every, where = np.unique(pairs, axis=0, return_inverse=True)
    ends = np.cumsum([len(s) for s in sets])[:-1]
    return Snapshots(every[:, 0].copy(), every[:, 1].copy()), np.split(where.ravel(), ends)
