"""The replay of a draft: held to the policy look by look, and to figures worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, from_us, to_us
from features.lifecycle.reasons import ReturnReason
from features.lifecycle.stages import Stage, funnel_position
from serving.handoff.decision.activity import Activity
from serving.handoff.decision.rules import HandoffFacts, HandoffVerdict, Rules, ScoreFacts, decide
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.returns import Returns
from serving.handoff.replay.grid import read_look
from serving.handoff.replay.judge import (
    Period,
    compare,
    count_by_week,
    find_everyone,
    judge,
)
from serving.handoff.replay.lead_timeline import NEVER, LeadTimeline, RecordedMove
from serving.handoff.replay.report import Advice, Cut, advise
from serving.handoff.replay.simulate import simulate
from serving.handoff.replay.snapshots import build_snapshots

START = to_us(datetime(2026, 1, 1, tzinfo=UTC))
NOBODY_DRAWN = {"exploration": {"chance": 0.0}}


def day(number):
    return START + round(number * DAY_US)


def move(number, stage, reason=None, known=None):
    return RecordedMove(day(number), day(number if known is None else known), stage, reason)


def make_timeline(*moves, asked=(), activities=()):
    in_order = sorted(moves, key=lambda m: (m.at_us, funnel_position(m.stage)))
    acts = tuple(Activity(from_us(at), "demo_request") for at in asked) + tuple(activities)
    return LeadTimeline(tuple(in_order), tuple(sorted(asked)), acts, Returns())


def snapshot_daily(timeline, points, fails=(), lead=0):
    """Look at noon of each day, with the points of that day."""
    rows = [(lead, day(n + 0.5), float(p)) for n, p in enumerate(points)]
    failing = {day(n + 0.5) for n in fails}
    stories = {lead: timeline}
    return build_snapshots(rows, stories, timedelta(days=7), lambda _, at, __: at in failing)


def hand_over_by_policy(timeline, points, playbook, fails=()):
    """Decide look by look, as the service would: the plain meaning of a walk."""
    rules = Rules(playbook.triggers, playbook.returns, "draft")
    rng = np.random.default_rng(1)
    handed, in_hand_until = [], 0
    for number, point in enumerate(points):
        at = day(number + 0.5)
        if not timeline.is_open(at):
            continue
        facts = HandoffFacts(
            at=from_us(at),
            score=ScoreFacts(None if np.isnan(point) else point, None),
            mql="failed" if number in fails else "met",
            activities=timeline.activities,
            open_handoff="h" if at < in_hand_until else None,
            earlier=timeline._status(at)[1] and timeline._status(at)[1].earlier,
        )
        if decide(facts, rules, rng).verdict is HandoffVerdict.HAND_OFF:
            handed.append(at)
            in_hand_until = timeline.next_end(at)
    return handed


days = st.integers(0, 20)
moves = st.lists(
    st.builds(
        move,
        days,
        st.sampled_from(Stage),
        st.sampled_from([None, ReturnReason.NOT_READY, ReturnReason.UNREACHABLE]),
    ),
    max_size=5,
)
activities = st.lists(
    st.builds(
        lambda n, kind: Activity(from_us(day(n)), kind),
        days,
        st.sampled_from(["blog_view", "email_click"]),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(
    moves,
    st.lists(days, max_size=3),
    activities,
    st.lists(st.sampled_from([np.nan, 40.0, 65.0, 90.0]), min_size=1, max_size=21),
    st.sets(days, max_size=6),
    st.sampled_from([(), ("cooling_down", "fails_mql", "not_enough_known")]),
)
def test_a_walk_hands_over_what_the_policy_would_look_by_look(
    moved, asked, acts, points, fails, passes
):
    timeline = make_timeline(*moved, asked=[day(n) for n in asked], activities=acts)
    point = {**NOBODY_DRAWN, "hand_raisers_pass": [*passes, "not_enough_known"]}
    playbook = Playbook.model_validate({"triggers": point})

    taken = simulate(snapshot_daily(timeline, points, fails), playbook)

    assert taken.at.as_of.tolist() == hand_over_by_policy(timeline, points, playbook, fails)


@given(
    moves,
    st.lists(st.sampled_from([40.0, 65.0, 90.0]), min_size=1, max_size=21),
    st.sampled_from([0.0, 50.0]),
)
def test_a_lower_cut_never_hands_a_lead_over_later(moved, points, lower):
    looks = snapshot_daily(make_timeline(*moved), points)

    high, low = (simulate(looks, Playbook(), cut).at.as_of for cut in (65.0, lower))

    assert len(low) or not len(high)
    assert not len(high) or low[0] <= high[0]


def test_a_return_frees_the_lead_and_its_rest_holds_it():
    back = move(3, Stage.RETURNED, ReturnReason.UNREACHABLE)
    timeline = make_timeline(move(1, Stage.MQL), back)

    taken = simulate(snapshot_daily(timeline, [90.0] * 40), Playbook())

    # Unreachable rests 21 days: from day 3 until day 24.
    assert taken.at.as_of.tolist() == [day(0.5), day(24.5)]


def test_what_became_known_late_frees_nobody_before():
    back = move(3, Stage.RETURNED, ReturnReason.BAD_FIT, known=9)
    timeline = make_timeline(back)

    assert not timeline.is_resting(day(8))
    assert timeline.is_resting(day(9.5))


def test_a_lead_that_became_a_sql_is_looked_at_no_more():
    looks = snapshot_daily(make_timeline(move(2, Stage.SQL)), [40.0, 40.0, 90.0, 90.0])

    assert looks.as_of.tolist() == [day(0.5), day(1.5)]
    assert looks.next_sql.tolist() == [day(2), day(2)]
    assert looks.next_won.tolist() == [NEVER, NEVER]


def period_of(until=100, begin=0, end=28):
    return Period(day(begin), day(end), day(until), 30 * DAY_US)


def market():
    """Four leads: two become SQL, one of them late; the first two score high."""
    stories = [
        make_timeline(move(1, Stage.MQL), move(10, Stage.SQL), move(20, Stage.WON)),
        make_timeline(),
        make_timeline(move(8, Stage.MQL), move(9, Stage.SQL)),
        make_timeline(move(50, Stage.SQL)),
    ]
    rows = [(lead, day(1), points) for lead, points in enumerate([80.0, 70.0, 30.0, 20.0])]
    looks = build_snapshots(rows, stories, timedelta(7), lambda *_: False)
    logged = [(0, day(1), np.nan), (2, day(8), np.nan)]
    return looks, build_snapshots(logged, stories, timedelta(7), lambda *_: False)


def test_precision_lift_and_recall_are_what_one_counts_by_hand():
    looks, _ = market()
    everyone = find_everyone(looks, period_of())

    figures = judge(looks.take(looks.points >= 65), np.zeros(2, np.bool_), everyone)

    assert everyone.base.share == 0.5
    assert (figures.handoffs, figures.per_week) == (2, 0.5)
    assert (figures.sql.share, figures.won.share, figures.lift) == (0.5, 0.5, 1.0)
    # Three became SQL in the end, one of them handed over before.
    assert (figures.recall.share, figures.recall.of) == (pytest.approx(1 / 3), 3)
    assert figures.recall_won.share == 1.0


def test_a_handoff_whose_horizon_is_not_over_is_not_judged():
    looks, _ = market()
    everyone = find_everyone(looks, period_of(until=30))

    figures = judge(looks, np.zeros(4, np.bool_), everyone)

    assert figures.matured == 0
    assert figures.sql.share is None
    assert figures.lift is None


def test_leads_gained_and_lost_are_reported_with_what_became_of_them():
    looks, today = market()

    compared = compare(looks.take(looks.points >= 65), today, period_of())

    assert (compared.both.leads, compared.both.sql.share) == (1, 1.0)
    assert (compared.gained.leads, compared.gained.sql.share) == (1, 0.0)
    assert (compared.lost.leads, compared.lost.sql.share) == (1, 1.0)
    assert compared.earlier_days == 0.0


def test_weeks_begin_with_the_first_day():
    looks = snapshot_daily(make_timeline(), [90.0] * 16)

    assert list(count_by_week(looks, period_of(end=16))) == [7, 7, 2]


def curve_of(*per_week):
    looks, _ = market()
    figures = judge(looks, np.zeros(4, np.bool_), find_everyone(looks, period_of()))
    return [
        Cut(10.0 * n, replace(figures, per_week=float(count)), count / 20)
        for n, count in enumerate(per_week)
    ]


def test_the_lowest_cut_that_sales_can_take_is_recommended():
    advice = advise(curve_of(40, 25, 19, 3), 20, None)

    assert advice.score_from == 20.0
    assert advice.because.startswith(
        "From 20 points on: 19.0 handoffs a week of 20 that sales can take; 50 %"
    )


@pytest.mark.parametrize(
    ("per_week", "floor", "words"),
    [
        ((19, 3), None, "None: sales can take every lead"),
        ((40, 25), None, "Even from 10 points on, 25.0 handoffs a week are more than the 20"),
        ((40, 3), 0.6, "No cut that sales can take reaches the agreed share of SQLs, 60 %."),
    ],
)
def test_where_no_cut_can_be_recommended_the_reason_is_stated(per_week, floor, words):
    advice = advise(curve_of(*per_week), 20, floor)

    assert advice == Advice(None, advice.because)
    assert advice.because.startswith(words)


@pytest.mark.parametrize("text", ["", "hourly", "24", "0h", "d", "24h,"])
def test_what_is_no_way_of_looking_is_none(text):
    assert read_look(text) is None
