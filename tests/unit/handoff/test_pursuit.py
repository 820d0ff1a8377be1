"""How a lead is pursued, and when it may be given up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.playbook.sections.pursuit import Pursuit
from serving.handoff.pursuit.rules import (
    ContactAttempt,
    count_results,
    find_persistence,
    find_plan,
    follow_plan,
    mix_channels,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECTION = Pursuit()
STANDARD = find_plan(SECTION, [])


def tried(days, channel=Channel.CALL, reached=False):
    return ContactAttempt(START + timedelta(days=days), channel, reached)


def progress_after(days, *attempts):
    return follow_plan(SECTION, STANDARD, START, attempts, START + timedelta(days=days))


def test_a_plan_is_chosen_by_segment_and_everyone_has_one():
    assert find_plan(SECTION, ["enterprise", "Hand_Raiser"]).name == "hand_raiser"
    assert find_plan(SECTION, ["enterprise"]).name == "standard"


def test_the_first_step_that_is_not_done_is_next():
    progress = progress_after(0.5, tried(0.1))

    assert progress.next_step.number == 2
    assert progress.because == ("Step 2 of 6 (email) is next, due from 2026-03-03 09:00 UTC.")
    assert not progress.overdue


def test_a_step_is_overdue_a_day_after_it_was_due():
    assert not progress_after(1.99, tried(0)).overdue
    assert [s.number for s in progress_after(2, tried(0)).overdue] == [2]
    assert progress_after(4.5, tried(0)).because.endswith("; 2 overdue.")


def test_calls_where_mails_were_planned_do_not_do_the_mails():
    progress = progress_after(5, tried(0), tried(1), tried(2))

    assert [s.number for s in progress.steps if s.done_at] == [1, 3]
    assert progress.beside_the_plan == 1
    assert progress.next_step.number == 2


def test_a_lead_that_was_reached_is_owed_no_further_step():
    progress = progress_after(30, tried(0, reached=True))

    assert progress.next_step is None
    assert not progress.overdue
    assert "was reached on 2026-03-02" in progress.because


def test_a_plan_that_is_done_states_so():
    made = [tried(step.day, step.channel) for step in STANDARD.steps]

    assert progress_after(40, *made).because == "All 6 steps of the plan standard are done."
    assert find_persistence(STANDARD, made).enough


def test_days_are_placed_by_the_sellers_calendar():
    def skip_weekend(start, days):
        day = start + timedelta(days=days)
        return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)

    friday = START + timedelta(days=4)
    progress = follow_plan(SECTION, STANDARD, friday, [], friday, skip_weekend)

    assert progress.steps[1].due_from == START + timedelta(days=7)


@pytest.mark.parametrize(
    ("attempts", "missing"),
    [
        ([], "6 more attempts, a last one 10 days after the first, 2 more channels"),
        ([tried(n / 24) for n in range(6)], "a last one 10 days after the first, 1 more channel"),
        ([tried(0), tried(12, Channel.EMAIL)], "4 more attempts"),
    ],
)
def test_what_is_still_owed_before_giving_up_is_stated(attempts, missing):
    persisted = find_persistence(STANDARD, attempts)

    assert not persisted.enough
    assert missing in persisted.fix


attempts = st.lists(
    st.builds(tried, st.integers(0, 20), st.sampled_from(Channel), st.booleans()), max_size=12
)


@given(attempts, attempts)
def test_more_attempts_never_undo_persistence(made, more):
    before, after = find_persistence(STANDARD, made), find_persistence(STANDARD, [*made, *more])

    assert after.enough or not before.enough


@given(attempts, st.integers(0, 30))
def test_every_attempt_either_does_a_step_or_is_beside_the_plan(made, days):
    progress = progress_after(days, *made)

    counted = [a for a in made if a.at <= START + timedelta(days=days)]
    done = [s for s in progress.steps if s.done_at is not None]
    assert len(done) + progress.beside_the_plan == len(counted)


def test_results_are_counted_by_number_and_channel_until_the_lead_is_reached():
    pursuits = [[tried(0), tried(1, Channel.EMAIL, reached=True), tried(2)] for _ in range(5)]

    results = count_results(SECTION, pursuits)

    assert [(r.number, r.channel, r.attempts) for r in results] == [
        (1, Channel.CALL, 5),
        (2, Channel.EMAIL, 5),
    ]
    assert (results[0].reached.share, results[1].reached.share) == (0.0, 1.0)
    assert count_results(SECTION, pursuits[:4])[0].reached.share is None


def test_the_mix_shows_who_writes_where_calls_were_agreed():
    mix = {s.channel: s for s in mix_channels([STANDARD], [tried(0, Channel.EMAIL)] * 3)}

    assert (mix[Channel.EMAIL].made, mix[Channel.EMAIL].planned) == (1.0, 0.5)
    assert mix[Channel.CALL].made == 0.0
