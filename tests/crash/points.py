"""Named points at which a victim ends itself, put around the functions of the product that mark them.

A process is killed at random a hundred times without ever being hit between a commit and its reply. So
the moments that matter have names. The product knows nothing of them: a victim wraps its functions.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from serving.intake.api import records as routes
from serving.notify.outbox import Outbox
from serving.scoring.live import score as live
from serving.scoring.live.worker import LiveScorer

Put = Callable[[Any, str, Any], None]
"""Sets an attribute: `setattr`, or that of a monkeypatch, which takes it back."""


def _always(_arguments: tuple[Any, ...], _given: Any) -> bool:
    return True


def _claimed(_arguments: tuple[Any, ...], given: Any) -> bool:
    return bool(given[1])


def _took(arguments: tuple[Any, ...], _given: Any) -> bool:
    return bool(arguments[2].taken)


def _settles_as_done(arguments: tuple[Any, ...], _given: Any) -> bool:
    return bool(arguments[3] == "done")


@dataclass(frozen=True)
class Point:
    """A moment before or after a function of the product."""

    owner: Any
    function: str
    is_before: bool
    counts: Callable[[tuple[Any, ...], Any], bool] = _always
    """Whether this call is one, from its arguments and what it gave."""


POINTS = {
    # Records are inserted, not committed: nobody may see them again.
    "intake-before-commit": Point(routes, "run_idempotent", is_before=False),
    # Records are stored, the caller does not know it: it sends them again.
    "intake-after-commit": Point(routes, "_take_in_idempotent", is_before=False),
    # Due leads are taken, not scored: others must find them due.
    "scores-after-claim": Point(live, "score_leads", is_before=True),
    # Scores and effects are written, not committed.
    "scores-before-commit": Point(live, "score_leads", is_before=False),
    # Scores are stored, their log is not.
    "scores-after-commit": Point(LiveScorer, "_account_for", is_before=True, counts=_took),
    # Effects are leased, not sent: others send them once the lease is over.
    "outbox-after-claim": Point(Outbox, "claim", is_before=False, counts=_claimed),
    # An effect was sent, not settled: it is sent again, and its key tells.
    "outbox-after-send": Point(Outbox, "_settle", is_before=True, counts=_settles_as_done),
    # An effect is settled; the rest of the claim is not sent yet.
    "outbox-after-settle": Point(Outbox, "_settle", is_before=False, counts=_settles_as_done),
}


def wrap(point: Point, reach: Callable[[], None], put: Put = setattr) -> None:
    """Call ``reach`` whenever a point is reached."""
    function = getattr(point.owner, point.function)

    @wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if point.is_before and point.counts(arguments, None):
            reach()
        given = function(*arguments, **named)
        if not point.is_before and point.counts(arguments, given):
            reach()
        return given

    put(point.owner, point.function, wrapped)


def arm(asked: str | None) -> None:
    """Have this process end at a point, without a word, as ``kill -9`` does.

    Parameters
    ----------
    asked
        ``point:n``: when the point is reached for the n-th time; None for never.
    """
    if asked is None:
        return
    name, _, passes = asked.partition(":")
    left = int(passes)

    def reach() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    wrap(POINTS[name], reach)
