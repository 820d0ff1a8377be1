from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serving.handoff.clocks.rules import (
    ClockAction,
    ClockFacts,
    ClockState,
    Pause,
    Promise,
    find_next_look,
    find_priority,
    list_due_actions,
    list_promises,
    read_clock,
)
from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.machine.transitions import Clock
from serving.handoff.playbook.sections.sla import Calendar, Sla, read_span
from serving.handoff.playbook.sections.triggers import Trigger

HOURS = WorkingHours(Calendar(time_zone="UTC", hours=("mon-fri 09:00-17:00",)))
FOUR_HOURS = Promise(
    Clock.ANSWER,
    read_span("4h"),
    remind_before=read_span("1h"),
    escalate_after=read_span("30m"),
    reassign_after=read_span("2h"),
)


def may(day: int, hour: int, minute: int = 0) -> datetime:
    """2026-05-04 is a Monday."""
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)


def read(at, *, started=None, stopped=None, pauses=()):
    facts = ClockFacts(started or may(4, 15), stopped, pauses)
    return read_clock(FOUR_HOURS, facts, HOURS, at)


def test_a_clock_tells_when_it_is_due_and_what_follows_if_not():
    reading = read(may(4, 16))

    assert reading.state is ClockState.RUNNING
    assert reading.due_at == may(5, 11)
    assert reading.remind_at == may(5, 10)
    assert reading.escalate_at == may(5, 11, 30)
    assert reading.reassign_at == may(5, 13)
    assert (reading.elapsed, reading.left) == (timedelta(hours=1), timedelta(hours=3))
    assert reading.because == (
        "Sales' answer is due Tue 2026-05-05 11:00 UTC; 1 h of 4 h working time used."
    )


def test_a_breach_is_seen_by_looking_later_without_anything_being_saved():
    assert not read(may(5, 11)).breached
    later = read(may(5, 11, 1))
    assert later.state is ClockState.OVERDUE
    assert later.left == timedelta(minutes=-1)


def test_an_answer_in_time_stays_in_time_and_a_late_one_stays_late():
    assert read(may(20, 9), stopped=may(5, 11)).state is ClockState.IN_TIME
    assert read(may(20, 9), stopped=may(5, 12)).state is ClockState.LATE


def test_an_answer_that_comes_after_the_moment_of_looking_is_not_known_yet():
    assert read(may(4, 16), stopped=may(5, 10)).state is ClockState.RUNNING


def test_a_pause_that_ended_moves_what_is_due_by_its_working_time():
    overnight = Pause(may(4, 16), may(5, 10))

    reading = read(may(5, 12), pauses=[overnight])

    assert reading.due_at == may(5, 13)
    assert reading.paused == timedelta(hours=2)
    assert reading.elapsed == timedelta(hours=3)


def test_nothing_is_due_while_the_other_side_keeps_one_waiting():
    reading = read(may(11, 9), pauses=[Pause(may(4, 16))])

    assert reading.state is ClockState.PAUSED
    assert reading.due_at is None
    assert reading.elapsed == timedelta(hours=1)
    assert list_due_actions(reading, may(11, 9)) == []
    assert find_next_look(reading, may(11, 9)) is None
    assert "paused" in reading.because


def test_a_pause_does_not_mend_what_was_overdue_before_it():
    reading = read(may(11, 9), pauses=[Pause(may(5, 12))])

    assert reading.state is ClockState.OVERDUE
    assert reading.due_at == may(5, 11)


def test_a_pause_that_goes_on_is_ended_by_the_answer_itself():
    reading = read(may(11, 9), stopped=may(8, 9), pauses=[Pause(may(4, 16))])

    assert reading.state is ClockState.IN_TIME
    assert reading.elapsed == timedelta(hours=1)
    assert reading.due_at == may(8, 12)


def test_what_follows_comes_in_order_and_once_each():
    def actions(at, done=()):
        return [due.action for due in list_due_actions(read(at), at, done)]

    assert actions(may(5, 9, 59)) == []
    assert actions(may(5, 10)) == [ClockAction.REMIND]
    assert actions(may(5, 10), [ClockAction.REMIND]) == []
    assert actions(may(5, 11, 15)) == []
    assert actions(may(5, 11, 30)) == [ClockAction.ESCALATE]
    assert actions(may(5, 13)) == [ClockAction.ESCALATE, ClockAction.REASSIGN]
    assert actions(may(5, 13), [ClockAction.ESCALATE]) == [ClockAction.REASSIGN]


def test_what_follows_at_once_follows_after_the_due_moment_and_not_at_it():
    at_once = replace(FOUR_HOURS, escalate_after=read_span("0h"), reassign_after=None)

    def actions(at):
        reading = read_clock(at_once, ClockFacts(may(4, 15)), HOURS, at)
        return [due.action for due in list_due_actions(reading, at, [ClockAction.REMIND])]

    assert actions(may(5, 11)) == []
    assert actions(may(5, 11, 1)) == [ClockAction.ESCALATE]


def test_nothing_follows_once_it_is_done():
    reading = read(may(6, 9), stopped=may(5, 16))

    assert list_due_actions(reading, may(6, 9)) == []
    assert find_next_look(reading, may(6, 9)) is None


def test_the_next_look_is_at_the_next_moment_that_changes_something():
    looked = [may(4, 16), may(5, 10), may(5, 11), may(5, 12), may(5, 14)]

    assert [find_next_look(read(at), at) for at in looked] == [
        may(5, 10),
        may(5, 11),
        may(5, 11, 30),
        may(5, 13),
        None,
    ]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"trigger": Trigger.HAND_RAISER, "band": "C"}, "at_once"),
        ({"trigger": Trigger.SCORE, "band": "A"}, "soon"),
        ({"trigger": Trigger.SCORE, "band": "B"}, "standard"),
        ({"trigger": Trigger.EXPLORATION, "band": None}, "standard"),
    ],
    ids=["hand-raiser", "band A", "band B", "no score"],
)
def test_a_lead_has_the_first_priority_that_fits(facts, name):
    assert find_priority(Sla(), **facts).name == name


def test_a_priority_may_be_for_some_segments():
    quick = Sla().priorities[0].model_copy(update={"triggers": (), "segments": ("enterprise",)})
    section = Sla(priorities=(quick, Sla().priorities[-1]))

    assert find_priority(section, trigger=Trigger.SCORE, segments=["enterprise"]) == quick
    assert find_priority(section, trigger=Trigger.SCORE, segments=["small"]) != quick


def test_both_sides_have_their_promises():
    promises = list_promises(Sla(), Sla().priorities[0])

    assert promises[Clock.ANSWER].allowed == read_span("1h")
    assert promises[Clock.DECISION].reassign_after is None
    assert promises[Clock.SUPPLY].allowed == read_span(Sla().marketing.answer_waiting)
