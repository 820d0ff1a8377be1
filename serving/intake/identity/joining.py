"""Whether two leads are to become one, and which of them remains. Pure."""

from dataclasses import dataclass
from enum import StrEnum

TOOLS = ("segment", "snowplow")
"""Sources that tell of visitors. A lead that only they told of is joined to others by itself."""


class Verdict(StrEnum):
    """What is to be done."""

    MERGE = "merge"
    ONE_ALREADY = "one already"
    ELSEWHERE = "merged elsewhere"
    UNDONE_BEFORE = "undone before"
    BOTH_KNOWN = "both known"


@dataclass(frozen=True, slots=True)
class Side:
    """One of two leads, as far as that decides."""

    lead_id: str
    survivor: str
    """The lead it is by now."""
    is_known: bool
    """Whether anybody but a tool sent it, or one of the leads that were merged with it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and why."""

    verdict: Verdict
    kept: str
    merged: str
    because: str


def decide_join(
    merged: Side, kept: Side, *, was_undone: bool = False, is_certain: bool = False
) -> Decision:
    """Decide what follows from two leads being said to be one.

    Parameters
    ----------
    merged, kept
        Which is said to go, and which to stay. A lead that a CRM sent stays, whoever is said to,
        unless a person said it.
    was_undone
        Whether they were one before, and somebody parted them.
    is_certain
        Whether a person who knows both says so.

    Examples
    --------
    >>> visitor, lead = Side("anonymous:a1", "anonymous:a1", False), Side("L1", "L1", True)
    >>> decide_join(lead, visitor).kept
    'L1'
    """
    stays, goes = kept.survivor, merged.survivor

    def decide(verdict: Verdict, because: str) -> Decision:
        return Decision(verdict, stays, goes, because)

    if stays == goes:
        return decide(Verdict.ONE_ALREADY, "they are one lead already")
    if merged.lead_id != merged.survivor:
        return decide(Verdict.ELSEWHERE, "it is part of another lead since an earlier merge")
    if was_undone and not is_certain:
        return decide(
            Verdict.UNDONE_BEFORE, "somebody parted these two, so only people rejoin them"
        )
    if merged.is_known and kept.is_known and not is_certain:
        return decide(Verdict.BOTH_KNOWN, "both were sent as leads of their own, so people decide")
    if merged.is_known and not kept.is_known and not is_certain:
        stays, goes = goes, stays
        return decide(
            Verdict.MERGE, "one was only known by what it did, the other was sent as a lead"
        )
    return decide(Verdict.MERGE, "both names are said to be of one person")
