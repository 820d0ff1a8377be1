"""The server as its users meet it: start-up, one lead, a batch."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks.measure import print_table, quantiles, take_times
from benchmarks.one_lead import as_json, draw_lead
from training.bundle import load_bundle

READY_SECONDS = 60


LOCAL_KEY = Path("var/bench/local.key")


def find_port() -> int:
    """Find a free port on the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(folder: Path, port: int, **settings: str) -> tuple[subprocess.Popen, float]:
    """Start the server as a process of its own; give it and the seconds until it was ready."""
    environment = {
        **os.environ,
        "BATON_LOCAL_KEY": str(LOCAL_KEY),
        "PYTHONDONTWRITEBYTECODE": "",  # as in the Makefile: else every start compiles anew
        **settings,
    }
    command = [
        sys.executable,
        "-m",
        "baton",
        "serve",
        "--port",
        str(port),
        "--champion",
        str(folder),
    ]
    start = time.perf_counter()
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    while time.perf_counter() - start < READY_SECONDS:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return server, time.perf_counter() - start
        except httpx.TransportError:
            time.sleep(0.02)
    server.kill()
    raise TimeoutError("the server was not ready in time")


def measure_http(folder: Path, starts: int = 5, requests: int = 1000) -> None:
    """Print start-up, latency of one lead and throughput of a batch over real HTTP."""
    bundle = load_bundle(folder)
    seconds = []
    for n in range(starts):
        port = find_port()
        server, ready = start_server(folder, port)
        seconds.append(ready)
        if n < starts - 1:
            server.terminate()
            server.wait(timeout=20)
    try:
        measure_requests(f"http://127.0.0.1:{port}", bundle, requests)
    finally:
        server.terminate()
        server.wait(timeout=20)
    row = (f"{np.median(seconds):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}")
    print_table(
        "Start-up to ready, seconds",
        ["starts", "median", "fastest", "slowest"],
        [(str(starts), *row)],
    )


def measure_requests(address: str, bundle, requests: int) -> None:
    """Measure with one connection, one request at a time."""
    rows = []
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {LOCAL_KEY.read_text()}",
    }
    with httpx.Client(base_url=address, timeout=60, headers=headers) as client:
        for n_events in (5, 50, 500):
            lead = as_json(draw_lead(bundle.catalog, n_events))
            body = json.dumps(lead)
            taken = take_times(
                lambda: client.post("/v1/score", content=body).raise_for_status(), repeats=requests
            )
            rows.append((f"one lead, {n_events} events", *quantiles(taken, 1e3), "1"))
        lead = as_json(draw_lead(bundle.catalog, 20))
        for n in (1000, 10_000):
            body = json.dumps({"leads": [lead] * n})
            taken = take_times(
                lambda: client.post("/v1/score/batch", content=body).raise_for_status(), repeats=3
            )
            rows.append(
                (
                    f"batch of {n:,}, 20 events each",
                    *quantiles(taken, 1e3),
                    f"{n / np.median(taken):,.0f}",
                )
            )
    print_table(
        "Over HTTP, one client, milliseconds",
        ["request", "p50", "p99", "fastest", "leads a second"],
        [
            (
                *row[:4],
                row[4] if row[4] != "1" else f"{1000 / float(row[1].replace(',', '')):,.0f}",
            )
            for row in rows
        ],
    )
