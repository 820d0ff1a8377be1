"""Did the lead reach the stage within the horizon? Labels exist only when they have matured."""

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.clock import DAY_US, HOUR_US, to_us
from features.compute.offline import Snapshots
from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index
from features.lifecycle.replay import StageChange, first_reached, standing_at
from features.lifecycle.stages import Stage, funnel_position, reaches

REPORTED = 0.99
"""A label has matured when all but this share of the outcomes of its time had become known."""


@dataclass(frozen=True)
class Outcome:
    """The event E and horizon H of the contract: P(E within H | what was known at t)."""

    event: Stage
    horizon_us: int

    @property
    def horizon_days(self) -> float:
        """Length of the horizon in days."""
        return self.horizon_us / DAY_US

    @property
    def words(self) -> str:
        """Say the contract.

        >>> Outcome(Stage.SQL, 30 * DAY_US).words
        'SQL within 30 days'
        """
        said = self.event.upper() if self.event in {"mql", "sal", "sql"} else str(self.event)
        return f"{said} within {self.horizon_days:g} days"


@dataclass(frozen=True)
class Grid:
    """At which ages leads are looked at."""

    ages_us: tuple[int, ...]
    """Microseconds since creation, ascending, each above zero."""
    words: str

    @staticmethod
    def weekly(*, weeks: int, then_until_week: int = 0) -> "Grid":
        """Look one day after creation, weekly from then on, and at last every four weeks."""
        looked = [*range(weeks + 1), *range(weeks + 4, then_until_week + 1, 4)]
        words = f"one day after creation and weekly for {weeks} weeks"
        if then_until_week > weeks:
            words += f", then every four weeks until week {then_until_week}"
        return Grid(tuple(DAY_US + week * 7 * DAY_US for week in looked), words)

    @staticmethod
    def at_ages(ages_hours: tuple[float, ...]) -> "Grid":
        """Look at fixed ages."""
        said = ", ".join(f"{a:g} h" if a < 48 else f"{a / 24:g} days" for a in ages_hours)
        return Grid(
            tuple(sorted(round(a * HOUR_US) for a in ages_hours)), f"{said} after creation"
        )


@dataclass(frozen=True)
class Labelled:
    """Snapshots with matured labels, and what was left out."""

    snapshots: Snapshots
    converted: NDArray[np.int8]
    known_at: NDArray[np.int64]
    """When each label could be known: horizon over, and its outcome recorded. Microseconds."""
    delay_us: int
    """How long after it happened an outcome becomes known, for all but one in a hundred."""
    left_out: dict[str, int]
    """Moments that were not used, by reason."""


def _moves_by_lead(history: History, ids: dict[str, int]) -> dict[int, list[StageChange]]:
    table = history.stages.select(["lead_id", "at", "known_at", "stage"])
    columns = [
        [ids[lead_id] for lead_id in table.column("lead_id").to_pylist()],
        table.column("at").cast(pa.int64()).to_pylist(),
        table.column("known_at").cast(pa.int64()).to_pylist(),
        table.column("stage").to_pylist(),
    ]
    rows = sorted(
        zip(*columns, strict=True), key=lambda row: (row[0], row[1], funnel_position(row[3]))
    )
    return {
        lead: [StageChange(at, known_at, Stage(stage)) for _, at, known_at, stage in own]
        for lead, own in groupby(rows, key=itemgetter(0))
    }


def _reporting_delay(moves_of: dict[int, list[StageChange]], outcome: Outcome) -> int:
    """Measure how late outcomes become known.

    Without it, an outcome that happened in time but was recorded after the cut would be a false
    zero, and only in the newest slice, the one that judges.
    """
    goal = reaches(outcome.event)
    delays = [m.known_at - m.at for moves in moves_of.values() for m in moves if m.stage in goal]
    return int(np.quantile(delays, REPORTED, method="higher")) if delays else 0


def _why_not(
    moves: list[StageChange], as_of: int, outcome: Outcome, matured_by: int
) -> str | None:
    """Name the reason a moment cannot be labelled, or None."""
    if as_of + outcome.horizon_us > matured_by:
        return "outcome not matured"
    if not moves:
        return None
    if not standing_at(moves, as_of, outcome.event).is_open:
        return "already converted or closed"
    goal = reaches(outcome.event)
    if any(m.stage in goal and m.at < as_of <= m.known_at for m in moves):
        return "converted already, known only later"
    return None


def label_history(history: History, outcome: Outcome, grid: Grid) -> Labelled:
    """Look at every lead at the ages of a grid and label each moment by what came after.

    A moment is used if the lead was open as far as was known then, and its whole horizon, and the
    time outcomes take to be recorded, lie before the end of observation. Leads created before ``observed_from`` are left out: their
    early outcomes were never recorded, so the survivors would mislead.
    """
    ids = lead_index(history.leads)
    moves_of = _moves_by_lead(history, ids)
    about = history.about
    delay = _reporting_delay(moves_of, outcome)
    matured_by = to_us(about.observed_until) - delay
    start = to_us(about.observed_from) if about.observed_from else None
    leads: list[int] = []
    moments: list[int] = []
    converted: list[int] = []
    known_at: list[int] = []
    left_out: dict[str, int] = {}
    for lead, created in enumerate(creation_times(history.leads).tolist()):
        moves = moves_of.get(lead, [])
        for age in grid.ages_us:
            as_of = created + age
            reason = (
                "created before outcomes were recorded"
                if start is not None and created < start
                else _why_not(moves, as_of, outcome, matured_by)
            )
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            end = as_of + outcome.horizon_us
            reached = first_reached(moves, as_of, outcome.event)
            in_time = reached is not None and reached.at < end
            leads.append(lead)
            moments.append(as_of)
            converted.append(in_time)
            known_at.append(
                max(end + delay, reached.known_at) if in_time and reached else end + delay
            )
    return Labelled(
        Snapshots(np.array(leads, np.int64), np.array(moments, np.int64)),
        np.array(converted, np.int8),
        np.array(known_at, np.int64),
        delay,
        left_out,
    )
