"""Pictures beside the model card, as PNG of 900 x 600 pixels.

Figures are drawn on their own canvas, without pyplot: no window, no global state, no network.
The same input gives the same bytes for one version of matplotlib.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from training.evaluation.bins import Bin
from training.evaluation.quality import Quality
from training.evaluation.ranking import GainsPoint

INK = "#1f2933"
QUIET = "#9aa5b1"
GRID = "#e4e7eb"
BLUE = "#1f6feb"
TEAL = "#0e9384"
BAND_COLOURS = ("#0e9384", "#1f6feb", "#f0a202", "#9aa5b1")
DPI = 100
MOST_REASONS = 15
RELIABILITY_PICTURE = "reliability.png"
GAINS_PICTURE = "gains.png"


def write_card_plots(folder: Path, quality: Quality, promise: str) -> tuple[Path, ...]:
    """Write the two pictures that the card links, and return their paths.

    Parameters
    ----------
    folder : Path
        Must exist.
    promise : str
        What the chance is of, e.g. ``P(SQL within 30 days)``.
    """
    reliability, gains = folder / RELIABILITY_PICTURE, folder / GAINS_PICTURE
    write_reliability_plot(reliability, quality.bins, promise)
    write_gains_plot(gains, quality.gains, quality.lift_at_10)
    return reliability, gains


def write_reliability_plot(path: Path, bins: Sequence[Bin], promise: str) -> None:
    """Draw observed rate over predicted chance, with Wilson intervals, and write the PNG."""
    figure, axes = build_figure("Calibration: predicted and observed", promise)
    predicted = np.array([row.predicted for row in bins])
    observed = np.array([row.observed for row in bins])
    low = np.array([row.observed_low for row in bins])
    high = np.array([row.observed_high for row in bins])
    # Half a rounding error would turn a zero whisker negative, which matplotlib refuses.
    whiskers = np.clip(np.stack([observed - low, high - observed]), 0, None)
    edge = min(1.0, 1.08 * float(max(predicted.max(), high.max())))
    axes.plot([0, edge], [0, edge], color=QUIET, linestyle="--", linewidth=1.2, label="perfect")
    axes.errorbar(
        predicted,
        observed,
        yerr=whiskers,
        fmt="o-",
        color=BLUE,
        ecolor=BLUE,
        elinewidth=1.2,
        capsize=4,
        markersize=7,
        label="bins of equal size, 95 % interval",
    )
    axes.set(xlim=(0, edge), ylim=(0, edge))
    axes.set_xlabel("mean predicted probability")
    axes.set_ylabel("observed conversion rate")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="upper left", frameon=False)
    save_figure(figure, path)


def write_gains_plot(path: Path, gains: Sequence[GainsPoint], lift_at_10: float) -> None:
    """Draw conversions found over leads contacted, and write the PNG."""
    figure, axes = build_figure("Cumulative gains", f"Lift at 10 %: {lift_at_10:.2f}")
    shares = [point.share for point in gains]
    found = [point.found for point in gains]
    axes.fill_between(shares, found, shares, color=TEAL, alpha=0.10)
    axes.plot(shares, found, color=TEAL, linewidth=2.4, label="by score")
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1.2, label="in any order")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_xlabel("share of leads contacted")
    axes.set_ylabel("share of conversions found")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower right", frameon=False)
    save_figure(figure, path)


def write_score_plot(
    path: Path, points: ArrayLike, band_names: Sequence[str], band_points_from: Sequence[float]
) -> None:
    """Draw how many leads fall on each score, coloured by band, and write the PNG.

    Parameters
    ----------
    points : array of shape (n,)
        Scores; they are cut to 0-100 as people see them.
    band_names, band_points_from : sequence
        Best band first; the last edge is ``-inf``.
    """
    shown = np.clip(np.asarray(points, dtype=np.float64), 0, 100)
    figure, axes = build_figure("Scores and bands", f"{len(shown):,} leads")
    edges = [np.inf, *(float(edge) for edge in band_points_from)]
    inside = [shown[(shown >= lower) & (shown < upper)] for upper, lower in pairwise(edges)]
    # Stacked: an edge in the middle of a bar must not hide one band behind the other.
    axes.hist(
        inside,
        bins=[2.5 * step for step in range(41)],
        stacked=True,
        color=[BAND_COLOURS[min(position, 3)] for position in range(len(inside))],
        edgecolor="white",
        linewidth=0.6,
        label=[
            f"{name}: {len(points_in):,} ({len(points_in) / max(1, len(shown)):.0%})"
            for name, points_in in zip(band_names, inside, strict=True)
        ],
    )
    for edge in edges[1:]:
        if 0 < edge < 100:
            axes.axvline(edge, color=INK, linewidth=0.9, linestyle=":")
    axes.set_xlim(0, 100)
    axes.set_xlabel("score, in points")
    axes.set_ylabel("leads")
    axes.legend(title="band", frameon=False)
    save_figure(figure, path)


def write_reasons_plot(path: Path, fields: Sequence[str], points: ArrayLike) -> None:
    """Draw the fields that move scores most, by mean absolute points, and write the PNG.

    Parameters
    ----------
    fields : sequence of str, length k
        Business fields in words.
    points : array of shape (n, k)
        Points each field gave each lead.
    """
    strength = np.abs(np.asarray(points, dtype=np.float64)).mean(axis=0)
    order = np.argsort(-strength, kind="stable")[:MOST_REASONS][::-1]
    figure, axes = build_figure(
        "Mean contribution to the score", "mean absolute points of each reason over all leads"
    )
    axes.barh([fields[position] for position in order], strength[order], color=BLUE, height=0.65)
    axes.set_xlabel("points, up or down")
    axes.grid(visible=False, axis="y")
    save_figure(figure, path)


def build_figure(title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Build an empty figure in the house's look."""
    figure = Figure(figsize=(9, 6), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(f"{title}\n", loc="left", color=INK, fontsize=15, fontweight="bold")
    axes.text(0, 1.02, subtitle, transform=axes.transAxes, color=INK, fontsize=11)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=10, length=0)
    axes.xaxis.label.set(color=INK, fontsize=11)
    axes.yaxis.label.set(color=INK, fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Save as PNG without the date and version that would change its bytes."""
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})
