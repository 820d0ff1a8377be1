"""One lead in process: records to row, row to score and reasons, JSON to answer."""

import json
import time
from datetime import datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np

from benchmarks.measure import print_table, quantiles, take_times
from features.catalog.manifest import Catalog
from features.clock import DAY_US, HOUR_US, from_us, to_us
from features.compute.online import compute_packed_rows, compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_records
from features.kernel.packed import pack_lead
from features.kernel.plan import build_plan
from features.kernel.rows import fill_rows
from serving.champion import load_champion
from serving.scoring.request.service import Scoring, read_body, score_one
from serving.scoring.timing import advise
from training.bundle import TREES, load_bundle

MOMENT = 20_500 * DAY_US


def draw_lead(catalog: Catalog, n_events: int) -> LeadRecord:
    """Draw a lead with so many events over ninety days."""
    rng = np.random.default_rng(n_events)
    kinds = [str(kind) for kind in catalog.taxonomy.kind_names]
    created_at = MOMENT - 90 * DAY_US
    events = []
    for _ in range(n_events):
        at = int(created_at + rng.integers(0, 90 * DAY_US))
        events.append(EventRecord(at, at, kinds[rng.integers(len(kinds))], "web"))
    version = LeadVersion(
        created_at, {"industry": "software", "employees": 120.0, "country": "DE"}
    )
    moves = (StageRecord(created_at + HOUR_US, created_at + HOUR_US, "mql"),)
    return LeadRecord("bench", created_at, (version,), tuple(events), moves)


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


def read_iso(sent: dict, created_at: int) -> LeadRecord:
    """Read a lead whose times are ISO text, as a caller's JSON has them."""
    events = tuple(
        EventRecord(at, at, event["kind"], event["channel"])
        for event in sent["events"]
        for at in (to_us(datetime.fromisoformat(event["occurred_at"])),)
    )
    moves = tuple(
        StageRecord(at, at, move["stage"])
        for move in sent["stages"]
        for at in (to_us(datetime.fromisoformat(move["at"])),)
    )
    version = LeadVersion(created_at, sent["attributes"])
    return LeadRecord(sent["lead_id"], created_at, (version,), events, moves)


def measure_rows(folder: Path, repeats: int = 2000) -> None:
    """Print microseconds from a lead, in each form it may come in, to its row of features."""
    catalog = load_bundle(folder).catalog
    encoder, plan = Encoder(catalog), build_plan(catalog)
    rows = []
    for n_events in (5, 50, 500, 5000):
        lead = draw_lead(catalog, n_events)
        sent, packed = as_json(lead), pack_lead(encoder, lead)
        columns = columns_of_records(encoder, [lead])
        out, offsets = np.empty((1, len(catalog.features)), np.float32), np.array([0, 1])
        as_of = np.array([MOMENT])
        times = max(30, repeats * 50 // max(n_events, 50))
        actions = (
            lambda: fill_rows(columns, plan, 0, offsets, as_of, out),
            lambda: compute_packed_rows(catalog, (packed,), (MOMENT,)),
            lambda: compute_rows(catalog, [lead], [MOMENT]),
            lambda: compute_rows(catalog, [read_iso(sent, lead.created_at)], [MOMENT]),
        )
        spent = [quantiles(take_times(action, repeats=times), 1e6)[:2] for action in actions]
        rows.append((str(n_events), *(f"{median} / {slow}" for median, slow in spent)))
    headings = ["events", "kernel call", "packed to row", "records to row", "ISO records to row"]
    title = f"One lead to its row of {len(catalog.features)} features, µs, p50 / p99"
    print_table(title, headings, rows)


def measure_one_lead(folder: Path, repeats: int = 2000) -> None:
    """Print microseconds per lead by number of events."""
    bundle = load_bundle(folder)
    now = from_us(MOMENT)
    scoring = Scoring(load_champion(folder, now), now, 8, 10_000, 20_000)
    rows = []
    for n_events in (5, 50, 500, 5000):
        lead = draw_lead(bundle.catalog, n_events)
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


def measure_moment(folder: Path, repeats: int = 2000) -> None:
    """Print microseconds of what a lead's moment takes, beyond its score."""
    bundle, now = load_bundle(folder), from_us(MOMENT)
    served = bundle.timing
    if served is None:
        return
    explainer = load_champion(folder, now).explainer
    rows = []
    for row in bundle.profile.matrix[:: max(1, len(bundle.profile.matrix) // 3)][:3]:
        own = np.ascontiguousarray(row[None, :])
        parts = (
            lambda: served.model.advise(own),
            lambda: served.model.reasons(own),
            lambda: served.model.curve(own),
            lambda: served.neighbours.count_alike(own),
            lambda: advise(served, explainer, own, [now]),
        )
        spent = [quantiles(take_times(part, repeats=repeats), 1e6)[:2] for part in parts]
        status = advise(served, explainer, own, [now])[0].status
        rows.append((status, *(f"{median} / {slow}" for median, slow in spent)))
    headings = ["lead", "advantage", "reasons", "curve of 30 days", "support", "whole answer"]
    print_table("The best moment of one lead in process, µs, p50 / p99", headings, rows)


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
