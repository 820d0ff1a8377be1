"""Tables of the timing benchmark: means over markets, with intervals over their seeds."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import console, print_table

ORDER = (
    "raised hands only",
    "status quo",
    "points threshold",
    "P(SQL) threshold",
    "timing policy",
    "achievable best",
    "oracle",
)
DRAWS = 2000


def interval(values: list[float]) -> str:
    """Word a mean and its 95 % bootstrap interval over markets."""
    own = np.array(values, np.float64)
    drawn = np.random.default_rng(0).choice(own, (DRAWS, len(own))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{own.mean():.3f} ({low:.3f} to {high:.3f})"


def print_tables(folder: Path, seeds: list[int]) -> None:
    """Print a table per size of the log, and what was aimed for."""
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("market-*.json"))]
    reports = [report for report in reports if report["seed"] in seeds]
    for size in sorted({report["size"] for report in reports}):
        own = [report for report in reports if report["size"] == size]
        for capacity in (False, True):
            _print_policies(own, size, capacity=capacity)
        _print_aims(own, size)


def find(report: dict[str, Any], policy: str, *, capacity: bool) -> dict[str, Any] | None:
    """Find a policy's figures; what knows of no capacity counts without."""
    for entry in report["policies"]:
        if entry["policy"] == policy and entry["capacity"] == capacity:
            return dict(entry)
    return None


def _print_policies(reports: list[dict[str, Any]], size: int, *, capacity: bool) -> None:
    rows = []
    for policy in ORDER:
        own = [find(report, policy, capacity=capacity) for report in reports]
        if policy in {"raised hands only", "status quo"} and capacity:
            own = [find(report, policy, capacity=False) for report in reports]
        if any(entry is None for entry in own):
            continue
        kept = [entry for entry in own if entry]
        rows.append((policy, *_word_policy(reports, kept, capacity=capacity)))
    headings = ["policy", "value per lead", "regret: best", "oracle", "handoffs"]
    headings += ["SQLs per 100", "rejected", "median day"]
    limit = "as many handoffs as the old rule made" if capacity else "no capacity"
    print_table(f"{size:,} leads, {len(reports)} markets, {limit}", headings, rows)


def _word_policy(
    reports: list[dict[str, Any]], own: list[dict[str, Any]], *, capacity: bool
) -> tuple[str, ...]:
    best = [find(report, "achievable best", capacity=capacity) for report in reports]
    oracle = [find(report, "oracle", capacity=False) for report in reports]

    def mean(name: str) -> float:
        return float(np.mean([entry[name] for entry in own]))

    def regret(others: list[dict[str, Any] | None]) -> str:
        pairs = zip(others, own, strict=True)
        return f"{np.mean([o['value'] - e['value'] for o, e in pairs if o]):.3f}"

    return (
        interval([entry["value"] for entry in own]),
        regret(best),
        "" if capacity else regret(oracle),
        f"{mean('handoffs'):.3f}",
        f"{mean('sqls_per_100'):.1f}",
        f"{100 * mean('rejected'):.0f} %",
        f"{mean('median_day'):.0f}",
    )


def list_gaps(report: dict[str, Any], *, capacity: bool) -> tuple[float, float]:
    """Tell what timing brings above the points threshold, and what the achievable best does."""
    low, mid, high = (
        (find(report, policy, capacity=capacity) or {})["value"]
        for policy in ("points threshold", "timing policy", "achievable best")
    )
    return float(mid - low), float(high - low)


def close_gap(reports: list[dict[str, Any]], *, capacity: bool) -> str:
    """Word the share of the gap that is closed, over all markets, with its bootstrap interval.

    Gaps are added up, not shares: in a market where points do almost as well as can be done a
    share means nothing.
    """
    gaps = np.array([list_gaps(report, capacity=capacity) for report in reports])
    rng = np.random.default_rng(0)
    drawn = gaps[rng.integers(0, len(gaps), (DRAWS, len(gaps)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    closed, gap = gaps.sum(axis=0)
    return f"{100 * closed / gap:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def _word_gap(report: dict[str, Any], *, capacity: bool) -> str:
    closed, gap = list_gaps(report, capacity=capacity)
    return f"{closed:+.3f} of {gap:.3f}"


def _word_difference(pair: dict[str, Any]) -> str:
    if not pair["timing_decides"]:
        return "threshold decides"
    return f"{pair['mean']:+.3f} ± {1.96 * pair['error']:.3f}"


def _print_aims(reports: list[dict[str, Any]], size: int) -> None:
    rows = []
    for report in reports:
        pairs = [report["timing_less_threshold"][k] for k in ("without", "with capacity")]
        rows.append(
            (
                str(report["seed"]),
                *(_word_gap(report, capacity=c) for c in (False, True)),
                *(_word_difference(pair) for pair in pairs),
                f"{report['calibration']['slope']:.2f}",
                f"{report['taken']['fit_seconds'] + report['taken']['look_seconds']:.0f}",
                f"{report['taken']['fit_cpu_seconds']:.0f}",
                f"{report['taken']['peak_mib']:,.0f}",
            )
        )
    headings = ["market", "gap closed", "… capacity", "timing less threshold", "… capacity"]
    headings += ["slope", "wall s", "fit CPU s", "peak MiB"]
    print_table(f"{size:,} leads, market by market", headings, rows)
    slopes = [report["calibration"]["slope"] for report in reports]
    console.print(
        f"Gap closed {close_gap(reports, capacity=False)}, with capacity "
        f"{close_gap(reports, capacity=True)}; slope from {min(slopes):.2f} to {max(slopes):.2f}.",
    )
