"""What people write on the command line, read: spans of time, outcomes, reasons, days."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from features.clock import DAY_US, HOUR_US, to_us
from features.lifecycle.targets import TARGETS, find_target
from features.terminal.numbers import MOST_DAYS
from training.labels.conversion import Grid, Outcome

if TYPE_CHECKING:
    from training.backtest.walk import LookbackWindow

WEEKS, LAST_WEEK = 12, 52
"""By default a lead is looked at weekly for so long, then every four weeks for a year."""


MOST_SECONDS = 30 * 86_400.0
"""Machine time that somebody means: a month."""


def read_span(text: str) -> float:
    """Read a span of time in hours.

    >>> read_span("30d"), read_span("24h"), read_span("2w")
    (720.0, 24.0, 336.0)
    """
    hours = {"h": 1.0, "d": 24.0, "w": 168.0}
    unit = text.strip()[-1:].lower()
    try:
        span = float(text.strip()[:-1]) * hours[unit]
    except (KeyError, ValueError):
        span = 0.0
    if not 0 < span <= MOST_DAYS * 24.0:
        raise typer.BadParameter(f"{text!r} is not a span of time; write e.g. 24h, 30d or 2w.")
    return span


def read_grid(text: str) -> Grid:
    """Read when leads are looked at: ``weekly``, or ages such as ``24h,7d``."""
    if text.strip().lower() == "weekly":
        return Grid.weekly(weeks=WEEKS, then_until_week=LAST_WEEK)
    return Grid.at_ages(tuple(read_span(part) for part in text.split(",")))


def read_outcome(text: str, horizon: str) -> Outcome:
    """Read an outcome such as ``sql``, ``won@90d`` or ``returned:unreachable``."""
    event, _, own = text.partition("@")
    target = find_target(event)
    if target is None:
        known = ", ".join(target.text for target in TARGETS)
        raise typer.BadParameter(f"{text!r} is nothing that can be predicted; there are {known}.")
    return Outcome.of(target, round(read_span(own or horizon) / 24.0 * DAY_US))


def read_seconds(text: str) -> float:
    """Read a stretch of machine time in seconds.

    >>> read_seconds("90s"), read_seconds("2m")
    (90.0, 120.0)
    """
    seconds = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        span = float(text.strip()[:-1]) * seconds[text.strip()[-1:].lower()]
    except (KeyError, ValueError):
        span = -1.0
    if not 0 <= span <= MOST_SECONDS:
        raise typer.BadParameter(f"{text!r} is no time; write e.g. 60s or 10m.")
    return span


def read_reasons(entries: list[str]) -> dict[str, str]:
    """Read entries such as ``FIELD="why it may stay"``."""
    reasons = {}
    for entry in entries:
        name, equals, reason = entry.partition("=")
        if not equals or not reason.strip():
            raise typer.BadParameter(f'{entry!r} has no reason; write FIELD="why it is no leak".')
        reasons[name.strip()] = reason.strip()
    return reasons


def read_lookback(text: str) -> "LookbackWindow":
    """Read how much a model learns from: ``180d``, ``20000 leads``, or nothing for all.

    >>> read_lookback("20000 leads").words, read_lookback("180d").words
    ('the newest 20,000 leads', 'the leads of the last 180 days')
    """
    from training.backtest.walk import LookbackWindow

    amount, _, unit = text.strip().lower().partition(" ")
    if not amount:
        return LookbackWindow()
    if unit in {"lead", "leads"} or amount.isdigit():
        if not amount.isdigit() or int(amount) < 1:
            raise typer.BadParameter(f"{text!r} is no number of leads; write e.g. '20000 leads'.")
        return LookbackWindow(leads=int(amount))
    return LookbackWindow(span_us=round(read_span(amount) * HOUR_US))


def read_day(text: str) -> int | None:
    """Read a day, or a moment with its zone; a day begins at midnight UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; write e.g. 2026-03-01.") from None
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def read_file(path: Path | None) -> str:
    """Read a text file that was asked for; empty if none was."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise typer.BadParameter(f"{path} cannot be read: {problem}") from problem


def read_share(text: str) -> float | None:
    """Read a share such as ``5%`` or ``0.05``; None if nothing is written.

    >>> read_share("5%"), read_share("0.05"), read_share("")
    (0.05, 0.05, None)
    """
    given = text.strip()
    if not given:
        return None
    try:
        share = float(given.removesuffix("%")) / (100.0 if given.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 < share < 1.0:
        raise typer.BadParameter(f"{text!r} is no share between 0 and 1; write e.g. 5% or 0.05.")
    return share
