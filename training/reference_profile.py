"""What inputs and scores looked like at training time: the yardstick of drift and of "unknown"."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import Op
from features.catalog.manifest import Catalog

REFERENCE_ROWS = 5_000
"""Enough to compare distributions; drawn evenly over the slice, newest included."""

RARE, MOST_ASKED = 0.005, 3
"""Fewer facts than all but this share of the leads learned from had: not enough known. Never are
more than three asked for: the model bears missing values, and a caller may know other things."""

OLDER = 1.5
"""Older than this many times the oldest lead learned from: outside what was learned."""

_ROWS, _PROBABILITY, _POINTS = (
    "reference_rows.npy",
    "reference_probability.npy",
    "reference_points.npy",
)


@dataclass(frozen=True)
class ReferenceProfile:
    """A sample of what the model was calibrated on, with the scores it gave."""

    matrix: NDArray[np.float32]  # (n_rows, n_features)
    probability: NDArray[np.float64]
    points: NDArray[np.float64]

    def write(self, folder: Path) -> None:
        """Write the three arrays as .npy files."""
        np.save(folder / _ROWS, self.matrix, allow_pickle=False)
        np.save(folder / _PROBABILITY, self.probability, allow_pickle=False)
        np.save(folder / _POINTS, self.points, allow_pickle=False)

    @staticmethod
    def read(folder: Path) -> "ReferenceProfile":
        """Read the three arrays back."""
        return ReferenceProfile(
            np.load(folder / _ROWS, allow_pickle=False),
            np.load(folder / _PROBABILITY, allow_pickle=False),
            np.load(folder / _POINTS, allow_pickle=False),
        )


def sample_evenly(n_rows: int, wanted: int = REFERENCE_ROWS) -> NDArray[np.int64]:
    """Choose rows at even distances, the same ones every time."""
    return np.unique(np.linspace(0, n_rows - 1, min(wanted, n_rows)).astype(np.int64))


@dataclass(frozen=True)
class Support:
    """Decides whether enough is known of a lead to score it."""

    attribute_columns: NDArray[np.int64]
    kinds_column: int
    stage_column: int
    age_column: int
    fewest_facts: int
    """Fewer known facts than this are too few."""
    oldest_days: float

    def find_unknown(self, rows: NDArray[np.float32]) -> list[str | None]:
        """Say, per row, why not enough is known; None where the lead can be scored."""
        facts = count_facts(self, rows)
        ages = rows[:, self.age_column]
        return [self._why(int(f), float(a)) for f, a in zip(facts, ages, strict=True)]

    def _why(self, facts: int, age_days: float) -> str | None:
        if facts == 0:
            return "Nothing is known of this lead yet: no attribute, no activity, no stage."
        if facts < self.fewest_facts:
            return (
                f"Only {facts} fact{'s' if facts > 1 else ''} known; all but a few of the leads "
                f"the model learned from had at least {self.fewest_facts}."
            )
        if age_days > self.oldest_days:
            return (
                f"The lead is {age_days:.0f} days old; the model learned from leads up to "
                f"{self.oldest_days / OLDER:.0f} days old."
            )
        return None


def count_facts(support: Support, rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count what is known of each lead: attributes, kinds of activity, whether staged."""
    attributes = (~np.isnan(rows[:, support.attribute_columns])).sum(axis=1)
    kinds = np.nan_to_num(rows[:, support.kinds_column])
    staged = rows[:, support.stage_column] > 0
    return np.asarray(attributes + kinds + staged, np.int64)


def build_support(catalog: Catalog, rows: NDArray[np.float32]) -> Support:
    """Learn from the rows a model was fitted on how little knowledge is too little."""
    names = catalog.names
    attributes = [
        i for i, f in enumerate(catalog.features) if f.op in {Op.ATTRIBUTE, Op.ATTRIBUTE_AGE}
    ]
    bare = Support(
        np.array(attributes, np.int64),
        names.index("kinds_life"),
        names.index("stage_changes"),
        names.index("days_since_created"),
        1,
        np.inf,
    )
    facts = count_facts(bare, rows)
    fewest = min(MOST_ASKED, max(1, int(np.quantile(facts, RARE, method="lower"))))
    oldest = OLDER * float(rows[:, bare.age_column].max())
    return Support(
        bare.attribute_columns,
        bare.kinds_column,
        bare.stage_column,
        bare.age_column,
        fewest,
        oldest,
    )
