"""Whether groups of people are chosen at like rates: a neutral look, never an input."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.resampling import number_leads

SELECTED = 0.20
"""The share of rows, those of most points, that counts as chosen."""

FOUR_FIFTHS = 0.8
"""Below this ratio US agencies look closer: 29 CFR 1607.4(D), Uniform Guidelines on Employee
Selection Procedures, 1978. It is a screen, no law of marketing."""

FEWEST_LEADS = 30
RESAMPLES = 400
UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class GroupRow:
    """One group of one grouping. Shares in [0, 1]; ratios against the group chosen most often."""

    grouping: str
    group: str
    leads: int
    rows: int
    chosen: float
    ratio: float
    ratio_low: float
    ratio_high: float
    predicted: float
    observed: float

    @property
    def stands_out(self) -> bool:
        """Whether it is chosen under four fifths as often, beyond what chance makes."""
        return self.ratio < FOUR_FIFTHS and self.ratio_high < 1.0

    @property
    def words(self) -> str:
        """Say it on the card."""
        return (
            f"{self.grouping} {self.group}: chosen {self.ratio:.2f} times as often as the group "
            f"chosen most (95 % {self.ratio_low:.2f} to {self.ratio_high:.2f}), under four fifths."
        )


def measure_selection(
    grouping: str,
    names: Sequence[str],
    group: NDArray[np.int64],
    points: NDArray[np.float64],
    p: NDArray[np.float64],
    y: NDArray[np.int8],
    lead_index: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[GroupRow, ...]:
    """Measure how often each group is among the `SELECTED` share of most points.

    Parameters
    ----------
    grouping, names
        What the groups are called; ``group`` holds positions in ``names``, -1 for unknown.
    points, p, y : ndarray of shape (n,)
        Score, calibrated chance, outcome.
    lead_index : ndarray of shape (n,)
        Intervals draw whole leads.

    Returns
    -------
    tuple of GroupRow
        Those with at least `FEWEST_LEADS` leads, the one chosen most often first. The reference
        group is the same in every draw.
    """
    edge = np.quantile(points, 1.0 - SELECTED, method="higher")
    chosen = points >= edge
    leads, n_leads = number_leads(lead_index, len(points))
    codes = [c for c in (*range(len(names)), -1) if len(set(leads[group == c])) >= FEWEST_LEADS]
    if len(codes) < 2:
        return ()
    sums = np.array([np.bincount(leads[group == c], chosen[group == c], n_leads) for c in codes])
    sizes = np.array([np.bincount(leads[group == c], minlength=n_leads) for c in codes])
    shares = sums.sum(axis=1) / sizes.sum(axis=1)
    top = int(np.argmax(shares))
    ratios = shares / shares[top] if shares[top] else np.ones(len(codes))
    drawn = _draw_ratios(sums, sizes, top, n_leads, rng)
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    rows = []
    for position, code in enumerate(codes):
        own = group == code
        rows.append(
            GroupRow(
                grouping,
                names[code] if code >= 0 else UNKNOWN,
                len(set(leads[own])),
                int(own.sum()),
                float(shares[position]),
                float(ratios[position]),
                float(low[position]),
                float(high[position]),
                float(p[own].mean()),
                float(y[own].mean()),
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.chosen))


def _draw_ratios(
    sums: NDArray[np.float64],
    sizes: NDArray[np.int64],
    top: int,
    n_leads: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    drawn = np.full((RESAMPLES, len(sums)), np.nan)
    for number in range(RESAMPLES):
        times = np.bincount(rng.integers(0, n_leads, n_leads), minlength=n_leads)
        count = sizes @ times
        shares = np.divide(sums @ times, count, out=np.full(len(sums), np.nan), where=count > 0)
        if shares[top] > 0:
            drawn[number] = shares / shares[top]
    return drawn
