"""Did the event come within the horizon? Labels exist only when they have matured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalog.journey import FINDING_WORDS
from features.clock import DAY_US, HOUR_US, to_us
from features.compute.offline import Snapshots
from features.contracts.history import History
from features.kernel.layout import creation_times
from features.lifecycle.reasons import Finding
from features.lifecycle.stages import Stage
from features.lifecycle.targets import Target
from training.labels.moves import Moves, read_moves

REPORTED = 0.99
"""A label has matured when all but this share of the outcomes of its time had become known."""


@dataclass(frozen=True)
class Outcome:
    """The event E and horizon H of the contract: P(E within H | what was known at t)."""

    event: Stage
    horizon_us: int
    finding: Finding | None = None
    """Of a return: only those that find this; see `features.lifecycle.reasons`."""

    def __post_init__(self) -> None:
        if self.finding is not None and self.event is not Stage.RETURNED:
            raise ValueError(
                f"A lead can be returned as {self.finding}, not {self.event} as that."
            )

    @staticmethod
    def of(target: Target, horizon_us: int) -> "Outcome":
        """Make the outcome of a target: see `features.lifecycle.targets.find_target`."""
        return Outcome(target.stage, horizon_us, target.finding)

    @property
    def target(self) -> Target:
        """The event itself, whenever it comes."""
        return Target(self.event, self.finding)

    @property
    def name(self) -> str:
        """The event as part of a name: of a model, a folder.

        >>> Outcome(Stage.RETURNED, DAY_US, Finding.TOO_EARLY).name
        'returned-too-early'
        """
        return self.target.text.replace(":", "-").replace("_", "-")

    @property
    def is_hoped_for(self) -> bool:
        """Whether more interest should make it likelier: not so for being lost or returned."""
        return self.event not in {Stage.LOST, Stage.RETURNED}

    @property
    def horizon_days(self) -> float:
        """Length of the horizon in days."""
        return self.horizon_us / DAY_US

    @property
    def words(self) -> str:
        """Say the contract.

        >>> Outcome(Stage.SQL, 30 * DAY_US).words
        'SQL within 30 days'
        >>> Outcome(Stage.RETURNED, 30 * DAY_US, Finding.UNREACHABLE).words
        'returned as unreachable within 30 days'
        """
        text = self.event.upper() if self.event in {"mql", "sal", "sql"} else str(self.event)
        if self.finding is not None:
            text = FINDING_WORDS[self.finding]
        return f"{text} within {self.horizon_days:g} days"


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
        text = ", ".join(f"{a:g} h" if a < 48 else f"{a / 24:g} days" for a in ages_hours)
        return Grid(
            tuple(sorted(round(a * HOUR_US) for a in ages_hours)), f"{text} after creation"
        )


@dataclass(frozen=True)
class LabelledSnapshots:
    """Snapshots with matured labels, and what was left out."""

    snapshots: Snapshots
    converted: NDArray[np.int8]
    known_at: NDArray[np.int64]
    """When each label could be known: horizon over, and its outcome recorded. Microseconds."""
    delay_us: int
    """How long after it happened an outcome becomes known, for all but one in a hundred."""
    left_out: dict[str, int]
    """Moments that were not used, by reason."""


def _reporting_delay(moves: Moves) -> int:
    """Measure how late outcomes become known.

    Without it, an outcome that happened in time but was recorded after the cut would be a false
    zero, and only in the newest slice, the one that judges.
    """
    delays = (moves.known_at - moves.at)[moves.fulfils]
    return int(np.quantile(delays, REPORTED, method="higher")) if len(delays) else 0


@dataclass(frozen=True)
class _Snapshots:
    """Moments of looking, by lead and then time."""

    lead: NDArray[np.int64]
    as_of: NDArray[np.int64]

    @staticmethod
    def at_ages(created_at: NDArray[np.int64], grid: Grid) -> "_Snapshots":
        ages = np.array(grid.ages_us, np.int64)
        return _Snapshots(
            np.repeat(np.arange(len(created_at)), len(ages)),
            (created_at[:, np.newaxis] + ages).ravel(),
        )

    def take(self, chosen: NDArray[np.bool_]) -> "_Snapshots":
        return _Snapshots(self.lead[chosen], self.as_of[chosen])


def _why_closed(outcome: Outcome) -> str:
    if outcome.event is Stage.RETURNED:
        return "not with sales"
    return "already converted or closed"


def label_history(history: History, outcome: Outcome, grid: Grid) -> LabelledSnapshots:
    """Look at every lead at the ages of a grid and label each moment by what came after.

    A moment is used if the lead was open as far as was known then, and its whole horizon, and the
    time outcomes take to be recorded, lie before the end of observation. For a return, open means
    that the lead stood with sales, from MQL to opportunity: there is nothing to give back otherwise.
    A lead that has not closed is never counted as lost: it is a 0 where the whole horizon was
    observed, and no label at all where it was not. Leads created before ``observed_from`` are left
    out: their early outcomes were never recorded, so the survivors would mislead.
    """
    about, created_at = history.about, creation_times(history.leads)
    moves = read_moves(history, outcome.target)
    delay = _reporting_delay(moves)
    matured_by = to_us(about.observed_until) - delay
    left_out: dict[str, int] = {}

    def leave(reason: str, snapshots_: _Snapshots, out: NDArray[np.bool_]) -> _Snapshots:
        if out.any():
            left_out[reason] = int(out.sum())
        return snapshots_.take(~out)

    snapshots_ = _Snapshots.at_ages(created_at, grid)
    if about.observed_from:
        start = to_us(about.observed_from)
        snapshots_ = leave(
            "created before outcomes were recorded",
            snapshots_,
            created_at[snapshots_.lead] < start,
        )
    late = snapshots_.as_of + outcome.horizon_us > matured_by
    snapshots_ = leave("outcome not matured", snapshots_, late)
    observed = moves.seen_at(snapshots_.lead, snapshots_.as_of)
    snapshots_ = leave(_why_closed(outcome), snapshots_, ~observed.is_open)
    observed = observed.take(observed.is_open)
    snapshots_ = leave("converted already, known only later", snapshots_, observed.is_hidden)
    observed = observed.take(~observed.is_hidden)
    end = snapshots_.as_of + outcome.horizon_us
    converted = observed.next_at < end
    known_at = np.where(converted, np.maximum(end + delay, observed.next_known_at), end + delay)
    return LabelledSnapshots(
        Snapshots(snapshots_.lead, snapshots_.as_of),
        converted.astype(np.int8),
        known_at,
        delay,
        left_out,
    )
