"""Splits that keep time in order, and every lead on one side."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.clock import from_us

FRACTIONS = (0.55, 0.15)
"""Shares of the leads, oldest first, that fit and that calibrate; the rest is the newest slice."""

CALIBRATE_SHARE = 0.2
"""Share of the leads before an origin, the newest of them, that calibrate."""

FOLDS, FOLDS_FROM = 4, 0.5
"""Rolling folds, and the share of the leads, oldest first, that the first of them learns from."""

KEEP_TO_PURGE = 0.5
"""Purging may cost at most half of a slice; a short history would lose its model to it."""


@dataclass(frozen=True)
class Split:
    """Three slices in order of time: fit, calibrate, newest. Boolean masks over the snapshots."""

    fit: NDArray[np.bool_]
    calibrate: NDArray[np.bool_]
    newest: NDArray[np.bool_]
    calibrate_from: datetime
    newest_from: datetime
    purged: bool
    """Whether every label of a slice had matured before the next slice began."""

    def keep(self, rows: NDArray[np.bool_]) -> "Split":
        """Leave out the rows that are not marked."""
        slices = (self.fit[rows], self.calibrate[rows], self.newest[rows])
        return Split(*slices, self.calibrate_from, self.newest_from, self.purged)

    def within(self, rows: NDArray[np.bool_]) -> "Split":
        """Put the rows that are not marked in no slice."""
        slices = (self.fit & rows, self.calibrate & rows, self.newest & rows)
        return Split(*slices, self.calibrate_from, self.newest_from, self.purged)

    @property
    def order_words(self) -> str:
        """Say how time cuts the slices."""
        return (
            f"Leads in order of creation: fitted on those before {self.calibrate_from:%Y-%m-%d}, "
            f"calibrated on those before {self.newest_from:%Y-%m-%d}, judged on the newest."
        )

    @property
    def purge_words(self) -> str:
        """Say what keeps leads and labels from straddling a cut."""
        if self.purged:
            kept = "Every label of a slice was known before the next slice began."
        else:
            kept = (
                "The history is short: labels of a slice may mature after the next one begins, so "
                "the model had fresher outcomes than it would have had on the day."
            )
        return f"No lead is in two slices. {kept}"

    @property
    def words(self) -> str:
        """Say how the data were split."""
        return f"{self.order_words} {self.purge_words}"


def split_by_time(
    created_at: NDArray[np.int64], as_of: NDArray[np.int64], label_known_at: NDArray[np.int64]
) -> Split:
    """Split snapshots by the creation of their leads.

    Parameters
    ----------
    created_at, as_of : ndarray of shape (n_snapshots,), int64
        Creation of the snapshot's lead, and the moment of looking, in microseconds.
    label_known_at : ndarray of shape (n_snapshots,), int64
        When each label could be known.

    Returns
    -------
    Split
        Purged where the history is long enough (Lopez de Prado, *Advances in Financial Machine
        Learning*, 2018, ch. 7), and saying so where it is not.
    """
    creation_times = np.sort(created_at)
    first, second = FRACTIONS
    cut = int(creation_times[int(first * len(creation_times))])
    newest = int(creation_times[int((first + second) * len(creation_times))])
    cohorts = (created_at < cut, (created_at >= cut) & (created_at < newest), created_at >= newest)
    ends = (cut, newest)

    def kept(known: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
        return [cohort & (known <= end) for cohort, end in zip(cohorts[:2], ends, strict=True)]

    purged, plain = kept(label_known_at), kept(as_of + 1)
    enough = all(p.sum() >= KEEP_TO_PURGE * q.sum() for p, q in zip(purged, plain, strict=True))
    fit, calibrate = purged if enough else plain
    return Split(fit, calibrate, cohorts[2], from_us(cut), from_us(newest), enough)


def split_at(
    created_at: NDArray[np.int64],
    as_of: NDArray[np.int64],
    label_known_at: NDArray[np.int64],
    *,
    origin: int,
    until: int,
    strict: bool = True,
    since: int | None = None,
) -> Split:
    """Split as it would have been done at an origin: learn from before it, judge what came after.

    Parameters
    ----------
    created_at, as_of, label_known_at : ndarray of shape (n_snapshots,), int64
        As for `split_by_time`.
    origin, until
        Judged are leads created in ``[origin, until)``, microseconds.
    strict
        Learn only from labels that were known before the origin. Else from moments before it,
        whose labels may have matured later: for a history too short to be purged.
    since
        Learn only from leads created at or after it; None for all.

    Returns
    -------
    Split
        Older leads fit, the newest fifth of those that can be learned from calibrates.
    """
    known = label_known_at <= origin if strict else as_of < origin
    past = (created_at < origin) & known
    if since is not None:
        past &= created_at >= since
    creation_times = np.sort(created_at[past])
    cut = (
        int(creation_times[int((1.0 - CALIBRATE_SHARE) * len(creation_times))])
        if len(creation_times)
        else origin
    )
    newest = (created_at >= origin) & (created_at < until)
    fit, calibrate = past & (created_at < cut), past & (created_at >= cut)
    return Split(fit, calibrate, newest, from_us(cut), from_us(origin), strict)


def rolling_folds(
    split: Split,
    created_at: NDArray[np.int64],
    as_of: NDArray[np.int64],
    label_known_at: NDArray[np.int64],
) -> Iterator[Split]:
    """Cut the leads before the newest slice into folds, each judged by what was known before it.

    The newest slice takes no part, so that it can judge what the folds have chosen.
    """
    past = split.fit | split.calibrate
    creation_times = np.sort(created_at[past])
    shares = np.linspace(FOLDS_FROM, 1.0, FOLDS + 1)
    cuts = [
        int(creation_times[min(int(share * len(creation_times)), len(creation_times) - 1)])
        for share in shares
    ]
    cuts[-1] += 1
    for origin, until in pairwise(cuts):
        fold = split_at(
            created_at, as_of, label_known_at, origin=origin, until=until, strict=split.purged
        )
        yield fold.within(past)
