"""Named points at which a crash test has the process end; nothing happens unless it was asked for.

A process is killed at random a hundred times without ever being hit between a commit and its reply. So
the moments that matter have names, and `BATON_CRASH_AT` has a process end at one of them, without a word,
as ``kill -9`` does. The variable is for tests: no setting, and unset everywhere else.
"""

import os
import signal
from typing import Final

from serving.settings import find_crash_point

INTAKE_BEFORE_COMMIT: Final = "intake-before-commit"
"""Records are inserted, not committed: nobody may see them again."""
INTAKE_AFTER_COMMIT: Final = "intake-after-commit"
"""Records are kept, the caller was not told: it sends them again."""
SCORES_AFTER_CLAIM: Final = "scores-after-claim"
"""Due leads are taken, not scored: others must find them due."""
SCORES_BEFORE_COMMIT: Final = "scores-before-commit"
"""Scores and effects are written, not committed."""
SCORES_AFTER_COMMIT: Final = "scores-after-commit"
"""Scores are kept, their log is not."""
OUTBOX_AFTER_CLAIM: Final = "outbox-after-claim"
"""Effects are leased, not sent: others send them once the lease is over."""
OUTBOX_AFTER_SEND: Final = "outbox-after-send"
"""An effect was sent, not settled: it is sent again, and its key tells."""
OUTBOX_AFTER_SETTLE: Final = "outbox-after-settle"
"""An effect is settled; the rest of the claim is not sent yet."""

POINTS: Final = (
    INTAKE_BEFORE_COMMIT,
    INTAKE_AFTER_COMMIT,
    SCORES_AFTER_CLAIM,
    SCORES_BEFORE_COMMIT,
    SCORES_AFTER_COMMIT,
    OUTBOX_AFTER_CLAIM,
    OUTBOX_AFTER_SEND,
    OUTBOX_AFTER_SETTLE,
)

_asked: str | None = None
_passes_left = 0


def arm(asked: str | None) -> None:
    """Have this process end at a point.

    Parameters
    ----------
    asked
        ``point:n``: when the point is reached for the n-th time; None for never.

    Raises
    ------
    ValueError
        If there is no such point.
    """
    global _asked, _passes_left
    name, _, passes = (asked or "").partition(":")
    if asked and name not in POINTS:
        raise ValueError(f"BATON_CRASH_AT names no point; choose one of: {', '.join(POINTS)}.")
    _asked, _passes_left = name or None, int(passes or 1)


def reach(point: str) -> None:
    """Say that a point is reached; end the process if that was asked for."""
    global _passes_left  # noqa: PLW0603 - as above
    if _asked is None or point != _asked:
        return
    _passes_left -= 1
    if _passes_left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(find_crash_point())
