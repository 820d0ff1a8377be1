"""The table of moves: every walk through it, and nothing beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.lifecycle.stages import Stage
from serving.handoff.machine.errors import ImpossibleMoveError, MissingFactError
from serving.handoff.machine.transitions import (
    MOVES,
    OPEN,
    STATES,
    Clock,
    Custody,
    Signal,
    State,
    check_supplied,
    list_signals,
    move_from,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A line of a handoff's log."""

    at: datetime
    signal: Signal
    seller: str | None = None


@dataclass(frozen=True)
class Standing:
    """Where a handoff stands after its log was walked through the table."""

    state: State = State.DECIDED
    seller: str | None = None
    running_since: Mapping[Clock, datetime] = field(default_factory=dict)


def step(standing, entry):
    move = move_from(standing.state, entry.signal)
    seller = standing.seller
    if entry.signal is Signal.ASSIGN:
        check_supplied(entry.signal, move, ("seller",) if entry.seller else ())
        seller = entry.seller
    if STATES[move.to].custody is not Custody.SELLER:
        seller = None
    clocks = {c: since for c, since in standing.running_since.items() if c not in move.stops}
    return Standing(move.to, seller, clocks | dict.fromkeys(move.starts, entry.at))


def replay(log):
    return reduce(step, log, Standing())


def log_of(*signals, seller="sam"):
    return [
        Entry(START + timedelta(hours=n), signal, seller if signal is Signal.ASSIGN else None)
        for n, signal in enumerate(signals)
    ]


@st.composite
def walks(draw):
    """Draw a walk through the table: each signal is one that its state takes."""
    state, signals = State.DECIDED, []
    for _ in range(draw(st.integers(1, 25))):
        possible = list_signals(state)
        if not possible:
            break
        signals.append(draw(st.sampled_from(possible)))
        state = move_from(state, signals[-1]).to
    return signals


@given(walks())
def test_replay_never_meets_an_impossible_state(signals):
    for length in range(len(signals) + 1):
        standing = replay(log_of(*signals[:length]))
        facts = STATES[standing.state]

        assert (standing.seller is not None) == (facts.custody is Custody.SELLER)
        assert set(standing.running_since) == facts.running | facts.paused
        assert not facts.closed or not standing.running_since


@given(walks(), st.sampled_from(Signal))
def test_a_signal_outside_the_table_changes_nothing_and_names_those_inside(signals, strange):
    standing = replay(log_of(*signals))
    if (standing.state, strange) in MOVES:
        return

    with pytest.raises(ImpossibleMoveError) as refused:
        step(standing, Entry(START, strange, "sam"))

    assert refused.value.possible == list_signals(standing.state)
    assert refused.value.status == 409


@given(walks())
def test_the_stage_follows_the_funnel_and_a_closed_handoff_leaves_its_lead_somewhere(signals):
    state, stage = State.DECIDED, Stage.LEAD
    for signal in signals:
        move = move_from(state, signal)
        state, stage = move.to, move.stage or stage
    assert state in OPEN or stage in {Stage.WON, Stage.LOST, Stage.RETURNED, Stage.LEAD}
    assert (state is State.WON) == (stage is Stage.WON)


def test_every_state_is_reached_and_every_open_one_can_be_left_to_a_close():
    reached, edge = {State.DECIDED}, {State.DECIDED}
    while edge:
        edge = {m.to for (s, _), m in MOVES.items() if s in edge} - reached
        reached |= edge
    assert reached == set(State)

    closing = {state for state, facts in STATES.items() if facts.closed}
    for _ in State:
        closing |= {state for (state, _), move in MOVES.items() if move.to in closing}
    assert closing == set(State)


def test_a_clock_that_pauses_is_neither_stopped_nor_started_anew():
    asked = move_from(State.ASSIGNED, Signal.ASK)
    result = move_from(State.ASSIGNED_ASKING, Signal.SUPPLY)

    assert (asked.pauses, asked.starts, asked.stops) == ({Clock.ANSWER}, {Clock.SUPPLY}, set())
    assert (result.resumes, result.starts, result.stops) == ({Clock.ANSWER}, set(), {Clock.SUPPLY})

    accepted_at = START + timedelta(hours=2)
    log = log_of(Signal.HAND_OVER, Signal.ASSIGN, Signal.ACCEPT, Signal.ATTEMPT, Signal.ASK)
    assert replay(log).running_since[Clock.DECISION] == accepted_at


def test_taking_a_lead_stops_the_answer_clock_and_starts_those_of_contact_and_decision():
    move = move_from(State.ASSIGNED, Signal.ACCEPT)

    assert move.stops == {Clock.ANSWER}
    assert move.starts == {Clock.FIRST_CONTACT, Clock.DECISION}
    assert move.stage is Stage.SAL


def test_a_lead_nobody_answered_for_goes_to_the_next_seller_as_the_same_handoff():
    log = log_of(Signal.HAND_OVER, Signal.ASSIGN, Signal.ANSWER_OVERDUE)

    assert replay(log).seller is None
    again = [*log, Entry(START + timedelta(days=1), Signal.ASSIGN, "kim")]
    assert replay(again).seller == "kim"
    assert replay(again).running_since[Clock.ANSWER] == START + timedelta(days=1)


def test_nobody_qualifies_a_lead_that_was_never_contacted():
    with pytest.raises(ImpossibleMoveError, match=r"Possible now: .*attempt"):
        move_from(State.ACCEPTED, Signal.QUALIFY)


def test_a_closed_handoff_states_that_a_new_one_is_needed():
    with pytest.raises(ImpossibleMoveError, match="Hand the lead over again"):
        move_from(State.WON, Signal.LOSE)


def test_a_rejection_without_a_reason_and_an_assignment_without_a_seller_are_refused():
    with pytest.raises(MissingFactError, match="needs reason"):
        check_supplied(Signal.REJECT, move_from(State.ASSIGNED, Signal.REJECT), ())
    with pytest.raises(MissingFactError, match="needs seller"):
        step(step(Standing(), Entry(START, Signal.HAND_OVER)), Entry(START, Signal.ASSIGN))
