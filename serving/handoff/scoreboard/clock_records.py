"""Promises of time as the scoreboard counts them: kept, broken, or void. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from serving.handoff.clocks.rules import ClockFacts, Promise, read_clock
from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.lifecycle.clocks import Run
from serving.handoff.machine.transitions import Clock, Signal
from serving.handoff.scoreboard.rules import ClockRecord

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


def list_records(
    runs: Iterable[Run],
    promises: Mapping[Clock, Promise],
    hours_of: Callable[[str | None], WorkingHours],
    at: datetime,
    *,
    team_of: Callable[[str | None], str | None],
    source: str | None,
) -> Iterator[ClockRecord]:
    """Turn runs into lines of the scoreboard; void promises that were not broken are left out.

    Parameters
    ----------
    hours_of
        Working hours of a seller; of None: marketing's.
    at
        The moment of looking; runs that start later are not looked at.
    """
    for run in runs:
        if run.clock not in KEPT_BY or run.started_at > at:
            continue
        facts = ClockFacts(run.started_at, run.stopped_at, run.pauses)
        who = None if run.clock is Clock.SUPPLY else run.seller_id
        reading = read_clock(promises[run.clock], facts, hours_of(who), at)
        is_void = run.stopped_by is not None and run.stopped_by not in KEPT_BY[run.clock]
        if is_void and not reading.breached:
            continue
        yield ClockRecord(
            run.clock,
            run.started_at,
            reading.due_at,
            None if is_void else run.stopped_at,
            team_of(run.seller_id),
            run.seller_id,
            source,
        )
