"""Whether the challenger replaces the champion. Pure, with reasons that carry their figures.

The usual rule of the field looks at one figure: Dynamics 365 Sales publishes a new model if its
accuracy is at least 95 % of the active one's, or the active one is older than three months. Here
a challenger must be better beyond noise on leads that neither model knew, keep its chances
honest, and hurt no segment; only where the champion itself has had its day is "not worse" enough.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from training.card.cautions import FEWEST_CONVERSIONS, LARGE_CALIBRATION_ERROR
from training.evaluation.resampling import Interval
from training.promotion.paired import Comparison, Gain, ModelMeasures, SegmentGain


class PromotionVerdict(StrEnum):
    """What to do."""

    PROMOTE = "promote"
    KEEP = "keep"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class PromotionRules:
    """Thresholds of the decision. Every interval is one of 95 %."""

    fewest_of_a_kind: int = FEWEST_CONVERSIONS
    """Later leads that converted, and that did not, below which nothing can be told: the 40
    qualified and 40 disqualified leads that Dynamics 365 Sales asks for to build a model."""
    tolerated_share: float = 0.05
    """Share of the champion's log loss that the challenger may cost where the champion is to go
    anyway, and that it may cost a segment. The mirror of "at least 95 % of the active accuracy"
    (Dynamics 365 Sales), held against the end of the interval instead of the figure."""
    oldest_days: float = 90.0
    """Days between the newest examples of the champion and those that are there now, above which
    it counts as old: the three months of Dynamics 365 Sales."""
    largest_auc_loss: float = 0.01
    """AUC that a challenger may lose for certain, however much better its chances are: sales
    works down a list. Our own choice."""
    largest_calibration_error: float = LARGE_CALIBRATION_ERROR
    """Calibration error above which chances are not believed, unless chance alone would make it;
    the card warns there too."""
    largest_calibration_loss: float = 0.01
    """Calibration error that a challenger may add for certain: one point of percent. Our own
    choice."""
    lowest_slope: float = 0.8
    highest_slope: float = 1.25
    """Calibration slopes, equal in log, outside of which chances are overconfident or underconfident; the
    whole interval must lie outside. Our own choice."""


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """The verdict, and why."""

    verdict: PromotionVerdict
    because: tuple[str, ...]
    """The deciding sentences first, then one for each thing that was compared."""


def decide_promotion(
    comparison: Comparison,
    rules: PromotionRules = PromotionRules(),
    *,
    champion_age_days: float | None = None,
) -> PromotionDecision:
    """Decide whether the challenger becomes champion.

    Parameters
    ----------
    comparison
        Of both on the same later leads.
    champion_age_days
        Days between the champion's newest examples and the newest that are there now; None if
        the champion does not say.

    Returns
    -------
    Decision
        *Cannot tell* with too few leads, or where the champion should go but the leads cannot
        rule out that the challenger is worse than tolerated. *Keep* if something is clearly
        wrong with the challenger, or if it is no better than noise. Else *promote*.
    """
    figures = tuple(format_figures(comparison))
    too_few = tuple(find_too_few(comparison, rules))
    if too_few:
        return PromotionDecision(PromotionVerdict.CANNOT_TELL, (*too_few, *figures))
    faults = tuple(find_faults(comparison, rules))
    if faults:
        return PromotionDecision(PromotionVerdict.KEEP, (*faults, *figures))
    if comparison.log_loss.is_better:
        sentence = "The challenger predicts better than the champion, beyond noise."
        return PromotionDecision(PromotionVerdict.PROMOTE, (sentence, *figures))
    against = tuple(find_champion_faults(comparison, rules, champion_age_days))
    if not against:
        sentence = (
            "The challenger is not better than the champion beyond noise: nothing is gained."
        )
        return PromotionDecision(PromotionVerdict.KEEP, (sentence, *figures))
    verdict, sentence = judge_replacement(comparison, rules)
    return PromotionDecision(verdict, (*against, sentence, *figures))


def find_too_few(comparison: Comparison, rules: PromotionRules) -> Iterator[str]:
    """Find whether there are too few later leads of either kind."""
    kinds = (
        ("converted", comparison.converted_leads),
        ("did not convert", comparison.other_leads),
    )
    for words, found in kinds:
        if found < rules.fewest_of_a_kind:
            yield (
                f"Only {found:,} of {comparison.leads:,} later leads {words}; "
                f"{rules.fewest_of_a_kind} are needed to distinguish two models. Wait for more "
                "matured leads."
            )


def find_faults(comparison: Comparison, rules: PromotionRules) -> Iterator[str]:
    """Find what is clearly wrong with the challenger, on its own or against the champion."""
    challenger = comparison.challenger
    yield from find_no_signal("challenger", challenger, comparison.base_rate_loss)
    if comparison.log_loss.is_worse:
        yield "The challenger predicts worse than the champion, beyond noise."
    if comparison.auc.interval.high < -rules.largest_auc_loss:
        yield (
            "The challenger puts leads in a worse order, by more than "
            f"{format_figure(rules.largest_auc_loss, 2)} of AUC for certain."
        )
    yield from find_uncalibrated("challenger", challenger, rules)
    if comparison.calibration_error.interval.high < -rules.largest_calibration_loss:
        yield (
            "The challenger's chances are further off than the champion's, by more than "
            f"{rules.largest_calibration_loss * 100:g} point of percent for certain."
        )
    for row in comparison.segments:
        if row.gain.is_worse and -row.gain.value > rules.tolerated_share * row.champion:
            yield f"One segment gets clearly worse. {describe_segment(row)}"


def find_champion_faults(
    comparison: Comparison, rules: PromotionRules, age_days: float | None
) -> Iterator[str]:
    """Find why the champion should go as soon as something not worse is there."""
    yield from find_no_signal("champion", comparison.champion, comparison.base_rate_loss)
    yield from find_uncalibrated("champion", comparison.champion, rules)
    if age_days is not None and age_days > rules.oldest_days:
        yield (
            f"The champion is old: its newest examples lie {age_days:.0f} days before those that "
            f"are there now, more than {rules.oldest_days:g}."
        )


def find_no_signal(who: str, side: ModelMeasures, base_rate_loss: float) -> Iterator[str]:
    """Find whether a model says more than the base rate does."""
    low, high = side.auc.interval.low, side.auc.interval.high
    if not low > 0.5:
        yield (
            f"The {who} has no signal: the interval of its AUC ({format_figure(low, 3)} to {format_figure(high, 3)}) "
            "does not lie above one half."
        )
    elif side.log_loss >= base_rate_loss:
        yield (
            f"The {who} is no better than the base rate: log loss {format_figure(side.log_loss)} against "
            f"{format_figure(base_rate_loss)}."
        )


def find_uncalibrated(who: str, side: ModelMeasures, rules: PromotionRules) -> Iterator[str]:
    """Find whether a model's chances cannot be believed."""
    error, line = side.calibration_error, side.line
    if error.value > max(rules.largest_calibration_error, error.noise_floor):
        yield (
            f"The {who} is not calibrated: a chance is off by {error.value * 100:.1f} points of "
            f"percent on average, more than {rules.largest_calibration_error * 100:g}."
        )
    low, high = line.slope_interval.low, line.slope_interval.high
    if high < rules.lowest_slope or low > rules.highest_slope:
        manner = "overconfident" if line.slope < 1 else "underconfident"
        yield (
            f"The {who}'s chances are {manner}: calibration slope {line.slope:.2f} "
            f"(95 % {low:.2f} to {high:.2f}), outside of {rules.lowest_slope:g} to "
            f"{rules.highest_slope:g}."
        )


def judge_replacement(
    comparison: Comparison, rules: PromotionRules
) -> tuple[PromotionVerdict, str]:
    """Judge a challenger that is neither better nor worse beyond noise, the champion being due."""
    most = rules.tolerated_share * comparison.champion.log_loss
    worst = max(0.0, -comparison.log_loss.interval.low)
    if worst <= most:
        return PromotionVerdict.PROMOTE, (
            f"The challenger is not worse: at most {format_figure(worst)} of log loss are lost, and "
            f"{rules.tolerated_share:.0%} ({format_figure(most)}) would be tolerated."
        )
    return PromotionVerdict.CANNOT_TELL, (
        f"The challenger may be worse: up to {format_figure(worst)} of log loss could be lost, more than the "
        f"{rules.tolerated_share:.0%} ({format_figure(most)}) that are tolerated. Wait for more matured leads."
    )


def format_figures(comparison: Comparison) -> Iterator[str]:
    """Say what was compared, a sentence each: the challenger first, then the champion."""
    old, new = comparison.champion, comparison.challenger
    yield (
        f"Compared on {comparison.leads:,} later leads ({comparison.rows:,} moments, "
        f"{comparison.converted_leads:,} leads converted) that neither model knew."
    )
    yield format_gain("Log loss", new.log_loss, old.log_loss, comparison.log_loss, 4)
    yield format_gain("AUC", new.auc.value, old.auc.value, comparison.auc, 3)
    error = comparison.calibration_error
    yield format_gain(
        "Calibration error", new.calibration_error.value, old.calibration_error.value, error, 4
    )
    if not (new.line.because or old.line.because):
        yield (
            f"Calibration slope {format_slope(new.line.slope, new.line.slope_interval)} against "
            f"{format_slope(old.line.slope, old.line.slope_interval)}; 1 is perfect."
        )
    if comparison.worst_segment is not None:
        yield f"Of {len(comparison.segments)} segments it fares worst in one: " + describe_segment(
            comparison.worst_segment
        )


def describe_segment(row: SegmentGain) -> str:
    """Say how both fared in one segment."""
    loss = format_gain("log loss", row.challenger, row.champion, row.gain, 4)
    return f"{row.field} {row.segment} ({row.leads:,} leads): {loss}"


def format_gain(measure: str, challenger: float, champion: float, gain: Gain, digits: int) -> str:
    """Say both figures, which is better by how much, and how sure that is.

    >>> gain = Gain(0.013, Interval(0.004, 0.022, ""))
    >>> format_gain("Log loss", 0.412, 0.425, gain, 3)
    'Log loss .412 against .425: better by .013 (95 % .004 to .022).'
    """
    sentence = f"{measure} {format_figure(challenger, digits)} against {format_figure(champion, digits)}: "
    low, high = gain.interval.low, gain.interval.high
    if gain.is_worse:
        return sentence + (
            f"worse by {format_figure(-gain.value, digits)} (95 % {format_figure(-high, digits)} to "
            f"{format_figure(-low, digits)})."
        )
    noise = "" if gain.is_better else ", which may be noise"
    way, size = ("better", gain.value) if gain.value >= 0 else ("worse", -gain.value)
    ends = (low, high) if gain.value >= 0 else (-high, -low)
    return sentence + (
        f"{way} by {format_figure(size, digits)} (95 % {format_figure(ends[0], digits)} to {format_figure(ends[1], digits)})"
        f"{noise}."
    )


def format_slope(slope: float, interval: Interval) -> str:
    """Say a slope with its interval.

    >>> format_slope(0.97, Interval(0.9, 1.04, ""))
    '.97 (95 % .90 to 1.04)'
    """
    return f"{format_figure(slope, 2)} (95 % {format_figure(interval.low, 2)} to {format_figure(interval.high, 2)})"


def format_figure(value: float, digits: int = 4) -> str:
    """Say a figure below one without its leading zero.

    >>> format_figure(0.4125), format_figure(-0.003, 3), format_figure(1.25, 2)
    ('.4125', '-.003', '1.25')
    """
    text = f"{value:.{digits}f}"
    if text.startswith("0."):
        return text[1:]
    return "-" + text[2:] if text.startswith("-0.") else text
