"""Pictures of the proof of timing: estimates, overlap, calibration, curves."""

from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.ticker import PercentFormatter

from training.card.plots import BLUE, INK, QUIET, TEAL, build_figure, save_figure
from training.evaluation.resampling import Floats, wilson
from training.timing.proof.off_policy import PROPENSITY_FLOOR
from training.timing.proof.policies import TIMING, Proof

BINS = 8
VALUES, OVERLAP = "timing-value.png", "timing-overlap.png"
CALIBRATION, CURVES = "timing-calibration.png", "timing-curves.png"


class Curves(Protocol):
    """Curves of some leads over the days ahead; shape (n_leads, n_days)."""

    @property
    def value(self) -> Floats:
        """Of committing today to a handoff on that day."""

    @property
    def p_moment(self) -> Floats:
        """Chance that the moment comes by then."""


def write_timing_plots(folder: Path, proof: Proof, curves: Curves, unit: str) -> tuple[str, ...]:
    """Write all pictures of timing beside the card; return their names."""
    write_values(folder / VALUES, proof, unit)
    write_overlap(folder / OVERLAP, proof)
    write_calibration(folder / CALIBRATION, proof)
    write_curves(folder / CURVES, curves, unit)
    return VALUES, OVERLAP, CALIBRATION, CURVES


def write_values(path: Path, proof: Proof, unit: str) -> None:
    """Draw the value of each policy with its interval, both ways of estimating."""
    figure, axes = build_figure("Estimated value of each rule", f"per lead, in {unit}")
    for place, row in enumerate(reversed(proof.rows)):
        for estimate, colour, shift, words in (
            (row.value, BLUE, 0.12, "advantage doubly robust"),
            (row.weighted, QUIET, -0.12, "weighted"),
        ):
            ends = estimate.interval
            # The ends are not alike where the log leaves much open.
            whiskers = [[estimate.value - ends.low], [ends.high - estimate.value]]
            label = words if place == 0 else None
            axes.errorbar(
                estimate.value,
                place + shift,
                xerr=np.maximum(whiskers, 0.0),
                fmt="o",
                color=colour,
                capsize=4,
                label=label,
            )
    axes.set_yticks(range(len(proof.rows)), [row.name for row in reversed(proof.rows)])
    axes.set_xlabel(f"{unit} per lead, 95 % interval")
    axes.legend(frameon=False)
    save_figure(figure, path)


def write_overlap(path: Path, proof: Proof) -> None:
    """Draw how likely the log was to hand over where the timing policy does."""
    overlap = proof.row(TIMING).overlap
    figure, axes = build_figure(
        "Overlap: logged handoff probability where the policy hands over",
        f"{overlap.share:.0%} above the floor; {overlap.agreeing} handoffs agree and count as "
        f"{overlap.effective:.0f}",
    )
    chance = np.maximum(proof.propensities[TIMING], 1e-4)
    axes.hist(chance, bins=np.geomspace(1e-4, 1.0, 41).tolist(), color=TEAL)
    axes.axvline(PROPENSITY_FLOOR, color=INK, linestyle=":", linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xlabel("chance of a logged handoff before the next step")
    axes.set_ylabel("leads the policy hands over")
    save_figure(figure, path)


def write_calibration(path: Path, proof: Proof) -> None:
    """Draw the share of SQLs over the predicted chance, for held-out handoffs."""
    slope, low, high = proof.calibration
    figure, axes = build_figure(
        "Calibration of P(SQL | handed off now): predicted and observed",
        f"slope {slope:.2f} ({low:.2f} to {high:.2f})",
    )
    order = np.array_split(np.argsort(proof.chances, kind="stable"), BINS)
    parts = [part for part in order if len(part)]
    predicted = np.array([proof.chances[part].mean() for part in parts])
    observed = np.array([proof.sqls[part].mean() for part in parts])
    ends = np.array([wilson(float(proof.sqls[part].sum()), len(part)) for part in parts])
    whiskers = np.clip(np.stack([observed - ends[:, 0], ends[:, 1] - observed]), 0, None)
    top = min(1.0, 1.08 * float(max(predicted.max(), ends.max())))
    axes.plot([0, top], [0, top], color=QUIET, linestyle="--", linewidth=1.2)
    axes.errorbar(predicted, observed, yerr=whiskers, fmt="o-", color=BLUE, capsize=4)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("predicted probability (model of other leads)")
    axes.set_ylabel("observed share of SQLs")
    save_figure(figure, path)


def write_curves(path: Path, curves: Curves, unit: str) -> None:
    """Draw the value of a handoff in k days: the middle lead, and the middle half of all."""
    figure, axes = build_figure("Value of a handoff in so many days", f"in {unit}")
    days = np.arange(curves.value.shape[1])
    low, middle, high = np.quantile(curves.value, [0.25, 0.5, 0.75], axis=0)
    axes.fill_between(days, low, high, color=BLUE, alpha=0.15, label="middle half of the leads")
    axes.plot(days, middle, color=BLUE, linewidth=2.4, label="middle lead")
    axes.set_xlabel("days from now")
    axes.set_ylabel(unit)
    other = axes.twinx()
    other.plot(days, curves.p_moment.mean(axis=0), color=TEAL, linewidth=2.0)
    other.set_ylabel("mean probability that the best moment has come", color=TEAL)
    other.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, loc="upper left")
    save_figure(figure, path)
