"""What a reader of the card must be told, in words, worst first. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from training.evaluation.quality import Quality

FEWEST_CONVERSIONS = 40
"""The lowest bar a vendor states: 40 qualified leads (Dynamics 365 Sales documentation)."""
LARGE_CALIBRATION_ERROR = 0.05
LARGE_SHIFT = 1.5


def find_cautions(quality: Quality) -> tuple[str, ...]:
    """Find what the figures warn of; empty when nothing stands out."""
    return (
        *find_ranking_cautions(quality),
        *find_calibration_cautions(quality),
        *find_band_cautions(quality),
        *find_segment_cautions(quality),
    )


def find_ranking_cautions(quality: Quality) -> Iterator[str]:
    """Find cautions about signal, loss against the base rate, and the size of the slice."""
    auc, losses = quality.auc, quality.losses
    if auc.positives == 0 or auc.negatives == 0:
        yield (
            "Only one outcome is present in the newest slice: ranking cannot be measured. "
            "Wait for more matured leads, or move the split back."
        )
    elif auc.value < 0.5 and not auc.interval.covers(0.5):
        yield f"The ranking is inverted: AUC is {auc.value:.2f}, below .5 beyond its interval."
    elif not quality.has_signal:
        yield (
            f"No signal: the interval of AUC ({auc.interval.low:.2f} to {auc.interval.high:.2f}) "
            "covers .5 or lies too close to it, so the order of these scores may be chance. Do not "
            "serve this model."
        )
    if losses.log_loss >= losses.log_loss_of_training_rate:
        yield (
            f"Log loss {losses.log_loss:.3f} is no better than {losses.log_loss_of_training_rate:.3f} "
            "of the base rate alone: the chances add nothing."
        )
    if quality.positives < FEWEST_CONVERSIONS:
        yield (
            f"Only {quality.positives} rows of the newest slice converted, fewer than "
            f"{FEWEST_CONVERSIONS}: read every figure with its interval."
        )


def find_calibration_cautions(quality: Quality) -> Iterator[str]:
    """Find cautions about level, slope and size of the calibration error."""
    line, error = quality.line, quality.calibration_error
    if not line.in_the_large_interval.covers(0):
        more = "More" if line.intercept_in_the_large > 0 else "Fewer"
        promised = sum(row.predicted * row.rows for row in quality.bins) / quality.rows
        yield (
            f"{more} leads converted than was predicted: {quality.base_rate:.1%} against "
            f"{promised:.1%}. Recalibrate on matured leads."
        )
    if not line.because and not line.slope_interval.covers(1):
        manner = "overconfident" if line.slope < 1 else "underconfident"
        yield f"The calibration slope is {line.slope:.2f}, so the chances are {manner}."
    if error.value > LARGE_CALIBRATION_ERROR and error.value > error.noise_floor:
        yield (
            f"A chance is off by {error.value * 100:.1f} points of percent on average "
            f"(chance alone would make {error.noise_floor * 100:.1f})."
        )
    high, low = sorted((quality.base_rate, quality.base_rate_train), reverse=True)
    if low == 0 or high / low > LARGE_SHIFT:
        yield (
            f"The base rate moved from {quality.base_rate_train:.1%} in training to "
            f"{quality.base_rate:.1%} in the newest slice: the market or the tracking changed."
        )


def find_band_cautions(quality: Quality) -> Iterator[str]:
    """Find bands without leads and bands out of order."""
    empty = [band.name for band in quality.bands if band.rows == 0]
    if empty:
        yield f"No lead of the newest slice is in band {', '.join(empty)}. Move the edges."
    filled = [band for band in quality.bands if band.rows]
    for better, worse in pairwise(filled):
        if worse.observed > better.observed:
            yield (
                f"Band {worse.name} converted more often ({worse.observed:.1%}) than band "
                f"{better.name} ({better.observed:.1%})."
            )


def find_segment_cautions(quality: Quality) -> Iterator[str]:
    """Find segments in which the order is no better than chance."""
    blind = [f"{row.field} = {row.segment}" for row in quality.segments if row.auc <= 0.5]
    if blind:
        yield f"No better than chance within: {'; '.join(blind)}."
