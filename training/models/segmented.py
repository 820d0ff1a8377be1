"""A model with further models for some segments, in one scale: reasons still add up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.models.linear import LinearModel
from training.models.trees import TreeModel

Plain = LinearModel | TreeModel


@dataclass(frozen=True)
class SegmentPart:
    """The model of one segment, brought to the margin of the model for everyone.

    Let the chance of everyone be ``sigmoid(S m + I)`` and that of the segment
    ``sigmoid(s m' + i)``, with ``m = bias + sum phi``. Then with ``factor = s / S`` and
    ``shift = ((s bias' + i) - (S bias + I)) / S`` the sum ``bias + factor sum phi' + shift`` is a
    margin that S and I turn into the segment's chance. The shift is what being in the segment
    does to a typical lead, so it goes to the field that defines the segment.
    """

    name: str
    """In words, e.g. ``industry: software``."""
    column: int
    """Of the feature that decides who is in it."""
    codes: tuple[int, ...]
    factor: float
    shift: float
    model: Plain

    def members(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mark the rows that are in the segment."""
        return np.isin(rows[:, self.column], np.array(self.codes, np.float32))


@dataclass(frozen=True)
class SegmentedModel:
    """The model for everyone, and those of the segments; the first that fits a row has it."""

    everyone: Plain
    parts: tuple[SegmentPart, ...]

    @property
    def bias(self) -> float:
        """Expected margin of the model for everyone."""
        return self.everyone.bias

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute what each feature adds to the margin; ``bias`` plus their sum is the margin."""
        phi = np.empty(rows.shape)
        left = np.ones(len(rows), np.bool_)
        for part in self.parts:
            own = left & part.members(rows)
            if own.any():
                phi[own] = part.factor * part.model.contributions(rows[own])
                phi[own, part.column] += part.shift
            left &= ~own
        if left.any():
            phi[left] = self.everyone.contributions(rows[left])
        return phi

    def margins(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the margins alone; the sum of a part's contributions is its margin less its bias."""
        margin = np.empty(len(rows))
        left = np.ones(len(rows), np.bool_)
        for part in self.parts:
            own = left & part.members(rows)
            if own.any():
                added = part.model.margins(rows[own]) - part.model.bias
                margin[own] = self.bias + part.factor * added + part.shift
            left &= ~own
        if left.any():
            margin[left] = self.everyone.margins(rows[left])
        return margin

    def parts_json(self) -> list[dict[str, Any]]:
        """Shape the parts for their file, without the models."""
        return [
            {
                "name": part.name,
                "column": part.column,
                "codes": list(part.codes),
                "factor": part.factor,
                "shift": part.shift,
            }
            for part in self.parts
        ]


def read_part(entry: Mapping[str, Any], model: Plain) -> SegmentPart:
    """Put a part together again."""
    return SegmentPart(
        entry["name"],
        entry["column"],
        tuple(entry["codes"]),
        entry["factor"],
        entry["shift"],
        model,
    )
