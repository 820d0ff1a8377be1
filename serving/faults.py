"""Where a fault was raised: its class, and files, lines and functions; never values, which may be personal."""

from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

MOST_PLACES = 8
"""Places of one error, the innermost ones."""

MOST_CAUSES = 2
"""Errors behind an error that are named as well."""

ROOT = Path(__file__).parent.parent.as_posix() + "/"
SITE = "/site-packages/"


def _shorten(filename: str) -> str:
    """Write a file as its project does: where things are installed is nobody's business."""
    name = Path(filename).as_posix()
    if SITE in name:
        return name.rpartition(SITE)[2]
    if name.startswith(ROOT):
        return name.removeprefix(ROOT)
    return "/".join(name.split("/")[-2:])


def _list_places(trace: TracebackType | None) -> list[str]:
    places = [
        f"{_shorten(frame.f_code.co_filename)}:{line} {frame.f_code.co_qualname}"
        for frame, line in walk_tb(trace)
    ]
    return places[-MOST_PLACES:]


def locate_fault(error: BaseException) -> list[str]:
    """List where an error was raised, as ``file:line function``, the outermost call first.

    What it was raised from follows, its class first: ``from OperationalError``.
    """
    places = _list_places(error.__traceback__)
    cause = error.__cause__
    for _ in range(MOST_CAUSES):
        if cause is None:
            break
        places += [f"from {type(cause).__name__}", *_list_places(cause.__traceback__)]
        cause = cause.__cause__
    return places


def describe_fault(error: BaseException) -> dict[str, Any]:
    """Describe an error for a log entry: the fields ``error``, its class, and ``where``."""
    return {"error": type(error).__name__, "where": locate_fault(error)}
