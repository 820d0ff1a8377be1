"""What a candidate is fitted on, and what it must give: plain numbers that add up."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Feature
from features.catalog.manifest import Catalog

FEWEST_TO_TUNE = 5
"""Conversions, and others, that both parts need before one may tune the other."""

TUNING_SHARE = 0.25
"""Of the leads, the newest, on which tuning is judged."""


class Model(Protocol):
    """What a bundle needs of a model: a bias and reasons that add up to the margin."""

    @property
    def bias(self) -> float:
        """Expected margin."""

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute what each feature adds to the margin."""

    def margins(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the margin alone: ``bias`` plus all contributions, without adding them up."""


@dataclass(frozen=True)
class FitData:
    """Moments of leads to fit on; the newest quarter of the leads tunes what must be tuned."""

    catalog: Catalog
    rows: NDArray[np.float32]
    converted: NDArray[np.int8]
    created_at: NDArray[np.int64]
    lead_index: NDArray[np.int64]
    seed: int
    hoped_for: bool = True
    """Whether more interest should make the outcome likelier: else no direction is held to."""

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Weigh each moment; see `weigh_snapshots`."""
        return weigh_snapshots(self.lead_index)

    @property
    def features(self) -> tuple[Feature, ...]:
        """Describe the columns; without directions where nobody agrees on them.

        What makes a lead come back, nobody agrees on.
        """
        if self.hoped_for:
            return self.catalog.features
        return tuple(replace(feature, direction=0) for feature in self.catalog.features)

    def tuning_mask(self) -> NDArray[np.bool_] | None:
        """Mark the rows of the newest quarter of the leads; None if either part says too little.

        Leads are ranked, not cut at a moment: a list imported in one go shares one creation.
        """
        leads, first = np.unique(self.lead_index, return_index=True)
        order = np.lexsort((leads, self.created_at[first]))
        newest = leads[order[int((1.0 - TUNING_SHARE) * len(leads)) :]]
        mask = np.isin(self.lead_index, newest)
        for part in (mask, ~mask):
            positive = int(self.converted[part].sum())
            if min(positive, int(part.sum()) - positive) < FEWEST_TO_TUNE:
                return None
        return mask

    def take_newest(self, most: int) -> "FitData":
        """Take the rows of the leads created last, as many as are allowed, in their order."""
        newest = np.argsort(self.created_at, kind="stable")[-most:]
        return self.take(np.sort(newest))

    def take(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> "FitData":
        """Take some of the rows."""
        return FitData(
            self.catalog,
            self.rows[mask],
            self.converted[mask],
            self.created_at[mask],
            self.lead_index[mask],
            self.seed,
            self.hoped_for,
        )


def weigh_snapshots(lead_index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weigh moments so that leads that were looked at often do not dominate: the k-th counts 1/k.

    A weight of one over *all* looks at a lead would know the future: leads that convert are no
    longer looked at, so each of their moments would count more, and every chance come out too
    high. How often a lead was looked at *so far* is known at the moment, so the chance given what
    is known stays what it is.

    Parameters
    ----------
    lead_index : ndarray of shape (n,), int64
        The lead of each moment; moments of one lead in order of time.

    Returns
    -------
    ndarray of shape (n,), float64
        With mean 1.

    Examples
    --------
    >>> weigh_snapshots(np.array([7, 7, 7, 9])).round(3).tolist()
    [1.412, 0.706, 0.471, 1.412]
    """
    order = np.argsort(lead_index, kind="stable")
    leads = lead_index[order]
    begins = np.flatnonzero(np.r_[True, leads[1:] != leads[:-1]])
    lengths = np.diff(np.r_[begins, len(leads)])
    look = np.empty(len(leads))
    look[order] = np.arange(len(leads)) - np.repeat(begins, lengths) + 1.0
    weights = 1.0 / look
    return np.asarray(weights / weights.mean(), np.float64)


def margins(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute uncalibrated log-odds, in pieces so that what is in between stays small."""
    pieces = [model.margins(rows[start : start + 8192]) for start in range(0, len(rows), 8192)]
    return np.concatenate(pieces) if pieces else np.empty(0)
