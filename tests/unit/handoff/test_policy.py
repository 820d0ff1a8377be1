"""Whether a lead is handed over, and the sentence that says why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.handoff.decision.activity import Activity
from serving.handoff.decision.cooling_down import EarlierHandoff
from serving.handoff.decision.rules import (
    Drawn,
    HandoffFacts,
    HandoffVerdict,
    ManualRequest,
    Rules,
    ScoreFacts,
    TimingFacts,
    decide,
)
from serving.handoff.playbook.sections.returns import Returns, SalesReason
from serving.handoff.playbook.sections.triggers import Suppression, Trigger, Triggers

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
NEVER = Triggers.model_validate({"exploration": {"chance": 0.0}})
HIGH, LOW = ScoreFacts(71.2, "A"), ScoreFacts(48.0, "C")
RETURNED = EarlierHandoff(
    "h-1", NOW - timedelta(days=20), NOW - timedelta(days=10), "sam", SalesReason.NO_NEED_NOW
)


def make_rules(triggers=NEVER):
    return Rules(triggers, Returns(), "v3")


def asked(days_ago=1.0, kind="demo_request", name=None):
    return Activity(NOW - timedelta(days=days_ago), kind, name)


def decide_now(triggers=NEVER, seed=1, **facts):
    return decide(HandoffFacts(NOW, **facts), make_rules(triggers), np.random.default_rng(seed))


def test_a_score_at_the_threshold_hands_over_and_states_so():
    decision = decide_now(score=HIGH)

    assert decision.verdict is HandoffVerdict.HAND_OFF
    assert decision.trigger is Trigger.SCORE
    assert decision.because == "Handed over: its score 71.2 is at least 65."
    assert decision.version == "v3"


def test_without_an_agreed_playbook_nobody_goes_to_sales_but_by_a_persons_word():
    rules = replace(
        make_rules(Triggers.model_validate({"exploration": {"chance": 1.0}})), hands_over=False
    )

    def decide_unagreed(**facts):
        return decide(HandoffFacts(NOW, **facts), rules, np.random.default_rng(1))

    by_score, by_hand = (
        decide_unagreed(score=HIGH),
        decide_unagreed(manual=ManualRequest("mia", "we met at the fair")),
    )
    kept = decide_unagreed(score=LOW)

    assert (by_score.verdict, by_score.trigger) == (HandoffVerdict.PROPOSE, Trigger.SCORE)
    assert by_score.because == (
        "Would be handed over: its score 71.2 is at least 65; it waits until marketing and sales "
        "have agreed to a playbook."
    )
    assert by_hand.verdict is HandoffVerdict.HAND_OFF
    # The draw of the exploration is not held: nobody would be moved by it.
    assert (kept.verdict, kept.propensity) == (HandoffVerdict.KEEP, None)


def test_a_score_below_it_is_kept_and_the_sentence_states_what_was_lacking():
    decision = decide_now(score=LOW, timing=TimingFacts("wait", "it gains 3 points by waiting"))

    assert decision.verdict is HandoffVerdict.KEEP
    assert decision.because == (
        "Not handed over: its score 48.0 is below 65; the timing model says wait "
        "(it gains 3 points by waiting); it did not ask for sales."
    )


def test_a_band_hands_over_below_the_threshold_of_points():
    triggers = Triggers(score_from=90, bands=("A",))

    assert decide_now(triggers, score=HIGH).because == (
        "Handed over: its score 71.2 is in band A."
    )


def test_a_hand_raiser_needs_no_score():
    decision = decide_now(activities=[asked(name="Request a demo")], score=LOW)

    assert decision.trigger is Trigger.HAND_RAISER
    assert decision.because == (
        "Handed over: it asked for sales itself (Request a demo, 2026-03-08)."
    )


@pytest.mark.parametrize("name", ["Quote-Request", "REQUEST a  quote!", "request_a_call"])
def test_a_hand_raiser_is_known_by_the_name_of_a_form_too(name):
    assert decide_now(activities=[asked(kind="form_submit", name=name)]).trigger == "hand_raiser"


def test_an_old_request_and_one_that_was_answered_count_no_more():
    assert decide_now(activities=[asked(days_ago=8)]).verdict is HandoffVerdict.KEEP
    answered = replace(RETURNED, ended_at=NOW - timedelta(hours=1), reason=SalesReason.WRONG_DATA)
    assert decide_now(activities=[asked()], earlier=answered).verdict is HandoffVerdict.KEEP


def test_a_request_at_the_instant_of_the_answer_was_answered_by_it():
    request = asked(days_ago=1.0)

    def decide_answered(at):
        answered = replace(RETURNED, ended_at=at, reason=SalesReason.WRONG_DATA)
        return decide_now(activities=[request], earlier=answered).verdict

    assert decide_answered(request.at) is HandoffVerdict.KEEP
    assert decide_answered(request.at - timedelta(microseconds=1)) is HandoffVerdict.HAND_OFF


def test_a_request_counts_from_the_first_instant_of_its_days_until_the_moment_of_looking():
    tick = timedelta(microseconds=1)
    oldest = NOW - timedelta(days=NEVER.hand_raiser_days)

    verdicts = {
        at: decide_now(activities=[Activity(at, "demo_request")]).verdict
        for at in (oldest - tick, oldest, NOW - tick, NOW)
    }

    assert [verdict is HandoffVerdict.HAND_OFF for verdict in verdicts.values()] == [
        False,
        True,
        True,
        False,
    ]


def test_several_triggers_make_one_handoff():
    decision = decide_now(
        activities=[asked()], score=HIGH, timing=TimingFacts("now", "waiting gains nothing")
    )

    assert decision.triggers == (Trigger.HAND_RAISER, Trigger.TIMING, Trigger.SCORE)
    assert decision.trigger is Trigger.HAND_RAISER
    assert decision.because.count(";") == 2


def test_a_decision_by_hand_needs_a_reason():
    given_one = ManualRequest("mia", "Met them at the fair, they asked for prices.")

    assert decide_now(manual=given_one).because == (
        'Handed over: mia decided it ("Met them at the fair, they asked for prices").'
    )
    refused = decide_now(manual=ManualRequest("mia", "now"))
    assert refused.verdict is HandoffVerdict.KEEP
    assert "mia gave no reason of at least 10 letters" in refused.because


@pytest.mark.parametrize(
    ("facts", "suppression", "words"),
    [
        ({"open_handoff": "h-7"}, "already_in_hand", "it is already in hand (handoff h-7)"),
        ({"do_not_contact": True}, "do_not_contact", "it asked not to be contacted"),
        ({"customer": True}, "customer", "it is a customer"),
        ({"competitor": True}, "competitor", "it belongs to a competitor"),
        (
            {"earlier": RETURNED},
            "cooling_down",
            "it was given back (no need now) on 2026-02-27 and rests until 2026-04-28",
        ),
        (
            {"mql": "failed", "mql_because": "industry is education"},
            "fails_mql",
            "it fails the agreed MQL definition (industry is education)",
        ),
    ],
)
def test_what_keeps_a_lead_back_is_stated_together_with_what_spoke_for_it(
    facts, suppression, words
):
    decision = decide_now(score=HIGH, **facts)

    assert decision.verdict is HandoffVerdict.KEEP
    assert decision.suppressions == (Suppression(suppression),)
    assert decision.triggers == (Trigger.SCORE,)
    assert decision.because == (
        f"Not handed over: {words}, although its score 71.2 is at least 65."
    )


def test_too_little_knowledge_is_not_a_low_score():
    decision = decide_now(score=ScoreFacts(None, None, "no event is known."))

    assert decision.because == "Not handed over: not enough is known of it (no event is known)."


def test_a_hand_raiser_wakes_a_resting_lead_but_not_one_that_must_not_be_contacted():
    woken = decide_now(activities=[asked()], earlier=replace(RETURNED, reason=SalesReason.BAD_FIT))

    assert woken.verdict is HandoffVerdict.HAND_OFF
    assert "(although it was given back (bad fit)" in woken.because
    assert decide_now(activities=[asked()], do_not_contact=True).verdict is HandoffVerdict.KEEP


def test_the_definition_can_be_asked_for_in_three_ways():
    for mql, verdicts in {
        "met": (HandoffVerdict.HAND_OFF, HandoffVerdict.KEEP, HandoffVerdict.KEEP),
        "not_failed": (HandoffVerdict.HAND_OFF, HandoffVerdict.HAND_OFF, HandoffVerdict.KEEP),
        "ignored": (HandoffVerdict.HAND_OFF, HandoffVerdict.HAND_OFF, HandoffVerdict.HAND_OFF),
    }.items():
        triggers = NEVER.model_copy(update={"mql": mql})
        decided = [
            decide_now(triggers, score=HIGH, mql=m).verdict for m in ("met", "unknown", "failed")
        ]
        assert tuple(decided) == verdicts


def test_the_draw_takes_as_many_as_its_chance_states_and_logs_it_either_way():
    triggers = Triggers.model_validate({"exploration": {"chance": 0.2}})

    drawn = [decide_now(triggers, seed, score=LOW) for seed in range(2000)]

    taken = [d for d in drawn if d.verdict is HandoffVerdict.HAND_OFF]
    assert 0.17 < len(taken) / len(drawn) < 0.23
    assert {d.propensity for d in drawn} == {0.2}
    assert {d.trigger for d in taken} == {Trigger.EXPLORATION}
    assert taken[0].because == "Handed over: drawn at random (chance 0.2)."


@pytest.mark.parametrize(
    "facts",
    [
        {"drawn": Drawn(this_week=3)},
        {"drawn": Drawn(last_at=NOW - timedelta(days=6))},
        {"customer": True},
        {"score": HIGH},
    ],
)
def test_nobody_is_drawn_beyond_the_quota_twice_a_week_suppressed_or_handed_over_anyway(facts):
    triggers = Triggers.model_validate({"exploration": {"chance": 1.0}})

    assert decide_now(triggers, **facts).propensity is None


def test_leads_that_fail_the_definition_are_in_the_draw():
    triggers = Triggers.model_validate({"exploration": {"chance": 1.0}})

    decision = decide_now(triggers, mql="failed")

    assert decision.trigger is Trigger.EXPLORATION


scores = st.sampled_from([None, HIGH, LOW, ScoreFacts(None, None, "too little")])
facts = st.builds(
    HandoffFacts,
    at=st.just(NOW),
    score=scores,
    timing=st.sampled_from([None, TimingFacts("now", "x"), TimingFacts("let_go", "x")]),
    mql=st.sampled_from(["met", "failed", "unknown"]),
    activities=st.lists(st.sampled_from([asked(), asked(9), asked(0.1, "pricing_view")])),
    manual=st.sampled_from([None, ManualRequest("mia", "a reason that is long enough")]),
    open_handoff=st.sampled_from([None, "h-1"]),
    earlier=st.sampled_from([None, RETURNED]),
    customer=st.booleans(),
    competitor=st.booleans(),
    do_not_contact=st.booleans(),
)


@given(facts, st.integers(0, 9), st.sampled_from([0.0, 0.5, 1.0]))
def test_every_decision_states_why_in_one_sentence_and_no_lead_comes_into_two_hands(
    facts, seed, chance
):
    triggers = Triggers.model_validate({"exploration": {"chance": chance}})

    decision = decide(facts, make_rules(triggers), np.random.default_rng(seed))

    assert decision.because.endswith(".")
    assert "\n" not in decision.because
    handed = decision.verdict is HandoffVerdict.HAND_OFF
    assert handed == decision.because.startswith("Handed over: ")
    assert handed == (decision.trigger is not None)
    if facts.open_handoff or facts.do_not_contact:
        assert not handed
    if not handed:
        assert decision.because.startswith("Not handed over: ")
