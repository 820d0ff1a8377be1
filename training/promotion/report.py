"""What a promotion is told with: tables on the screen, JSON, Markdown, and a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from features.terminal.screen import Screen
from training.bundle import Bundle
from training.card.pages import UNKNOWN, render_page
from training.card.plots import BLUE, INK, QUIET, build_figure, save_figure
from training.card.report import to_plain
from training.promotion.aliases import PromotionAction
from training.promotion.impact import GroupMoves, Impact
from training.promotion.review import Review

REPORT, PAGE, PICTURE = "report.json", "report.md", "points.png"
FORMAT = 1
GROUPS_SHOWN = 6
"""Segments, and owners, on the screen: those of whom most leads cross. The files have all."""


def write_report(folder: Path, review: Review, action: PromotionAction) -> list[Path]:
    """Write the three files of a report, and list them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (REPORT, PAGE, PICTURE)]
    text = json.dumps(describe(review, action), indent=1)
    paths[0].write_text(text + "\n", encoding="utf-8")
    paths[1].write_text(render(review, action), encoding="utf-8")
    write_points_plot(paths[2], review)
    return paths


def describe(review: Review, action: PromotionAction) -> dict[str, Any]:
    """Describe a review and what was done as plain JSON values."""
    plain: dict[str, Any] = to_plain(
        {
            "format": FORMAT,
            "name": review.challenger.name,
            "contract": review.challenger.contract,
            "champion": _describe_bundle(review.champion),
            "challenger": _describe_bundle(review.challenger),
            "verdict": review.decision.verdict,
            "because": review.decision.because,
            "action": action,
            "later_since": review.later_since,
            "champion_age_days": review.champion_age_days,
            "rules": review.rules,
            "comparison": review.comparison,
            "as_of": review.as_of,
            "impact": review.impact,
        }
    )
    return plain


def _describe_bundle(bundle: Bundle) -> dict[str, Any]:
    return {
        "version": bundle.version,
        "fingerprint": bundle.fingerprint,
        "kind": bundle.model_kind,
        "folder": str(bundle.folder),
    }


def find_metrics(review: Review) -> dict[str, float]:
    """Name the figures of a review for the record; NaN ones are left out by the registry."""
    impact = review.impact
    figures = {
        "open_leads": float(impact.leads),
        "leads_crossing_a_band": float(impact.up + impact.down),
        "top_decile_churn": impact.churn,
    }
    comparison = review.comparison
    if comparison is not None:
        figures |= {
            "later_leads": float(comparison.leads),
            "champion_log_loss": comparison.champion.log_loss,
            "challenger_log_loss": comparison.challenger.log_loss,
            "log_loss_gain": comparison.log_loss.value,
            "log_loss_gain_low": comparison.log_loss.interval.low,
            "log_loss_gain_high": comparison.log_loss.interval.high,
            "auc_gain": comparison.auc.value,
            "calibration_error_gain": comparison.calibration_error.value,
        }
    return figures


def list_crossings(impact: Impact) -> tuple[list[str], list[list[str]]]:
    """List leads by band before (rows) and after (columns)."""
    header = ["band before \\ after", *impact.bands_after]
    rows = [
        [name, *(f"{n:,}" for n in counts)]
        for name, counts in zip(impact.bands_before, impact.crossings, strict=True)
    ]
    return header, rows


def list_groups(
    groups: Sequence[GroupMoves], most: int | None = None
) -> tuple[list[str], list[list[str]]]:
    """List segments or owners, those with most crossings first."""
    ranked = sorted(groups, key=lambda row: -(row.up + row.down))[:most]
    header = ["", "leads", "cross", "up", "down", "points, mean change"]
    rows = [
        [
            row.name if row.field == "owner" else f"{row.field}: {row.name}",
            f"{row.leads:,}",
            f"{(row.up + row.down) / row.leads:.0%}",
            f"{row.up:,}",
            f"{row.down:,}",
            f"{row.points:+.1f}" if np.isfinite(row.points) else UNKNOWN,
        ]
        for row in ranked
    ]
    return header, rows


def list_top_changes(impact: Impact) -> tuple[list[str], list[list[str]]]:
    """List the leads that move most, and why."""
    header = ["lead", "owner", "points", "band", "chance", "changed reasons"]
    rows = [
        [
            change.lead_id,
            change.owner or UNKNOWN,
            f"{change.points_before:.0f} → {change.points_after:.0f}",
            f"{change.band_before} → {change.band_after}",
            f"{change.probability_before:.1%} → {change.probability_after:.1%}",
            change.because,
        ]
        for change in impact.top_changes
    ]
    return header, rows


def list_quantiles(impact: Impact) -> tuple[list[str], list[list[str]]]:
    """List how points are spread before and after."""
    header = ["points", *(f"{q:.0%}" for q in impact.quantiles)]
    lines = (("before", impact.points_before), ("after", impact.points_after))
    return header, [[name, *(f"{p:.1f}" for p in points)] for name, points in lines]


def print_review(screen: Screen, review: Review) -> None:
    """Print the comparison, the impact and the decision."""
    impact = review.impact
    old, new = review.champion, review.challenger
    screen.print(
        f"Champion    {old.name} {old.version} ({old.model_kind})\n"
        f"Challenger  {new.name} {new.version} ({new.model_kind})\n"
        f"Compared on leads created since {review.later_since:%Y-%m-%d}; P({new.contract.text})\n"
    )
    screen.print(f"If it were promoted now ({review.as_of:%Y-%m-%d}):")
    for sentence in impact.words:
        screen.print(f"  {sentence}")
    _print_table(screen, "Leads by band", list_crossings(impact))
    _print_table(screen, "Band changes by segment", list_groups(impact.by_segment, GROUPS_SHOWN))
    _print_table(screen, "Band changes by owner", list_groups(impact.by_owner, GROUPS_SHOWN))
    _print_table(screen, "Points", list_quantiles(impact))
    _print_table(screen, "Leads with the largest change", list_top_changes(impact))
    screen.print(f"Verdict: {review.decision.verdict}", style="bold")
    for sentence in review.decision.because:
        screen.print(f"  {sentence}")


def _print_table(screen: Screen, title: str, listed: tuple[list[str], list[list[str]]]) -> None:
    header, rows = listed
    if not rows:
        return
    shown = Table(title=title, title_justify="left")
    for position, heading in enumerate(header):
        shown.add_column(heading, justify="left" if position == 0 else "right")
    if header[-1] == "changed reasons":
        shown.columns[-1].justify = "left"
    for row in rows:
        shown.add_row(*row)
    screen.print(shown)


def render(review: Review, action: PromotionAction) -> str:
    """Render a review as Markdown, the picture linked beside it."""
    impact = review.impact
    return render_page(
        "promotion/templates/report.md.j2",
        review=review,
        old=review.champion,
        new=review.challenger,
        action=action,
        picture=PICTURE,
        tables={
            "Leads by band": list_crossings(impact),
            "Points": list_quantiles(impact),
            "By owner": list_groups(impact.by_owner),
            "By segment": list_groups(impact.by_segment),
            "Leads with the largest change": list_top_changes(impact),
            "Compared by segment": _list_segments(review),
        },
    )


def _list_segments(review: Review) -> tuple[list[str], list[list[str]]]:
    header = ["segment", "leads", "champion", "challenger", "better by", "95 %, all at once"]
    rows = [
        [
            f"{row.field}: {row.segment}",
            f"{row.leads:,}",
            f"{row.champion:.4f}",
            f"{row.challenger:.4f}",
            f"{row.gain.value:+.4f}",
            f"{row.gain.interval.low:+.4f} to {row.gain.interval.high:+.4f}",
        ]
        for row in (review.comparison.segments if review.comparison else ())
    ]
    return header, rows


def write_points_plot(path: Path, review: Review) -> None:
    """Draw every open lead's points before and after, with the edges of the bands; write the PNG."""
    before, after = review.before.points, review.after.points
    known = np.isfinite(before) & np.isfinite(after)
    impact = review.impact
    figure, axes = build_figure(
        "Points before and after", f"{int(known.sum()):,} open leads that both models score"
    )
    if known.any():
        cells = axes.hexbin(
            before[known],
            after[known],
            gridsize=40,
            extent=(0, 100, 0, 100),
            mincnt=1,
            bins="log",
            cmap="Blues",
            edgecolors=QUIET,
            linewidths=0.2,
        )
        figure.colorbar(cells, ax=axes, label="leads", shrink=0.8)
    axes.plot([0, 100], [0, 100], color=QUIET, linestyle="--", linewidth=1.2, label="no change")
    axes.scatter(
        [change.points_before for change in impact.top_changes],
        [change.points_after for change in impact.top_changes],
        s=60,
        facecolors="none",
        edgecolors=BLUE,
        linewidths=1.4,
        label="leads with the largest change",
    )
    for draw, bundle in ((axes.axvline, review.champion), (axes.axhline, review.challenger)):
        for edge in (band.points_from for band in bundle.bands):
            if 0 < edge < 100:
                draw(edge, color=INK, linewidth=0.9, linestyle=":")
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_xlabel(f"points by the champion, {review.champion.version}")
    axes.set_ylabel(f"points by the challenger, {review.challenger.version}")
    axes.legend(loc="upper left", frameon=False)
    save_figure(figure, path)
