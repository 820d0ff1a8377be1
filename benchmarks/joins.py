"""Joins of one person's names: CPU seconds and statements as their number grows, and who waits meanwhile.

``python -m benchmarks.joins`` sends one batch that identifies one user on many devices, each a device
of which nobody heard before and that viewed one page, and sends other leads beside it.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any

import numpy as np
import typer
from sqlalchemy import event as listeners

from benchmarks.measure import print_table
from features import clock
from features.catalog.manifest import build_catalog
from features.taxonomy import default_taxonomy
from serving.intake.api.tools import land_body
from serving.intake.envelope import open_envelope
from serving.intake.records.parsing import Intake
from serving.intake.service import take_in
from serving.settings import ServingSettings
from serving.store.session import Patience, Store

PATIENCE = Patience(5.0, 2.0)
HOME = Path("var/bench/joins")
CATALOG = build_catalog(default_taxonomy(), ())


def make_intake() -> Intake:
    """Make what a server reads with."""
    return Intake(CATALOG.taxonomy, CATALOG, clock.now())


def make_batch(user: str, joins: int) -> bytes:
    """Make a batch that identifies one user on many devices, after a page view on each."""
    when = (clock.now() - timedelta(hours=1)).isoformat()
    seen = {"type": "page", "name": "Pricing", "timestamp": when}
    identified = {"type": "identify", "userId": user, "timestamp": when}
    return json.dumps(
        {
            "batch": [
                {**message, "anonymousId": f"{user}-{n}", "messageId": f"{user}-{n}-{i}"}
                for n in range(joins)
                for i, message in enumerate((seen, identified))
            ]
        }
    ).encode()


@contextmanager
def count_statements(store: Store) -> Iterator[Counter[str]]:
    """Count statements by their first word."""
    counted: Counter[str] = Counter()

    def count(*arguments: Any) -> None:
        counted["all"] += 1
        counted["packs"] += "INTO packed_history" in arguments[2]

    listeners.listen(store.engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        listeners.remove(store.engine, "before_cursor_execute", count)


def find_database_cpu(store: Store) -> float:
    """Find the CPU seconds of this process's connections, in the database."""
    with store.work() as work:
        ids = list(
            work.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            ).scalars()
        )
    ticks = 0
    for pid in ids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


class Others(Thread):
    """Somebody who sends new leads one after the other."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self.store, self.stopped, self.waits = store, Event(), list[float]()

    def run(self) -> None:
        """Send until stopped."""
        n = 0
        while not self.stopped.is_set():
            body = json.dumps({"leads": [{"lead_id": f"other-{id(self)}-{n}"}]}).encode()
            envelope, n = open_envelope("lead", body, 10), n + 1
            start = time.perf_counter()
            self.store.run(
                partial(take_in, record="lead", envelope=envelope, intake=make_intake())
            )
            self.waits.append(time.perf_counter() - start)
            time.sleep(0.02)


def measure(store: Store, joins: int) -> tuple[str, ...]:
    """Measure one batch."""
    envelope = open_envelope("segment", make_batch(f"u{joins}", joins), 20_000)
    others = Others(store)
    others.start()
    database, ours, start = find_database_cpu(store), time.thread_time(), time.perf_counter()
    with count_statements(store) as counted:
        land_body(store, "segment", envelope, make_intake(), PATIENCE)
    wall, ours = time.perf_counter() - start, time.thread_time() - ours
    database = find_database_cpu(store) - database
    others.stopped.set()
    others.join()
    with store.work() as work:
        merges = work.execute(
            "SELECT count(*) FROM merge WHERE kept_lead_id = %s", (f"u{joins}",)
        ).scalar()
    worst = np.quantile(others.waits, 0.99) if others.waits else 0
    return (
        f"{joins:,}",
        f"{merges:,}",
        f"{ours:.2f}",
        f"{database:.2f}",
        f"{wall:.2f}",
        f"{counted['all']:,}",
        f"{counted['packs']:,}",
        f"{worst:.2f}",
    )


def main(sizes: Annotated[list[int] | None, typer.Option()] = None) -> None:
    """Print what joins cost."""
    shutil.rmtree(HOME, ignore_errors=True)
    store = Store(ServingSettings(postgres=HOME / "postgres"))
    store.open()
    try:
        measure(store, 1)
        rows = [measure(store, joins) for joins in sizes or (50, 100, 200, 400)]
    finally:
        store.close()
        shutil.rmtree(HOME, ignore_errors=True)
    headings = [
        "joins",
        "merges",
        "CPU s ours",
        "CPU s database",
        "wall s",
        "statements",
        "packs",
        "others' p99 s",
    ]
    print_table("One person identified on many devices, in one batch", headings, rows)


if __name__ == "__main__":
    typer.run(main)
