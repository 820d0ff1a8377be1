"""A challenger in the shadow, over real HTTP: kept beside the champion, never seen, never felt."""

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
import typer
from structlog.testing import capture_logs
from typer.testing import CliRunner

from serving.monitoring.shadow_command import shadow_command
from serving.scoring.request import shadow as shadow_module
from serving.scoring.request.shadow_scores import COLUMNS, read_shadow_scores
from serving.settings import ServingSettings
from serving.store.session import Store
from tests.unit.serving.factories import (
    NOW,
    draw_leads,
    make_lead,
    make_settings,
    post_json,
    running,
    wait_until,
    write_small_bundle,
)
from training.bundle import install_champion, load_bundle


@pytest.fixture
def home(tmp_path: Path) -> Path:
    install_champion(write_small_bundle(tmp_path / "one"), tmp_path / "champion")
    install_champion(
        write_small_bundle(tmp_path / "two", bias=-1.0, name="two"), tmp_path / "dare"
    )
    return tmp_path


@pytest.fixture
def shadowed(store: Store, home: Path, database_url: str) -> ServingSettings:
    return make_settings(
        home,
        database_url=database_url,
        allow_unsafe_durability=True,
        shadow=True,
        challenger=home / "dare",
    )


def read_rows(store: Store) -> list[Any]:
    with store.work(read_only=True) as work:
        return [row for rows in read_shadow_scores(work) for row in rows]


def count(client: httpx.Client, what: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith(f"baton_shadow_{what}_total ")]
    return float(found[0].split()[1])


def test_both_scores_are_kept_and_the_answer_is_the_champions_alone(
    store: Store, shadowed: ServingSettings, home: Path, database_url: str
) -> None:
    leads = draw_leads(np.random.default_rng(8), 60)
    leads[5] = make_lead(lead_id="L5", attributes={}, events=[], stages=[])
    with running(make_settings(home)) as client:
        alone = post_json(client, "/v1/score/batch", {"leads": leads}).content

    with running(shadowed) as client:
        beside = post_json(client, "/v1/score/batch", {"leads": leads})
        one = post_json(client, "/v1/score", make_lead()).json()
        wait_until(lambda: count(client, "scored") == 61)

    assert beside.content == alone
    champion, challenger = (load_bundle(home / name) for name in ("one", "two"))
    rows = read_rows(store)
    assert {(row.champion, row.challenger) for row in rows} == {
        (champion.version, challenger.version)
    }
    answers = [*beside.json()["leads"], one]
    for row, answer in zip(rows, answers, strict=True):
        assert row.champion_points == answer["points_uncut"]
        assert row.champion_probability == answer["probability"]
        assert row.champion_band == (answer["band"] and answer["band"]["name"])
        # The challenger differs in its bias alone: the same points stand for higher chances.
        assert row.challenger_band == row.champion_band
        if row.champion_points is None:
            assert row.challenger_points is None
            continue
        assert row.challenger_points == pytest.approx(row.champion_points, rel=1e-6)
        assert row.challenger_probability > row.champion_probability
    assert sum(row.champion_points is None for row in rows) == 1
    check_export(home, database_url, rows)


def check_export(home: Path, database_url: str, rows: list[Any]) -> None:
    """Check that the command writes the same rows as a file."""
    app, out = typer.Typer(), home / "shadow.parquet"
    app.command()(shadow_command)
    environment = {"BATON_DATABASE_URL": database_url, "BATON_ALLOW_UNSAFE_DURABILITY": "true"}
    done = CliRunner().invoke(app, ["--out", str(out)], env=environment)
    assert (done.exit_code, done.output.startswith(f"{len(rows)} leads")) == (0, True), done.output
    table = pq.read_table(out)
    assert table.column_names == list(COLUMNS)
    assert [tuple(row.values()) for row in table.to_pylist()] == [tuple(row) for row in rows]


def test_a_failing_challenger_is_counted_and_hurts_no_answer(
    shadowed: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("ann@example.com broke it")

    monkeypatch.setattr(shadow_module, "score_shadowed", fail)
    with capture_logs() as logged, running(shadowed) as client:
        first = post_json(client, "/v1/score", make_lead())
        wait_until(lambda: count(client, "failures") == 1)
        second = post_json(client, "/v1/score", make_lead())

    assert first.status_code == second.status_code == 200
    assert first.json()["points"] == second.json()["points"]
    (found,) = [one for one in logged if one["event"] == "shadow_failed"][:1]
    assert found["error"] == "ZeroDivisionError"
    assert "ann" not in str(logged)


def test_a_challenger_comes_and_goes_without_a_restart(
    shadowed: ServingSettings, home: Path
) -> None:
    (home / "dare").unlink()
    with running(shadowed) as client:
        post_json(client, "/v1/score", make_lead())
        assert count(client, "scored") == 0
        install_champion(home / "two", home / "dare")
        wait_until(lambda: 'name="two"' in client.get("/metrics").text)
        post_json(client, "/v1/score", make_lead())
        wait_until(lambda: count(client, "scored") == 1)
        (home / "dare").unlink()
        wait_until(lambda: 'name="two"' not in client.get("/metrics").text)
        post_json(client, "/v1/score", make_lead())
        assert post_json(client, "/v1/score", make_lead()).json()["model"]["name"] == "small"
        assert client.get("/readyz").status_code == 200
        assert count(client, "scored") == 1


def test_without_the_setting_a_challenger_lies_idle(
    store: Store, shadowed: ServingSettings
) -> None:
    with running(shadowed.model_copy(update={"shadow": False})) as client:
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        assert "baton_shadow" not in client.get("/metrics").text

    assert read_rows(store) == []


def test_too_many_waiting_leads_are_passed_over_and_counted(
    shadowed: ServingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_module, "MOST_WAITING", 3)
    with running(shadowed) as client:
        answer = post_json(client, "/v1/score", make_lead())  # with 2 events and a stage: 4
        wait_until(lambda: count(client, "passed_over") == 1)
        assert answer.status_code == 200
        assert count(client, "scored") == 0


def test_a_lead_without_as_of_is_looked_at_in_the_same_moment_by_both(
    store: Store, shadowed: ServingSettings
) -> None:
    lead = make_lead(as_of=None)
    with running(shadowed) as client:
        answer = post_json(client, "/v1/score", lead).json()
        wait_until(lambda: count(client, "scored") == 1)

    (row,) = read_rows(store)
    assert row.as_of == datetime.fromisoformat(answer["as_of"]) > NOW
    assert row.champion_points == answer["points_uncut"]
    assert row.challenger_points == pytest.approx(answer["points_uncut"], rel=1e-6)
