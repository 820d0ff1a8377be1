"""``baton playbook replay`` on a made-up market: table, figures, picture, and what it refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from baton.command_line import app
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from features.sources.history import partitions
from features.sources.history.folder import read_history, write_history
from serving.handoff.replay import picture
from tests.unit.serving.factories import write_small_bundle

pytestmark = pytest.mark.slow

DRAFT = """\
[triggers]
score_from = 58
mql = "ignored"
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayed")
    history = simulate_history(get_scenario("plain"), n_leads=400, seed=3).history
    write_history(history, folder / "history")
    write_small_bundle(folder / "bundle", bias=-4.0)
    (folder / "draft.toml").write_text(DRAFT)
    return folder


def replay(folder: Path, *words: str, draft: str = "draft.toml", history: str = "history"):
    found = (
        *("playbook", "replay", str(folder / draft)),
        *("--history", str(folder / history), "--bundle", str(folder / "bundle")),
        *("--snapshots-at", "weekly", "--out", str(folder / "out"), *words),
    )
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, found)


def read_figures(folder: Path) -> dict:
    return json.loads((folder / "out" / "replay.json").read_text())


def test_a_draft_is_replayed_and_its_figures_add_up(market):
    # when
    answer = replay(market, "--from", "2025-06-01", "--to", "2025-09-01", "--capacity", "5")

    # then
    assert answer.exit_code == 0, answer.output
    found = read_figures(market)
    draft, compared = found["draft"], found["compared"]
    assert draft["handoffs"] == sum(week["draft"] for week in found["weeks"]) > 0
    assert draft["leads"] == compared["both"]["leads"] + compared["gained"]["leads"]
    by_priority = sum(p["per_week"] for p in found["load"]["priorities"])
    assert by_priority == pytest.approx(draft["per_week"])
    by_seller = sum(s["per_week"] for s in found["load"]["sellers"])
    assert by_seller == pytest.approx(draft["per_week"])
    same = next(cut for cut in found["curve"] if cut["score_from"] == 58.0)
    assert same["figures"] == draft
    loads = [cut["used"] for cut in found["curve"]]
    assert loads[0] > loads[-1]
    assert "precision: SQL in time" in answer.output
    assert (market / "out" / "replay.png").read_bytes().startswith(b"\x89PNG")


def test_partitions_change_no_figure(market, monkeypatch):
    # given
    monkeypatch.setattr(picture, "find_spec", lambda _: None)
    monkeypatch.setattr(partitions, "MOST_RECORDS", 2_000)
    write_history(read_history(market / "history"), market / "split")

    # when
    days = ("--from", "2025-06-01", "--to", "2025-07-01")
    assert replay(market, *days).exit_code == 0
    whole = read_figures(market)
    assert replay(market, *days, history="split").exit_code == 0

    # then: sellers of one team are asked in another order, so loads are compared by figure alone
    split = read_figures(market)
    for figure in ("draft", "today", "compared", "weeks", "curve", "leads", "base"):
        assert split[figure] == whole[figure], figure


def test_without_the_drawing_library_the_table_is_still_given_and_that_is_stated(
    market, monkeypatch
):
    # given
    monkeypatch.setattr(picture, "find_spec", lambda _: None)

    # when
    answer = replay(market, "--from", "2025-07-01", "--to", "2025-07-15")

    # then
    assert answer.exit_code == 0
    assert "No picture: matplotlib is not installed" in answer.output
    assert "By threshold" in answer.output


def test_a_definition_that_no_lead_meets_is_named(market, monkeypatch):
    # given
    monkeypatch.setattr(picture, "find_spec", lambda _: None)
    (market / "strict.toml").write_text(
        '[triggers]\nmql = "met"\n[stages.criteria.never]\nwords = "is on the moon"\n'
        'all = [{ attribute = "country", is = ["moon"] }]\n'
        '[stages.mql]\nwords = "nobody"\nall = ["never"]\n'
    )

    # when
    days = ("--from", "2025-07-01", "--to", "2025-07-08")
    answer = replay(market, *days, draft="strict.toml")

    # then
    assert answer.exit_code == 0, answer.output
    assert "No lead ever meets the MQL definition" in answer.output


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("--from", "2019-01-01", "--to", "2019-02-01"), "No open lead of"),
        (("--from", "2025-03-01", "--to", "2025-02-01"), "Swap --from and --to"),
        (("--bundle", "nowhere"), "holds no bundle"),
        (("--snapshots-at", "hourly"), "is none of daily, weekly, events"),
        (("--from", "yesterday"), "is no day"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_what_to_do(market, words, output):
    answer = replay(market, *words)

    assert answer.exit_code in {1, 2}
    assert output in " ".join(answer.output.replace("│", " ").split())
