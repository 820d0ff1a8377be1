"""When a replay looks at leads: daily, weekly, at events, or at ages such as 24 hours."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US, HOUR_US
from features.compute.grids import WEEK_US, AtEvents, Grid, Look, Periodic
from features.compute.offline import Snapshots
from features.kernel.encode import Encoder
from features.kernel.layout import Columns

FOR_DAYS = 180
"""Age in days up to which a lead is looked at daily or weekly."""

UNITS = {"h": HOUR_US, "d": DAY_US, "w": WEEK_US}


@dataclass(frozen=True)
class AtAges:
    """Each lead at the same ages."""

    ages_us: tuple[int, ...]
    """Ascending."""

    @property
    def words(self) -> str:
        """Say it, for people."""
        ages = ", ".join(f"{age / HOUR_US:g} h" for age in self.ages_us)
        return f"{ages} after creation"

    def of_partition(self, position: int) -> Grid:  # noqa: ARG002
        """Give what is needed of the grid for one partition: it is the same for each."""
        return self

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:  # noqa: ARG002
        """Place the snapshots of one partition's leads."""
        n_leads, ages = len(columns.created_at), np.array(self.ages_us, np.int64)
        lead = np.repeat(np.arange(n_leads), len(ages))
        as_of = (columns.created_at[:, None] + ages[None, :]).ravel()
        within = as_of <= until_us
        return Look(Snapshots(lead[within], as_of[within]), int((~within).sum()))


@dataclass(frozen=True)
class Within:
    """Another grid, but only its moments in ``[begin_us, end_us)``."""

    grid: Grid
    begin_us: int
    end_us: int

    @property
    def words(self) -> str:
        """Say it, for people."""
        return self.grid.words

    def of_partition(self, position: int) -> Grid:
        """Give what is needed of the grid for one partition."""
        return Within(self.grid.of_partition(position), self.begin_us, self.end_us)

    def look(self, encoder: Encoder, columns: Columns, until_us: int) -> Look:
        """Place the snapshots of one partition's leads."""
        found = self.grid.look(encoder, columns, until_us)
        as_of = found.snapshots.as_of
        kept = (as_of >= self.begin_us) & (as_of < self.end_us)
        return Look(found.snapshots.take(kept), found.left_out + int((~kept).sum()))


def read_look(text: str) -> Grid | None:
    """Read when leads are looked at; None if the text means nothing.

    >>> read_look("24h,7d").words
    '24 h, 168 h after creation'
    """
    for_us = FOR_DAYS * DAY_US
    named: dict[str, Grid] = {
        "daily": Periodic(DAY_US, for_us),
        "weekly": Periodic(WEEK_US, for_us),
        "events": AtEvents(),
    }
    if text in named:
        return named[text]
    try:
        ages = [
            round(float(part.strip()[:-1]) * UNITS[part.strip()[-1]]) for part in text.split(",")
        ]
    except (KeyError, ValueError, IndexError):
        return None
    return AtAges(tuple(sorted(set(ages)))) if min(ages) > 0 else None
