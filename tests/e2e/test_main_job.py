"""The main job as a user does it: real commands, a real server, one explained answer."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.command_line import ROOT, baton

READY_SECONDS = 90


@pytest.fixture(scope="module")
def project_folder(tmp_path_factory) -> Path:
    """A folder in which a market was made and trained on."""
    folder = tmp_path_factory.mktemp("project_folder")
    made = baton(folder, "simulate", "--to", "var/simulated", "--leads", "4000", "--seed", "3")
    assert made.returncode == 0, made.stderr
    trained = baton(folder, "train", "var/simulated", "--no-timing")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert "base rate" in trained.stdout
    assert "champion" in trained.stdout
    return folder


@pytest.fixture(scope="module")
def server(project_folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a server on it, and what it printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = project_folder / "serve.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "baton", "serve", "--port", str(port)],
            cwd=project_folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(process, address, log)
            yield address, log.read_text()
        finally:
            process.terminate()
            process.wait(timeout=30)
    # A server that was told to stop has stopped its database as well.
    assert (project_folder / "var/postgres/PG_VERSION").exists()
    assert not (project_folder / "var/postgres/postmaster.pid").exists()


def wait_until_ready(process: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server was not ready in time: " + log.read_text())


def read_key(project_folder: Path) -> str:
    file = project_folder / "var/local.key"
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text()


def test_the_printed_curl_line_gets_an_explained_answer(server, project_folder):
    address, printed = server
    file = re.search(r"Bearer \$\(cat (\S+)\)", printed)
    assert file, printed
    body = re.search(r"/v1/score -H .*? -d '(\{.*?\})'\s*$", printed, flags=re.MULTILINE)
    assert body, printed
    key = read_key(project_folder)
    assert (project_folder / file[1]).read_text() == key
    sent = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{address}/v1/score", json=json.loads(body[1]), headers=sent).json()
    assert answer["status"] == "scored"
    assert 0.0 < answer["probability"] < 1.0
    total = 50.0 + sum(reason["points"] for reason in answer["reasons"])
    assert total == pytest.approx(answer["points_uncut"], abs=1e-9)
    assert all(reason["words"] for reason in answer["reasons"])


def test_reasons_sum_to_the_score_for_every_lead_of_a_batch_of_ten_thousand(
    server, project_folder
):
    import numpy as np
    import pyarrow.parquet as pq

    address, _ = server
    rng = np.random.default_rng(5)
    events = pq.read_table(project_folder / "var/simulated/events.parquet").to_pylist()
    rows = pq.read_table(project_folder / "var/simulated/leads.parquet").to_pylist()
    by_lead: dict[str, list[dict]] = {}
    for event in events:
        at = event["occurred_at"].isoformat()
        kept = {"kind": event["kind"], "occurred_at": at, "channel": event["channel"]}
        by_lead.setdefault(event["lead_id"], []).append(kept)
    skipped = {"lead_id", "known_at", "created_at", "account_id"}
    leads = []
    for number in range(10_000):
        row = rows[int(rng.integers(len(rows)))]
        days = float(rng.uniform(0.5, 150))
        known = {k: v for k, v in row.items() if k not in skipped and v is not None}
        leads.append(
            {
                "lead_id": f"{row['lead_id']}-{number}",
                "created_at": row["created_at"].isoformat(),
                "as_of": (row["created_at"] + timedelta(days=days)).isoformat(),
                "attributes": known,
                "events": by_lead.get(row["lead_id"], [])[:20],
            }
        )

    sent = {"Authorization": f"Bearer {read_key(project_folder)}"}
    reply = httpx.post(
        f"{address}/v1/score/batch", json={"leads": leads}, headers=sent, timeout=120
    )

    assert reply.status_code == 200
    answers = reply.json()["leads"]
    assert [a["lead_id"] for a in answers] == [lead["lead_id"] for lead in leads]
    scored = [a for a in answers if a["status"] == "scored"]
    assert len(scored) > 5_000
    for answer in scored:
        total = 50.0 + sum(reason["points"] for reason in answer["reasons"])
        assert abs(total - answer["points_uncut"]) < 1e-9
        assert answer["points"] == min(max(answer["points_uncut"], 0.0), 100.0)
    for answer in answers:
        if answer["status"] != "scored":
            assert answer["points"] is None
            assert answer["why"]


def test_a_missing_history_and_a_wrong_option_are_refused_in_words(tmp_path):
    missing = baton(tmp_path, "train", "nowhere")
    assert missing.returncode == 1
    assert "baton import" in missing.stderr
    assert "Traceback" not in missing.stdout + missing.stderr
    wrong = baton(tmp_path, "train", "nowhere", "--horizon", "soon")
    assert wrong.returncode == 2
    assert "24h, 30d or 2w" in wrong.stderr
