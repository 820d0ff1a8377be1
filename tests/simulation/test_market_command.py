"""``baton simulate`` on disk."""

from pathlib import Path

import pyarrow.parquet as pq
import typer
from typer.testing import CliRunner

from features.simulation.commands import simulate_command
from features.sources.history.folder import read_history


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(simulate_command)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_the_history_can_be_read_back_and_the_truth_lies_apart(tmp_path: Path) -> None:
    # given
    to = tmp_path / "market"

    # when
    code, output = run("--to", str(to), "--leads", "150", "--seed", "4")

    # then
    assert code == 0
    assert "moves to mql" in output
    history = read_history(to)
    assert history.about.source == "simulation"
    assert history.about.notes == {"scenario": "plain", "seed": "4", "leads": "150"}
    assert not list(to.glob("truth*"))
    truth = tmp_path / "market-truth"
    assert sorted(path.name for path in truth.iterdir()) == [
        "chances.parquet",
        "handoffs.parquet",
        "truth.parquet",
    ]
    assert pq.read_table(truth / "truth.parquet").num_rows == 150


def test_the_history_holds_nothing_hidden(tmp_path: Path) -> None:
    # when
    run("--to", str(tmp_path / "market"), "--leads", "50")

    # then
    leads = read_history(tmp_path / "market").leads
    hidden = {"type", "need", "intent", "fit", "chattiness"}
    assert not hidden & set(leads.column_names)


def test_an_unknown_scenario_ends_with_an_error_and_the_names(tmp_path: Path) -> None:
    # when
    code, output = run("--to", str(tmp_path / "market"), "--scenario", "paradise")

    # then
    assert code == 1
    assert "confounded" in output
    assert not (tmp_path / "market").exists()
