"""How far a command is: bars on a terminal; elsewhere a line a station, with its seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from features.terminal.screen import Screen

Report = Callable[[str, float], None]
"""Takes the name of a station, and how much of it is done (0 to 1)."""


class Advance(Protocol):
    """Counts what is done one by one."""

    def __call__(self, position: int = 0) -> None:
        """One part more is done."""


class _StationLines:
    """A line for each station once it is over: when the next begins, or all of it is done."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._begun: dict[str, float] = {}
        self._at = ""

    def __call__(self, station: str, share: float) -> None:
        if station not in self._begun:
            self.end()
            self._begun[station] = monotonic()
            # First named when it is over: it took no time that anybody could have waited for.
            self._at = station if share < 1.0 else ""
        if share >= 1.0 and station == self._at:
            self.end()

    def end(self) -> None:
        """Say how long the station took that is not over yet."""
        if self._at:
            seconds = monotonic() - self._begun[self._at]
            self._screen.print(f"{self._at}: {seconds:.1f} s")
            self._at = ""


class _Bars:
    """A bar for each station."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, station: str, share: float) -> None:
        if station not in self._tasks:
            for task in self._bars.tasks:
                self._bars.update(task.id, completed=1.0)
            self._tasks[station] = self._bars.add_task(station, total=1.0)
        self._bars.update(self._tasks[station], completed=share)


@contextmanager
def stations(screen: Screen, *, one_bar: bool = False) -> Iterator[Report]:
    """Show how far each station is.

    Parameters
    ----------
    one_bar
        The shares are those of the whole, so that one bar is enough; what is being done stands
        beside it.
    """
    if not screen.is_terminal:
        lines = _StationLines(screen)
        yield lines
        lines.end()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen) as bars:
        if not one_bar:
            yield _Bars(bars)
            return
        task = bars.add_task("", total=1.0)
        yield lambda station, share: bars.update(task, description=station, completed=share)


@contextmanager
def counting(screen: Screen, station: str, total: int) -> Iterator[Advance]:
    """Show how many of so many parts of one station are done."""
    with stations(screen) as report:
        done = 0
        report(station, 0.0)

        def advance(position: int = 0) -> None:  # noqa: ARG001 - parts end in any order
            nonlocal done
            done += 1
            report(station, done / total)

        yield advance
