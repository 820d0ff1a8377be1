"""``[returns]``: why sales may give a lead back, and what becomes of it then."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_validator

from features.lifecycle.reasons import ReturnReason
from serving.handoff.playbook.sections.section import Count, Days, Name, Section, Words


class SalesReason(StrEnum):
    """What a seller chooses from when giving a lead back."""

    BAD_FIT = "bad_fit"
    NO_BUDGET = "no_budget"
    NO_AUTHORITY = "no_authority"
    NO_NEED_NOW = "no_need_now"
    NO_INTEREST = "no_interest"
    UNREACHABLE = "unreachable"
    WRONG_DATA = "wrong_data"
    DUPLICATE = "duplicate"
    COMPETITOR = "competitor"
    OTHER = "other"


MEANS: Mapping[SalesReason, ReturnReason] = MappingProxyType(
    {
        SalesReason.BAD_FIT: ReturnReason.BAD_FIT,
        SalesReason.NO_BUDGET: ReturnReason.NO_BUDGET,
        SalesReason.NO_AUTHORITY: ReturnReason.WRONG_PERSON,
        SalesReason.NO_NEED_NOW: ReturnReason.NOT_READY,
        SalesReason.NO_INTEREST: ReturnReason.NO_INTEREST,
        SalesReason.UNREACHABLE: ReturnReason.UNREACHABLE,
        # Models learned "bad data" and "wrong number" as unreachable; the seller's own choice is
        # kept beside it, since marketing has something to repair here.
        SalesReason.WRONG_DATA: ReturnReason.UNREACHABLE,
        SalesReason.DUPLICATE: ReturnReason.DUPLICATE,
        SalesReason.COMPETITOR: ReturnReason.COMPETITOR,
        SalesReason.OTHER: ReturnReason.OTHER,
    }
)
"""The reason that labels and features know: written as the reason of the stage change. Bundles carry
those codes, so the seller's list grows here and theirs stays."""


class RecycleRule(Section):
    """``[returns.reasons.REASON]``: what becomes of a lead given back for this reason."""

    track: Name
    """Nurture track it goes to. There is no "nowhere": a lead always lies in somebody's hands."""
    cooling_days: Days
    """Days for which it is not handed over again, unless something below re-opens it."""
    reopened_by: tuple[Words, ...] = ()
    """Kinds of new events that end the cooling down at once."""
    reopened_after: Count = 0
    """Number of new activities, of any kind, that end it too; 0: no number does."""
    needs_text: bool = False
    """Whether the seller must add a sentence."""
    needs_persistence: bool = False
    """Whether the attempts of the pursuit plan must have been made first."""


_ASKS = ("demo_request", "contact_request")

RECYCLE_RULES: Mapping[SalesReason, RecycleRule] = MappingProxyType(
    {
        SalesReason.BAD_FIT: RecycleRule(track="low_touch", cooling_days=180.0),
        SalesReason.NO_BUDGET: RecycleRule(
            track="budget_cycle", cooling_days=90.0, reopened_by=(*_ASKS, "pricing_view")
        ),
        SalesReason.NO_AUTHORITY: RecycleRule(
            track="find_decision_maker", cooling_days=30.0, reopened_by=_ASKS
        ),
        SalesReason.NO_NEED_NOW: RecycleRule(
            track="stay_in_touch",
            cooling_days=60.0,
            reopened_by=(*_ASKS, "pricing_view"),
            reopened_after=5,
        ),
        SalesReason.NO_INTEREST: RecycleRule(
            track="low_touch", cooling_days=120.0, reopened_by=_ASKS
        ),
        SalesReason.UNREACHABLE: RecycleRule(
            track="win_attention",
            cooling_days=21.0,
            reopened_by=(*_ASKS, "form_submit", "email_click"),
            reopened_after=3,
            needs_persistence=True,
        ),
        SalesReason.WRONG_DATA: RecycleRule(
            track="repair_data", cooling_days=0.0, reopened_by=(*_ASKS, "form_submit")
        ),
        SalesReason.DUPLICATE: RecycleRule(track="merge", cooling_days=365.0),
        SalesReason.COMPETITOR: RecycleRule(
            track="low_touch", cooling_days=180.0, reopened_by=_ASKS
        ),
        SalesReason.OTHER: RecycleRule(
            track="review", cooling_days=30.0, reopened_by=_ASKS, needs_text=True
        ),
    }
)
"""What becomes of a returned lead where the playbook says nothing of its reason."""


class Returns(Section):
    """``[returns]``: what becomes of leads that sales gives back."""

    reasons: dict[SalesReason, RecycleRule] = Field(default_factory=lambda: dict(RECYCLE_RULES))
    """The rule of each reason. A reason left out keeps its default rule, and so does a field of it."""
    text_letters: Count = 10
    """Least letters of the sentence, where one is asked for."""
    lost_track: Name = "win_back"
    """Nurture track of a lead that was lost after it was qualified."""
    lost_cooling_days: Days = 180.0
    """Days for which a lost lead is not handed over again."""
    orphan_track: Name = "review"
    """Nurture track to which the sweep puts leads it finds in nobody's hands."""
    unattended_days: Days = 14.0
    """Days without a move, a step planned or a clock running, after which a lead that a seller holds
    counts as in nobody's hands."""

    @field_validator("reasons", mode="before")
    @classmethod
    def _fill_up(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        filled: dict[Any, Any] = {str(reason): rule for reason, rule in RECYCLE_RULES.items()}
        for reason, rule in given.items():
            default = RECYCLE_RULES.get(reason)
            if isinstance(rule, Mapping) and default is not None:
                filled[str(reason)] = {**default.model_dump(), **rule}
            else:
                filled[str(reason)] = rule
        return filled
