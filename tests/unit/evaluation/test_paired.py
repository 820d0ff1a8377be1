"""Two models on the same leads: gains with hand-made figures, and intervals that cover."""

import numpy as np
import pytest

from training.evaluation.errors import EmptySliceError
from training.evaluation.ranking import measure_auc
from training.evaluation.segments import SegmentColumn
from training.promotion.paired import Ranks, compare

BASE_RATE = 0.3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def draw_market(rng, n_leads=400, looks=3):
    """Draw leads whose chances are known, looked at several times."""
    logit = np.repeat(rng.normal(-0.8, 1.2, n_leads), looks)
    y = np.repeat(rng.random(n_leads) < sigmoid(logit[::looks]), looks).astype(int)
    return y, logit, np.repeat(np.arange(n_leads), looks)


def test_losses_are_those_of_the_hand_and_above_zero_is_better():
    y = [1, 0, 1, 0]
    found = compare(
        y,
        [0.5, 0.5, 0.5, 0.5],
        [0.8, 0.2, 0.8, 0.2],
        [0, 1, 2, 3],
        base_rate_train=0.5,
        rng=np.random.default_rng(1),
    )

    assert found.champion.log_loss == pytest.approx(np.log(2))
    assert found.challenger.log_loss == pytest.approx(-np.log(0.8))
    # Every row gains as much, so every draw does: the interval has no width.
    gain = np.log(2) + np.log(0.8)
    assert found.log_loss.value == pytest.approx(gain)
    assert found.log_loss.interval.low == pytest.approx(gain)
    assert found.log_loss.interval.high == pytest.approx(gain)
    assert (found.champion.auc.value, found.challenger.auc.value) == (0.5, 1.0)
    assert found.auc.value == 0.5
    assert (found.leads, found.converted_leads, found.other_leads) == (4, 2, 2)
    assert found.base_rate_loss == pytest.approx(np.log(2))


def test_a_model_against_itself_gains_nothing_for_certain():
    y, logit, leads = draw_market(np.random.default_rng(2))
    p = sigmoid(logit)
    column = SegmentColumn("half", np.arange(len(y)) % 2, ("even", "odd"))

    found = compare(
        y, p, p, leads, base_rate_train=BASE_RATE, segments=[column],
        rng=np.random.default_rng(3),
    )  # fmt: skip

    for gain in (found.log_loss, found.auc, found.calibration_error):
        assert gain.value == pytest.approx(0, abs=1e-12)
        assert (gain.interval.low, gain.interval.high) == pytest.approx((0, 0), abs=1e-12)
    assert [row.gain.value for row in found.segments] == [0, 0]
    assert not any(row.gain.is_worse for row in found.segments)


def test_pairing_sees_what_two_separate_intervals_cannot():
    y, logit, leads = draw_market(np.random.default_rng(4), 800)
    bold = sigmoid(1.4 * logit)

    found = compare(
        y, bold, sigmoid(logit), leads, base_rate_train=BASE_RATE, rng=np.random.default_rng(5)
    )

    assert found.log_loss.is_better
    # The spread of one model's loss alone is several times the spread of the difference.
    rows = -np.where(y == 1, np.log(bold), np.log1p(-bold))
    alone = rows.reshape(-1, 3).mean(axis=1).std() / np.sqrt(800)
    width = found.log_loss.interval.high - found.log_loss.interval.low
    assert width < 0.6 * 2 * 1.96 * alone
    assert found.auc.value == pytest.approx(0, abs=1e-12)  # the same order


def test_leads_are_drawn_whole():
    y, logit, leads = draw_market(np.random.default_rng(6), 200, looks=1)
    noisy = logit + np.random.default_rng(7).normal(0, 0.5, 200)
    once = compare(
        y, sigmoid(logit), sigmoid(noisy), leads, base_rate_train=BASE_RATE,
        rng=np.random.default_rng(8),
    )  # fmt: skip
    nine = np.repeat(np.arange(200), 9)
    often = compare(
        y[nine], sigmoid(logit)[nine], sigmoid(noisy)[nine], leads[nine],
        base_rate_train=BASE_RATE, rng=np.random.default_rng(8),
    )  # fmt: skip

    # Nine looks that say the same are no nine leads: the interval does not shrink.
    for before, after in ((once.log_loss, often.log_loss), (once.auc, often.auc)):
        width = before.interval.high - before.interval.low
        assert after.interval.high - after.interval.low == pytest.approx(width, rel=0.15)


def test_the_interval_covers_the_truth_about_as_often_as_it_states():
    # Expected gain of the true chance over a constant, by a very large draw.
    rng = np.random.default_rng(9)
    logit = rng.normal(-0.8, 1.2, 2_000_000)
    q = sigmoid(logit)
    constant = sigmoid(-0.6)
    truth = np.mean(
        -(q * np.log(constant) + (1 - q) * np.log(1 - constant))
        + q * np.log(q) + (1 - q) * np.log(1 - q)
    )  # fmt: skip
    covered = 0
    for seed in range(60):
        y, own, leads = draw_market(np.random.default_rng(1000 + seed), 150, looks=2)
        found = compare(
            y, np.full(len(y), constant), sigmoid(own), leads, base_rate_train=BASE_RATE,
            rng=np.random.default_rng(seed), resamples=200,
        )  # fmt: skip
        covered += found.log_loss.interval.covers(truth)

    assert covered >= 50  # 57 expected of 60; under 50 has a chance of one in five thousand


def test_weighted_ranks_are_the_auc_of_rows_written_out():
    rng = np.random.default_rng(10)
    y = rng.integers(0, 2, 60).astype(float)
    p = np.round(rng.random(60), 1)  # many ties
    weights = rng.integers(0, 4, 60)

    written_out = measure_auc(np.repeat(y, weights), np.repeat(p, weights)).value

    assert Ranks(y, p).weigh(weights) == pytest.approx(written_out)
    assert np.isnan(Ranks(y, p).weigh((y == 1).astype(int)))


def test_the_segment_that_is_hurt_comes_first_and_the_others_are_not_accused():
    rng = np.random.default_rng(11)
    y, logit, leads = draw_market(rng, 2000, looks=1)
    region = rng.integers(0, 8, 2000)
    hurt = np.where(region == 3, -logit, logit)  # upside down in one region
    column = SegmentColumn("region", region, tuple("abcdefgh"))

    found = compare(
        y, sigmoid(logit), sigmoid(hurt), leads, base_rate_train=BASE_RATE, segments=[column],
        rng=np.random.default_rng(12),
    )  # fmt: skip

    assert (found.worst_segment.field, found.worst_segment.segment) == ("region", "d")
    assert [row.segment for row in found.segments if row.gain.is_worse] == ["d"]
    own = region == 3
    assert found.worst_segment.leads == own.sum()
    assert found.worst_segment.champion == pytest.approx(
        -np.log(np.where(y, sigmoid(logit), 1 - sigmoid(logit)))[own].mean()
    )


def test_many_segments_are_not_accused_by_chance():
    accused = 0
    for seed in range(20):
        rng = np.random.default_rng(200 + seed)
        y, logit, leads = draw_market(rng, 1200, looks=1)
        columns = [
            SegmentColumn(f"field {i}", rng.integers(0, 8, 1200), tuple("abcdefgh"))
            for i in range(4)
        ]
        one, other = (sigmoid(logit + rng.normal(0, 0.3, 1200)) for _ in range(2))
        found = compare(
            y, one, other, leads, base_rate_train=BASE_RATE, segments=columns,
            rng=rng, resamples=200,
        )  # fmt: skip
        assert len(found.segments) == 32
        accused += any(row.gain.is_worse for row in found.segments)

    # Uncorrected, half of the worlds would have an accused segment; here about one in forty.
    assert accused <= 3


def test_segments_of_few_leads_are_not_judged():
    y, logit, leads = draw_market(np.random.default_rng(13), 100, looks=5)
    column = SegmentColumn("few", (leads >= 90).astype(int), ("many", "few"))

    found = compare(
        y, sigmoid(logit), sigmoid(-logit), leads, base_rate_train=BASE_RATE, segments=[column],
        rng=np.random.default_rng(14),
    )  # fmt: skip

    assert [row.segment for row in found.segments] == ["many"]


def test_one_outcome_only_is_measured_as_far_as_it_goes():
    found = compare(
        [0] * 6, [0.2] * 6, [0.1] * 6, range(6), base_rate_train=0.2, rng=np.random.default_rng(15)
    )

    assert found.log_loss.is_better
    assert np.isnan(found.auc.value)
    assert (found.converted_leads, found.other_leads) == (0, 6)
    with pytest.raises(EmptySliceError, match="compare models on"):
        compare([], [], [], [], base_rate_train=0.2, rng=np.random.default_rng(15))
