"""Walk forward through the past: learn what was known then, predict, wait for the truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.clock import DAY_US, from_us, to_us
from training.backtest.figures import (
    BASE,
    KEPT,
    POINTS,
    RETRAINED,
    STATIC,
    STATIC_KEPT,
    PeriodPredictions,
)
from training.dataset.moments import FEWEST_OUTCOMES, Dataset, Moments, build_dataset
from training.dataset.splits import Split, split_at
from training.engine import IN_PROCESS, Engine, with_installed
from training.errors import TrainingError
from training.estimators import candidates
from training.models.fit_data import margins
from training.recalibration.level import follow_level
from training.selection.competition import (
    Competition,
    FittedCandidate,
    compete,
    keep_accounts_if_they_help,
)
from training.selection.tuning import Budget

FEWEST_KNOWN = 100
"""Conversions, and others, that must be known before a walk begins by itself."""

ROWS_AT_A_TIME = 50_000
"""Rows whose features are in memory at a time where only their chances are needed."""

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of the whole walk that is done."""

Mask = NDArray[np.bool_]


class BacktestError(TrainingError):
    """There is no past to walk through."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem} Give a longer history, a shorter --horizon, a later --from, or an "
            "outcome that happens more often."
        )


@dataclass(frozen=True)
class LookbackWindow:
    """How much of the past a model learns from: so many of the newest leads, or so long; or all."""

    leads: int | None = None
    span_us: int | None = None

    @property
    def words(self) -> str:
        """Say it.

        >>> LookbackWindow(leads=20_000).words, LookbackWindow().words
        ('the newest 20,000 leads', 'everything known')
        """
        if self.leads:
            return f"the newest {self.leads:,} leads"
        if self.span_us:
            return f"the leads of the last {self.span_us / DAY_US:g} days"
        return "everything known"

    def find_begin(self, moments: Moments, origin: int) -> int | None:
        """Find the creation of the oldest lead that is remembered at an origin."""
        if self.span_us:
            return origin - self.span_us
        if not self.leads:
            return None
        known = (moments.label_known_at <= origin) & (moments.created_at < origin)
        _, first = np.unique(moments.lead_of[known], return_index=True)
        creation_times = np.sort(moments.created_at[known][first])
        return int(creation_times[-self.leads]) if len(creation_times) > self.leads else None


@dataclass(frozen=True)
class Plan:
    """What a walk is asked to do."""

    every_us: int
    begin_us: int | None = None
    """First origin; None: as soon as enough is known."""
    lookback: LookbackWindow = field(default_factory=LookbackWindow)
    seed: int = 7
    drop: frozenset[str] = frozenset()
    budget: Budget = field(default_factory=Budget)
    """For tuning LightGBM at each origin."""


@dataclass(frozen=True)
class Backtest:
    """What was predicted in each period, and what came."""

    moments: Moments
    plan: Plan
    periods: tuple[PeriodPredictions, ...]
    warnings: tuple[str, ...]
    """Which periods were skipped or merged, in words."""


@dataclass(frozen=True)
class Learned:
    """What an origin learned."""

    dataset: Dataset
    competition: Competition

    @property
    def chosen(self) -> FittedCandidate:
        """The chosen model."""
        return self.competition.chosen


def walk_forward(
    moments: Moments,
    plan: Plan,
    *,
    engine: Engine = IN_PROCESS,
    progress: Progress = lambda _what, _share: None,
) -> Backtest:
    """Repeat the whole procedure at each origin, and let every rival predict what came after.

    At an origin only leads created before it are learned from, and only labels known by then. The
    leads created from there to the next origin are judged. The static model is that of the first
    origin. Levels are kept as `follow_level` does, from labels known before each moment.

    Raises
    ------
    BacktestError
        If no origin has enough before and after it.
    """
    engine = with_installed(engine)
    periods, warnings = place_periods(moments, plan)
    static: _Static | None = None
    done = []
    for position, (origin, until) in enumerate(periods):
        progress_of = _progress_of(progress, f"{from_us(origin):%Y-%m-%d}", position, len(periods))
        learned = _learn(moments, plan, origin, until, engine, progress_of)
        if static is None:
            static = _follow_static(learned, moments, engine)
        done.append(_judge(moments, learned, static, origin, until))
    progress("walked", 1.0)
    return Backtest(moments, plan, tuple(done), warnings)


def place_periods(moments: Moments, plan: Plan) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    """Place origins, and merge a period of too few outcomes with the next.

    Returns
    -------
    periods : list of (origin, until)
        Microseconds; the last ends with the newest lead.
    remarks : tuple of str
        What was skipped or merged.
    """
    end = int(moments.created_at.max()) + 1
    begin = plan.begin_us if plan.begin_us is not None else _find_begin(moments)
    origins = list(range(begin, end, plan.every_us))
    skipped = [origin for origin in origins if not _knows_enough(moments, plan, origin)]
    origins = [origin for origin in origins if origin not in set(skipped)]
    warnings = [
        f"Skipped {from_us(origin):%Y-%m-%d}: too few outcomes were known by then."
        for origin in skipped
    ]
    periods: list[tuple[int, int]] = []
    waiting: int | None = None
    for origin, until in zip(origins, [*origins[1:], end], strict=True):
        first = origin if waiting is None else waiting
        if _is_enough(moments, (moments.created_at >= first) & (moments.created_at < until)):
            periods.append((first, until))
            waiting = None
            continue
        waiting = first
        warnings.append(f"{from_us(origin):%Y-%m-%d}: too few outcomes, merged.")
    if waiting is not None and periods:
        periods[-1] = (periods[-1][0], end)
    if not periods:
        raise BacktestError(
            "There is no period to judge: nowhere are enough outcomes known before an origin and "
            "enough seen after it."
        )
    return periods, tuple(warnings)


def _find_begin(moments: Moments) -> int:
    """Find the first midnight at which enough outcomes of both kinds are known."""
    begins = []
    for kind in (0, 1):
        known = np.sort(moments.label_known_at[moments.converted == kind])
        if len(known) < FEWEST_KNOWN:
            raise BacktestError(
                f"Only {len(known)} matured moments "
                f"{'converted' if kind else 'did not convert'}, fewer than {FEWEST_KNOWN}."
            )
        begins.append(int(known[FEWEST_KNOWN - 1]))
    return -(-max(begins) // DAY_US) * DAY_US


def _is_enough(moments: Moments, rows: Mask) -> bool:
    own = moments.converted[rows]
    return min(int(own.sum()), int((own == 0).sum())) >= FEWEST_OUTCOMES


def _knows_enough(moments: Moments, plan: Plan, origin: int) -> bool:
    split = _split(moments, plan, origin, origin)
    return _is_enough(moments, split.fit) and _is_enough(moments, split.calibrate)


def _split(moments: Moments, plan: Plan, origin: int, until: int) -> Split:
    return split_at(
        moments.created_at,
        moments.snapshots.as_of,
        moments.label_known_at,
        origin=origin,
        until=until,
        since=plan.lookback.find_begin(moments, origin),
    )


def _progress_of(progress: Progress, period: str, position: int, count: int) -> Progress:
    """Turn a station of one origin into a share of the walk: most time goes into the folds."""
    ends = {"computing features": (0.0, 0.1), "comparing on rolling folds": (0.2, 0.8)}

    def progress_of(station: str, share: float) -> None:
        begin, end = ends.get(station, (0.8, 1.0) if station.startswith("fitting") else (0.1, 0.2))
        inner = begin + (end - begin) * min(1.0, share)
        progress(f"{period}: {station}", (position + inner) / count)

    return progress_of


def _learn(
    moments: Moments, plan: Plan, origin: int, until: int, engine: Engine, progress_of: Progress
) -> Learned:
    """Fit, choose and calibrate as it would have been done at an origin."""
    split = _split(moments, plan, origin, until)
    # Not learned from, but needed to keep the level: their labels come in while we predict.
    awaited = _find_awaited(moments, origin, until)
    dataset = build_dataset(
        moments,
        replace(split, newest=split.newest | awaited),
        drop=plan.drop,
        engine=engine,
        progress=lambda share: progress_of("computing features", share),
    )
    dataset = keep_accounts_if_they_help(dataset, plan.seed, progress_of, engine)
    return Learned(dataset, compete(dataset, plan.seed, progress_of, engine, budget=plan.budget))


def _find_awaited(moments: Moments, origin: int, until: int) -> Mask:
    """Mark moments of older leads whose labels become known within a period."""
    known = moments.label_known_at
    return (moments.created_at < origin) & (known > origin) & (known < until)


@dataclass(frozen=True)
class _Static:
    """What the first origin's model says of every later lead, by row of all moments."""

    log_odds: NDArray[np.float64]
    """Calibrated; NaN where it was fitted."""
    kept: NDArray[np.float64]
    """With the level kept."""


def _follow_static(learned: Learned, moments: Moments, engine: Engine) -> _Static:
    later = moments.created_at >= to_us(learned.dataset.split.calibrate_from)
    log_odds = np.full(len(moments), np.nan)
    for piece in _pieces(later):
        part = moments.take(piece)
        rows = engine.compute(
            learned.dataset.catalog, part.history, part.snapshots, progress=lambda _: None
        )
        log_odds[piece] = _calibrate(learned.chosen, margins(learned.chosen.model, rows))
    kept = log_odds.copy()
    kept[later] = _keep_level(moments.take(later), log_odds[later])
    return _Static(log_odds, kept)


def _calibrate(fitted: FittedCandidate, margin: NDArray[np.float64]) -> NDArray[np.float64]:
    return fitted.calibration.slope * margin + fitted.calibration.intercept


def _pieces(rows: Mask) -> Iterator[Mask]:
    """Cut marked rows into pieces, in their order, so that their features never coexist."""
    marked = np.flatnonzero(rows)
    for begin in range(0, len(marked), ROWS_AT_A_TIME):
        piece = np.zeros(len(rows), np.bool_)
        piece[marked[begin : begin + ROWS_AT_A_TIME]] = True
        yield piece


def _keep_level(moments: Moments, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move the level at each moment by the labels known before it."""
    followed = follow_level(
        log_odds,
        moments.converted,
        moments.snapshots.as_of,
        moments.label_known_at,
        moments.lead_of,
    )
    return log_odds + followed.shift


def _judge(
    moments: Moments, learned: Learned, static: _Static, origin: int, until: int
) -> PeriodPredictions:
    """Gather what every rival predicted of the leads created in ``[origin, until)``."""
    dataset, chosen = learned.dataset, learned.chosen
    own = dataset.moments
    judged = own.created_at >= origin
    everywhere = (moments.created_at >= origin) & (moments.created_at < until)
    seen = dataset.split.fit | dataset.split.calibrate
    rate = float(own.converted[seen].mean())
    # The fitted rows would flatter the level; the rows it was calibrated on begin its memory.
    follows = ~dataset.split.fit
    kept = np.full(len(own), np.nan)
    kept[follows] = _keep_level(own.take(follows), _calibrate(chosen, chosen.margins[follows]))
    chances = {
        KEPT: expit(kept[judged]),
        RETRAINED: chosen.probabilities[judged],
        STATIC_KEPT: expit(static.kept[everywhere]),
        STATIC: expit(static.log_odds[everywhere]),
        BASE: np.full(int(judged.sum()), rate),
    }
    for fitted in learned.competition.fitted:
        if fitted.name == candidates.POINTS:
            chances[POINTS] = fitted.probabilities[judged]
    return PeriodPredictions(
        from_us(origin),
        from_us(until),
        own.converted[judged],
        own.lead_of[judged],
        chances,
        chosen.name,
        learned.competition.because,
        len(np.unique(own.lead_of[seen])),
        int(own.converted[seen].sum()),
    )
