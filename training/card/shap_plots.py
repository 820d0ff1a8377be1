"""Pictures of a model's reasons, drawn by shap: PNG beside the model card.

shap draws on pyplot's current figure and shuffles with numpy's global generator. Both are lent to
it and taken back: no window, no figure left open, no state changed, whatever the caller's backend.
"""

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.card.plots import BLUE, DPI, INK, build_figure, save_figure

SUMMARY_PICTURE = "summary.png"
DEPENDENCE_PICTURE = "dependence.png"
PAIRS_PICTURE = "pairs.png"
INTERACTIONS_PICTURE = "interactions.png"

MOST_FEATURES = 20
MOST_PANELS = 6
MOST_FIELDS = 12
MOST_CATEGORIES = 12
LONGEST_LINE = 36
FAR = "percentile(99)"
"""Beyond this the axis of a number ends: one odd lead must not squeeze all the others."""


@dataclass(frozen=True)
class PlottedColumn:
    """One column of the matrix, as it is drawn."""

    words: str
    values: NDArray[np.float64]  # (n,) NaN for unknown
    points: NDArray[np.float64]  # (n,)
    categories: tuple[str, ...] = ()

    @property
    def has_something(self) -> bool:
        """Whether there are two values to tell apart: shap cannot draw an axis for fewer."""
        known = self.values[~np.isnan(self.values)]
        return len(known) > 0 and bool(known.min() < known.max())


@dataclass(frozen=True)
class Panel:
    """A column along the axis, and a number that colours the points."""

    column: PlottedColumn
    colour: PlottedColumn | None


def import_shap() -> Any:
    """Import shap, which takes seconds and calls what matplotlib is about to drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    return shap


def build_shap_explanation(columns: Sequence[PlottedColumn], base: float) -> Any:
    """Build shap's own record of reasons: values in points, data as known, names in words."""
    return import_shap().Explanation(
        values=np.stack([column.points for column in columns], axis=1),
        base_values=np.full(len(columns[0].points), base),
        data=np.stack([column.values for column in columns], axis=1),
        feature_names=[column.words for column in columns],
    )


@contextmanager
def borrowed_figure(width: float, height: float) -> Iterator[Figure]:
    """Lend shap a figure that pyplot knows, and put everything back as it was."""
    from matplotlib import pyplot as plt

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg.new_manager(figure, max(plt.get_fignums(), default=0) + 1)
    before = np.random.get_state()  # noqa: NPY002  shap's shuffling is the global generator's
    try:
        plt.figure(figure)
        np.random.set_state(np.random.RandomState(0).get_state())  # noqa: NPY002
        with warnings.catch_warnings():
            # Columns that are nowhere known have no percentiles; shap draws them grey.
            warnings.simplefilter("ignore", RuntimeWarning)
            yield figure
    finally:
        np.random.set_state(before)  # noqa: NPY002
        plt.close(figure)


def write_summary_plot(path: Path, columns: Sequence[PlottedColumn]) -> None:
    """Draw each moment's reasons, one line per feature, strongest first, and write the PNG."""
    import pandas as pd

    shap = import_shap()
    explanation = build_shap_explanation(columns, 0.0)
    frame = pd.DataFrame(dict(enumerate(explanation.data.T)))
    for position, column in enumerate(columns):
        if column.categories:  # codes have no order: shap leaves the points of a category grey
            frame[position] = frame[position].astype("category")
    explanation.data = frame
    shown = min(MOST_FEATURES, len(columns))
    with borrowed_figure(9, 0.42 * shown + 1.6) as figure:
        axes = shap.plots.beeswarm(
            explanation,
            max_display=shown,
            show=False,
            plot_size=None,
            ax=figure.add_subplot(),
            color_bar_label="value (grey: category or not known)",
        )
        _name_axis(axes, "points, up or down")
        labels = [label.get_text() for label in axes.get_yticklabels()]
        axes.set_yticks(range(len(labels)), [_fold(label) for label in labels], fontsize=9)
        save_figure(figure, path)


def write_panels(path: Path, panels: Sequence[Panel], ylabel: str) -> None:
    """Draw points over value, a panel per feature, and write the PNG."""
    across = 2 if len(panels) in {2, 4} else min(3, len(panels))
    down = -(-len(panels) // across)
    with borrowed_figure(5.2 * across, 4.2 * down) as figure:
        places = [figure.add_subplot(down, across, 1 + at) for at in range(len(panels))]
        for panel, axes in zip(panels, places, strict=True):
            _draw_panel(figure, axes, panel)
            axes.set_ylabel(ylabel, fontsize=10)
        save_figure(figure, path)


def _draw_panel(figure: Figure, axes: Axes, panel: Panel) -> None:
    panel, left_out = _keep_common(panel) if panel.column.categories else (panel, 0)
    column, colour = panel.column, panel.colour
    shown = build_shap_explanation([column] if colour is None else [column, colour], 0.0)
    import_shap().plots.scatter(
        shown[:, 0],
        color=BLUE if colour is None else shown[:, 1],
        xmax=None if column.categories else FAR,
        dot_size=9,
        show=False,
        ax=axes,
    )
    more = f" ({left_out} rarer ones not drawn)" if left_out else ""
    axes.set_xlabel(_fold(column.words + more), fontsize=10)
    axes.tick_params(labelsize=9)
    if column.categories:
        names = [_cut(name) for name in column.categories]
        axes.set_xticks(range(len(names)), names, rotation=50, ha="right", fontsize=8)
        axes.set_xlim(-0.6, len(names) - 0.4)
    if colour is not None:
        bar = figure.axes[-2]  # the last one is the histogram's
        bar.set_ylabel(_fold(colour.words), fontsize=9)
        bar.tick_params(labelsize=8)


def _keep_common(panel: Panel) -> tuple[Panel, int]:
    """Keep the moments of the commonest categories, which then stand in order of their points."""
    column, colour = panel.column, panel.colour
    known = column.values[~np.isnan(column.values)].astype(np.int64)
    times = np.bincount(known, minlength=len(column.categories))
    common = np.argsort(-times, kind="stable")[: min(MOST_CATEGORIES, int((times > 0).sum()))]
    means = [column.points[column.values == code].mean() for code in common]
    common = common[np.argsort(means, kind="stable")]
    place = np.full(len(times), np.nan)
    place[common] = np.arange(len(common))
    kept = np.isin(column.values, common)
    placed = place[column.values[kept].astype(np.int64)]
    names = tuple(column.categories[code] for code in common)
    drawn = PlottedColumn(column.words, placed, column.points[kept], names)
    if colour is not None:
        colour = PlottedColumn(colour.words, colour.values[kept], colour.points[kept])
    return Panel(drawn, colour), int((times > 0).sum()) - len(common)


def write_heat_map(path: Path, words: Sequence[str], strength: NDArray[np.float64]) -> None:
    """Draw how strongly business fields speak together, and write the PNG.

    Parameters
    ----------
    words : sequence of str, length k
    strength : ndarray of shape (k, k), float64
        Mean absolute points, symmetric; the diagonal, what a field says by itself, is not drawn.
    """
    between = np.where(np.eye(len(strength), dtype=np.bool_), 0.0, strength)
    chosen = np.argsort(-between.sum(axis=1), kind="stable")[:MOST_FIELDS]
    shown = between[np.ix_(chosen, chosen)]
    figure, axes = build_figure(
        "Interactions", "mean absolute interaction of two business fields, in points"
    )
    hidden = np.ma.masked_array(shown, mask=np.triu(np.ones_like(shown, np.bool_)))
    image = axes.imshow(hidden, cmap="Blues", vmin=0.0, aspect="auto")
    names = [_cut(words[at], 30) for at in chosen]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.grid(visible=False)
    for row, column in zip(*np.tril_indices(len(names), k=-1), strict=True):
        value = shown[row, column]
        ink = "white" if value > 0.6 * shown.max() else INK
        axes.text(
            float(column),
            float(row),
            f"{value:.2f}",
            ha="center",
            va="center",
            color=ink,
            fontsize=8,
        )
    figure.colorbar(image, ax=axes, label="points", shrink=0.8)
    save_figure(figure, path)


def _name_axis(axes: Axes, words: str) -> None:
    axes.set_xlabel(words, fontsize=11)
    axes.tick_params("x", labelsize=9)


def _fold(words: str) -> str:
    return textwrap.fill(words, LONGEST_LINE)


def _cut(words: str, longest: int = 16) -> str:
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"
