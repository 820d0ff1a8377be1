"""What the command prints, and its exit code."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from features.sources.commands import import_command
from tests.unit.sources.factories import ANN, LEADS, TOP

app = typer.Typer()
app.command()(import_command)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    refused = 'gain = { column = "gain", known = "after the outcome" }\n'
    (tmp_path / "shop.toml").write_text(TOP + LEADS + refused)
    return tmp_path


def _run(shop: Path, leads: str):
    (shop / "leads.csv").write_text(leads)
    arguments = [str(shop / "shop.toml"), str(shop), "--to", str(shop / "history")]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def test_a_clean_import_exits_with_0_and_states_where_the_history_is(shop: Path) -> None:
    result = _run(shop, "id,created,gain\n1,2024-01-01,5\n")
    assert result.exit_code == 0
    assert "leads" in result.output
    assert "Refused as features" in result.output
    assert "gain" in result.output
    assert "history" in result.output


def test_rejected_rows_exit_with_3_and_are_shown_by_reason(shop: Path) -> None:
    result = _run(shop, "id,created,gain\n1,2024-01-01,5\n1,2024-01-01,5\n2,2199-01-01,5\n")
    assert result.exit_code == 3
    assert "row rejected: duplicate id" in result.output
    assert "row rejected: in the future" in result.output
    assert "rejects.csv" in result.output


def test_nothing_usable_exits_with_1_without_a_traceback(shop: Path) -> None:
    result = _run(shop, "id,created,gain\n1,never,5\n")
    assert result.exit_code == 1
    assert "Not imported." in result.output
    assert "Traceback" not in result.output


def test_a_wrong_mapping_exits_with_1_and_tells_the_place(shop: Path) -> None:
    (shop / "shop.toml").write_text(TOP + LEADS.replace('"lead"', '"person"'))
    result = _run(shop, ANN)
    assert result.exit_code == 1
    assert "[source 1]" in result.output
    assert "record" in result.output
