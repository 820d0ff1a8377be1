"""The picture of a walk through the past: losses by period, and whether the chances came true."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.backtest.figures import (
    BASE,
    KEPT,
    POINTS,
    RETRAINED,
    STATIC,
    STATIC_KEPT,
    PeriodPredictions,
    PeriodTable,
)
from training.card.plots import BLUE, DPI, GRID, INK, QUIET, TEAL, save_figure
from training.evaluation.bins import BINS, assign_bins
from training.evaluation.resampling import wilson

LOOKS = {
    KEPT: (BLUE, "-"),
    RETRAINED: (TEAL, "-"),
    STATIC_KEPT: ("#f0a202", "--"),
    STATIC: ("#d64545", "-"),
    POINTS: ("#8e5bd0", "-"),
    BASE: (QUIET, "--"),
}
CALIBRATED = (KEPT, STATIC, BASE)
"""Rivals whose chances are set against what came."""


def write_backtest_plot(
    path: Path, tables: Sequence[PeriodTable], periods: Sequence[PeriodPredictions], promise: str
) -> None:
    """Draw the log loss per period with its intervals, and beside it predicted against observed.

    Parameters
    ----------
    path : Path
        PNG of 1500 x 650 pixels.
    tables
        From `measure_backtest`; the last, over all periods, is not drawn.
    promise : str
        What the chance is of, e.g. ``P(won within 30 days)``.
    """
    figure = Figure(figsize=(15, 6.5), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    _draw_losses(left, tables[:-1])
    _draw_calibration(right, periods)
    _dress(left, "Log loss by period", f"{promise}; 95 % intervals over leads")
    _dress(
        right,
        "Calibration: predicted and observed",
        "all periods; bins of equal size, 95 % intervals",
    )
    save_figure(figure, path)


def _draw_losses(axes: Axes, tables: Sequence[PeriodTable]) -> None:
    names = [row.rival for row in tables[0].rows]
    for position, name in enumerate(names):
        figures = [table.of(name).log_loss for table in tables]
        # A little apart, so that no rival's interval hides another's.
        at = np.arange(len(tables)) + 0.08 * (position - (len(names) - 1) / 2)
        values = np.array([figure.value for figure in figures])
        low = values - [figure.low for figure in figures]
        high = np.array([figure.high for figure in figures]) - values
        colour, line = LOOKS[name]
        axes.errorbar(
            at,
            values,
            yerr=np.clip(np.stack([low, high]), 0, None),
            fmt=f"o{line}",
            color=colour,
            linewidth=1.5,
            elinewidth=0.9,
            markersize=4,
            label=name,
        )
    axes.set_xticks(range(len(tables)), [table.period for table in tables])
    axes.tick_params(axis="x", rotation=45 if len(tables) > 6 else 0)
    axes.set_xlabel("leads created from")
    axes.set_ylabel("log loss")
    axes.legend(frameon=False, ncols=2)


def _draw_calibration(axes: Axes, periods: Sequence[PeriodPredictions]) -> None:
    y = np.concatenate([period.converted for period in periods]).astype(np.float64)
    edge = 0.0
    for name in CALIBRATED:
        p = np.concatenate([period.chances[name] for period in periods])
        cells = assign_bins(p, BINS)
        counts = np.bincount(cells)
        predicted = np.bincount(cells, p) / counts
        outcomes = np.bincount(cells, y)
        bounds = np.array([wilson(k, n) for k, n in zip(outcomes, counts, strict=True)])
        observed = outcomes / counts
        whiskers = np.clip(np.stack([observed - bounds[:, 0], bounds[:, 1] - observed]), 0, None)
        colour, line = LOOKS[name]
        axes.errorbar(
            predicted,
            observed,
            yerr=whiskers,
            fmt=f"o{line}",
            color=colour,
            linewidth=1.5,
            elinewidth=0.9,
            markersize=5,
            label=name,
        )
        edge = max(edge, float(predicted.max()), float(bounds[:, 1].max()))
    edge = min(1.0, 1.05 * edge)
    axes.plot([0, edge], [0, edge], color=QUIET, linewidth=1, linestyle=":", label="perfect")
    axes.set(xlim=(0, edge), ylim=(0, edge))
    axes.set_xlabel("mean predicted probability")
    axes.set_ylabel("observed conversion rate")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="upper left", frameon=False)


def _dress(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(f"{title}\n", loc="left", color=INK, fontsize=14, fontweight="bold")
    axes.text(0, 1.02, subtitle, transform=axes.transAxes, color=INK, fontsize=10)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
