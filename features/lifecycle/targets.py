"""What can be predicted of a lead: a stage, or a return for one kind of reason. Pure."""

from typing import NamedTuple

from features.lifecycle.reasons import Finding
from features.lifecycle.stages import Stage

WITH_SALES = frozenset({Stage.MQL, Stage.SAL, Stage.SQL, Stage.OPPORTUNITY})
"""Where a lead stands that sales can give back: handed over, and neither back nor closed."""


class Target(NamedTuple):
    """An event that may come."""

    stage: Stage
    finding: Finding | None = None
    """Of a return: only those that find this. None: whatever it finds."""

    @property
    def text(self) -> str:
        """Write it as ``read_target`` reads it.

        >>> Target(Stage.RETURNED, Finding.UNREACHABLE).text
        'returned:unreachable'
        """
        return f"{self.stage}:{self.finding}" if self.finding else str(self.stage)


TARGETS = (
    *(Target(stage) for stage in Stage),
    *(Target(Stage.RETURNED, finding) for finding in Finding),
)
"""Everything there is to predict, in the order it is listed to people."""

_TARGET_OF = {target.text: target for target in TARGETS}


def find_target(text: str) -> Target | None:
    """Read a target such as ``sql``, ``returned`` or ``returned:rejected``; None if it is none.

    Case and outer blanks do not matter.

    >>> find_target("Returned:Too_Early")
    Target(stage=<Stage.RETURNED: 'returned'>, finding=<Finding.TOO_EARLY: 'too_early'>)
    >>> find_target("won:rejected") is None
    True
    """
    return _TARGET_OF.get(text.strip().lower())
