"""What a history tells of one lead, as it stood at any moment: in hand, back, resting, asking. Pure.

A lead's standing changes only when a stage change becomes known, so it is told once per change, and
every look finds its place among them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from features.clock import from_us, to_us
from features.lifecycle.reasons import ReturnReason
from features.lifecycle.replay import StageChange, standing_at
from features.lifecycle.stages import Stage, reaches
from features.lifecycle.targets import Target
from serving.handoff.decision.activity import Activity
from serving.handoff.decision.cooling_down import EarlierHandoff, find_waking
from serving.handoff.playbook.sections.returns import MEANS, Returns, SalesReason

NEVER = 2**62
"""A moment that does not come, in microseconds."""

_SQL, _WON = reaches(Stage.SQL), reaches(Stage.WON)
_ENDING = frozenset({Stage.RETURNED, Stage.LOST, Stage.LEAD})
"""Stages whose entry takes a lead out of sales' hands."""

_SALES_REASON_OF: Mapping[ReturnReason, SalesReason] = {
    meant: reason for reason, meant in reversed(tuple(MEANS.items()))
}
"""What a seller would have chosen for a recorded reason: the first of the list that means it."""


@dataclass(frozen=True)
class RecordedMove:
    """A stage change of a history, its reason read by the taxonomy."""

    at_us: int
    known_us: int
    stage: Stage
    reason: ReturnReason | None = None

    @property
    def seen_us(self) -> int:
        """From the moment after this one on it counts."""
        return max(self.at_us, self.known_us)


@dataclass(frozen=True)
class LeadTimeline:
    """One lead's stage changes, requests for sales and activities."""

    moves: tuple[RecordedMove, ...]
    """In order of ``(at, funnel_position(stage))``."""
    asked_us: tuple[int, ...]
    """Moments at which requests for sales became known, ascending."""
    activities: tuple[Activity, ...]
    """What it did, by the moment it became known; only needed of leads that came back."""
    returns: Returns

    @cached_property
    def _seen(self) -> list[int]:
        return sorted({move.seen_us for move in self.moves})

    @cached_property
    def _standings(self) -> list[tuple[bool, "Ended | None"]]:
        """Whether it is open, and its last end, before each change and after the last."""
        changes = [StageChange(m.at_us, m.known_us, m.stage) for m in self.moves]
        target = Target(Stage.SQL)
        ended_ = []
        for as_of in (0, *(seen + 1 for seen in self._seen)):
            is_open = standing_at(changes, as_of, target).is_open
            ended_.append((is_open, self._find_end(as_of)))
        return ended_

    def _find_end(self, as_of_us: int) -> "Ended | None":
        ended = [m for m in self.moves if m.stage in _ENDING and m.seen_us < as_of_us]
        # A lead that begins as a lead was in nobody's hands before.
        began = self.moves[0] if self.moves and self.moves[0].stage is Stage.LEAD else None
        last = next((m for m in reversed(ended) if m is not began), None)
        return None if last is None else self._ends[last]

    @cached_property
    def _ends(self) -> dict[RecordedMove, "Ended"]:
        return {m: self._build_ended(m) for m in self.moves if m.stage in _ENDING}

    def _build_ended(self, move: RecordedMove) -> "Ended":
        reason = None
        if move.stage is Stage.RETURNED:
            reason = _SALES_REASON_OF[move.reason or ReturnReason.OTHER]
        at = from_us(move.at_us)
        earlier = EarlierHandoff("", at, at, None, reason, lost=move.stage is Stage.LOST)
        return Ended(earlier, to_us(find_waking(self.returns, earlier, self.activities)))

    @cached_property
    def _sql_us(self) -> list[int]:
        return sorted(m.at_us for m in self.moves if m.stage in _SQL)

    @cached_property
    def _won_us(self) -> list[int]:
        return sorted(m.at_us for m in self.moves if m.stage in _WON)

    @cached_property
    def _ended_us(self) -> list[int]:
        return sorted(m.at_us for m in self.moves if m.stage in _ENDING)

    @cached_property
    def handed_us(self) -> tuple[int, ...]:
        """Moments at which the company itself handed the lead over."""
        return tuple(m.at_us for m in self.moves if m.stage is Stage.MQL)

    def _status(self, as_of_us: int) -> tuple[bool, "Ended | None"]:
        return self._standings[bisect_left(self._seen, as_of_us)]

    def is_open(self, as_of_us: int) -> bool:
        """Whether there was still something to hand over: neither a SQL yet nor closed."""
        return self._status(as_of_us)[0]

    def is_resting(self, as_of_us: int) -> bool:
        """Whether it came back and still rests."""
        end = self._status(as_of_us)[1]
        return end is not None and as_of_us < end.wakes_us

    def has_asked(self, as_of_us: int, within: timedelta) -> bool:
        """Whether it asked for sales lately, and no handoff has ended since."""
        place = bisect_left(self.asked_us, as_of_us)
        if not place:
            return False
        newest, end = from_us(self.asked_us[place - 1]), self._status(as_of_us)[1]
        fresh = newest >= from_us(as_of_us) - within
        return fresh and (end is None or newest > end.earlier.ended_at)

    def next_sql(self, as_of_us: int) -> int:
        """Give the first moment from then on at which it became a SQL, or more."""
        return _first_from(self._sql_us, as_of_us)

    def next_won(self, as_of_us: int) -> int:
        """Give the first moment from then on at which it was won."""
        return _first_from(self._won_us, as_of_us)

    def next_end(self, as_of_us: int) -> int:
        """Give the first moment after then at which it left sales' hands."""
        place = bisect_right(self._ended_us, as_of_us)
        return self._ended_us[place] if place < len(self._ended_us) else NEVER


@dataclass(frozen=True)
class Ended:
    """A handoff of the history that ended."""

    earlier: EarlierHandoff
    wakes_us: int
    """From when on the lead rests no more."""


def _first_from(moments: Sequence[int], as_of_us: int) -> int:
    place = bisect_left(moments, as_of_us)
    return moments[place] if place < len(moments) else NEVER
