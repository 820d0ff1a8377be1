"""The log: JSON lines, an event and its fields. Ids only, and none that is an address."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from hashlib import sha256
from typing import Any, TextIO

import structlog

# A lead's id may be an e-mail address, as it stands or as it stands in a path. Each run of letters is
# taken whole and then looked into: a pattern that asks for the @ itself would try every letter anew.
_RUN = re.compile(r"[^\s\"'<>(){}\[\],;/?&=|]+")


def hide_addresses(text: str) -> str:
    """Replace what looks like an address by a few digits of its hash: the same one looks the same.

    >>> hide_addresses("/v1/leads/ann@example.com/score")
    '/v1/leads/(hidden 71d4f55f)/score'
    """
    return _RUN.sub(_hide_run, text)


def _hide_run(found: re.Match[str]) -> str:
    run = found[0]
    if "@" not in run and "%40" not in run:
        return run
    return f"(hidden {sha256(run.encode('utf-8', 'replace')).hexdigest()[:8]})"


def _hide(value: Any) -> Any:
    if isinstance(value, str):
        return hide_addresses(value) if "@" in value or "%40" in value else value
    if isinstance(value, Mapping):
        return {_hide(key): _hide(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hide(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _hide(str(value))


def hide_personal(
    logger: Any,  # noqa: ARG001 - as structlog calls it
    method: str,  # noqa: ARG001
    event: MutableMapping[str, Any],
) -> Mapping[str, Any]:
    """Hide every address in an event's fields."""
    return {name: _hide(value) for name, value in event.items()}


def set_up_logging(level: str, to: TextIO | None = None) -> None:
    """Log as JSON lines to the standard error, or elsewhere: an event and its fields, ids only."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_personal,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=to or sys.stderr),
    )


def keep_quiet() -> None:
    """Log only what went wrong: what a command prints is for people and pipes."""
    set_up_logging("warning")
