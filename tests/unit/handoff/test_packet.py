"""What sales is told with a lead."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.explain.reasons import Reason
from serving.handoff.decision.activity import Activity
from serving.handoff.decision.cooling_down import EarlierHandoff
from serving.handoff.decision.rules import HandoffDecision, HandoffVerdict
from serving.handoff.packet.build import PacketFacts, build_packet
from serving.handoff.packet.render import escape_markdown, render_markdown, render_memo
from serving.handoff.packet.timeline import KindWords, Moment, build_timeline
from serving.handoff.playbook.sections.packet import PacketField, PacketSection
from serving.handoff.playbook.sections.returns import SalesReason
from serving.handoff.playbook.sections.triggers import Trigger

NOW = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
WORDS = KindWords(
    {
        "blog_view": ("blog view", "blog views"),
        "pricing_view": ("pricing-page view", "pricing-page views"),
    },
    frozenset({"pricing_view"}),
)


def decided(trigger=Trigger.SCORE):
    because = "Handed over: its score 71.2 is at least 65."
    return HandoffDecision(
        HandoffVerdict.HAND_OFF, because, trigger, (trigger,), (), None, "v3", NOW
    )


def did(kind, days_ago, channel="web", campaign=None, engaging=True):
    return Activity(
        NOW - timedelta(days=days_ago), kind, None, channel, campaign, engaging=engaging
    )


def make_facts(**changes):
    facts = PacketFacts(
        lead_id="l-1",
        at=NOW,
        decision=decided(),
        stage="mql",
        stage_since=NOW,
        persona="marketing lead",
        persona_because="title holds marketing, seniority is director",
        job_title="Director of Marketing",
        company="Acme",
        product="analytics",
        can_be_called=True,
        can_be_written=True,
        points=71.2,
        band="A",
        reasons=(
            Reason("pricing", "Pricing", "engagement", 9.0, "raises", "Raises the chance: x."),
        ),
        activities=(
            did("blog_view", 30, "search", "spring"),
            did("pricing_view", 2),
            did("pricing_view", 2),
        ),
        kind_words=WORDS,
    )
    return replace(facts, **changes)


MEMO = """\
Handoff of lead l-1

Why now: Handed over: its score 71.2 is at least 65.
Persona: marketing lead (title holds marketing, seniority is director)
Job title: Director of Marketing
Company: Acme
Lead source: search
Campaign: spring
First touch: 7 Feb 2026, blog view through search, campaign spring
Last touch: 7 Mar 2026, pricing-page view through web
Product of interest: analytics
Awareness: weighs the product (2 pricing-page views in the last 180 days)
Stage: mql since 9 Mar 2026
Score: 71.2 of 100, band A

Reasons of the score:
- Raises the chance: x.

Timeline:
- 7 Feb 2026: 1 blog view through search (spring)
- 7 Mar 2026: 2 pricing-page views through web

Suggested opening: email (the playbook's usual opening):
- Hello. On 7 Mar 2026 we noticed your pricing-page view. Many who look at analytics ask the same two \
questions; I have put short answers below. Would 15 minutes this week help?

As of 2026-03-09 09:00 UTC, playbook v3.
"""


def test_the_memo_holds_what_sales_asks_for():
    assert render_memo(build_packet(make_facts(), PacketSection())) == MEMO


def test_what_the_playbook_requires_and_nobody_knows_is_flagged_with_its_supplier():
    packet = build_packet(make_facts(persona=None, product=None), PacketSection())

    assert [(m.field, m.supplier, m.holds) for m in packet.missing] == [
        (PacketField.PERSONA, "marketing", False),
        (PacketField.PRODUCT, "marketing", False),
    ]
    assert not packet.held
    assert "- persona: marketing should supply it" in render_memo(packet)


def test_a_packet_is_held_back_where_the_playbook_states_so_but_not_that_of_a_hand_raiser():
    section = PacketSection(held_without=(PacketField.CONTACT,))
    without = make_facts(can_be_called=None, can_be_written=False)

    held = build_packet(without, section)
    asked = build_packet(replace(without, decision=decided(Trigger.HAND_RAISER)), section)

    assert held.held
    assert "Handoff of lead l-1 (held back)" in render_memo(held)
    assert (
        "contact: marketing should supply it; the packet is held back until then"
        in render_memo(held)
    )
    assert not asked.held
    assert [m.field for m in asked.missing] == [PacketField.CONTACT]


@pytest.mark.parametrize(
    ("kinds", "level"),
    [
        (["blog_view", "demo_request"], "asks for sales"),
        (["blog_view", "pricing_view"], "weighs the product"),
        (["blog_view", "webinar_attend"], "knows the solution"),
        (["blog_view"], "knows the problem"),
        (["other"], "hardly knows us"),
    ],
)
def test_awareness_is_the_highest_level_that_its_doing_shows(kinds, level):
    packet = build_packet(make_facts(activities=[did(kind, 3) for kind in kinds]), PacketSection())

    assert packet.awareness.level == level


def test_awareness_fades_and_a_mail_merely_received_shows_none():
    acts = [did("pricing_view", 181), did("email_click", 3, engaging=False)]

    packet = build_packet(make_facts(activities=acts), PacketSection())

    assert packet.awareness.level == "hardly knows us"
    assert packet.awareness.because == "0 activities in the last 180 days, none that shows more"


def test_the_opening_suits_the_trigger_and_leaves_out_what_is_not_known():
    packet = build_packet(
        make_facts(decision=decided(Trigger.HAND_RAISER), product=None), PacketSection()
    )

    assert packet.opening.template == "call_requested"
    assert packet.opening.text == (
        "You asked us to get in touch. I have read what you wrote, so we can start there. "
        "What should be different half a year from now?"
    )


def test_who_cannot_be_called_is_written_to():
    packet = build_packet(
        make_facts(decision=decided(Trigger.TIMING), can_be_called=False), PacketSection()
    )

    assert packet.opening.channel == "email"
    assert packet.opening.because == "contact data for the usual channel are missing"


def test_a_fact_that_holds_braces_is_not_filled_again():
    packet = build_packet(make_facts(product="{company}"), PacketSection())

    assert "Many who look at {company} ask" in packet.opening.text


def test_the_next_seller_reads_of_the_earlier_handoff():
    earlier = EarlierHandoff(
        "h-1", NOW - timedelta(days=90), NOW - timedelta(days=80), "sam", SalesReason.NO_BUDGET
    )

    packet = build_packet(make_facts(earlier=(earlier,)), PacketSection())

    assert packet.stage == "mql since 9 Mar 2026, 1 earlier handoff"
    assert "- Handed over to sam on 2025-12-09, returned on 2025-12-19 (no budget)" in render_memo(
        packet
    )


def test_a_long_story_is_reported_in_ten_lines_with_what_matters():
    acts = [did("blog_view", days) for days in range(60, 0, -1)]
    acts.insert(20, did("pricing_view", 40))
    moments = [Moment(NOW - timedelta(days=50), "given back (no need now)")]

    lines = build_timeline(acts, moments, WORDS, 10)

    assert len(lines) == 10
    sentence = [line.words for line in lines]
    assert lines[0].day == "8 Jan 2026"
    assert "given back (no need now)" in sentence
    assert "1 pricing-page view through web" in sentence
    assert sentence[-1] == "53 further entries on 53 days"


@given(st.integers(1, 12), st.lists(st.integers(0, 40), max_size=60))
def test_no_story_takes_more_lines_than_allowed_and_none_loses_an_activity(most, days):
    acts = sorted((did("blog_view", day) for day in days), key=lambda a: a.at)

    lines = build_timeline(acts, [], WORDS, most)

    assert len(lines) <= most
    result = sum(int(line.words.split()[0].replace(",", "")) for line in lines)
    assert result == len(days)


def test_json_memo_and_markdown_tell_the_same():
    packet = build_packet(make_facts(product=None), PacketSection())

    result = json.loads(json.dumps(packet.to_json()))
    markdown = render_markdown(packet)

    assert result["why_now"] in render_memo(packet)
    assert result["held"] is False
    assert result["awareness"]["level"] in markdown
    assert "- **Company:** Acme" in markdown
    assert "### Missing" in markdown


def test_what_others_wrote_is_shown_in_markdown_and_never_obeyed():
    packet = build_packet(
        make_facts(company="# Acme\n\n## <img src=x> [a](b) *now*"), PacketSection()
    )

    assert "- **Company:** \\# Acme ## \\<img src=x\\> \\[a\\](b) \\*now\\*\n" in render_markdown(
        packet
    )
    assert "Company: # Acme ## <img src=x> [a](b) *now*\n" in render_memo(packet)


@pytest.mark.parametrize(
    ("text", "shown"), [("1. a", "1\\. a"), ("- a", "\\- a"), ("2026-03-09", "2026-03-09")]
)
def test_what_opens_a_list_does_so_no_more(text, shown):
    assert escape_markdown(text) == shown
