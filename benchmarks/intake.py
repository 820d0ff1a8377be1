"""Durable intake: events a second and how long a batch waits, beside what the disk can do at all."""

import json
import os
import shutil
import time
from pathlib import Path
from threading import Thread

import httpx
import numpy as np

from benchmarks.measure import print_table
from benchmarks.over_http import LOCAL_KEY, find_port, start_server
from features import clock

HOME = Path("var/bench/intake")
BATCH, LEADS = 10, 2_000


def count_fsyncs(folder: Path, seconds: float = 3.0) -> float:
    """Count how often a second a small write reaches the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    n, end = 0, time.perf_counter() + seconds
    with (folder / "fsync").open("wb", buffering=0) as file:
        while time.perf_counter() < end:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            n += 1
    return n / seconds


class Client(Thread):
    """One client: a batch after the other, each once the one before is confirmed."""

    def __init__(self, address: str, name: str, seconds: float) -> None:
        super().__init__(daemon=True)
        self.address, self.name, self.seconds = address, name, seconds
        self.waits: list[float] = []

    def run(self) -> None:
        """Send for so many seconds."""
        rng = np.random.default_rng(abs(hash(self.name)) % 2**32)
        headers = {"Authorization": f"Bearer {LOCAL_KEY.read_text()}"}
        with httpx.Client(base_url=self.address, headers=headers, timeout=60) as client:
            end, number = time.perf_counter() + self.seconds, 0
            while time.perf_counter() < end:
                body = self._make_batch(rng, number)
                start = time.perf_counter()
                client.post(
                    "/v1/events", content=body, headers={"Content-Type": "application/json"}
                ).raise_for_status()
                self.waits.append(time.perf_counter() - start)
                number += 1

    def _make_batch(self, rng: np.random.Generator, number: int) -> bytes:
        now = clock.now().isoformat()
        events = [
            {
                "lead_id": f"lead-{rng.integers(LEADS)}",
                "event_id": f"{self.name}-{number}-{n}",
                "kind": "pricing_view",
                "channel": "web",
                "occurred_at": now,
            }
            for n in range(BATCH)
        ]
        return json.dumps({"events": events}).encode()


def send(address: str, name: str, clients: int, seconds: float) -> tuple[float, np.ndarray]:
    """Send from several clients; give events a second and the seconds of each batch."""
    senders = [Client(address, f"{name}-{n}", seconds) for n in range(clients)]
    start = time.perf_counter()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    waits = np.concatenate([sender.waits for sender in senders])
    return BATCH * len(waits) / (time.perf_counter() - start), waits


def measure_intake(folder: Path, seconds: float = 15.0) -> None:
    """Print durable events a second and the wait of a batch, with 1 to 16 clients, worker at work or not."""
    rows = []
    for worker in ("false", "true"):
        shutil.rmtree(HOME, ignore_errors=True)
        fsyncs, port = count_fsyncs(HOME), find_port()
        places = {
            "BATON_POSTGRES": str(HOME / "postgres"),
            "BATON_SERVED": str(HOME / "served"),
            "BATON_WORKER": worker,
            "BATON_REQUESTS_PER_SECOND": "0",
        }
        server, _ = start_server(folder, port, **places)
        try:
            address = f"http://127.0.0.1:{port}"
            send(address, "warm", 16, 2.0)
            for clients in (1, 4, 8, 16):
                rate, waits = send(address, f"c{clients}", clients, seconds)
                waits = waits * 1e3
                cells = (f"{np.median(waits):,.0f}", f"{np.quantile(waits, 0.99):,.0f}")
                scores = "beside scores" if worker == "true" else "intake alone"
                rows.append(
                    (f"{clients} x {BATCH}, {scores}", f"{rate:,.0f}", *cells, f"{fsyncs:,.0f}")
                )
        finally:
            server.terminate()
            server.wait(timeout=30)
    shutil.rmtree(HOME, ignore_errors=True)
    headings = ["clients x events", "events a second", "p50 ms", "p99 ms", "fsyncs a second"]
    print_table(
        "Durable intake over HTTP, one server, its clients on the same machine", headings, rows
    )
