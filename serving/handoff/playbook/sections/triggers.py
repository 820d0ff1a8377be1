"""``[triggers]``: what hands a lead over, and what keeps it back whatever else speaks for it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from serving.handoff.playbook.sections.section import Count, Days, Section, Share, Words


class Trigger(StrEnum):
    """What hands a lead over; the order is the order in which they are named to people."""

    HAND_RAISER = "hand_raiser"
    """The lead asked for sales itself: a demo, a call, a quote."""
    MANUAL = "manual"
    """Somebody decided it, and said why."""
    TIMING = "timing"
    """The timing model says now."""
    SCORE = "score"
    """The score or its band reached the threshold."""
    EXPLORATION = "exploration"
    """Drawn at random among those no other trigger hands over, to learn what the rule misses."""


class Suppression(StrEnum):
    """What keeps a lead back."""

    ALREADY_IN_HAND = "already_in_hand"
    DO_NOT_CONTACT = "do_not_contact"
    CUSTOMER = "customer"
    COMPETITOR = "competitor"
    COOLING_DOWN = "cooling_down"
    FAILS_MQL = "fails_mql"
    NOT_ENOUGH_KNOWN = "not_enough_known"


NEVER_PASSED = frozenset({Suppression.ALREADY_IN_HAND, Suppression.DO_NOT_CONTACT})
"""One lead is in one hand, and consent is not the playbook's to waive."""


def refuse_never_passed(passed: tuple[Suppression, ...]) -> tuple[Suppression, ...]:
    """Refuse a list that waives what is not the playbook's to waive.

    Raises
    ------
    ValueError
        Naming the entry to take out.
    """
    for suppression in passed:
        if suppression in NEVER_PASSED:
            raise ValueError(
                f"{suppression.value} can never be passed over; take it out of the list."
            )
    return passed


class Exploration(Section):
    """``[triggers.exploration]``: leads handed over at random, so that the rule can be judged."""

    chance: Share = 0.01
    """Chance that a lead no other trigger hands over is handed over at a draw, 0 to 1."""
    every_days: Days = 7.0
    """Days until the same lead may be drawn again."""
    most_per_week: Count = 3
    """Most handoffs by exploration in seven days; 0 switches exploration off."""
    passes: tuple[Suppression, ...] = (Suppression.FAILS_MQL,)
    """What does not keep a lead out of the draw: those the definition leaves out are just the ones
    whose fate nobody ever sees."""

    @field_validator("passes")
    @classmethod
    def _keep_the_two(cls, passed: tuple[Suppression, ...]) -> tuple[Suppression, ...]:
        return refuse_never_passed(passed)


class Triggers(Section):
    """``[triggers]``: what hands a lead over."""

    score_gate: bool = True
    """Whether points and bands hand leads over at all."""
    score_from: Annotated[float, Field(ge=0, le=100)] = 65.0
    """Points (0-100) from which on a lead is handed over; 50 is the typical lead, ten points double
    the odds."""
    bands: tuple[Annotated[str, Field(min_length=1, max_length=20)], ...] = ()
    """Bands whose leads are handed over whatever `score_from` says, such as ["A"]."""
    mql: Literal["met", "not_failed", "ignored"] = "not_failed"
    """What the score and timing gates ask of the agreed MQL definition: that it is met, that it is
    not known to fail (unknown criteria pass), or nothing."""
    timing_now: bool = True
    """Whether the timing model's "now" hands a lead over."""
    hand_raiser_kinds: tuple[Words, ...] = ("demo_request", "contact_request")
    """Kinds of events by which a lead asks for sales; no score is asked of these."""
    hand_raiser_names: tuple[Words, ...] = (
        "request a demo",
        "request a call",
        "request a quote",
        "quote request",
        "call request",
    )
    """Names of events or forms that mean the same, compared without case, blanks and punctuation."""
    hand_raiser_days: Days = 7.0
    """Days for which such a request counts: an older one no longer hands over."""
    hand_raisers_pass: tuple[Suppression, ...] = (
        Suppression.COOLING_DOWN,
        Suppression.FAILS_MQL,
        Suppression.NOT_ENOUGH_KNOWN,
    )
    """What does not keep a hand-raiser back."""
    manual_passes: tuple[Suppression, ...] = (
        Suppression.COOLING_DOWN,
        Suppression.FAILS_MQL,
        Suppression.NOT_ENOUGH_KNOWN,
    )
    """What does not keep back a lead that somebody hands over by a decision of their own."""
    manual_reason_letters: Count = 10
    """Least letters of the reason somebody must give."""
    exploration: Exploration = Exploration()

    @field_validator("hand_raisers_pass", "manual_passes")
    @classmethod
    def _keep_the_two(cls, passed: tuple[Suppression, ...]) -> tuple[Suppression, ...]:
        return refuse_never_passed(passed)
