"""How things are timed and printed."""

import platform
import time
from collections.abc import Callable

import numba
import numpy as np
from rich.table import Table

from features.terminal.screen import Screen

console = Screen()


def _take(action: Callable[[], object], repeats: int, clock: Callable[[], float]) -> np.ndarray:
    """Time an action again and again by a clock, after one run that does not count."""
    action()
    taken = np.empty(repeats)
    for i in range(repeats):
        start = clock()
        action()
        taken[i] = clock() - start
    return taken


def take_times(action: Callable[[], object], *, repeats: int) -> np.ndarray:
    """Time an action in wall seconds."""
    return _take(action, repeats, time.perf_counter)


def take_cpu(action: Callable[[], object], *, repeats: int) -> np.ndarray:
    """Time an action in CPU seconds of the whole process, all threads added up."""
    return _take(action, repeats, time.process_time)


def quantiles(taken: np.ndarray, scale: float) -> tuple[str, str, str]:
    """Word the median, the 99th percentile and the smallest."""
    return tuple(
        f"{x * scale:,.1f}" for x in (np.median(taken), np.quantile(taken, 0.99), taken.min())
    )


def print_table(title: str, headings: list[str], rows: list[tuple[str, ...]]) -> None:
    """Print one table, first column left, the others right."""
    table = Table(title=title, title_justify="left")
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="right" if position else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_machine() -> None:
    """Say on what this was measured."""
    console.print(
        f"{platform.machine()}, {numba.config.NUMBA_NUM_THREADS} cores, Python "
        f"{platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}",
    )
