"""Promises of time as a handoff's moves tell them: which clock ran, from when, and what ended it. Pure.

Nothing is stored of a clock but the moves, so a promise broken since the last of them is seen too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from serving.handoff.calendar import WorkingHours
from serving.handoff.moves import STATES, Clock, Signal, State
from serving.handoff.scoreboard import ClockRecord
from serving.handoff.sla import ClockFacts, Pause, Promise, read_clock

KEPT_BY: Mapping[Clock, frozenset[Signal]] = MappingProxyType(
    {
        Clock.ANSWER: frozenset({Signal.ACCEPT, Signal.REJECT, Signal.ATTEMPT, Signal.HAND_ON}),
        Clock.FIRST_CONTACT: frozenset({Signal.ATTEMPT}),
        Clock.DECISION: frozenset({Signal.QUALIFY, Signal.GIVE_BACK, Signal.GIVE_UP}),
        Clock.SUPPLY: frozenset({Signal.SUPPLY, Signal.RELEASE}),
    }
)
"""Signals that keep a promise. Whatever else stops its clock makes the promise void, unless it was
broken by then: a lead taken back an hour later was not left unanswered."""


@dataclass(frozen=True)
class MoveLine:
    """A move, as the scoreboard reads it."""

    at: datetime
    origin: State
    state: State
    signal: Signal
    seller: str | None


@dataclass(frozen=True)
class Run:
    """One run of a clock."""

    clock: Clock
    seller: str | None
    facts: ClockFacts
    ended_by: Signal | None = None

    @property
    def is_void(self) -> bool:
        """Whether it ended without being kept."""
        return self.ended_by is not None and self.ended_by not in KEPT_BY[self.clock]


def list_runs(moves: Iterable[MoveLine]) -> list[Run]:
    """List the runs of the clocks that were promised, from a handoff's moves in order."""
    ended: list[Run] = []
    running: dict[Clock, Run] = {}
    for move in moves:
        before, after = STATES[move.origin], STATES[move.state]
        known_before = before.running | before.paused
        known_after = after.running | after.paused
        for clock in known_before - known_after:
            if clock in running:
                run = running.pop(clock)
                facts = replace(run.facts, stopped_at=move.at, pauses=_end(run.facts, move.at))
                ended.append(replace(run, facts=facts, ended_by=move.signal))
        for clock in (known_after - known_before) & KEPT_BY.keys():
            running[clock] = Run(clock, move.seller, ClockFacts(move.at))
        for clock in (before.running & after.paused) & running.keys():
            run = running[clock]
            pauses = (*run.facts.pauses, Pause(move.at))
            running[clock] = replace(run, facts=replace(run.facts, pauses=pauses))
        for clock in (before.paused & after.running) & running.keys():
            run = running[clock]
            running[clock] = replace(
                run, facts=replace(run.facts, pauses=_end(run.facts, move.at))
            )
    return sorted([*ended, *running.values()], key=lambda run: run.facts.started_at)


def _end(facts: ClockFacts, at: datetime) -> tuple[Pause, ...]:
    return tuple(
        pause if pause.until_at is not None else Pause(pause.from_at, at) for pause in facts.pauses
    )


def list_records(
    runs: Iterable[Run],
    promises: Mapping[Clock, Promise],
    hours_of: Callable[[Run], WorkingHours],
    at: datetime,
    *,
    team_of: Callable[[str | None], str | None],
    source: str | None,
) -> Iterator[ClockRecord]:
    """Turn runs into lines of the scoreboard; void promises that were not broken are left out."""
    for run in runs:
        if run.facts.started_at > at:
            continue
        reading = read_clock(promises[run.clock], run.facts, hours_of(run), at)
        if run.is_void and not reading.breached:
            continue
        yield ClockRecord(
            run.clock,
            run.facts.started_at,
            reading.due_at,
            None if run.is_void else run.facts.stopped_at,
            team_of(run.seller),
            run.seller,
            source,
        )
