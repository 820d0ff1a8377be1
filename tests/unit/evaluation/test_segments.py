import numpy as np
import pytest

from training.evaluation.ranking import measure_auc
from training.evaluation.segments import OTHER, UNKNOWN_VALUE, SegmentColumn, measure_segments


def draw_slice(n=1000):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.6, n)
    return (rng.random(n) < p).astype(float), p


def test_each_row_is_in_one_segment_and_measures_are_those_of_its_rows():
    # given two segments
    y, p = draw_slice()
    codes = np.arange(1000) % 3 == 0

    # when sliced
    large, small = measure_segments(y, p, SegmentColumn("size", codes, ["big", "little"]))

    # then the larger comes first and the measures are its own
    assert (large.segment, large.rows, small.rows) == ("big", 666, 334)
    assert large.auc == measure_auc(y[~codes], p[~codes]).value
    assert large.observed == pytest.approx(y[~codes].mean())
    assert large.positives + small.positives == y.sum()


def test_small_segments_are_folded_into_other_which_comes_last():
    y, p = draw_slice()
    codes = np.zeros(1000)
    codes[:30], codes[30:55] = 1, 2

    rows = measure_segments(y, p, SegmentColumn("country", codes, ["DE", "FR", "IT"]))

    assert [(row.segment, row.rows) for row in rows] == [("DE", 945), (OTHER, 55)]


def test_at_most_so_many_segments_are_shown():
    y, p = draw_slice()

    rows = measure_segments(
        y,
        p,
        SegmentColumn("source", np.arange(1000) % 10, [f"s{i}" for i in range(10)]),
        most_segments=3,
    )

    assert [row.segment for row in rows] == ["s0", "s1", "s2", OTHER]
    assert rows[-1].rows == 700


def test_unknown_is_a_segment_of_its_own():
    y, p = draw_slice()
    codes = np.zeros(1000, dtype=np.float32)
    codes[:200] = np.nan
    codes[200:300] = -1

    rows = measure_segments(y, p, SegmentColumn("industry", codes, ["retail"]))

    assert [(row.segment, row.rows) for row in rows] == [("retail", 700), (UNKNOWN_VALUE, 300)]


def test_auc_needs_ten_rows_of_either_outcome():
    y, p = np.zeros(100), np.linspace(0.1, 0.9, 100)
    y[:9] = 1

    (row,) = measure_segments(y, p, SegmentColumn("x", np.zeros(100), ["one"]))

    assert np.isnan(row.auc)
    assert row.positives == 9
