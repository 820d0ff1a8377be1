"""A replay as a picture: precision and recall by cut, load by cut, and handoffs by week.

Matplotlib belongs to the training group: where it is not installed there is a table, and no picture.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from serving.handoff.intervals import Rate
from serving.handoff.replay.report import ReplayReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAFT, TODAY, LIMIT = "#0b6e8f", "#b5651d", "#7a7a7a"


def can_draw() -> bool:
    """Tell whether the drawing library is installed."""
    return find_spec("matplotlib") is not None


def draw_replay(report: ReplayReport, path: Path) -> None:
    """Draw a replay and write the PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    quality, load, weeks = figure.subplots(1, 3)
    _draw_quality(quality, report)
    _draw_load(load, report)
    _draw_weeks(weeks, report)
    figure.savefig(path, dpi=110)


def _draw_quality(axes: "Axes", report: ReplayReport) -> None:
    for name, colour in (("sql", DRAFT), ("recall", TODAY)):
        rows = [
            (cut.score_from, rate)
            for cut in report.curve
            if (rate := _rate(cut.figures.sql if name == "sql" else cut.figures.recall))
        ]
        cuts = [cut for cut, _ in rows]
        label = "precision" if name == "sql" else "recall"
        axes.plot(cuts, [rate[0] for _, rate in rows], color=colour, label=label)
        lows, highs = [rate[1] for _, rate in rows], [rate[2] for _, rate in rows]
        axes.fill_between(cuts, lows, highs, color=colour, alpha=0.15)
    if report.base.share is not None:
        axes.axhline(report.base.share, color=LIMIT, linestyle=":", label="all leads")
    _mark(axes, report)
    axes.set_ylim(0, 1)
    axes.set_xlabel("score threshold (points)")
    axes.set_title(f"SQL within {report.horizon_days:g} days")
    axes.legend()


def _rate(rate: Rate) -> tuple[float, float, float] | None:
    if rate.share is None or rate.low is None or rate.high is None:
        return None
    return rate.share, rate.low, rate.high


def _draw_load(axes: "Axes", report: ReplayReport) -> None:
    cuts = [cut.score_from for cut in report.curve]
    axes.plot(cuts, [cut.figures.per_week for cut in report.curve], color=DRAFT, label="draft")
    axes.axhline(report.today.per_week, color=TODAY, linestyle="--", label="today")
    axes.axhline(report.load.capacity_per_week, color=LIMIT, linestyle=":", label="capacity")
    _mark(axes, report)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("score threshold (points)")
    axes.set_title("Handoffs a week")
    axes.legend()


def _draw_weeks(axes: "Axes", report: ReplayReport) -> None:
    places = range(len(report.weeks))
    axes.plot(places, [week.draft for week in report.weeks], color=DRAFT, label="draft")
    axes.plot(places, [week.today for week in report.weeks], color=TODAY, label="today")
    axes.axhline(report.load.capacity_per_week, color=LIMIT, linestyle=":", label="capacity")
    step = max(len(report.weeks) // 6, 1)
    shown = list(places)[::step]
    axes.set_xticks(shown, [report.weeks[place].begins[5:] for place in shown])
    axes.set_ylim(bottom=0)
    axes.set_title("Handoffs by week")
    axes.legend()


def _mark(axes: "Axes", report: ReplayReport) -> None:
    if report.advice.score_from is not None:
        axes.axvline(report.advice.score_from, color=LIMIT, linewidth=0.8)
