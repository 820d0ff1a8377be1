"""Whether two leads are to become one, and which of them remains. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MergeVerdict(StrEnum):
    """What is to be done."""

    MERGE = "merge"
    ONE_ALREADY = "one already"
    ELSEWHERE = "merged elsewhere"
    UNDONE_BEFORE = "undone before"
    BOTH_KNOWN = "both known"
    TOO_MANY_KEYS = "too many identity keys"
    ONLY_CLAIMED = "only claimed"


@dataclass(frozen=True, slots=True)
class MergeCandidate:
    """One of two leads, as far as that decides."""

    lead_id: str
    survivor: str
    """The lead it is by now."""
    is_known: bool
    """Whether anybody but a tool sent it, or one of the leads that were merged with it."""
    identity_keys: int = 1
    """Under how many keys the person is known."""


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
    most_identity_keys: int | None = None,
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
    most_identity_keys
        The most keys one person may be known under, unless a person says so; any number, if left out.

    Examples
    --------
    >>> visitor, lead = MergeCandidate("anonymous:a1", "anonymous:a1", False), MergeCandidate("L1", "L1", True)
    >>> decide_join(lead, visitor).kept
    'L1'
    >>> str(decide_join(lead, visitor, most_identity_keys=1).verdict)
    'too many identity keys'
    """
    stays, goes = kept.survivor, merged.survivor
    verdict, because = _judge(merged, kept, was_undone, is_certain, most_identity_keys)
    is_turned = merged.is_known and not kept.is_known and not is_certain
    if verdict is MergeVerdict.MERGE and is_turned:
        stays, goes = goes, stays
    return MergeDecision(verdict, stays, goes, because)


def _judge(
    merged: MergeCandidate,
    kept: MergeCandidate,
    was_undone: bool,
    is_certain: bool,
    most_identity_keys: int | None,
) -> tuple[MergeVerdict, str]:
    if kept.survivor == merged.survivor:
        return MergeVerdict.ONE_ALREADY, "they are one lead already"
    if merged.lead_id != merged.survivor:
        return MergeVerdict.ELSEWHERE, "it is part of another lead since an earlier merge"
    if is_certain:
        return MergeVerdict.MERGE, "both identity keys belong to one person"
    if was_undone:
        because = "somebody separated these two, so only people merge them again"
        return MergeVerdict.UNDONE_BEFORE, because
    if merged.is_known and kept.is_known:
        because = "both were sent as leads of their own, so people decide"
        return MergeVerdict.BOTH_KNOWN, because
    keys = merged.identity_keys + kept.identity_keys
    if most_identity_keys is not None and keys > most_identity_keys:
        return MergeVerdict.TOO_MANY_KEYS, "nobody is known under so many identity keys"
    if merged.is_known:
        return (
            MergeVerdict.MERGE,
            "one was only known by what it did, the other was sent as a lead",
        )
    return MergeVerdict.MERGE, "both identity keys belong to one person"


@dataclass(slots=True)
class JoinedPerson:
    """A lead that is part of no other, with all that was merged into it."""

    lead_id: str
    is_known: bool = False
    identity_keys: int = 0
    latest: datetime | None = None
    """The latest moment of a look at one of its leads, or of a merge that was made or undone."""


class People:
    """Who is one with whom, while one join after the other is decided: no statement for each."""

    def __init__(
        self,
        survivors: Mapping[str, str],
        people: Iterable[JoinedPerson],
        undone: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Take over what the store says.

        Parameters
        ----------
        survivors
            By lead, the lead it is by now.
        people
            Every survivor.
        undone
            Pairs of leads that were one once.
        """
        self._survivors = dict(survivors)
        self._people = {person.lead_id: person for person in people}
        self._undone = {frozenset(pair) for pair in undone}
        self.merged: list[MergeDecision] = []
        """The merges that were decided on, in their order."""

    def __contains__(self, lead_id: str) -> bool:
        """Tell whether a lead is among them."""
        return lead_id in self._survivors

    def add(self, lead_id: str) -> None:
        """Take in a lead that is to be made."""
        self._survivors[lead_id] = lead_id
        self._people[lead_id] = JoinedPerson(lead_id)

    def find_survivor(self, lead_id: str) -> str:
        """Find the lead that a lead is by now, after what was decided."""
        survivor = self._survivors[lead_id]
        while (further := self._survivors[survivor]) != survivor:
            survivor = further
        self._survivors[lead_id] = survivor  # the next look is short again
        return survivor

    def find_person(self, lead_id: str) -> JoinedPerson:
        """Find the person a lead is part of."""
        return self._people[self.find_survivor(lead_id)]

    def add_key(self, lead_id: str, most: int | None = None) -> bool:
        """Count a further key of a lead's person; tell whether it may have it."""
        person = self.find_person(lead_id)
        if most is not None and person.identity_keys >= most:
            return False
        person.identity_keys += 1
        return True

    def get_candidate(self, lead_id: str) -> MergeCandidate:
        """Give what decides of a lead."""
        person = self.find_person(lead_id)
        # A lead without keys is known by its id at least.
        keys = max(person.identity_keys, 1)
        return MergeCandidate(lead_id, person.lead_id, person.is_known, keys)

    def was_undone(self, merged: str, kept: str) -> bool:
        """Tell whether somebody parted two leads."""
        goes = self.find_survivor(merged)
        return not self._undone.isdisjoint(
            frozenset((goes, other)) for other in (kept, self.find_survivor(kept))
        )

    def join(self, merged: str, kept: str, most_identity_keys: int) -> MergeDecision:
        """Decide about two leads of which a tool says that they are one, and go by it from then on."""
        decision = decide_join(
            self.get_candidate(merged),
            self.get_candidate(kept),
            was_undone=self.was_undone(merged, kept),
            most_identity_keys=most_identity_keys,
        )
        if decision.verdict is MergeVerdict.MERGE:
            self.merge(decision)
        return decision

    def merge(self, decision: MergeDecision) -> None:
        """Go by a merge from then on."""
        stays, goes = self._people[decision.kept], self._people[decision.merged]
        stays.is_known |= goes.is_known
        stays.identity_keys = max(stays.identity_keys, 1) + max(goes.identity_keys, 1)
        moments = [one.latest for one in (stays, goes) if one.latest is not None]
        stays.latest = max(moments, default=None)
        self._survivors[goes.lead_id] = stays.lead_id
        self.merged.append(decision)
