"""Score and reasons as callers get them: packed or stateless, in process and over HTTP, beside what they would use instead."""

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx
import numpy as np

from benchmarks.live import fill
from benchmarks.measure import print_table, quantiles, take_times
from benchmarks.one_lead import as_json, draw_lead
from benchmarks.over_http import LOCAL_KEY, find_port, start_server
from benchmarks.peers import Peer, serving_peers
from features import clock
from serving.champion import load_champion
from serving.scoring.lead_histories import find_moment, read_people
from serving.scoring.packed_scores import score_packed
from serving.scoring.request.service import Scoring, read_body, score_one
from serving.settings import ServingSettings
from serving.store.session import Store
from training.bundle import TIMING, load_bundle, seal_bundle

HOME = Path("var/bench/scoring")
SIZES = (5, 50, 500, 5_000)
LEADS = 20
"""Leads of each size in the store."""


def count_leads(n_events: int) -> int:
    """Count the leads of a size."""
    return LEADS if n_events < 5_000 else 3


def leave_out_timing(folder: Path, to: Path) -> Path:
    """Copy a bundle without its model of the best moment: score and reasons alone."""
    shutil.copytree(folder, to)
    for file in to.glob(f"{TIMING}*"):
        file.unlink()
    seal_bundle(to)
    return to


def measure_scoring(timed: Path, seconds: float = 4.0) -> None:
    """Print latency and rate by size of the history, then start-up, then the peers.

    Score and reasons are measured alone, as the peers give them at most; then with the best moment.
    """
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    folder = leave_out_timing(timed, HOME / "bundle")
    store = Store(ServingSettings(postgres=HOME / "postgres", champion=folder))
    store.open()
    try:
        rng = np.random.default_rng(4)
        for n_events in SIZES:
            fill(store, load_bundle(folder), count_leads(n_events), n_events, rng)
        for title, bundle in (("", folder), (", and the best moment", timed)):
            _print_in_process(bundle, store, title)
        _print_over_http(folder, timed, seconds)
    finally:
        store.close()
        shutil.rmtree(HOME, ignore_errors=True)


def _print_in_process(folder: Path, store: Store, more: str) -> None:
    now = clock.now()
    champion = load_champion(folder, now)
    rows = []
    for n_events in SIZES:
        lead_id = f"{n_events}-0"

        def from_packed(lead_id: str = lead_id) -> bytes:
            with store.work() as work:
                histories = read_people(work, champion.bundle.catalog, [lead_id], keep=True)
                moment = find_moment(histories[lead_id], clock.to_us(clock.now()))
            return score_packed(champion, histories, {lead_id: moment}).encode(0)

        body = json.dumps(as_json(draw_lead(champion.bundle.catalog, n_events))).encode()
        scoring = Scoring(champion, now, 8, 10_000, 20_000)
        repeats = max(50, 20_000 // max(n_events, 50))
        packed = quantiles(take_times(from_packed, repeats=repeats), 1e3)
        sent = quantiles(
            take_times(lambda s=scoring, b=body: score_one(s, read_body(b)), repeats=repeats), 1e3
        )
        rows.append((f"{n_events:,}", *packed[:2], *sent[:2]))
    headings = ["events", "packed, from the store: p50", "p99", "stateless, from JSON: p50", "p99"]
    print_table(f"One lead, score and reasons{more}, in process, ms", headings, rows)


def hit(
    action: Callable[[httpx.Client], object], address: str, clients: int, seconds: float
) -> np.ndarray:
    """Have clients repeat a call for a while; give the seconds of each."""
    headers = {"Content-Type": "application/json"}
    if LOCAL_KEY.exists():
        headers["Authorization"] = f"Bearer {LOCAL_KEY.read_text()}"

    def run(_: int) -> list[float]:
        taken = []
        with httpx.Client(base_url=address, headers=headers, timeout=120) as client:
            action(client)
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                start = time.perf_counter()
                action(client)
                taken.append(time.perf_counter() - start)
        return taken

    with ThreadPoolExecutor(clients) as pool:
        return np.concatenate(list(pool.map(run, range(clients))))


def _row(
    name: str, action: Callable[[httpx.Client], object], address: str, seconds: float
) -> tuple[str, ...]:
    cells: list[str] = []
    for clients in (1, 16):
        taken = hit(action, address, clients, seconds)
        cells += [*quantiles(taken, 1e3)[:2], f"{len(taken) / seconds:,.0f}"]
    return (name, *cells)


def _print_over_http(folder: Path, timed: Path, seconds: float) -> None:
    bundle, rows, starts = load_bundle(folder), [], []
    places = {
        "BATON_POSTGRES": str(HOME / "postgres"),
        "BATON_SERVED": str(HOME / "served"),
        "BATON_WORKER": "false",
        "BATON_REQUESTS_PER_SECOND": "0",
    }
    for _ in range(4):  # the first one finds nothing warm
        port = find_port()
        server, ready = start_server(folder, port, **places)
        starts.append(ready)
        if len(starts) < 4:
            server.terminate()
            server.wait(timeout=30)
    address = f"http://127.0.0.1:{port}"
    body = json.dumps(as_json(draw_lead(bundle.catalog, 50)))
    try:
        for n_events in SIZES:
            path = f"/v1/leads/{n_events}-{{}}/score"
            name = f"{n_events:,} events"
            rows.append(
                _row(f"packed and kept, {name}", _asking(path, n_events), address, seconds)
            )
            sent = json.dumps(as_json(draw_lead(bundle.catalog, n_events)))
            rows.append(_row(f"stateless, {name}", _posting("/v1/score", sent), address, seconds))
        _print_batch(address, bundle.catalog)
        ours = hit(_posting("/v1/score", body), address, 1, seconds)
    finally:
        server.terminate()
        server.wait(timeout=30)
    port = find_port()
    server, _ = start_server(timed, port, **places)
    try:
        name = "stateless, 50 events, and the best moment"
        rows.append(_row(name, _posting("/v1/score", body), f"http://127.0.0.1:{port}", seconds))
    finally:
        server.terminate()
        server.wait(timeout=30)
    headings = ["", "1 client: p50 ms", "p99", "req/s", "16 clients: p50 ms", "p99", "req/s"]
    print_table("One lead, score and reasons, over HTTP", headings, rows)
    warm = starts[1:]
    row = (f"{np.median(warm):.2f}", f"{min(warm):.2f}", f"{max(warm):.2f}")
    print_table(
        "Start to ready, database and model warm, seconds",
        ["median of 3", "fastest", "slowest"],
        [row],
    )
    _print_peers(folder, len(ours) / seconds, seconds)


def _posting(path: str, body: str) -> Callable[[httpx.Client], object]:
    return lambda client: client.post(path, content=body).raise_for_status()


def _asking(path: str, n_events: int) -> Callable[[httpx.Client], object]:
    """Ask for one lead after the other: a lead has one score at a time."""
    turns = count()
    return lambda client: client.post(
        path.format(next(turns) % count_leads(n_events))
    ).raise_for_status()


def _print_batch(address: str, catalog: object) -> None:
    body = json.dumps({"leads": [as_json(draw_lead(catalog, 50))] * 1_000})
    taken = hit(_posting("/v1/score/batch", body), address, 1, 5.0)
    print_table(
        "A batch of 1,000 leads of 50 events, stateless, over HTTP",
        ["p50 ms", "leads a second"],
        [(f"{np.median(taken) * 1e3:,.0f}", f"{1_000 / np.median(taken):,.0f}")],
    )


def _print_peers(folder: Path, ours: float, seconds: float) -> None:
    rows = [("Baton: history to score and reasons", f"{ours:,.0f}", "")]
    for peer in serving_peers(folder, HOME):
        if not isinstance(peer, Peer):
            rows.append((peer, "not measured", ""))
            continue
        taken = hit(_posting(peer.path, peer.body), peer.address, 1, seconds)
        rate = len(taken) / seconds
        rows.append((peer.name, f"{rate:,.0f}", f"{ours / rate:.1f}x"))
    headings = ["one client, one lead", "requests a second", "Baton is faster by"]
    print_table("What a user might pick instead, on the same bundle, in this run", headings, rows)
