"""One lead in process: records to row, row to score and reasons, JSON to answer."""

import json
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np

from benchmarks.measure import print_table, quantiles, take_times
from features.clock import DAY_US, HOUR_US, from_us
from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from serving.champion import load_champion
from serving.scoring.log import ScoredLog
from serving.scoring.service import Scoring, read_body, score_one
from training.bundle import TREES, Bundle, load_bundle

MOMENT = 20_500 * DAY_US


def draw_lead(bundle: Bundle, n_events: int) -> LeadRecord:
    """Draw a lead with so many events over ninety days."""
    rng = np.random.default_rng(n_events)
    kinds = bundle.catalog.taxonomy.kind_names
    born = MOMENT - 90 * DAY_US
    events = []
    for _ in range(n_events):
        at = int(born + rng.integers(0, 90 * DAY_US))
        events.append(EventRecord(at, at, str(rng.choice(kinds)), "web"))
    version = LeadVersion(born, {"industry": "software", "employees": 120.0, "country": "DE"})
    moves = (StageRecord(born + HOUR_US, born + HOUR_US, "mql"),)
    return LeadRecord("bench", born, (version,), tuple(events), moves)


def as_json(lead: LeadRecord) -> dict:
    """Shape the lead as a caller sends it."""
    return {
        "lead_id": lead.lead_id,
        "created_at": from_us(lead.created_at).isoformat(),
        "as_of": from_us(MOMENT).isoformat(),
        "attributes": dict(lead.versions[0].attributes),
        "events": [
            {"kind": e.kind, "occurred_at": from_us(e.occurred_at).isoformat(), "channel": "web"}
            for e in lead.events
        ],
        "stages": [{"stage": m.stage, "at": from_us(m.at).isoformat()} for m in lead.stages],
    }


def measure_one_lead(folder: Path, repeats: int = 2000) -> None:
    """Print microseconds per lead by number of events."""
    bundle = load_bundle(folder)
    now = from_us(MOMENT)
    log = ScoredLog(Path("var/bench/scored"), most_rows=1_000, keep_days=1)
    scoring = Scoring(load_champion(folder, now), log, now, 8, 10_000, 20_000)
    rows = []
    for n_events in (5, 50, 500, 5000):
        lead = draw_lead(bundle, n_events)
        body = json.dumps(as_json(lead)).encode()
        row = compute_rows(bundle.catalog, [lead], [MOMENT])
        times = max(30, repeats * 50 // max(n_events, 50))
        to_row = take_times(lambda: compute_rows(bundle.catalog, [lead], [MOMENT]), repeats=times)
        to_score = take_times(lambda: bundle.score(row), repeats=times)
        whole = take_times(lambda: score_one(scoring, read_body(body)), repeats=times)
        rows.append(
            (
                str(n_events),
                *quantiles(to_row, 1e6)[:2],
                *quantiles(to_score, 1e6)[:2],
                *quantiles(whole, 1e6)[:2],
            )
        )
    headings = [
        "events",
        "row p50",
        "p99",
        "score + reasons p50",
        "p99",
        "JSON to answer p50",
        "p99",
    ]
    print_table(f"One lead in process, µs ({bundle.model_kind})", headings, rows)


def measure_reasons(folder: Path, repeats: int = 9) -> None:
    """Print the cost of reasons beside LightGBM's own, in one run."""
    bundle = load_bundle(folder)
    if not (folder / TREES).is_file():
        return
    booster = lgb.Booster(model_file=str(folder / TREES))
    rows = []
    for n_rows in (1, 1000):
        matrix = np.ascontiguousarray(bundle.profile.matrix[:n_rows])
        ratios, ours, theirs = [], [], []
        for _ in range(repeats):
            start = time.perf_counter()
            mine = bundle.model.contributions(matrix)
            middle = time.perf_counter()
            other = booster.predict(matrix, pred_contrib=True, num_threads=1)
            end = time.perf_counter()
            ours.append(middle - start)
            theirs.append(end - middle)
            ratios.append(theirs[-1] / ours[-1])
        apart = float(np.abs(mine - other[:, :-1]).max())
        rows.append(
            (
                f"{n_rows:,}",
                f"{np.median(ours) / n_rows * 1e6:,.0f}",
                f"{np.median(theirs) / n_rows * 1e6:,.0f}",
                f"{np.median(ratios):.1f}x",
                f"{apart:.0e}",
            )
        )
    headings = [
        "rows",
        "ours, µs a row",
        "LightGBM pred_contrib, µs a row",
        "ratio",
        "largest difference",
    ]
    print_table(f"Reasons of {booster.num_trees()} trees, one thread, paired", headings, rows)
