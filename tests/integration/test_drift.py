"""Drift: of the server, of the command, with Evidently really run once."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from serving.monitoring.commands import EXIT_DRIFT, EXIT_TOO_FEW, drift_command
from serving.monitoring.report import DriftReport, Guest, make_drift_report
from serving.store.session import Store
from tests.unit.serving.factories import (
    NOW,
    draw_leads,
    post_json,
    running,
    settle_in,
    wait_until,
)
from training.bundle import load_bundle

HTML = {"Accept": "text/html"}

drift_app = typer.Typer()
drift_app.command()(drift_command)


class BrokenGuest(Guest):
    """A guest that ends at once, with words and a bad exit code."""

    def run(self, command: list[str], log: Path, timeout_seconds: float) -> int:
        log.write_text("no such column", encoding="utf-8")
        return 1


def score_leads(client: httpx.Client, seed: int, n_leads: int, employees: float = 0.0) -> None:
    leads = draw_leads(np.random.default_rng(seed), n_leads)
    if employees:
        for lead in leads:
            lead["attributes"]["employees"] = employees
    assert post_json(client, "/v1/score/batch", {"leads": leads}).status_code == 200


def run_drift(folder: Path, database_url: str, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        drift_app,
        [
            "--champion", str(folder / "champion"),
            "--out", str(folder / "drift"),
            *more,
        ],
        env={
            "COLUMNS": "200",
            "BATON_DATABASE_URL": database_url,
            "BATON_ALLOW_UNSAFE_DURABILITY": "true",
        },
    )  # fmt: skip
    return result.exit_code, result.output


def test_too_few_scored_leads_are_reported_with_their_number(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    with running(settle_in(tmp_path, database_url)) as client:
        score_leads(client, seed=1, n_leads=40)
        answer, page = client.get("/v1/drift"), client.get("/v1/drift", headers=HTML)

    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "not_enough_scored"
    assert 0 < found["have"] <= 40
    assert found["detail"].endswith("need 200).")
    assert "Not enough scored leads yet" in page.text
    code, output = run_drift(tmp_path, database_url)
    assert code == EXIT_TOO_FEW
    assert f"have {found['have']}, need 200" in output


def test_the_command_without_a_model_states_what_to_do(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    code, output = run_drift(tmp_path, database_url)

    assert code == 2
    assert "baton train" in output


@pytest.mark.slow
def test_the_server_has_evidently_s_report_made_in_the_background(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    with running(settle_in(tmp_path, database_url)) as client:
        score_leads(client, seed=1, n_leads=400)
        first = client.get("/v1/drift")
        assert first.status_code == 202
        assert int(first.headers["retry-after"]) > 0
        assert first.json()["status"] == "being_made"
        assert 'http-equiv="refresh"' in client.get("/v1/drift", headers=HTML).text

        wait_until(lambda: client.get("/v1/drift").status_code == 200, seconds=240)
        found, page = client.get("/v1/drift").json(), client.get("/v1/drift", headers=HTML)
        again = client.post("/v1/drift").json()

    assert found["evidently_problem"] is None
    assert found["verdict"] == "stable"
    assert found["rows_now"] >= 200
    assert len(found["evidently"]["metrics"]) > 5
    assert page.headers["content-security-policy"].startswith("sandbox")
    assert "<script" in page.text
    assert "employees" in page.text
    # The old report stays while the new one is made.
    assert (again["status"], again["is_refreshing"]) == ("ready", True)
    folder = next((tmp_path / "drift").glob("[!.]*"))
    assert {path.name for path in folder.iterdir()} >= {"drift.html", "drift.json", "summary.json"}


@pytest.mark.slow
def test_the_command_tells_drift_by_its_exit_code_and_states_where_the_reports_are(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    with running(settle_in(tmp_path, database_url)) as client:
        score_leads(client, seed=2, n_leads=300, employees=90_000.0)

    code, output = run_drift(tmp_path, database_url)

    assert code == EXIT_DRIFT
    assert "employees" in output
    assert "drifted" in output
    assert "drift.html" in output
    summary = json.loads(next((tmp_path / "drift").rglob("summary.json")).read_bytes())
    assert summary["features"][0]["name"] == "employees"
    assert summary["features"][0]["psi"] > 1.0


def test_our_own_figures_do_not_depend_on_evidently(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    settings = settle_in(tmp_path, database_url)
    bundle = load_bundle(tmp_path / "champion")
    with running(settings) as client:
        score_leads(client, seed=3, n_leads=300)

    report = make_drift_report(bundle, store, settings, NOW, BrokenGuest())

    assert isinstance(report, DriftReport)
    assert report.summary.verdict == "stable"
    assert report.html is None
    assert "exit code 1" in str(report.evidently_problem)
    assert report.to_json()["evidently"] is None
    assert (report.folder / "evidently.log").read_text() == "no such column"
    assert not list((tmp_path / "drift").glob(".making-*"))
