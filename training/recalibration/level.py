"""The level of chances, kept by the newest matured labels: one number in log-odds.

A base rate moves, and the chances of a model that ranks as well as ever are wrong by that much:
calibration breaks first. What is moved here is the intercept alone (Platt 1999 with the slope
held), so the order of leads, their points and the reasons that add up to them stay.

Why from labels: Saerens, Latinne and Decaestecker (Neural Computation 14 (2002) 21) find a new
base rate by EM from unlabelled scores, if leads of either outcome look as they did before. A
market does not promise that: when more of the *same* leads convert, the scores do not move and EM
sees nothing; when other leads come in, a model that knows their features has moved its chances
already, and EM moves them once more. Here labels arrive, late but surely, so they are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from features.clock import DAY_US
from training.evaluation.logistic import (
    LogisticFit,
    compute_covariance,
    compute_row_losses,
    fit_logistic,
)
from training.evaluation.resampling import (
    NORMAL_975,
    Floats,
    Integers,
    check_labels,
    check_length,
    check_margins,
    number_leads,
)

MEMORIES = (250, 1000, 4000)
"""Leads whose labels matured last: the memories that compete with each other and with none."""

PRIOR = 20.0
"""Made-up outcomes that came just as predicted: few labels move the level little."""

STEPS, SETTLED = 25, 1e-7


@dataclass(frozen=True, slots=True)
class LevelFit:
    """What the newest matured labels say of the level."""

    shift: float
    """To be added to the log-odds."""
    standard_error: float
    """Over leads."""
    labels: int
    leads: int
    expected: float
    """Mean chance that was predicted for them."""
    observed: float
    """Share of them that converted."""

    @property
    def is_noise(self) -> bool:
        """Whether its 95 % interval holds no shift at all; so it is when nothing can be said."""
        return not abs(self.shift) > NORMAL_975 * self.standard_error


@dataclass(frozen=True)
class FollowedLevel:
    """The shift at each row's own moment, and from how long a memory; 0 leads: left alone."""

    shift: Floats
    lookback: Integers


def fit_level(
    log_odds: ArrayLike, y: ArrayLike, lead_index: ArrayLike, *, prior: float = PRIOR
) -> LevelFit:
    """Fit the shift of the level: one-parameter maximum likelihood with the log-odds as offset.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Calibrated; of rows that neither the model nor its calibration was fitted on.
    y : array of shape (n,)
        1 where the event came, else 0.
    lead_index : array of shape (n,)
        Rows of one lead count as one cluster in the standard error.
    prior
        Weight of an added row that came exactly as predicted: it pulls towards no shift.

    Raises
    ------
    EmptySliceError, LabelError, MarginError, UnequalLengthError
        If the rows cannot be used.
    """
    labels = check_labels(y, "move the level by")
    offset = check_margins(log_odds, len(labels))
    leads, n_leads = number_leads(lead_index, len(labels))
    chances = expit(offset)
    mean = float(chances.mean())
    nobody = np.append(leads, n_leads)
    targets, offsets = np.append(labels, mean), np.append(offset, logit(mean))
    fit = fit_logistic(
        np.ones((len(targets), 1)),
        targets,
        offset=offsets,
        weights=np.append(np.ones(len(labels)), prior),
    )
    variance = _variance(fit, targets, nobody, offsets, prior)
    return LevelFit(
        float(fit.coefficients[0]),
        float(np.sqrt(variance)),
        len(labels),
        n_leads,
        mean,
        float(labels.mean()),
    )


def _variance(
    fit: LogisticFit, targets: Floats, leads: Integers, offset: Floats, prior: float
) -> float:
    """Compute the sandwich variance; the made-up row shrinks it as it shrinks the shift."""
    own = slice(0, len(targets) - 1)
    ones = np.ones((len(targets) - 1, 1))
    plain = compute_covariance(fit, ones, targets[own], leads[own], offset=offset[own])[0, 0]
    expected = expit(offset + fit.coefficients[0])
    curved = expected * (1 - expected)
    seen = curved[own].sum()
    return float(plain * (seen / (seen + prior * curved[-1])) ** 2)


def follow_level(
    log_odds: ArrayLike,
    y: ArrayLike,
    as_of: NDArray[np.int64],
    known_at: NDArray[np.int64],
    lead_index: ArrayLike,
    *,
    memories: Sequence[int] = MEMORIES,
    prior: float = PRIOR,
    block_us: int = DAY_US,
) -> FollowedLevel:
    """Give each row the shift it would have had at its moment, from labels known before it.

    The level is moved once per block of time, with labels known before the block began. Which
    memory is used is decided block by block, too: the one that would have had the least log loss
    on all rows whose labels were known by then; or none, unless that is worse by more than one
    standard error over leads.

    Parameters
    ----------
    log_odds, y, lead_index : array of shape (n,)
        As for `fit_level`. ``y`` of a row that never matures is not looked at.
    as_of, known_at : ndarray of shape (n,), int64
        When each row was looked at, and when its label was known, microseconds.
    memories
        Numbers of leads.
    block_us
        Blocks begin at multiples of it since the epoch.

    Returns
    -------
    FollowedLevel
        In the order of the rows. A label with ``known_at >= t`` changes nothing as of ``t``.
    """
    offset = np.asarray(log_odds, np.float64)
    labels = np.asarray(y, np.float64)
    for name, column in (("y", labels), ("as_of", as_of), ("known_at", known_at)):
        check_length(name, column, len(offset))
    leads, _ = number_leads(lead_index, len(offset))
    begins, block = np.unique(as_of // block_us * block_us, return_inverse=True)
    # In order of what was known first; ties by row, so that the same rows give the same sums.
    order = np.argsort(known_at, kind="stable")
    seen = np.searchsorted(known_at[order], begins, side="left")
    ordered = (offset[order], labels[order], leads[order])
    tried = [np.zeros(len(begins))]
    tried += [_shifts(*ordered, seen, lookback, prior) for lookback in memories]
    shifts = np.stack(tried)
    chosen = _choose_lookback(shifts[:, block[order]], *ordered, seen)
    sizes = np.array([0, *memories], np.int64)
    return FollowedLevel(shifts[chosen[block], block], sizes[chosen[block]])


def newest_labels(
    known_at: NDArray[np.int64], lead_index: ArrayLike, lookback: int
) -> NDArray[np.int64]:
    """Find the rows of the ``lookback`` leads whose labels matured last, in the order they did."""
    leads, _ = number_leads(lead_index, len(known_at))
    order = np.argsort(known_at, kind="stable")
    return order[int(_begin_lookback(leads[order], lookback)[-1]) :]


def _choose_lookback(
    shifts: Floats, offset: Floats, labels: Floats, leads: Integers, seen: Integers
) -> NDArray[np.int64]:
    """Choose per block the row of ``shifts`` that would have done best on what is known.

    The first, no shift at all, stays unless the best is better by more than a standard error.
    """
    log_odds = offset + shifts
    losses = compute_row_losses(log_odds, labels)
    gains = losses[0] - losses
    totals = _sum_from_start(gains)[:, seen]
    # The variance of a sum over leads is the sum of their squares; a row that adds d to its
    # lead's s so far adds (s + d)^2 - s^2 to it.
    before = np.stack([_sum_before(own, leads) for own in gains])
    squares = _sum_from_start(2.0 * before * gains + gains**2)[:, seen]
    best = np.argmax(totals, axis=0)
    block = np.arange(len(seen))
    clear = totals[best, block] > np.sqrt(np.maximum(squares[best, block], 0.0))
    return np.where(clear, best, 0)


def _sum_from_start(values: Floats) -> Floats:
    """Sum each row up to, and without, each column, and once more over all of it."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _sum_before(values: Floats, leads: Integers) -> Floats:
    """Sum each lead's earlier values."""
    order = np.argsort(leads, kind="stable")
    summed = np.cumsum(values[order]) - values[order]
    begins = np.r_[True, np.diff(leads[order]) != 0][: len(order)]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    before = np.empty(len(values))
    before[order] = summed - summed[first]
    return before


def _shifts(
    offset: Floats, labels: Floats, leads: Integers, seen: Integers, lookback: int, prior: float
) -> Floats:
    """Fit the shift per block on the labels of the ``lookback`` leads that matured last."""
    begins = _begin_lookback(leads, lookback)
    chances = expit(offset)
    shifts = np.zeros(len(seen))
    shift = 0.0
    for position, end in enumerate(seen.tolist()):
        own = slice(int(begins[end]), end)
        if end and (position == 0 or seen[position - 1] != end):
            mean = float(chances[own].mean())
            shift = _solve(offset[own], float(labels[own].sum()), mean, prior, shift)
        shifts[position] = shift
    return shifts


def _begin_lookback(leads: Integers, lookback: int) -> Integers:
    """Tell, for each number of labels known, where the newest labels of so many leads begin."""
    begins = np.zeros(len(leads) + 1, np.int64)
    inside = np.zeros(int(leads.max(initial=-1)) + 1, np.int64)
    begin = distinct = 0
    for end, lead in enumerate(leads.tolist(), start=1):
        distinct += inside[lead] == 0
        inside[lead] += 1
        while distinct > lookback:
            oldest = leads[begin]
            inside[oldest] -= 1
            distinct -= inside[oldest] == 0
            begin += 1
        begins[end] = begin
    return begins


def _solve(offset: Floats, converted: float, mean: float, prior: float, start: float) -> float:
    """Solve for the shift by Newton's method from the block before: two or three steps."""
    level = logit(mean)
    shift = start
    for _ in range(STEPS):
        expected, pulled = expit(offset + shift), float(expit(level + shift))
        gradient = expected.sum() - converted + prior * (pulled - mean)
        curved = (expected * (1 - expected)).sum() + prior * pulled * (1 - pulled)
        # A step of more than one in log-odds may leave the hollow that Newton's method needs.
        step = float(np.clip(gradient / max(curved, 1e-12), -1.0, 1.0))
        shift -= step
        if abs(step) < SETTLED:
            break
    return shift
