"""``baton worker`` in a process of its own: does the work, is light, and leaves when told to."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from features import clock
from serving.store.session import Store
from tests.integration.scores.job_resources import (
    ask,
    find_small_bundle,
    land,
    make_event,
    make_item,
)
from tests.integration.test_serving_operations import HEAVY
from tests.unit.serving.factories import wait_until

ROOT = Path(__file__).parents[3]

COMMAND = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps([n for n in sys.argv[1].split(",") if n in sys.modules])))
from serving.commands import worker_command
worker_command()
"""


@pytest.mark.slow
def test_a_worker_apart_scores_what_lands_and_leaves_when_reported_to(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    now = clock.now()
    created = (now - timedelta(days=3)).isoformat()
    land(store, "lead", make_item("ann@example.com", created_at=created), at=now)
    environment = {
        **os.environ,
        "BATON_DATABASE_URL": database_url,
        "BATON_ALLOW_UNSAFE_DURABILITY": "true",
        "BATON_CHAMPION": str(find_small_bundle()),
        "BATON_SERVED": str(tmp_path / "served"),
    }
    worker = subprocess.Popen(
        [sys.executable, "-c", COMMAND, ",".join(HEAVY)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    count = "SELECT count(*) FROM score WHERE because LIKE :why"
    wait_until(lambda: ask(store, count, why="%attributes%") == [(1,)], seconds=120)
    land(store, "event", make_event("ann@example.com", "e", clock.now()), at=clock.now())
    wait_until(lambda: ask(store, count, why="%event%") == [(1,)], seconds=60)
    # A new model has everyone scored, by a job of procrastinate's.
    wait_until(lambda: ask(store, count, why="%model%") != [(0,)], seconds=60)
    worker.send_signal(signal.SIGTERM)
    output, log = worker.communicate(timeout=60)

    assert worker.returncode == 0, log
    assert json.loads(output.splitlines()[-1]) == []
    assert "ann@" not in log
    assert ask(store, "SELECT count(*) FROM scored_row") == ask(
        store, "SELECT count(*) FROM score"
    )
