"""What commands print is whole: at any width of a terminal, and in a pipe."""

import re

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from features.terminal import progress
from features.terminal.progress import counting, stations
from features.terminal.screen import Screen, refusals
from tests.whole_tables import find_cut, lay_out

CELLS = st.lists(st.text("abc.0123%€[]", min_size=1, max_size=18), max_size=6).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    n_columns, n_rows = draw(st.integers(1, 9)), draw(st.integers(0, 4))
    table = Table(title=draw(CELLS))
    for _ in range(n_columns):
        table.add_column(
            draw(CELLS),
            justify=draw(st.sampled_from(["left", "right"])),
            min_width=draw(st.sampled_from([None, 5])),
        )
    for _ in range(n_rows):
        table.add_row(*(draw(CELLS) for _ in range(n_columns)))
    return table


@given(tables(), st.sampled_from([60, 80, 120, 300]))
def test_no_word_of_a_table_is_cut_on_a_terminal_and_no_line_is_wider_than_it(table, width):
    assert find_cut(table, terminal=True, width=width) == []
    assert max(map(len, lay_out(table, terminal=True, width=width).splitlines())) <= width


@given(tables())
def test_a_pipe_gets_every_row_whole_in_one_line(table):
    lines = lay_out(table, terminal=False, width=20).splitlines()
    assert len(lines) == 3 + table.row_count  # a blank one, the title, the headings
    for number in range(table.row_count):
        for column in table.columns:
            assert list(column.cells)[number] in lines[3 + number]


def test_a_narrow_terminal_gets_rows_as_lists():
    table = Table(title="Log loss")
    for heading in ("leads from", *(f"rival number {n}" for n in range(8))):
        table.add_column(heading)
    table.add_row("2026-01-01", *(f"0.12345{n}" for n in range(8)))

    shown = lay_out(table, terminal=True, width=60)

    assert re.search(r"^leads from +2026-01-01 *$", shown, re.MULTILINE)
    assert re.search(r"^rival number 7 +0.123457 *$", shown, re.MULTILINE)


def test_words_in_brackets_are_words(capsys):
    table = Table()
    table.add_column("[routing]")
    table.add_row(Text("[red]", style="red"))
    Screen().print("by default [routing] :smile:")
    Screen().print(table)
    assert capsys.readouterr().out == "by default [routing] :smile:\n[routing]\n[red]\n"


def test_long_lines_are_left_to_the_terminal(capsys):
    line = "var/" + "long/" * 60
    Screen().print(f"Bundle  {line}")
    assert capsys.readouterr().out == f"Bundle  {line}\n"


def test_a_refusal_is_a_line_on_the_standard_error_and_a_code(capsys):
    with pytest.raises(typer.Exit) as ended, refusals(KeyError, ValueError, code=7):
        raise ValueError("No [routing] there.")
    assert ended.value.exit_code == 7
    assert capsys.readouterr().err == "No [routing] there.\n"
    with pytest.raises(OSError, match="mine"), refusals(ValueError):
        raise OSError("mine")


@pytest.fixture
def ticking(monkeypatch):
    """A clock that is a second and a half later whenever it is read."""
    moments = iter(1.5 * n for n in range(100))
    monkeypatch.setattr(progress, "monotonic", lambda: next(moments))


def test_in_a_pipe_each_station_is_one_line_with_its_seconds(capsys, ticking):
    with stations(Screen()) as report:
        report("reading", 0.0)
        report("reading", 0.5)
        report("reading", 1.0)
        report("reading", 1.0)
        report("fitting [trees]", 0.0)
        report("judging", 0.0)  # begins where the one before never said that it was over
        report("walked", 1.0)
    assert capsys.readouterr().out == "reading: 1.5 s\nfitting [trees]: 1.5 s\njudging: 1.5 s\n"


def test_parts_that_are_counted_are_one_station(capsys, ticking):
    with counting(Screen(), "scoring", 3) as advance:
        for position in (2, 0, 1):
            advance(position)
    assert capsys.readouterr().out == "scoring: 1.5 s\n"


def test_a_station_that_failed_is_not_stated_to_be_over(capsys, ticking):
    def fail() -> None:
        with stations(Screen()) as report:
            report("reading", 0.0)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("one_bar", [True, False])
def test_on_a_terminal_bars_name_what_is_being_done(capsys, monkeypatch, one_bar):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with stations(Screen(), one_bar=one_bar) as report:
        report("reading", 0.5)
        report("fitting [trees]", 1.0)
    shown = capsys.readouterr().out
    assert "fitting [trees]" in shown
    assert "100%" in shown
