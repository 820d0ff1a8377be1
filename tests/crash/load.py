"""The load: a process of its own that sends, and sends again until it is told that something landed."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

import httpx

BATCH = 10
WINDOW = 12
"""Leads that things happen to at a time; the window moves on, so that new ones come to be."""
PATIENCE_SECONDS = 90.0
"""After the end of the load, how long what is unanswered is still sent."""

PLANS = (
    ("event", "occurred_at", {"kind": "pricing_view", "channel": "web"}),
    ("event", "occurred_at", {"kind": "email_open", "channel": "email"}),
    ("event", "occurred_at", {"kind": "page_view", "channel": "web"}),
    ("stage", "at", {"stage": "mql"}),
    ("attempt", "at", {"channel": "call"}),
)
IDS = {"event": "event_id", "stage": "change_id", "attempt": "attempt_id"}


@dataclass
class Tally:
    """What was sent and what was confirmed, by record: the memory that no kill touches."""

    offered: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in IDS})
    acked: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in IDS})
    sent_again: int = 0
    refused: list[str] = field(default_factory=list)
    """Answers that no retry mends: there must be none."""
    waits: list[float] = field(default_factory=list)
    """Seconds from the first attempt of a batch to its confirmation."""


def make_batch(rng: random.Random, number: int, name: str) -> tuple[str, dict[str, Any], set[str]]:
    """Make the n-th batch of one sender: its record, its body and the ids in it."""
    record, at, values = rng.choice(PLANS)
    now = datetime.now(UTC)
    items = [
        {
            **values,
            IDS[record]: f"{name}-{number}-{position}",
            "lead_id": f"lead-{name}-{number // 4 + rng.randrange(WINDOW)}",
            at: (now - timedelta(minutes=rng.uniform(0.1, 9_000))).isoformat(),
        }
        for position in range(BATCH)
    ]
    return record, {f"{record}s": items}, {str(item[IDS[record]]) for item in items}


class Sender:
    """Sends batches one after the other, each until it is confirmed."""

    def __init__(self, name: str, ports: list[int], key: str, tally: Tally, lock: Lock) -> None:
        self.name, self.ports, self.tally, self.lock = name, ports, tally, lock
        self.client = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=10.0)
        self.rng = random.Random(name)  # noqa: S311 - load, no secret

    def run(self, goes_on: Callable[[], bool], pause: float) -> None:
        """Send while it goes on."""
        number = 0
        while goes_on():
            self._send(number)
            number += 1
            time.sleep(pause)
        self.client.close()

    def _send(self, number: int) -> None:
        record, body, ids = make_batch(self.rng, number, self.name)
        headers = {"Idempotency-Key": str(uuid4())} if number % 2 else {}
        with self.lock:
            self.tally.offered[record] |= ids
        start = time.monotonic()
        attempt = 0
        while time.monotonic() - start < PATIENCE_SECONDS:
            port = self.ports[(number + attempt) % len(self.ports)]
            attempt += 1
            try:
                answer = self.client.post(
                    f"http://127.0.0.1:{port}/v1/{record}s", json=body, headers=headers
                )
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200 and set(answer.json()["counts"]) <= {
                "landed",
                "repeated",
            }:
                with self.lock:
                    self.tally.acked[record] |= ids
                    self.tally.sent_again += attempt - 1
                    self.tally.waits.append(time.monotonic() - start)
                return
            if answer.status_code not in {409, 429, 503}:
                with self.lock:
                    self.tally.refused.append(f"{answer.status_code}: {answer.text[:200]}")
                return
            time.sleep(0.1)


def send_load(
    ports: list[int], key: str, threads: int, pause: float, over: Event, pipe: Connection
) -> None:
    """Send until it is over, then tell what was sent and what was confirmed."""
    tally, lock = Tally(), Lock()
    senders = [
        Thread(
            target=Sender(f"s{n}", ports, key, tally, lock).run,
            args=(lambda: not over.is_set(), pause),
        )
        for n in range(threads)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    pipe.send(tally)
