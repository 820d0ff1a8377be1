"""A challenger in the shadow, over real HTTP: logged beside the champion, never seen, never felt."""

from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from serving.scoring.request import shadow as shadow_module
from serving.scoring.request.shadow import COLUMNS
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


def shadowed(home: Path):
    return make_settings(home, shadow=True, challenger=home / "dare", shadowed=home / "shadowed")


def count(client: httpx.Client, what: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith(f"baton_shadow_{what}_total ")]
    return float(found[0].split()[1])


def test_both_scores_are_logged_and_the_answer_is_the_champions_alone(home: Path) -> None:
    leads = draw_leads(np.random.default_rng(8), 60)
    leads[5] = make_lead(lead_id="L5", attributes={}, events=[], stages=[])
    with running(make_settings(home)) as client:
        alone = post_json(client, "/v1/score/batch", {"leads": leads}).content
    assert not (home / "shadowed").exists()

    with running(shadowed(home)) as client:
        beside = post_json(client, "/v1/score/batch", {"leads": leads})
        one = post_json(client, "/v1/score", make_lead()).json()
        wait_until(lambda: count(client, "scored") == 61)

    assert beside.content == alone
    champion, challenger = (load_bundle(home / name) for name in ("one", "two"))
    folder = home / "shadowed" / f"{challenger.version}-beside-{champion.version}"
    table = pq.read_table(next(folder.rglob("*.parquet"))).to_pandas()
    assert len(table) == 61
    found = [answer["points_uncut"] for answer in beside.json()["leads"]] + [one["points_uncut"]]
    output = np.array([np.nan if points is None else points for points in found])
    np.testing.assert_allclose(table.champion_points, output, rtol=1e-6)
    # The challenger differs in its bias alone: the same points stand for higher chances.
    known = np.isfinite(output)
    np.testing.assert_allclose(table["_points"][known], output[known], rtol=1e-6)
    assert (table["_probability"][known] > table.champion_probability[known]).all()
    assert known.sum() == 60
    assert table["_status"].tolist() == (~known).astype(int).tolist()
    assert set(COLUMNS) < set(table.columns)
    assert not {"lead_id", "attributes"} & set(table.columns)


def test_a_failing_challenger_is_counted_and_hurts_no_answer(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("ann@example.com broke it")

    monkeypatch.setattr(shadow_module, "score_rows", fail)
    with capture_logs() as logged, running(shadowed(home)) as client:
        first = post_json(client, "/v1/score", make_lead())
        wait_until(lambda: count(client, "failures") == 1)
        second = post_json(client, "/v1/score", make_lead())

    assert first.status_code == second.status_code == 200
    assert first.json()["points"] == second.json()["points"]
    (found,) = [one for one in logged if one["event"] == "shadow_failed"][:1]
    assert found["error"] == "ZeroDivisionError"
    assert "ann" not in str(logged)


def test_a_challenger_comes_and_goes_without_a_restart(home: Path) -> None:
    (home / "dare").unlink()
    with running(shadowed(home)) as client:
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


def test_without_the_setting_a_challenger_lies_idle(home: Path) -> None:
    settings = make_settings(home, challenger=home / "dare", shadowed=home / "shadowed")
    with running(settings) as client:
        assert post_json(client, "/v1/score", make_lead()).status_code == 200
        assert "baton_shadow" not in client.get("/metrics").text

    assert not (home / "shadowed").exists()


def test_too_many_waiting_leads_are_passed_over_and_counted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_module, "MOST_WAITING", 3)
    with running(shadowed(home)) as client:
        answer = post_json(client, "/v1/score", make_lead())  # with 2 events and a stage: 4
        wait_until(lambda: count(client, "passed_over") == 1)
        assert answer.status_code == 200
        assert count(client, "scored") == 0


def test_a_lead_without_as_of_is_looked_at_in_the_same_moment_by_both(home: Path) -> None:
    lead = make_lead(as_of=None)
    with running(shadowed(home)) as client:
        answer = post_json(client, "/v1/score", lead).json()
        wait_until(lambda: count(client, "scored") == 1)

    table = pq.read_table(next((home / "shadowed").rglob("*.parquet"))).to_pandas()
    assert answer["as_of"] > NOW.isoformat()
    np.testing.assert_allclose(table["_points"], [answer["points_uncut"]], rtol=1e-6)
    np.testing.assert_allclose(table.champion_points, [answer["points_uncut"]], rtol=1e-6)
