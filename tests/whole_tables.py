"""Lay a table out as people meet it, and look for what was cut."""

from io import StringIO

from rich.table import Table
from rich.text import Text

from features.terminal.screen import Screen


class Sheet(Screen):
    """A screen that is read here, and by nobody else."""


def lay_out(table: Table, *, terminal: bool, width: int = 80) -> str:
    """Print a table on a terminal of this width, or into a pipe; give what came out."""
    sheet = Sheet()
    sheet._force_terminal, sheet._color_system = terminal, None
    sheet.width, sheet.file = width, StringIO()
    sheet.print(table)
    return sheet.file.getvalue()


def list_words(table: Table) -> list[str]:
    """Every word of every cell and heading."""
    cells = [cell for column in table.columns for cell in (column.header, *column.cells)]
    texts = (cell.plain if isinstance(cell, Text) else str(cell) for cell in cells)
    return [word for text in texts for word in text.split()]


def find_cut(table: Table, *, terminal: bool, width: int = 80) -> list[str]:
    """The words of a table that did not come out whole."""
    shown = lay_out(table, terminal=terminal, width=width)
    return [word for word in list_words(table) if word not in shown]
