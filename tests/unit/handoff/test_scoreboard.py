from datetime import UTC, datetime, timedelta

import pytest

from serving.handoff.machine.transitions import Clock
from serving.handoff.playbook.sections.goals import Goals, GoalTarget
from serving.handoff.playbook.sections.sla import MarketingPromise, Sla
from serving.handoff.scoreboard.period import ReportingPeriod
from serving.handoff.scoreboard.promised import AgreedSpan, Promised
from serving.handoff.scoreboard.rules import (
    Achieved,
    ClockRecord,
    HandoffRecord,
    SideName,
    build_scoreboard,
    build_scoreboards,
    count_achieved,
)


def may(day: float) -> datetime:
    return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(days=day - 1)


WEEK = ReportingPeriod(may(8), may(15))


def answer(day, *, due=1.0, done=None, **who):
    done_at = None if done is None else may(day + done)
    return ClockRecord(Clock.ANSWER, may(day), may(day + due), done_at, **who)


def handoff(day, *, accepted=None, complete=True, **more):
    answered = None if accepted is None else may(day + 0.5)
    return HandoffRecord(may(day), complete, accepted, answered, **more)


def promise(*spans, targets=()):
    """Promises as they are now, and while each section was agreed: (sla, from day, to day)."""
    sla, goals = (spans[-1][0] if spans else Sla()), Goals(targets=targets)
    agreed = [
        AgreedSpan(section, goals, may(start), None if end is None else may(end))
        for section, start, end in spans
    ]
    return Promised(sla, tuple(targets), tuple(agreed))


ALWAYS = promise((Sla(), -60, None))


def lines(clocks=(), handoffs=(), at=None, section=None, promised=None):
    promised = promised or promise((section or Sla(), -60, None))
    board = build_scoreboard(promised, clocks, handoffs, WEEK, at or may(20))
    return {line.promise: line for line in board}


def test_promises_are_done_in_time_late_or_broken_and_open_ones_accuse_nobody():
    records = [
        answer(8, done=0.5),
        answer(8, done=1.0),
        answer(9, done=3),
        answer(10),
        answer(14.9),
        answer(7.9, done=9),  # of the week before
        answer(15),  # of the week after
        ClockRecord(Clock.ANSWER, may(9), None),  # paused
    ]

    kept = count_achieved(records, WEEK, at=may(15))

    assert kept == Achieved(promised=4, done=3, breached=2, open=2)
    assert kept.share == 0.5


def test_what_happens_after_the_moment_of_looking_is_not_known_yet():
    records = [answer(8, due=1, done=0.5)]

    assert count_achieved(records, WEEK, at=may(8.25)) == Achieved(0, 0, 0, 1)
    assert count_achieved(records, WEEK, at=may(9)) == Achieved(1, 1, 0, 0)
    assert count_achieved(records, WEEK, at=may(7)) == Achieved(0, 0, 0, 0)


def test_sales_line_tells_the_share_kept_the_trend_and_whether_it_is_enough():
    clocks = [answer(8, done=0.5), answer(9, done=2), answer(2, done=0.5), answer(3, done=0.5)]

    line = lines(clocks)["answered_share"]

    assert (line.side, line.goal, line.reached) == (SideName.SALES, 0.95, 0.5)
    assert line.trend == -0.5
    assert line.kept is False
    assert line.because == "1 of 2 in time, 1 broken, 0 still open, 95% promised: not kept."


def test_marketing_stands_on_the_same_scoreboard_for_what_it_makes_sales_wait_for():
    question = ClockRecord(Clock.SUPPLY, may(9), may(10), may(10))

    line = lines([question])["supplied_share"]

    assert (line.side, line.reached, line.kept) == (SideName.MARKETING, 1.0, True)


def test_where_nothing_was_promised_nothing_is_reported():
    line = lines()["decided_share"]

    assert (line.reached, line.trend, line.kept) == (None, None, None)
    assert line.because.endswith("nothing to report yet.")


def test_marketing_promises_leads_for_as_much_of_the_time_as_has_passed():
    section = Sla(marketing=MarketingPromise(handoffs=14, period="week"))
    handoffs = [handoff(8 + n / 4) for n in range(8)] + [handoff(1 + n) for n in range(3)]

    half_way = lines(handoffs=handoffs, at=may(11.5), section=section)["handoffs"]
    in_the_end = lines(handoffs=handoffs, at=may(30), section=section)["handoffs"]

    assert (half_way.goal, half_way.reached, half_way.kept) == (pytest.approx(7), 8, True)
    assert half_way.trend == 8 - 3
    assert (in_the_end.goal, in_the_end.kept) == (pytest.approx(14), False)
    assert in_the_end.because == ("8 leads handed over, 14 promised for 7 days: not kept.")


def test_leads_are_promised_from_the_day_each_version_was_agreed():
    slow, fast = (Sla(marketing=MarketingPromise(handoffs=n, period="week")) for n in (7, 21))
    promised = promise((slow, 10, 12), (fast, 12, None))
    handoffs = [handoff(8), handoff(9), handoff(10), handoff(12), handoff(13)]

    line = lines(handoffs=handoffs, at=may(14), promised=promised)["handoffs"]

    # Two days of one lead a day, two of three; what came before was not promised.
    assert (line.goal, line.reached) == (pytest.approx(2 * 1 + 2 * 3), 3)
    assert line.because == "3 leads handed over, 8 promised for 4 days: not kept."


def test_where_no_playbook_was_agreed_nobody_broke_a_promise():
    found = lines([answer(8)], [handoff(8, accepted=False)], promised=promise())

    assert {line.kept for line in found.values()} == {None}
    assert found["handoffs"].because == (
        "nothing was promised then: both sides had not agreed to a playbook."
    )


def test_the_goals_of_both_stand_on_the_scoreboard():
    targets = (
        GoalTarget(measure="sqls", at_least=2, period="week"),
        GoalTarget(measure="sql_share", at_least=0.6),
        GoalTarget(measure="won", at_least=1, period="week"),
    )
    handoffs = [
        handoff(8, accepted=True, qualified_at=may(9), won_at=may(16)),
        handoff(8, accepted=True, ended_at=may(12)),
        handoff(9, accepted=True),
    ]

    found = lines(handoffs=handoffs, promised=promise((Sla(), 1, None), targets=targets))

    sqls, share, won = found["goal_sqls"], found["goal_sql_share"], found["goal_won"]
    assert {line.side for line in (sqls, share, won)} == {SideName.BOTH}
    assert sqls.because == "1 leads sales-qualified, 2 promised for 7 days: not kept."
    assert share.because == "1 of 2 sales-qualified, 60% promised: not kept."
    assert (won.reached, won.kept) == (0.0, False)


def test_marketings_quality_counts_answered_leads_and_complete_packets():
    handoffs = [
        handoff(8, accepted=True),
        handoff(9, accepted=False, complete=False),
        handoff(10),
        handoff(11, accepted=True),
    ]

    found = lines(handoffs=handoffs)

    assert found["accepted_share"].reached == pytest.approx(2 / 3)
    assert found["accepted_share"].because == "2 of 3 accepted, 70% promised: not kept."
    assert found["complete_share"].reached == 0.75


def test_an_answer_that_comes_later_does_not_count_yet():
    found = lines(handoffs=[handoff(8, accepted=True)], at=may(8.25))

    assert found["accepted_share"].reached is None


def test_the_scoreboard_can_be_cut_by_team_seller_or_source():
    clocks = [
        answer(8, done=0.5, seller="ann", team="sales", source="web"),
        answer(8, done=5, seller="ben", team="sales", source="web"),
    ]
    handoffs = [handoff(8, accepted=True, source="fair")]

    by_seller = build_scoreboards(ALWAYS, clocks, handoffs, WEEK, may(20), "seller")
    by_source = build_scoreboards(ALWAYS, clocks, handoffs, WEEK, may(20), "source")

    def share(board):
        return {line.promise: line.reached for line in board}["answered_share"]

    assert {name: share(board) for name, board in by_seller.items()} == {"ann": 1.0, "ben": 0.0}
    assert list(by_source) == ["fair", "web"]
    assert "handoffs" not in {line.promise for line in by_source["fair"]}
    team = build_scoreboards(ALWAYS, clocks, handoffs, WEEK, may(20), "team")
    assert share(team["sales"]) == 0.5


def test_the_promised_shares_of_the_playbook_are_the_goals():
    found = lines()

    assert [line.promise for line in found.values()] == [
        "handoffs",
        "accepted_share",
        "complete_share",
        "supplied_share",
        "answered_share",
        "contacted_share",
        "decided_share",
    ]
    assert found["contacted_share"].goal == Sla().sales.contacted_share
