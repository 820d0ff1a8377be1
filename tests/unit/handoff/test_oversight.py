"""Rejections checked by rule, drawn by lot, and reported as patterns."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.handoff.intervals import find_wilson
from serving.handoff.oversight.report import OTHERS, Answered, Review, build_report
from serving.handoff.oversight.rules import (
    DefinitionFacts,
    Rejection,
    ReviewFinding,
    Ruling,
    check_rejection,
    draw_sample,
    month_rng,
)
from serving.handoff.playbook.sections.oversight import Oversight
from serving.handoff.playbook.sections.returns import SalesReason
from serving.handoff.playbook.sections.triggers import Trigger

MONTH = date(2026, 3, 1)
AT = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
MET = DefinitionFacts("met")
FAILED = DefinitionFacts("failed", failing=("industry",))
UNKNOWN = DefinitionFacts("unknown", unknown=("employees",))


def make_rejection(number=1, **changes):
    rejection = Rejection(
        handoff_id=f"h-{number:04}",
        lead_id=f"l-{number}",
        handed_at=AT,
        rejected_at=AT + timedelta(days=1),
        reason=SalesReason.BAD_FIT,
        trigger=Trigger.SCORE,
        playbook_version="v3",
        definition=MET,
        source="web",
        seller="sam",
    )
    return replace(rejection, **changes)


def report_of(answered=(), rejections=(), reviews=(), **section):
    return build_report(MONTH, answered, rejections, reviews, Oversight(**section))


def accept(source, accepted, rejected, seller="sam", trigger=Trigger.SCORE):
    return [Answered(n < accepted, trigger, source, seller) for n in range(accepted + rejected)]


@pytest.mark.parametrize(
    ("changes", "ruling", "words"),
    [
        (
            {},
            Ruling.MET,
            "It met the definition of playbook v3 when it was handed over, and was "
            "given back on 2026-03-10 (bad fit).",
        ),
        (
            {"definition": FAILED},
            Ruling.NOT_MET,
            "It did not meet the definition of playbook v3 (fails: industry); "
            "given back on 2026-03-10 (bad fit).",
        ),
        (
            {"definition": FAILED, "trigger": Trigger.HAND_RAISER},
            Ruling.OUTSIDE,
            "It was handed over by hand raiser, which asks for no definition; "
            "given back on 2026-03-10 (bad fit).",
        ),
        (
            {"definition": UNKNOWN},
            Ruling.CANNOT_TELL,
            "Whether it met the definition of playbook v3 is not known (unknown: employees); "
            "given back on 2026-03-10 (bad fit).",
        ),
    ],
)
def test_every_rejection_is_checked_against_the_definition_of_its_version(changes, ruling, words):
    checked = check_rejection(make_rejection(**changes))

    assert (checked.ruling, checked.because) == (ruling, words)


rejections = st.lists(
    st.builds(
        make_rejection,
        number=st.integers(1, 500),
        reason=st.sampled_from(list(SalesReason)[:3]),
        source=st.sampled_from([None, "web", "fair"]),
    ),
    max_size=40,
    unique_by=lambda r: r.handoff_id,
)


@given(rejections, st.integers(0, 25), st.integers(0, 3), st.randoms())
def test_a_sample_is_drawn_alike_by_whoever_repeats_it_and_stands_for_its_strata(
    month, size, least, order
):
    section = Oversight(sample_per_month=size, least_per_stratum=least)
    drawn = draw_sample(month, section, month_rng(section, MONTH))
    shuffled = list(month)
    order.shuffle(shuffled)
    again = draw_sample(shuffled, section, month_rng(section, MONTH))

    assert {s.rejection.handoff_id for s in drawn} == {s.rejection.handoff_id for s in again}
    assert len(drawn) == min(size, len(month))
    of_stratum = Counter((r.reason.value, r.source or "not known") for r in month)
    weights = Counter()
    for sampled in drawn:
        weights[sampled.stratum] += sampled.weight
    for stratum, weight in weights.items():
        assert weight == pytest.approx(of_stratum[stratum])


def test_no_corner_goes_unseen_beside_a_large_one():
    month = [make_rejection(n) for n in range(200)]
    month += [make_rejection(500, source="fair"), make_rejection(501, source="partner")]

    section = Oversight(sample_per_month=10)
    drawn = draw_sample(month, section, month_rng(section, MONTH))

    assert Counter(s.stratum[1] for s in drawn) == {"web": 8, "fair": 1, "partner": 1}


def test_another_month_is_another_lot():
    month = [make_rejection(n) for n in range(200)]
    section = Oversight()

    def ids(of):
        return {
            s.rejection.handoff_id for s in draw_sample(month, section, month_rng(section, of))
        }

    assert ids(MONTH) != ids(date(2026, 4, 1))


def test_wilson_keeps_to_the_published_interval():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, method 3.
    low, high = find_wilson(81, 263)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@given(st.integers(1, 200), st.floats(0, 1))
def test_an_interval_holds_its_share_and_stays_within_nought_and_one(trials, share):
    successes = round(share * trials)
    low, high = find_wilson(successes, trials)

    assert 0 <= low <= successes / trials + 1e-9
    assert successes / trials - 1e-9 <= high <= 1


def test_cells_of_few_leads_are_folded_so_that_none_can_be_reported_by_subtraction():
    answered = [
        *accept("web", 40, 10, seller="sam"),
        *accept("web", 10, 2, seller="kim"),
        *accept("web", 0, 3, seller="lee"),
    ]

    cells = report_of(answered).acceptance.by_seller

    assert [cell.name for cell in cells] == ["sam", OTHERS]
    assert cells[1].rate.of == 15


@given(st.lists(st.integers(1, 30), max_size=6))
def test_no_shown_cell_is_small_and_the_rest_is_no_single_cell(sizes):
    answered = [a for n, size in enumerate(sizes) for a in accept("web", size, 0, f"seller {n}")]

    cells = report_of(answered).acceptance.by_seller

    shown = [cell for cell in cells if cell.rate.share is not None]
    assert all(cell.rate.of >= 10 for cell in shown)
    named = [cell for cell in cells if cell.name != OTHERS]
    assert all(cell.rate.of >= 10 for cell in named)
    if len(named) != len(cells) and named:
        assert len(sizes) - len(named) >= 2
        assert cells[-1].rate.of >= 10


def test_sources_whose_leads_are_not_accepted_call_for_a_change_and_sellers_never_do():
    answered = [*accept("fair", 10, 50, seller="lee"), *accept("web", 190, 10, seller="sam")]

    report = report_of(answered)

    assert [r.place for r in report.recommendations] == ["stages.mql"]
    sentence = report.recommendations[0]
    assert sentence.proposal == "Ask more of leads from fair before they are handed over."
    assert sentence.because == ("Sales accepted 17 % (9-28 %, of 60) of them; agreed are 60 %.")
    assert "lee" not in repr(report.recommendations)


def test_a_trigger_whose_leads_are_not_accepted_calls_for_its_own_change():
    report = report_of(accept("web", 10, 50))

    assert [r.place for r in report.recommendations] == ["stages.mql", "triggers.score_from"]


def test_rejections_of_leads_that_did_not_fit_call_for_the_definition_to_be_asked_for():
    month = [make_rejection(n, definition=FAILED) for n in range(30)]

    report = report_of(rejections=month)

    assert report.rulings[Ruling.NOT_MET] == 30
    assert [r.place for r in report.recommendations] == ["triggers.mql"]


def test_what_nobody_knows_is_asked_for_by_name():
    month = [make_rejection(n, definition=UNKNOWN) for n in range(30)]

    (sentence,) = report_of(rejections=month).recommendations

    assert sentence.place == "packet.required"
    assert "(employees)" in sentence.proposal


def test_overturned_rejections_count_by_what_they_stand_for():
    month = [make_rejection(n) for n in range(90)]
    month += [make_rejection(n, source="fair") for n in range(90, 100)]
    section = Oversight(sample_per_month=20, least_per_stratum=10)
    sample = draw_sample(month, section, month_rng(section, MONTH))
    reviews = [
        Review(s, ReviewFinding.TO_ACCEPT if s.stratum[1] == "fair" else ReviewFinding.NOT_TO_HAND)
        for s in sample
    ]

    report = build_report(MONTH, [], month, reviews, section)

    # Half of the sample is overturned, but it stands for a tenth of the month.
    assert report.overturned.everyone.share == pytest.approx(0.1)
    assert report.overturned.everyone.of == pytest.approx(100**2 / (10 * 81 + 10))
    assert report.not_reviewed == 0
    assert not report.recommendations


def test_many_overturned_rejections_call_for_words_on_the_reason():
    month = [make_rejection(n) for n in range(40)]
    sample = draw_sample(month, Oversight(), np.random.default_rng(1))

    report = report_of([], month, [Review(s, ReviewFinding.TO_ACCEPT) for s in sample])

    assert [r.place for r in report.recommendations] == ["returns.reasons.bad_fit.needs_text"]


def test_unclear_words_and_a_process_nobody_follows_are_stated():
    month = [make_rejection(n) for n in range(40)]
    sample = draw_sample(month, Oversight(), np.random.default_rng(1))
    half = len(sample) // 2
    reviews = [Review(s, ReviewFinding.UNCLEAR) for s in sample[:half]]
    reviews += [Review(s, ReviewFinding.NOT_FOLLOWED) for s in sample[half:]]

    report = report_of([], month, reviews)

    assert [r.place for r in report.recommendations] == ["stages.mql", "pursuit.plans"]
