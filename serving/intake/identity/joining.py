"""Whether two leads are to become one, and which of them remains. Pure."""

from dataclasses import dataclass
from enum import StrEnum

TOOLS = ("segment", "snowplow")
"""Sources that tell of visitors. A lead that only they told of is joined to others by itself."""


class MergeVerdict(StrEnum):
    """What is to be done."""

    MERGE = "merge"
    ONE_ALREADY = "one already"
    ELSEWHERE = "merged elsewhere"
    UNDONE_BEFORE = "undone before"
    BOTH_KNOWN = "both known"


@dataclass(frozen=True, slots=True)
class MergeCandidate:
    """One of two leads, as far as that decides."""

    lead_id: str
    survivor: str
    """The lead it is by now."""
    is_known: bool
    """Whether anybody but a tool sent it, or one of the leads that were merged with it."""


@dataclass(frozen=True, slots=True)
class MergeDecision:
    """What is to be done, and why."""

    verdict: MergeVerdict
    kept: str
    merged: str
    because: str


def decide_join(
    merged: MergeCandidate,
    kept: MergeCandidate,
    *,
    was_undone: bool = False,
    is_certain: bool = False,
) -> MergeDecision:
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
    >>> visitor, lead = MergeCandidate("anonymous:a1", "anonymous:a1", False), MergeCandidate("L1", "L1", True)
    >>> decide_join(lead, visitor).kept
    'L1'
    """
    stays, goes = kept.survivor, merged.survivor

    def decide(verdict: MergeVerdict, because: str) -> MergeDecision:
        return MergeDecision(verdict, stays, goes, because)

    if stays == goes:
        return decide(MergeVerdict.ONE_ALREADY, "they are one lead already")
    if merged.lead_id != merged.survivor:
        return decide(MergeVerdict.ELSEWHERE, "it is part of another lead since an earlier merge")
    if was_undone and not is_certain:
        return decide(
            MergeVerdict.UNDONE_BEFORE,
            "somebody separated these two, so only people merge them again",
        )
    if merged.is_known and kept.is_known and not is_certain:
        return decide(
            MergeVerdict.BOTH_KNOWN, "both were sent as leads of their own, so people decide"
        )
    if merged.is_known and not kept.is_known and not is_certain:
        stays, goes = goes, stays
        return decide(
            MergeVerdict.MERGE, "one was only known by what it did, the other was sent as a lead"
        )
    return decide(MergeVerdict.MERGE, "both identity keys belong to one person")
