"""Every table that a command prints, on a terminal of 80 columns and in a pipe: nothing is cut.

The tables of ``promote``, ``playbook replay``, ``drift``, ``import`` and ``features`` are looked at
where those commands are tested: whatever a test lets a command print passes `whole_tables`.
"""

import re
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from baton.command_line import app
from features.terminal.screen import Screen
from tests.whole_tables import find_cut, lay_out

ROOT = Path(__file__).parents[2]
FLOORS = ("baton", "features", "training", "serving")

CHAIN = {
    "simulate": ("--to", "var/market", "--leads", "3000", "--seed", "7"),
    "audit": ("var/market", "--notes", "--seen-at", "24h"),
    "train": ("var/market", "--seen-at", "24h,7d", "--no-timing", "--no-explain"),
    "backtest": ("var/market", "--every", "120d"),
    "score": ("var/market", "--to", "scores.parquet"),
}
"""Each command works on what the ones before it left."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> dict[str, tuple[str, list[Table]]]:
    """What each command of the chain printed into a pipe, and the tables it printed."""
    printed: dict[str, tuple[str, list[Table]]] = {}
    tables: list[Table] = []
    print_watched = Screen.print

    def keep_table(self: Screen, *objects: object, **options: object) -> None:
        tables.extend(one for one in objects if isinstance(one, Table))
        print_watched(self, *objects, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("company"))
        patch.setattr(Screen, "print", keep_table)
        for command, words in CHAIN.items():
            done = CliRunner(env={"COLUMNS": "80"}).invoke(app, [command, *words])
            assert done.exit_code == 0, done.output
            printed[command] = (done.output, list(tables))
            tables.clear()
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("command", CHAIN)
def test_the_tables_of_a_command_are_whole_at_80_columns_and_in_a_pipe(printed, command):
    output, tables = printed[command]
    assert tables
    for table in tables:
        assert find_cut(table, terminal=True) == []
        assert max(map(len, lay_out(table, terminal=True).splitlines())) <= 80
        assert lay_out(table, terminal=False) in output


@pytest.mark.slow
def test_the_watch_over_all_tests_would_see_a_cut_table(monkeypatch):
    table = Table()
    table.add_column("figure")
    table.add_row("0.3456")
    monkeypatch.setattr("features.terminal.screen.align", lambda *_: ["figure", "0.3…"])
    with pytest.raises(AssertionError, match=r"0\.3456"):
        Screen().print(table)


def test_a_pipe_gets_a_line_for_each_station_of_a_training_run(printed):
    output, _ = printed["train"]
    for station in ("reading the history", "leak audit", "fitting LightGBM", "judging on the"):
        assert any(
            line.startswith(station) and line.endswith(" s") for line in output.splitlines()
        ), station


def test_no_command_writes_colours_into_its_words():
    for path in (path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")):
        assert not re.search(r"\[/?(red|yellow|green|bold|dim|/)\]", path.read_text()), path


@pytest.mark.parametrize("words", [(), ("list",), ("show", "gap_mean")], ids=" ".join)
def test_what_is_computed_is_listed_whole(words: tuple[str, ...], tmp_path: Path):
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["features", *words])
    assert shown.exit_code == 0
    assert "…" not in shown.output
