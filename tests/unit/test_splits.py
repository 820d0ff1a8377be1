"""Slices keep time in order and leads apart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.clock import DAY_US, to_us
from training.dataset.splits import rolling_folds, split_at, split_by_time


@given(
    n_leads=st.integers(20, 200),
    span_days=st.integers(10, 700),
    horizon_days=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_slices_are_in_order_of_time_and_share_no_lead(n_leads, span_days, horizon_days, seed):
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(n_leads), 4)
    created_at = np.sort(rng.integers(0, span_days * DAY_US, n_leads))[lead]
    as_of = created_at + np.tile(np.array([1, 8, 15, 22]) * DAY_US, n_leads)

    delay = rng.integers(0, 9 * DAY_US, len(as_of))
    known_at = as_of + horizon_days * DAY_US + delay
    split = split_by_time(created_at, as_of, known_at)

    assert not (split.fit & split.calibrate).any()
    assert not (split.calibrate & split.newest).any()
    slices = [set(lead[m]) for m in (split.fit, split.calibrate, split.newest)]
    assert not slices[0] & slices[1]
    assert not slices[1] & slices[2]
    assert not slices[0] & slices[2]
    # A moment of looking in one slice comes before every lead of the next was born.
    cuts = (to_us(split.calibrate_from), to_us(split.newest_from))
    for mask, cut in zip((split.fit, split.calibrate), cuts, strict=True):
        assert (as_of[mask] < cut).all()
        if split.purged:
            assert (known_at[mask] <= cut).all()


def test_a_long_history_is_purged_and_a_short_one_states_it_is_not():
    created_at = np.arange(0, 400 * DAY_US, DAY_US)
    long = split_by_time(created_at, created_at + DAY_US, created_at + 31 * DAY_US)
    short = split_by_time(created_at, created_at + DAY_US, created_at + 301 * DAY_US)
    assert long.purged
    assert "was known before the next slice began" in long.words
    assert not short.purged
    assert "The history is short" in short.words


@given(seed=st.integers(0, 99), horizon_days=st.integers(1, 40))
def test_at_an_origin_only_what_was_known_then_is_learned_from(seed, horizon_days):
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(150), 4)
    created_at = np.sort(rng.integers(0, 300 * DAY_US, 150))[lead]
    as_of = created_at + np.tile(np.array([1, 8, 15, 22]) * DAY_US, 150)
    known_at = as_of + horizon_days * DAY_US + rng.integers(0, 5 * DAY_US, len(as_of))
    origin, until = 200 * DAY_US, 230 * DAY_US
    split = split_at(created_at, as_of, known_at, origin=origin, until=until)
    past = split.fit | split.calibrate
    assert (known_at[past] <= origin).all()
    assert not set(lead[past]) & set(lead[split.newest])
    assert not set(lead[split.fit]) & set(lead[split.calibrate])
    assert ((created_at[split.newest] >= origin) & (created_at[split.newest] < until)).all()
    recent = split_at(created_at, as_of, known_at, origin=origin, until=until, since=100 * DAY_US)
    assert (created_at[recent.fit | recent.calibrate] >= 100 * DAY_US).all()


def test_folds_roll_forward_and_never_touch_the_newest_slice():
    created_at = np.repeat(np.arange(0, 500 * DAY_US, DAY_US), 2)
    as_of = created_at + np.tile(np.array([1, 8]) * DAY_US, 500)
    known_at = as_of + 30 * DAY_US
    split = split_by_time(created_at, as_of, known_at)
    folds = list(rolling_folds(split, created_at, as_of, known_at))
    assert len(folds) == 4
    judged = np.zeros(len(created_at), int)
    for fold in folds:
        learned = fold.fit | fold.calibrate
        assert created_at[learned].max() < created_at[fold.newest].min()
        assert (known_at[learned] <= created_at[fold.newest].min()).all()
        assert not (learned & split.newest).any()
        assert not (fold.newest & split.newest).any()
        # Nor is a fold judged by labels that matured only within that slice.
        assert not (fold.newest & ~(split.fit | split.calibrate)).any()
        judged += fold.newest
    assert judged.max() == 1
    # All moments before the newest slice but those the first fold learns from are judged once.
    assert judged.sum() > 0.4 * (split.fit | split.calibrate).sum()
