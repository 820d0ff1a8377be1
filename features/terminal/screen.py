"""The console that every command prints on: it wraps, and never cuts a figure or a name."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from features.terminal.columns import align


class Screen(Console):
    """A console: on a terminal tables have a frame and wrap; elsewhere they are plain columns.

    Rich itself makes a narrow table by cutting its cells, takes a pipe for a terminal of 80 columns,
    and takes words in brackets for colours: here they are words.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)

    @property
    def room(self) -> int:
        """How many characters a line may have; without end where there is no terminal."""
        return self.width if self.is_terminal else sys.maxsize

    def print(self, *objects: Any, **options: Any) -> None:
        """Print lines as Rich does, or one table so that nothing of it is cut."""
        table = objects[0] if objects else None
        if not isinstance(table, Table):
            super().print(*objects, **options)
        elif self.is_terminal:
            super().print(self._fit(table), soft_wrap=False)
        else:
            super().print("\n".join(self._write_plainly(table)))

    def _write_plainly(self, table: Table) -> list[str]:
        columns = [_read_column(own, headed=table.show_header) for own in table.columns]
        right = {at for at, own in enumerate(table.columns) if own.justify == "right"}
        least = [own.min_width or 0 for own in table.columns]
        above = [] if table.title is None else ["", _read(table.title)]
        below = [] if table.caption is None else [_read(table.caption)]
        return [*above, *align(list(zip(*columns, strict=True)), right, least), *below]

    def _fit(self, table: Table, *, is_list: bool = False) -> Table:
        """Give each column the width its longest word needs, and share out the rest.

        Where even the words do not fit beside each other, each row becomes a list.
        """
        texts = [_read_column(own, headed=table.show_header) for own in table.columns]
        wanted = [_widest(own, column) for own, column in zip(texts, table.columns, strict=True)]
        words = [
            width if column.no_wrap else _widest([w for text in own for w in text.split()], column)
            for own, column, width in zip(texts, table.columns, wanted, strict=True)
        ]
        everything = self.options.update(max_width=sys.maxsize)
        frame = Measurement.get(self, everything, table).maximum - sum(wanted)
        if sum(wanted) + frame <= self.width:
            return table
        spare = self.width - frame - sum(words)
        if spare < 0:
            return table if is_list else self._fit(_list_rows(table), is_list=True)
        longer = sum(wanted) - sum(words)
        fitted = copy(table)
        fitted.columns = [
            replace(column, width=word + spare * (width - word) // longer)
            for column, width, word in zip(table.columns, wanted, words, strict=True)
        ]
        return fitted


def _read(cell: Any) -> str:
    """Read a cell without its colours."""
    return cell.plain if isinstance(cell, Text) else str(cell)


def _read_column(column: Column, *, headed: bool) -> list[str]:
    return [*([_read(column.header)] if headed else []), *map(_read, column.cells)]


def _widest(texts: Sequence[str], column: Column) -> int:
    lines = (line for text in texts for line in text.split("\n"))
    return max(column.min_width or 0, max(map(cell_len, lines), default=0))


def _list_rows(table: Table) -> Table:
    """Write each row as a list of its cells, each beside its heading."""
    first, *others = table.columns
    listed = Table(
        title=table.title,
        caption=table.caption,
        title_justify="left",
        caption_justify="left",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    listed.add_column(overflow="fold")
    listed.add_column(overflow="fold")
    if not table.row_count:
        for column in table.columns:
            listed.add_row(column.header, "")
    for position, name in enumerate(first.cells):
        listed.add_row(first.header, name, style="bold")
        for column in others:
            listed.add_row(column.header, list(column.cells)[position])
        listed.add_section()
    return listed


@contextmanager
def refusals(*families: type[Exception], code: int = 1) -> Iterator[None]:
    """Print a refusal to the standard error in words, without a traceback, and end with a code."""
    try:
        yield
    except families as refusal:
        Screen(stderr=True).print(str(refusal), style="red")
        raise typer.Exit(code) from None
