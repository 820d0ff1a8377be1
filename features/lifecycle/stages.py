"""The stages a lead passes through, in the words both teams use."""

from enum import StrEnum


class Stage(StrEnum):
    """Where a lead stands. The order of the forward stages is the order of the funnel."""

    LEAD = "lead"
    MQL = "mql"
    SAL = "sal"
    SQL = "sql"
    OPPORTUNITY = "opportunity"
    WON = "won"
    LOST = "lost"
    RETURNED = "returned"


FORWARD = (Stage.LEAD, Stage.MQL, Stage.SAL, Stage.SQL, Stage.OPPORTUNITY, Stage.WON)
"""Reaching a stage means reaching it or any stage after it: a won lead was qualified, even where
nobody ticked the box."""

CLOSED = frozenset({Stage.WON, Stage.LOST})
"""A closed lead has no next moment to predict, until something opens it again."""

REOPENING = frozenset({Stage.LEAD, Stage.MQL, Stage.RETURNED})
"""Entering one of these starts a new cycle: what was reached before no longer counts as reached."""


_POSITION = {stage: position for position, stage in enumerate(Stage)}


def funnel_position(stage: Stage | str) -> int:
    """Give the place of a stage among changes of one moment: forward stages, lost, returned.

    Exports with dates but no hours record several changes at one time. Everyone who replays them
    sorts by ``(at, funnel_position)``, so that labels, features and warnings see one story.

    >>> sorted(["returned", "sql", "lost", "mql"], key=funnel_position)
    ['mql', 'sql', 'lost', 'returned']
    """
    return _POSITION[Stage(stage)]


def reaches(target: Stage) -> frozenset[Stage]:
    """List the stages whose entry means that ``target`` was reached.

    >>> sorted(reaches(Stage.SQL))
    [<Stage.OPPORTUNITY: 'opportunity'>, <Stage.SQL: 'sql'>, <Stage.WON: 'won'>]
    >>> reaches(Stage.LOST)
    frozenset({<Stage.LOST: 'lost'>})
    """
    if target not in FORWARD:
        return frozenset({target})
    return frozenset(FORWARD[FORWARD.index(target) :])
