"""What the API says of the best moment to hand a lead off."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from pydantic import ConfigDict, with_config

_GIVEN = ConfigDict(use_attribute_docstrings=True)


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class AdvantageOut:
    """What a handoff now is worth above waiting."""

    value: float
    low: float
    """Lower end of the interval: what other leads of the same company would have taught."""
    high: float
    level: float
    """Nominal share of such intervals that hold the advantage."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class CurveDay:
    """One of the days ahead."""

    in_days: int
    on: date
    """In UTC."""
    value: float
    """Of committing today to a handoff on that day. The rule is not to pick the highest: whoever
    waits and looks again does better."""
    p_sql: float
    """Chance of an SQL if handed off on that day."""
    p_moment: float | None
    """Chance that the moment comes by then; null where a threshold decides."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class DriverOut:
    """A fact that speaks for a handoff now, or for waiting."""

    field: str
    label: str
    worth: float
    """Added to the advantage."""
    words: str


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class TimingOut:
    """When to hand a lead off, and how sure that is."""

    status: Literal["advised", "not_enough_known", "outside_support"]
    """`outside_support`: too few past handoffs were like this one, so nothing is said."""
    verdict: Literal["hand_off_now", "hand_off_later", "keep_nurturing", "let_go"] | None
    in_days: int | None
    """Days until the handoff; 0 now, null where none is foreseen."""
    words: str
    """The verdict and why, as a sentence."""
    rule: Literal["timing", "threshold"]
    """What decides: the best moment, or a threshold of the chance of an SQL."""
    rule_because: str
    """Why this rule is served."""
    threshold: float
    """Chance of an SQL from which on the threshold hands over."""
    unit: str
    """Of all values."""
    advantage: AdvantageOut | None
    p_accept: float | None
    """Chance that sales accepts a handoff made now and answered within the agreed time."""
    p_sql: float | None
    """Chance that it becomes an SQL."""
    value_now: float | None
    value_waiting: float | None
    stands_until: datetime | None
    """Until when a handoff that is due now stays worth making."""
    stands_longer: bool
    """Whether it may stand for longer than can be foreseen."""
    curve: list[CurveDay]
    """Today and the next 30 days."""
    drivers: list[DriverOut]
    """The two or three facts that drive the advantage most."""
    similar_handoffs: int
    """Past handoffs of leads like this one."""
    support: str
    """The same as a sentence."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class LeadTiming:
    """The answer of POST /v1/timing."""

    lead_id: str
    as_of: datetime
    """The moment the lead was looked at."""
    timing: TimingOut
    ignored: list[str]
    """Attributes the model does not know."""
    warnings: list[str]
    """What the caller should know about the input."""
    model: str
    version: str
