"""What becomes of a lead that sales gives back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.lifecycle.reasons import Finding, ReturnReason
from serving.handoff.decision.activity import Activity
from serving.handoff.decision.cooling_down import (
    EarlierHandoff,
    check_return,
    decide_recycle,
    find_rest,
    find_waking,
)
from serving.handoff.machine.errors import MissingFactError, NotPersistentEnoughError
from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.playbook.sections.pursuit import Pursuit
from serving.handoff.playbook.sections.returns import Returns, SalesReason
from serving.handoff.pursuit.rules import ContactAttempt, find_persistence, find_plan

ENDED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EARLIER = EarlierHandoff(
    "h-1", ENDED - timedelta(days=7), ENDED, "sam", SalesReason.NO_NEED_NOW, attempts=2
)


def did(kind, days, engaging=True):
    return Activity(ENDED + timedelta(days=days), kind, engaging=engaging)


def rest_after(days, *activities, earlier=EARLIER):
    return find_rest(Returns(), earlier, activities, ENDED + timedelta(days=days))


def test_a_returned_lead_rests_as_long_as_its_reason_states():
    assert rest_after(59).resting
    assert rest_after(59).because == (
        "it was given back (no need now) on 2026-03-02 and rests until 2026-05-01"
    )
    assert not rest_after(60).resting


def test_the_kind_of_engagement_its_rule_names_wakes_it_at_once():
    rest = rest_after(5, did("blog_view", 1), did("pricing_view", 4))

    assert not rest.resting
    assert rest.because == "re-opened by pricing view on 2026-03-06"


def test_much_of_any_engagement_wakes_it_too_but_not_mail_it_merely_received():
    reads = [did("blog_view", day) for day in (1, 2, 3, 4, 4.5)]
    mails = [did("email_receive", day, engaging=False) for day in (1, 2, 3, 4, 4.5)]

    assert rest_after(5, *reads).because == "re-opened by 5 activities since it came back"
    assert rest_after(5, *reads[:4], *mails).resting


def test_what_it_did_before_it_came_back_wakes_nobody_and_neither_does_the_future():
    assert rest_after(5, did("pricing_view", -1), did("pricing_view", 6)).resting


def test_a_reason_may_ask_for_nothing_but_time():
    earlier = replace(EARLIER, reason=SalesReason.BAD_FIT)

    assert rest_after(5, did("demo_request", 1), earlier=earlier).resting


def test_a_lost_lead_rests_and_one_that_was_withdrawn_does_not():
    assert rest_after(100, earlier=replace(EARLIER, reason=None, lost=True)).resting
    assert not rest_after(0.1, earlier=replace(EARLIER, reason=None)).resting


def test_labels_and_features_read_the_reason_that_was_returned():
    recycle = decide_recycle(Returns(), SalesReason.WRONG_DATA, ENDED)

    assert recycle.means is ReturnReason.UNREACHABLE
    assert recycle.finding is Finding.UNREACHABLE
    assert recycle.because == (
        "Given back (wrong contact data): goes to the track repair_data without a rest."
    )


@pytest.mark.parametrize("reason", SalesReason)
def test_whatever_the_reason_the_lead_has_a_track(reason):
    assert decide_recycle(Returns(), reason, ENDED).track


def test_another_reason_needs_a_sentence():
    with pytest.raises(MissingFactError, match="a text of 10 letters"):
        check_return(Returns(), SalesReason.OTHER, " no ", None)

    check_return(Returns(), SalesReason.OTHER, "Merged with another firm.", None)


def test_nobody_is_unreachable_before_the_agreed_attempts():
    plan = find_plan(Pursuit(), [])
    calls = [ContactAttempt(ENDED + timedelta(hours=n), Channel.CALL) for n in range(6)]

    with pytest.raises(NotPersistentEnoughError, match="No attempt") as none_made:
        check_return(Returns(), SalesReason.UNREACHABLE, None, None)
    with pytest.raises(NotPersistentEnoughError) as one_morning:
        check_return(Returns(), SalesReason.UNREACHABLE, None, find_persistence(plan, calls))

    assert none_made.value.status == 409
    assert one_morning.value.fix == (
        "Still to do: a last one 10 days after the first, 1 more channel."
    )
    late = [*calls, ContactAttempt(ENDED + timedelta(days=11), Channel.EMAIL)]
    check_return(Returns(), SalesReason.UNREACHABLE, None, find_persistence(plan, late))


def test_the_next_seller_is_reported_of_the_earlier_handoff():
    assert replace(EARLIER, text="Call again in May").words == (
        "Handed over to sam on 2026-02-23, returned on 2026-03-02 (no need now) after 2 attempts; "
        'the seller wrote: "Call again in May".'
    )


activities = st.lists(
    st.builds(
        did,
        st.sampled_from(["blog_view", "pricing_view", "email_receive", "form_submit"]),
        st.integers(-2, 70),
        st.booleans(),
    ),
    max_size=8,
)


@given(
    activities,
    st.sampled_from([*SalesReason, None]),
    st.booleans(),
    st.integers(-1, 200).map(lambda hours: hours * 12),
)
def test_looking_back_and_looking_now_agree_on_when_a_lead_wakes(acts, reason, lost, hours):
    earlier = replace(EARLIER, reason=reason, lost=lost and reason is None)
    at = ENDED + timedelta(hours=hours)

    resting = find_rest(Returns(), earlier, acts, at).resting

    assert resting == (at < find_waking(Returns(), earlier, acts))
