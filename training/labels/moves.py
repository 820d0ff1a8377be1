"""All stage changes of a history as sorted columns, and what was seen of them at many moments."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from features.contracts.history import History
from features.kernel.table_columns import codes, lead_ids, leads_of, times
from features.lifecycle.reasons import FINDING_OF, ReturnReason
from features.lifecycle.stages import CLOSED, REOPENING, Stage, reaches
from features.lifecycle.targets import WITH_SALES, Target

STAGES = tuple(Stage)
PAIRS_AT_ONCE = 4_000_000
"""Pairs of a moment and a move that are held in memory together."""

NEVER = np.iinfo(np.int64).max

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ObservedMoves:
    """What moments of looking saw of a lead's moves, and what came after. One entry per moment."""

    is_open: Flags
    """Whether there was something to predict, as far as was known then."""
    is_hidden: Flags
    """Whether the event had come already, but was known only later."""
    next_at: Ints
    """When the event came next, at or after the moment; ``NEVER`` if it did not."""
    next_known_at: Ints

    def take(self, chosen: Flags) -> "ObservedMoves":
        """Keep the moments of a mask."""
        return ObservedMoves(*(getattr(self, f.name)[chosen] for f in fields(self)))


def _is_in(stage: NDArray[np.integer], stages: frozenset[Stage]) -> Flags:
    return np.isin(stage, [STAGES.index(member) for member in stages])


def _padded(column: Ints, empty: int) -> Ints:
    """Add an entry at the end, which position -1 finds."""
    return np.append(column, empty)


@dataclass(frozen=True)
class Moves:
    """Stage changes by lead, time and place in the funnel; lead ``i`` owns ``offsets[i]`` on."""

    offsets: Ints
    at: Ints
    known_at: Ints
    stage: Ints
    """Position in ``Stage``."""
    fulfils: Flags
    """Whether this is the event, or means that it has been."""
    target: Target

    def seen_at(self, lead: Ints, as_of: Ints) -> ObservedMoves:
        """Tell what each moment saw; moments are by lead, then time."""
        counts = self.offsets[lead + 1] - self.offsets[lead]
        ends = np.cumsum(counts)
        cuts = np.searchsorted(ends, np.arange(PAIRS_AT_ONCE, ends[-1:].sum(), PAIRS_AT_ONCE))
        parts = [
            self._seen_at(lead[own], as_of[own], counts[own])
            for own in np.split(np.arange(len(lead)), cuts)
        ]
        return ObservedMoves(
            *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(ObservedMoves))
        )

    def _seen_at(self, lead: Ints, as_of: Ints, counts: Ints) -> ObservedMoves:
        # Each moment is paired with each move of its lead: late arrivals make the order of knowing
        # another than that of happening, so there is no one place to search for.
        moment = np.repeat(np.arange(len(lead)), counts)
        begin = np.cumsum(counts) - counts
        move = np.arange(len(moment)) + np.repeat(self.offsets[lead] - begin, counts)
        now, at, known_at = as_of[moment], self.at[move], self.known_at[move]
        stage, fulfils = self.stage[move], self.fulfils[move]
        visible = (at < now) & (known_at < now)
        some, first = counts > 0, begin[counts > 0]

        def last(chosen: Flags) -> Ints:
            found = np.full(len(lead), -1, np.int64)
            if len(first):
                found[some] = np.maximum.reduceat(np.where(chosen, move, -1), first)
            return found

        goal = reaches(self.target.stage)
        reached = last(visible & _is_in(stage, goal)) > last(
            visible & _is_in(stage, REOPENING - goal)
        )
        newest = last(visible)
        stands = np.where(newest >= 0, _padded(self.stage, 0)[newest], 0)
        is_open = ~reached & ~_is_in(stands, CLOSED)
        if self.target.stage is Stage.RETURNED:
            is_open = _is_in(stands, WITH_SALES)
        # The first of those to come is the last when moves are numbered backwards.
        coming = np.full(len(lead), -1, np.int64)
        if len(first):
            backwards = np.where(fulfils & (at >= now), len(self.at) - 1 - move, -1)
            coming[some] = np.maximum.reduceat(backwards, first)
        nxt = np.where(coming >= 0, len(self.at) - 1 - coming, -1)
        return ObservedMoves(
            is_open,
            last(fulfils & (at < now) & (known_at >= now)) >= 0,
            _padded(self.at, NEVER)[nxt],
            _padded(self.known_at, NEVER)[nxt],
        )


def read_moves(history: History, target: Target) -> Moves:
    """Read a history's stage changes, by lead in the order of the lead table."""
    table = history.stages
    ids, _ = lead_ids(history.leads)
    lead = leads_of("stage change", table.column("lead_id"), ids)
    at, known_at = times(table.column("at")), times(table.column("known_at"))
    moved = codes(table.column("stage"), lambda names: [STAGES.index(Stage(n)) for n in names])
    stage = moved.astype(np.int64)
    fulfils = _is_in(stage, reaches(target.stage))
    if target.finding is not None:
        reason_of = history.about.taxonomy.reason_of

        def finds(texts: list[str]) -> list[int]:
            return [
                FINDING_OF.get(reason_of(text) or ReturnReason.OTHER) is target.finding
                for text in texts
            ]

        fulfils &= codes(table.column("reason"), finds) == 1
    order = np.lexsort((stage, at, lead))
    counts = np.bincount(lead, minlength=len(ids))
    return Moves(
        np.concatenate([[0], np.cumsum(counts)]),
        at[order],
        known_at[order],
        stage[order],
        fulfils[order],
        target,
    )
