"""Off-policy estimates against hand-made numbers, and against a log whose every course is listed."""

from itertools import product

import numpy as np
import pytest

from training.timing.proof.off_policy import (
    Estimate,
    EvaluatedPaths,
    Overlap,
    mean_over_leads,
    measure_overlap,
    score_log,
    score_policy,
    settle,
    weigh_paths,
)
from training.timing.proof.paths import ALONE, CUT, ENDED, GOES_ON, HANDED, RAISED, LoggedPaths
from training.timing.proof.policies import (
    THRESHOLD,
    TIMING,
    Fold,
    compare_policies,
    decide_served,
    find_poor_overlap,
)

LAST = (ENDED, ALONE, CUT, HANDED, RAISED)


def lay(courses, *, propensity=0.5, stays=0.5, now=4.0, following=3.0, followed=1.0):
    """Lay out paths from courses such as ``[(GOES_ON, 0.0), (HANDED, 10.0)]``: what followed, what
    it brought. Everything predicted is one number for all steps, or one per step."""
    steps = [step for course in courses for step in course]
    n = len(steps)
    kind = np.array([what for what, _ in steps], np.int8)
    outcome = np.array([brought for _, brought in steps], float)
    has = np.isin(kind, (HANDED, RAISED))

    def each(value):
        return np.broadcast_to(np.asarray(value, float), (n,)).copy()

    paths = LoggedPaths(
        lead=np.arange(len(courses)),
        offsets=np.concatenate([[0], np.cumsum([len(c) for c in courses])]).astype(np.int64),
        row=np.arange(n),
        day=np.zeros(n),
        gap_days=np.zeros(n),
        working_days=np.ones(n),
        followed_by=kind,
        handoff=np.where(has, 0, -1),
        followed=each(followed),
        followed_after=each(followed),
        horizon_days=180.0,
    )
    made = np.where(has, each(now), 0.0)
    return EvaluatedPaths(
        paths=paths,
        now=each(now),
        following=each(following),
        propensity=each(propensity),
        stays=each(stays),
        outcome=outcome,
        outcome_weight=has.astype(float),
        made=made,
        made_now=made,
        sql_worth=10.0,
        discount_by_day=1.0,
        worst=-3.0,
        best=7.0,
    )


def test_a_handoff_where_the_policy_hands_over_corrects_what_was_predicted():
    judged = lay([[(HANDED, 10.0)], [(ENDED, 0.0)]])

    scores = score_policy(judged, np.array([True, True]))

    assert scores.value.tolist() == [4.0 + (10.0 - 4.0) / 0.5, 4.0]
    assert scores.weight.tolist() == [2.0, 0.0]
    assert weigh_paths(scores).value == 10.0
    assert scores.stop.tolist() == [0, 1]


def test_a_policy_that_waits_counts_only_leads_that_were_left_alone():
    judged = lay([[(GOES_ON, 0.0), (ALONE, 0.0)], [(HANDED, 10.0)]])

    scores = score_policy(judged, np.zeros(3, bool))

    # Predicted 3, taken off twice as the lead stays with chance 1/2; then 6 and 12; then 4 times 10.
    assert scores.value.tolist() == [3.0 - 6.0 + 6.0 - 12.0 + 40.0, 3.0]
    assert scores.weight.tolist() == [4.0, 0.0]


def test_a_log_that_ends_early_states_nothing_of_what_comes():
    judged = lay([[(CUT, 0.0)]])

    assert score_policy(judged, np.array([False])).value.tolist() == [3.0]
    assert score_log(judged).value.tolist() == [3.0]


def test_today_s_rule_is_worth_what_came_of_it():
    judged = lay([[(HANDED, 10.0)], [(RAISED, -1.0)], [(ENDED, 0.0)]])

    assert score_log(judged).value.tolist() == [10.0, -1.0, 0.0]


def test_only_half_followed_so_long_count_double():
    judged = lay([[(ALONE, 0.0)]], stays=1.0, following=0.0, followed=0.5)

    assert score_policy(judged, np.array([False])).value.tolist() == [20.0]


HAZARDS, PAYS, AT_THE_END = (0.3, 0.6), (2.0, 7.0), 1.5


def list_courses():
    """List every course a lead of two steps can take, with its chance; outcomes are 0 or twice."""
    for first, second, lucky in product((True, False), repeat=3):
        if first:
            yield [(HANDED, 2 * PAYS[0] * lucky)], HAZARDS[0] / 4
        elif second:
            course = [(GOES_ON, 0.0), (HANDED, 2 * PAYS[1] * lucky)]
            yield course, (1 - HAZARDS[0]) * HAZARDS[1] / 2
        else:
            course = [(GOES_ON, 0.0), (RAISED, AT_THE_END)]
            yield course, (1 - HAZARDS[0]) * (1 - HAZARDS[1]) / 2


@pytest.mark.parametrize(
    ("stops", "worth"),
    [((True, True), PAYS[0]), ((False, True), PAYS[1]), ((False, False), AT_THE_END)],
    ids=["at once", "at the second step", "never"],
)
@pytest.mark.parametrize("now", [0.0, 5.0], ids=["predicted too low", "predicted anyhow"])
def test_with_true_propensities_the_mean_over_all_courses_is_the_true_value(stops, worth, now):
    courses, chances = zip(*list_courses(), strict=True)
    place = [step for course in courses for step in range(len(course))]
    hazard = np.array(HAZARDS)[place]
    judged = lay(courses, propensity=hazard, stays=1 - hazard, now=now, following=now / 2)

    scores = score_policy(judged, np.array(stops)[place])

    assert np.dot(chances, scores.value) == pytest.approx(worth)
    assert np.dot(chances, scores.reached) == pytest.approx(1.0)
    assert np.dot(chances, scores.agreed) == pytest.approx(0.0)


def test_with_true_payoffs_wrong_propensities_do_no_harm_to_a_handoff_at_once():
    courses, chances = zip(*list_courses(), strict=True)
    place = [step for course in courses for step in range(len(course))]
    judged = lay(courses, propensity=0.9, stays=0.1, now=np.array(PAYS)[place])

    scores = score_policy(judged, np.ones(len(place), bool))

    assert np.dot(chances, scores.value) == pytest.approx(PAYS[0])


def test_where_the_log_never_hands_over_the_interval_holds_all_that_a_handoff_may_bring():
    # given a handoff on each of many leads' first steps, predicted 4, where the log hardly makes one
    judged = lay([[(ENDED, 0.0)]] * 50 + [[(HANDED, 10.0)]], propensity=0.001)

    # when
    scores = score_policy(judged, np.ones(51, bool))
    estimate = mean_over_leads(scores.value, scores.worst, scores.best)

    # then the one that was made corrects nothing, and from no SQL to an SQL all is open
    assert estimate.value == pytest.approx(4.0)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((-3.0, 7.0))


def test_two_policies_that_hand_over_on_the_same_step_differ_by_nothing():
    # given two leads on which both hand over where the log is silent, and two where one waits
    judged = lay([[(GOES_ON, 0.0), (ENDED, 0.0)]] * 4, propensity=0.001, stays=1.0)
    both = np.array([True, False] * 4)
    one = np.array([True, False] * 2 + [False, False] * 2)

    # when
    rows, gains, _ = compare_policies([Fold(judged, {TIMING: both, THRESHOLD: one})])
    _, same, _ = compare_policies([Fold(judged, {TIMING: both, THRESHOLD: both})])

    # then only where they part is anything open: half of the leads, from -3 to 7
    gain, own = gains[THRESHOLD], rows[0].value
    assert (own.interval.low, own.interval.high) == pytest.approx((-3.0, 7.0))
    assert gain.interval.low < -1.5 < 3.5 < gain.interval.high
    assert gain.value == pytest.approx(2.0)
    assert (same[THRESHOLD].interval.low, same[THRESHOLD].interval.high) == (0.0, 0.0)


def test_settling_takes_off_what_weights_add_by_chance():
    # Five of ten leads are handed over by a coin, and by chance the heavier half was seen.
    judged = lay([[(ALONE, 0.0)]] * 7 + [[(HANDED, 0.0)]] * 3, following=0.0)

    scores = score_policy(judged, np.zeros(10, bool))

    assert scores.value.mean() == pytest.approx(14.0)
    assert settle(scores).mean() == pytest.approx(10.0)


def test_overlap_counts_handoffs_that_agree_by_their_weight():
    judged = lay([[(HANDED, 1.0)], [(HANDED, 1.0)], [(ENDED, 0.0)]], propensity=[0.5, 0.25, 0.01])

    overlap = measure_overlap(judged.propensity, score_policy(judged, np.ones(3, bool)))

    assert (overlap.recommended, overlap.agreeing) == (3, 2)
    assert overlap.share == pytest.approx(2 / 3)
    assert overlap.effective == pytest.approx(36 / 20)
    assert overlap.largest_share == pytest.approx(4 / 6)


GOOD = Overlap(500, 0.9, 120, 80.0, 0.05, 900.0)


@pytest.mark.parametrize(
    ("gain", "overlap", "rule", "words"),
    [
        (Estimate(0.2, 0.05), GOOD, "timing", "gains +0.200 hours per lead (+0.102 to +0.298)"),
        (Estimate(0.2, 0.15), GOOD, "threshold", "is not surely above zero"),
        (Estimate(0.2, 0.05), Overlap(500, 0.1, 120, 80.0, 0.05, 900.0), "threshold", "only 10%"),
        (Estimate(0.2, 0.05), Overlap(500, 0.9, 12, 8.0, 0.05, 900.0), "threshold", "12 handoffs"),
        (Estimate(0.2, 0.05), Overlap(500, 0.9, 90, 60.0, 0.4, 900.0), "threshold", "40% of all"),
        (Estimate(0.2, 0.05), Overlap(500, 0.9, 90, 60.0, 0.1, 9.0), "threshold", "as 9 leads"),
        (Estimate(float("nan"), float("nan")), GOOD, "threshold", "is not surely above zero"),
    ],
    ids=["sure", "unsure", "no overlap", "few agree", "one carries all", "few stay", "unknown"],
)
def test_timing_is_served_only_where_its_gain_is_sure(gain, overlap, rule, words):
    served = decide_served(gain, overlap, "hours")

    assert served.rule == rule
    assert words in served.because


def test_a_policy_that_hands_nobody_over_is_not_judged():
    assert find_poor_overlap(Overlap(0, 0.0, 0, 0.0, 1.0, 900.0)) is not None


def test_a_mean_has_an_interval_over_leads():
    estimate = mean_over_leads(np.array([0.0, 2.0, 0.0, 2.0]))

    assert estimate.value == 1.0
    assert estimate.standard_error == pytest.approx(np.sqrt(4 / 3) / 2)
    assert np.isnan(mean_over_leads(np.array([1.0])).value)
