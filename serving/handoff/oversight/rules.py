"""Rejections looked at by people of neither team: checked by rule, drawn by lot, found on. Pure.

What is looked for are patterns. Nobody is ranked, and cells of few leads are not shown.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import numpy as np

from serving.handoff.decision.cooling_down import name_sales_reason
from serving.handoff.playbook.sections.oversight import Oversight, Stratum
from serving.handoff.playbook.sections.returns import SalesReason
from serving.handoff.playbook.sections.triggers import Trigger


class ReviewFinding(StrEnum):
    """What the overseer finds of a rejected lead."""

    NOT_TO_HAND = "should_not_have_been_handed"
    TO_ACCEPT = "should_have_been_accepted"
    """The rejection is overturned."""
    UNCLEAR = "definition_unclear"
    NOT_FOLLOWED = "process_not_followed"


@dataclass(frozen=True)
class DefinitionFacts:
    """Whether the lead met the agreed MQL definition of its version when it was handed over."""

    met: Literal["met", "failed", "unknown"]
    failing: tuple[str, ...] = ()
    """Criteria it failed."""
    unknown: tuple[str, ...] = ()
    """Criteria nobody could tell."""


@dataclass(frozen=True)
class Rejection:
    """A lead that sales gave back, as oversight sees it."""

    handoff_id: str
    lead_id: str
    handed_at: datetime
    rejected_at: datetime
    reason: SalesReason
    trigger: Trigger
    """The rule that handed it over."""
    playbook_version: str
    definition: DefinitionFacts
    source: str | None = None
    seller: str | None = None


class Ruling(StrEnum):
    """What the rule says of a rejection."""

    MET = "met"
    """The lead was what both teams had agreed on."""
    NOT_MET = "not_met"
    OUTSIDE = "outside"
    """It was handed over by a trigger that does not ask for the definition."""
    CANNOT_TELL = "cannot_tell"


BESIDE_THE_DEFINITION = frozenset({Trigger.HAND_RAISER, Trigger.MANUAL, Trigger.EXPLORATION})
"""Triggers that hand over leads whatever the definition says."""


@dataclass(frozen=True)
class Checked:
    """A rejection, checked by rule."""

    ruling: Ruling
    because: str


def check_rejection(rejection: Rejection) -> Checked:
    """Check whether the lead met the agreed definition when it was handed over.

    The rule judges the handoff, not the seller: a lead that met the definition may still have been
    given back rightly, for a reason the definition does not know of.
    """
    version = f"the definition of playbook {rejection.playbook_version}"
    returned_words = (
        f"given back on {rejection.rejected_at:%Y-%m-%d} ({name_sales_reason(rejection.reason)})"
    )
    definition = rejection.definition
    if definition.met == "met":
        return Checked(
            Ruling.MET, f"It met {version} when it was handed over, and was {returned_words}."
        )
    if rejection.trigger in BESIDE_THE_DEFINITION:
        how = rejection.trigger.value.replace("_", " ")
        return Checked(
            Ruling.OUTSIDE,
            f"It was handed over by {how}, which asks for no definition; {returned_words}.",
        )
    if definition.met == "failed":
        failing = ", ".join(definition.failing) or "unnamed"
        return Checked(
            Ruling.NOT_MET, f"It did not meet {version} (fails: {failing}); {returned_words}."
        )
    unknown = ", ".join(definition.unknown) or "unnamed"
    return Checked(
        Ruling.CANNOT_TELL,
        f"Whether it met {version} is not known (unknown: {unknown}); {returned_words}.",
    )


def month_rng(section: Oversight, month: date) -> np.random.Generator:
    """Give the lot of a month: whoever repeats the draw gets the same leads."""
    return np.random.default_rng([section.seed, month.year, month.month])


@dataclass(frozen=True)
class Sampled:
    """A rejection that the overseer is asked to look at."""

    rejection: Rejection
    checked: Checked
    stratum: tuple[str, ...]
    weight: float
    """Rejections of its stratum that it stands for."""


def _value_of(rejection: Rejection, stratum: Stratum) -> str:
    if stratum == "rule":
        return rejection.trigger.value
    value = {
        "source": rejection.source,
        "seller": rejection.seller,
        "reason": rejection.reason.value,
    }[stratum]
    return value or "not known"


def draw_sample(
    rejections: Sequence[Rejection], section: Oversight, rng: np.random.Generator
) -> tuple[Sampled, ...]:
    """Draw a month's sample, evenly over the strata, at random within each.

    Parameters
    ----------
    rejections
        Those of one month.
    section
        ``[oversight]`` of the playbook.
    rng
        From ``month_rng``.

    Returns
    -------
    tuple of Sampled
        In the order of ``rejections``. Each has a weight, so that shares of the sample can be read
        as shares of the month.
    """
    strata: dict[tuple[str, ...], list[Rejection]] = defaultdict(list)
    # Sorted first, so that the lot does not hang on the order the store gave.
    for rejection in sorted(rejections, key=lambda r: r.handoff_id):
        strata[tuple(_value_of(rejection, s) for s in section.strata)].append(rejection)
    sizes = {stratum: len(members) for stratum, members in sorted(strata.items())}
    drawn: dict[str, Sampled] = {}
    for stratum, count in _allot(sizes, section, rng).items():
        members = strata[stratum]
        for place in rng.choice(len(members), size=count, replace=False):
            chosen = members[int(place)]
            weight = len(members) / count
            drawn[chosen.handoff_id] = Sampled(chosen, check_rejection(chosen), stratum, weight)
    return tuple(drawn[r.handoff_id] for r in rejections if r.handoff_id in drawn)


def _allot(
    sizes: Mapping[tuple[str, ...], int], section: Oversight, rng: np.random.Generator
) -> dict[tuple[str, ...], int]:
    """Share the sample out: first the least of each stratum, then by size, largest remainder."""
    most = min(section.sample_per_month, sum(sizes.values()))
    order = [list(sizes)[int(place)] for place in rng.permutation(len(sizes))]
    counts = dict.fromkeys(sizes, 0)
    for _ in range(section.least_per_stratum):
        for stratum in order:
            if sum(counts.values()) < most and counts[stratum] < sizes[stratum]:
                counts[stratum] += 1
    total = sum(sizes.values())
    while sum(counts.values()) < most:
        # The stratum furthest below its proportional share is next; the lot breaks ties.
        open_strata = [stratum for stratum in order if counts[stratum] < sizes[stratum]]
        furthest = max(open_strata, key=lambda s: most * sizes[s] / total - counts[s])
        counts[furthest] += 1
    return {stratum: count for stratum, count in counts.items() if count}
