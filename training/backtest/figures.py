"""What a walk through the past came to: every rival, measured per period and over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from training.evaluation.calibration import list_log_losses, measure_ece, measure_line
from training.evaluation.ranking import measure_auc, measure_lift
from training.evaluation.resampling import Floats, Integers, number_leads

RETRAINED = "retrained"
KEPT = "retrained, level kept"
STATIC = "static"
STATIC_KEPT = "static, level kept"
POINTS = "points table"
BASE = "base rate"

RIVALS = (KEPT, RETRAINED, STATIC_KEPT, STATIC, POINTS, BASE)
BASELINES = (POINTS, BASE, STATIC)
SELECTED = KEPT
"""What Baton serves: retrained, and its level kept by matured labels."""

WORDS = {
    POINTS: "points table",
    BASE: "base rate known then",
    STATIC: "static model, never retrained",
}

RESAMPLES = 200
TOP = 0.10
EVERYTHING = "all periods"


@dataclass(frozen=True)
class PeriodPredictions:
    """The leads of a period, what was predicted of them, and what came."""

    begins: datetime
    ends: datetime
    converted: NDArray[np.int8]
    lead_of: NDArray[np.int64]
    chances: Mapping[str, NDArray[np.float64]]
    """By rival."""
    chosen: str
    """Name of the recipe that the competition at the period's origin chose."""
    because: str
    learned_leads: int
    learned_converted: int

    @property
    def words(self) -> str:
        """Name the period by its first day."""
        return f"{self.begins:%Y-%m-%d}"


@dataclass(frozen=True)
class Figure:
    """A measure and its 95 % interval; NaN where nothing can be said."""

    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """Say it in one cell.

        >>> Figure(0.71234, 0.6, 0.8).words
        '.712 (.600-.800)'
        """
        if np.isnan(self.value):
            return "-"
        cells = [f"{x:.3f}" for x in (self.value, self.low, self.high)]
        value, low, high = (x[1:] if x.startswith("0.") else x for x in cells)
        return f"{value} ({low}-{high})"


@dataclass(frozen=True)
class RivalRow:
    """One rival in one period, or in all."""

    period: str
    rival: str
    rows: int
    leads: int
    conversions: int
    log_loss: Figure
    auc: Figure
    ece: Figure
    noise_floor: float
    """The ECE that perfect chances would show on as many leads."""
    slope: Figure
    lift_at_10: Figure
    behind: float
    """Mean log loss above that of the best baseline of this period; negative: better."""
    standard_error: float
    """Of ``behind``, over leads."""

    @property
    def holds(self) -> bool:
        """Whether it is no more than one standard error behind the best baseline."""
        return self.behind <= self.standard_error


@dataclass(frozen=True)
class PeriodTable:
    """All rivals of a period on the same rows."""

    period: str
    best_baseline: str
    rows: tuple[RivalRow, ...]
    against: Mapping[str, "Difference"]
    """What the selected model loses more (less: negative) than each baseline."""

    def of(self, rival: str) -> RivalRow:
        """Get a rival's row."""
        return next(row for row in self.rows if row.rival == rival)


@dataclass(frozen=True)
class Difference:
    """How much more log loss one rival has than another on the same rows."""

    mean: float
    standard_error: float


def compare_losses(ours: Floats, theirs: Floats, lead_of: Integers) -> Difference:
    """Compare two rivals by their losses on the same rows; the standard error counts leads.

    Examples
    --------
    >>> compare_losses(np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.array([0, 1]))
    Difference(mean=0.5, standard_error=0.3535533905932738)
    """
    difference = ours - theirs
    leads, _ = number_leads(lead_of, len(difference))
    sums = np.bincount(leads, difference - difference.mean())
    return Difference(float(difference.mean()), float(np.sqrt((sums**2).sum()) / len(difference)))


def measure_backtest(
    periods: Sequence[PeriodPredictions], *, seed: int
) -> tuple[PeriodTable, ...]:
    """Measure every rival in each period, and last over all of them.

    Over all periods AUC and lift compare leads of different periods too: a rival that knows how
    the base rate moved gains by it, and one refitted in between may lose by it.
    """
    tables = [
        _measure(p.words, p.converted, p.lead_of, p.chances, np.random.default_rng([seed, k]))
        for k, p in enumerate(periods)
    ]
    every = (
        np.concatenate([p.converted for p in periods]),
        np.concatenate([p.lead_of for p in periods]),
        {
            name: np.concatenate([p.chances[name] for p in periods])
            for name in RIVALS
            if all(name in p.chances for p in periods)
        },
    )
    tables.append(_measure(EVERYTHING, *every, np.random.default_rng([seed, len(periods)])))
    return tuple(tables)


def _measure(
    period: str,
    y: NDArray[np.int8],
    lead_of: Integers,
    chances: Mapping[str, Floats],
    rng: np.random.Generator,
) -> PeriodTable:
    losses = {name: list_log_losses(y, chances[name]) for name in RIVALS if name in chances}
    best = min((n for n in BASELINES if n in losses), key=lambda name: losses[name].mean())
    leads, n_leads = number_leads(lead_of, len(y))
    counted = (len(y), n_leads, int(y.sum()))
    draws = draw_leads(n_leads, rng)
    rows = tuple(
        _measure_rival(
            period, name, counted, y, chances[name], own, losses[best], leads, draws, rng
        )
        for name, own in losses.items()
    )
    against = {
        name: compare_losses(losses[SELECTED], losses[name], leads)
        for name in BASELINES
        if name in losses
    }
    return PeriodTable(period, best, rows, against)


def _measure_rival(
    period: str,
    rival: str,
    counted: tuple[int, int, int],
    y: NDArray[np.int8],
    p: Floats,
    losses: Floats,
    best: Floats,
    leads: Integers,
    draws: NDArray[np.int32],
    rng: np.random.Generator,
) -> RivalRow:
    against = compare_losses(losses, best, leads)
    auc = measure_auc(y, p, leads)
    ece = measure_ece(y, p, leads, rng=rng, resamples=RESAMPLES)
    line = measure_line(y, p, leads)
    return RivalRow(
        period,
        rival,
        *counted,
        log_loss=_measure_mean(losses, leads, draws),
        auc=Figure(auc.value, auc.interval.low, auc.interval.high),
        ece=Figure(ece.value, ece.interval.low, ece.interval.high),
        noise_floor=ece.noise_floor,
        slope=Figure(line.slope, line.slope_interval.low, line.slope_interval.high),
        lift_at_10=_measure_lift(y, p, leads, draws),
        behind=against.mean,
        standard_error=against.standard_error,
    )


def draw_leads(n_leads: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw whole leads with replacement; tell how often each was drawn.

    Returns
    -------
    ndarray of shape (RESAMPLES, n_leads), int32
        The same draws serve every rival of a period.
    """
    drawn = [
        np.bincount(rng.integers(0, n_leads, n_leads), minlength=n_leads) for _ in range(RESAMPLES)
    ]
    return np.array(drawn, np.int32)


def _figure(value: float, drawn: Floats) -> Figure:
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(known):
        return Figure(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Figure(value, float(low), float(high))


def _measure_mean(losses: Floats, leads: Integers, draws: NDArray[np.int32]) -> Figure:
    sums, counts = np.bincount(leads, losses), np.bincount(leads)
    return _figure(float(losses.mean()), (draws @ sums) / (draws @ counts))


def _measure_lift(
    y: NDArray[np.int8], p: Floats, leads: Integers, draws: NDArray[np.int32]
) -> Figure:
    """Measure the lift of the best tenth; tied rows are taken in every order at once."""
    value = measure_lift(y, p, TOP)
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, [True]))
    observed, owner = y[order].astype(np.float64), leads[order]
    drawn = np.empty(len(draws))
    for position, times in enumerate(draws):
        weight = times[owner].astype(np.float64)
        contacted = np.append(0.0, np.cumsum(weight)[ends])
        found = np.append(0.0, np.cumsum(weight * observed)[ends])
        total = found[-1]
        reached = np.interp(TOP * contacted[-1], contacted, found)
        drawn[position] = reached / total / TOP if total else np.nan
    return _figure(value, drawn)


def list_verdicts(tables: Sequence[PeriodTable]) -> tuple[str, ...]:
    """Say in words whether the selected model kept what it must keep, and where it did not."""
    *periods, every = tables
    ours = every.of(SELECTED)
    failed = [t for t in periods if not t.of(SELECTED).holds]
    held = f"{len(periods) - len(failed)} of {len(periods)} periods"
    words = [
        f"{SELECTED}: within one standard error of the best baseline, or better, in {held}"
        + (f"; not in {', '.join(t.period for t in failed)}" if failed else "")
        + ".",
        f"Over all periods its log loss is {ours.log_loss.words}; that of {every.best_baseline}, "
        f"the best baseline, {every.of(every.best_baseline).log_loss.words}.",
    ]
    for name, difference in every.against.items():
        if difference.mean == 0 and difference.standard_error == 0:
            words.append(f"It is the {WORDS[name]}: there is but one origin.")
            continue
        verdict = "below" if difference.mean < 0 else "NOT below, but above"
        words.append(
            f"Its log loss is {verdict} that of the {WORDS[name]}, by {abs(difference.mean):.4f}, "
            f"standard error {difference.standard_error:.4f}."
        )
    words.append(
        f"ECE {ours.ece.words}; perfect chances would show {ours.noise_floor:.3f} on as many "
        "leads."
    )
    return tuple(words)
