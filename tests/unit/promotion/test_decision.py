"""The decision, by figures set by hand: every verdict, every reason, in words."""

from dataclasses import replace

import pytest

from training.evaluation.calibration import CalibrationError, CalibrationLine
from training.evaluation.ranking import Auc
from training.evaluation.resampling import Interval
from training.promotion.paired import Comparison, Gain, ModelMeasures, SegmentGain
from training.promotion.rules import (
    PromotionRules,
    PromotionVerdict,
    decide_promotion,
    format_gain,
)


def ends(low: float, high: float) -> Interval:
    return Interval(low, high, "by hand")


def make_gain(low: float, high: float) -> Gain:
    return Gain((low + high) / 2, ends(low, high))


def make_side(
    log_loss: float = 0.42,
    auc: tuple[float, float] = (0.70, 0.76),
    ece: float = 0.01,
    slope: tuple[float, float] = (0.95, 1.05),
) -> ModelMeasures:
    middle = sum(slope) / 2
    return ModelMeasures(
        log_loss=log_loss,
        auc=Auc(sum(auc) / 2, ends(*auc), 150, 850, 1000),
        calibration_error=CalibrationError(ece, ends(ece / 2, ece * 2), 0.008, 10),
        line=CalibrationLine(middle, ends(*slope), 0.0, 0.0, ends(-0.1, 0.1), ""),
    )


def make_segment(low: float, high: float, name: str = "retail") -> SegmentGain:
    gain = make_gain(low, high)
    return SegmentGain("industry", name, 300, 200, 40, 0.4, 0.4 - gain.value, gain)


def make_comparison(**changes: object) -> Comparison:
    """Make a comparison in which the challenger is better beyond noise and nothing is wrong."""
    usual = Comparison(
        rows=3000,
        leads=1000,
        converted_leads=150,
        other_leads=850,
        base_rate=0.15,
        base_rate_loss=0.45,
        champion=make_side(0.425),
        challenger=make_side(0.412),
        log_loss=Gain(0.013, ends(0.004, 0.022)),
        auc=make_gain(0.0, 0.02),
        calibration_error=make_gain(-0.005, 0.005),
        segments=(make_segment(-0.01, 0.03),),
    )
    return replace(usual, **changes)


EVEN = {"log_loss": make_gain(-0.01, 0.012), "challenger": make_side(0.424)}


def test_better_beyond_noise_is_promoted_and_the_figures_are_stated():
    decision = decide_promotion(make_comparison())

    assert decision.verdict == PromotionVerdict.PROMOTE
    assert decision.because == (
        "The challenger predicts better than the champion, beyond noise.",
        "Compared on 1,000 later leads (3,000 moments, 150 leads converted) that neither model "
        "knew.",
        "Log loss .4120 against .4250: better by .0130 (95 % .0040 to .0220).",
        "AUC .730 against .730: better by .010 (95 % .000 to .020), which may be noise.",
        "Calibration error .0100 against .0100: better by .0000 (95 % -.0050 to .0050), which may "
        "be noise.",
        "Calibration slope 1.00 (95 % .95 to 1.05) against 1.00 (95 % .95 to 1.05); 1 is perfect.",
        "Of 1 segments it fares worst in one: industry retail (200 leads): log loss .3900 against "
        ".4000: better by .0100 (95 % -.0100 to .0300), which may be noise.",
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"converted_leads": 39}, "Only 39 of 1,000 later leads converted; 40 are needed"),
        ({"other_leads": 39}, "Only 39 of 1,000 later leads did not convert; 40 are needed"),
    ],
)
def test_too_few_leads_of_either_kind_cannot_tell(changes, expected):
    decision = decide_promotion(make_comparison(**changes))

    assert decision.verdict == PromotionVerdict.CANNOT_TELL
    assert decision.because[0].startswith(expected)
    assert (
        decide_promotion(make_comparison(converted_leads=40)).verdict == PromotionVerdict.PROMOTE
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"log_loss": make_gain(-0.02, -0.001)},
            "The challenger predicts worse than the champion, beyond noise.",
        ),
        (
            {"auc": make_gain(-0.04, -0.011)},
            "The challenger puts leads in a worse order, by more than .01 of AUC for certain.",
        ),
        (
            {"challenger": make_side(0.412, ece=0.06)},
            "The challenger is not calibrated: a chance is off by 6.0 points of percent on "
            "average, more than 5.",
        ),
        (
            {"challenger": make_side(0.412, slope=(0.5, 0.7))},
            "The challenger's chances are overconfident: calibration slope 0.60 (95 % 0.50 to 0.70), "
            "outside of 0.8 to 1.25.",
        ),
        (
            {"challenger": make_side(0.412, slope=(1.3, 1.5))},
            "The challenger's chances are underconfident: calibration slope 1.40 (95 % 1.30 to 1.50), "
            "outside of 0.8 to 1.25.",
        ),
        (
            {"calibration_error": make_gain(-0.03, -0.011)},
            "The challenger's chances are further off than the champion's, by more than 1 point "
            "of percent for certain.",
        ),
        (
            {"challenger": make_side(0.412, auc=(0.48, 0.56))},
            "The challenger has no signal: the interval of its AUC (.480 to .560) does not lie "
            "above one half.",
        ),
        (
            {"base_rate_loss": 0.41},
            "The challenger is no better than the base rate: log loss .4120 against .4100.",
        ),
        (
            {"segments": (make_segment(-0.05, -0.01), make_segment(0.0, 0.04, "software"))},
            "One segment gets clearly worse. industry retail (200 leads): log loss .4300 against "
            ".4000: worse by .0300 (95 % .0100 to .0500).",
        ),
    ],
)
def test_whatever_is_clearly_wrong_keeps_the_champion(changes, expected):
    decision = decide_promotion(make_comparison(**changes))

    assert decision.verdict == PromotionVerdict.KEEP
    assert decision.because[0] == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"auc": make_gain(-0.04, 0.01)},
        {"auc": make_gain(-0.04, -0.009)},
        {"calibration_error": make_gain(-0.03, 0.01)},
        {"calibration_error": make_gain(-0.03, -0.009)},
        {"challenger": make_side(0.412, slope=(0.7, 0.9))},
        {"challenger": make_side(0.412, slope=(1.2, 1.4))},
        {"segments": (make_segment(-0.1, 0.001),)},
    ],
)
def test_a_loss_that_is_not_certain_is_no_fault(changes):
    """The nearer end of the interval decides: what may be noise keeps no better model out."""
    assert decide_promotion(make_comparison(**changes)).verdict == PromotionVerdict.PROMOTE


def test_all_faults_are_reported_not_the_first_alone():
    bad = make_comparison(log_loss=make_gain(-0.02, -0.01), auc=make_gain(-0.05, -0.02))

    assert len(decide_promotion(bad).because) == 2 + 6


def test_a_segment_that_loses_next_to_nothing_does_not_stop_a_better_model():
    slight = make_comparison(segments=(make_segment(-0.019, -0.019),))  # 4.75 % of .4

    assert decide_promotion(slight).verdict == PromotionVerdict.PROMOTE
    strict = PromotionRules(tolerated_share=0.04)
    assert decide_promotion(slight, strict).verdict == PromotionVerdict.KEEP


def test_no_better_than_noise_keeps_a_champion_that_has_nothing_against_it():
    for age in (None, 0.0, 90.0):
        decision = decide_promotion(make_comparison(**EVEN), champion_age_days=age)

        assert decision.verdict == PromotionVerdict.KEEP
        assert "not better than the champion beyond noise" in decision.because[0]


@pytest.mark.parametrize(
    ("changes", "age", "expected"),
    [
        ({}, 91.0, "The champion is old: its newest examples lie 91 days before"),
        (
            {"champion": make_side(0.425, slope=(0.5, 0.7))},
            None,
            "The champion's chances are overconfident",
        ),
        ({"champion": make_side(0.425, ece=0.06)}, None, "The champion is not calibrated"),
        ({"champion": make_side(0.425, auc=(0.45, 0.6))}, None, "The champion has no signal"),
    ],
)
def test_a_champion_that_has_had_its_day_goes_for_something_not_worse(changes, age, expected):
    decision = decide_promotion(make_comparison(**{**EVEN, **changes}), champion_age_days=age)

    assert decision.verdict == PromotionVerdict.PROMOTE
    assert decision.because[0].startswith(expected)
    assert decision.because[1] == (
        "The challenger is not worse: at most .0100 of log loss are lost, and 5% (.0213) would be "
        "tolerated."
    )


def test_an_old_champion_stays_while_the_leads_cannot_rule_out_a_loss():
    wide = make_comparison(log_loss=make_gain(-0.03, 0.03), challenger=make_side(0.425))

    decision = decide_promotion(wide, champion_age_days=400)

    assert decision.verdict == PromotionVerdict.CANNOT_TELL
    assert "up to .0300 of log loss could be lost" in decision.because[1]


def test_an_old_champion_does_not_go_for_a_worse_one():
    worse = make_comparison(log_loss=make_gain(-0.02, -0.001))

    assert decide_promotion(worse, champion_age_days=400).verdict == PromotionVerdict.KEEP


def test_where_the_usual_rule_of_the_field_would_publish_this_one_keeps():
    """Dynamics 365 publishes at 95 % of the active figure: .72 of AUC against .75 would do."""
    slightly_worse = make_comparison(
        champion=make_side(0.40, auc=(0.73, 0.77)),
        challenger=make_side(0.41, auc=(0.70, 0.74)),
        log_loss=make_gain(-0.015, -0.005),
        auc=make_gain(-0.04, -0.02),
    )
    old, new = slightly_worse.champion.auc.value, slightly_worse.challenger.auc.value

    assert new >= 0.95 * old
    assert decide_promotion(slightly_worse).verdict == PromotionVerdict.KEEP


def test_a_gain_is_stated_with_its_sign_and_its_doubt():
    expected = format_gain("Log loss", 0.425, 0.412, make_gain(-0.022, -0.004), 3)
    assert expected == "Log loss .425 against .412: worse by .013 (95 % .004 to .022)."
    expected = format_gain("AUC", 0.70, 0.71, make_gain(-0.03, 0.01), 2)
    assert expected == "AUC .70 against .71: worse by .01 (95 % -.01 to .03), which may be noise."
