"""Live scores: due leads scored a second, and how long after its event a lead has a fresh score."""

import json
import shutil
import time
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np

from benchmarks.measure import print_table
from benchmarks.over_http import LOCAL_KEY, find_port, start_server
from features import clock
from serving.champion import ModelHolder
from serving.intake.envelope import open_envelope
from serving.intake.service import Intake, take_in
from serving.scoring.live.worker import LiveScorer
from serving.scoring.models_in_use import ModelCache
from serving.settings import ServingSettings
from serving.store.session import Store
from training.bundle import Bundle, load_bundle

HOME = Path("var/bench/live")
LEADS = 2_000
SIZES = (5, 50, 500)
"""Events of a lead."""


def fill(store: Store, bundle: Bundle, n_leads: int, n_events: int, rng) -> None:
    """Land leads with histories, as the API would."""
    taxonomy, now = bundle.catalog.taxonomy, clock.now()
    intake = Intake(taxonomy, bundle.catalog, now)
    kinds = np.array([kind for kind in taxonomy.kind_names if kind != "other"])
    for lead in range(n_leads):
        ages = np.sort(rng.random(n_events))[::-1] * 60 * 86_400 + 5
        items = [
            {
                "lead_id": f"{n_events}-{lead}",
                "event_id": f"{n_events}-{lead}-{n}",
                "kind": str(kind),
                "channel": "web",
                "occurred_at": (now - timedelta(seconds=float(age))).isoformat(),
            }
            for n, (age, kind) in enumerate(zip(ages, rng.choice(kinds, n_events), strict=True))
        ]
        body = json.dumps({"events": items}).encode()
        store.run(
            lambda work: take_in(work, "event", open_envelope("event", body, 10_000), intake)
        )


def measure_passes(folder: Path) -> list[tuple[str, ...]]:
    """Measure passes of one worker over a durable database, in process."""
    settings = ServingSettings(postgres=HOME / "postgres", champion=folder)
    store = Store(settings)
    store.open()
    holder = ModelHolder(folder)
    holder.refresh(clock.now())
    scorer = LiveScorer(store, [holder], ModelCache(HOME / "served"), most=250)
    rng, rows = np.random.default_rng(4), []
    for n_events in SIZES:
        n_leads = LEADS if n_events < 500 else LEADS // 10
        fill(store, load_bundle(folder), n_leads, n_events, rng)
        start = time.perf_counter()
        while scorer.run_once():
            pass
        taken = time.perf_counter() - start
        rows.append((str(n_events), f"{n_leads:,}", f"{taken:.2f}", f"{n_leads / taken:,.0f}"))
    store.close()
    return rows


def measure_freshness(address: str, events: int) -> np.ndarray:
    """Measure, one event after the other, how long until the score shows it, as a caller sees it."""
    taken = []
    headers = {"Authorization": f"Bearer {LOCAL_KEY.read_text()}"}
    with httpx.Client(base_url=address, timeout=30, headers=headers) as client:
        for n in range(events):
            lead = f"/v1/leads/50-{n}/score"
            before = client.get(lead).raise_for_status().json()["as_of"]
            item = {
                "lead_id": f"50-{n}",
                "event_id": f"fresh-{n}",
                "kind": "pricing_view",
                "occurred_at": clock.now().isoformat(),
            }
            start = time.perf_counter()
            client.post("/v1/events", json=item).raise_for_status()
            while client.get(lead).json()["as_of"] == before:
                time.sleep(0.005)
            taken.append(time.perf_counter() - start)
    return np.array(taken)


def measure_live(folder: Path, events: int = 100) -> None:
    """Print due leads scored a second, and the latency from an event to a fresh score."""
    shutil.rmtree(HOME, ignore_errors=True)
    rows = measure_passes(folder)
    print_table(
        "Live scoring, one worker in process, durable database",
        ["events of a lead", "leads", "seconds", "leads a second"],
        rows,
    )
    port = find_port()
    places = {
        "BATON_POSTGRES": str(HOME / "postgres"),
        "BATON_SERVED": str(HOME / "served"),
    }
    server, _ = start_server(folder, port, **places)
    try:
        taken = measure_freshness(f"http://127.0.0.1:{port}", events) * 1e3
    finally:
        server.terminate()
        server.wait(timeout=30)
    shutil.rmtree(HOME, ignore_errors=True)
    cells = [f"{x:,.0f}" for x in (np.median(taken), np.quantile(taken, 0.99), taken.max())]
    print_table(
        "From an event sent to a fresh score read, over HTTP, milliseconds",
        ["events", "p50", "p99", "longest"],
        [(str(events), *cells)],
    )
