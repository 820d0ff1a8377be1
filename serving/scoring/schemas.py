"""What scoring takes and gives, as the API describes it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, StringConstraints, with_config

from features.catalog.feature import SubScore
from features.lifecycle.stages import Stage
from serving.explain.wording import Direction
from serving.scoring.examples import EXAMPLE_ANSWER, EXAMPLE_BATCH, EXAMPLE_LEAD
from serving.scoring.moments import Moment
from serving.scoring.timing_schemas import LeadTiming, TimingOut
from serving.web_api.problems import Problem

MOST_LISTED = 100_000
"""Entries that events or stages can have at all; the settings may allow fewer, never more."""

MOST_VERSIONS, MOST_ATTRIBUTES, MOST_COLLEAGUES = 1_000, 1_000, 1_000

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Word = Annotated[str, StringConstraints(max_length=500)]
"""Text that may be empty, which counts as left out: exports leave empty cells."""

Reason = Annotated[str, StringConstraints(max_length=200)]
"""Longer ones are no reasons but notes, which may hold personal data."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]

AttributeValue = Annotated[bool, Field(strict=True)] | Number | str | None
# Ending at the first wrong entry: an error for each of a million would cost more than the leads.
Attributes = Annotated[dict[str, AttributeValue], FailFast(), Field(max_length=MOST_ATTRIBUTES)]

_CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@with_config(_CLOSED)
@dataclass(slots=True, kw_only=True)
class EventIn:
    """Something the lead did or received."""

    occurred_at: Moment
    """When it happened, with its time zone."""
    event_id: Word | None = None
    """Your id of it; of several events of one id the first counts, the others are repeats."""
    name: Word | None = None
    """What the source calls it; the taxonomy turns it into a kind."""
    kind: Word | None = None
    """Its kind in the taxonomy, if known; `name` or `kind` is needed."""
    known_at: Moment | None = None
    """When the company could know; as `occurred_at` if left out."""
    channel: Word | None = None
    """Its channel: web, email, ads, ..."""
    value: Number | None = None
    """What it is worth, in the unit the model was trained with."""


@with_config(_CLOSED)
@dataclass(slots=True, kw_only=True)
class StageIn:
    """A move of the lead between marketing and sales."""

    stage: Stage
    """The stage it moved to."""
    at: Moment
    """When it moved, with its time zone."""
    known_at: Moment | None = None
    """When the company could know; as `at` if left out."""
    reason: Reason | None = None
    """Of a return: why sales gave the lead back, as it writes it (`no_budget`, "Not ready", ...). A
    reason the model does not know counts as other; `warnings` says so."""


@with_config(_CLOSED)
@dataclass(slots=True, kw_only=True)
class VersionIn:
    """Attributes that became known, or changed, after the lead was created."""

    known_at: Moment
    """Since when they are known."""
    attributes: Attributes
    """Those that changed; null for one that is not known any more. The others stay."""


@with_config(_CLOSED)
@dataclass(slots=True, kw_only=True)
class ColleagueIn:
    """Another lead of the same account."""

    created_at: Moment
    """When this lead was created, with its time zone."""
    account_known_at: Moment | None = None
    """Since when it is known to belong to the account; as `created_at` if left out."""
    attributes: Attributes = field(default_factory=dict)
    """Who this lead is, as known since `created_at`; `seniority` is what counts."""
    versions: Annotated[list[VersionIn], FailFast(), Field(max_length=MOST_VERSIONS)] = field(
        default_factory=list
    )
    """Attributes that became known later, in any order."""
    events: Annotated[list[EventIn], FailFast(), Field(max_length=MOST_LISTED)] = field(
        default_factory=list
    )
    """What this lead did or received, in any order."""
    stages: Annotated[list[StageIn], FailFast(), Field(max_length=MOST_LISTED)] = field(
        default_factory=list
    )
    """Where it has been between marketing and sales, in any order."""


class LeadIn(BaseModel):
    """One lead, with everything known of it."""

    model_config = _CLOSED | ConfigDict(json_schema_extra={"examples": [EXAMPLE_LEAD]})

    lead_id: Text
    """Your id of the lead; comes back in the answer and is kept nowhere."""
    created_at: Moment
    """When the lead was created, with its time zone."""
    as_of: Moment | None = None
    """The moment to score the lead as of; now if left out. Records at or after it do not count."""
    attributes: Attributes = {}
    """Who the lead is, as known since `created_at`: `industry`, `employees`, ... GET /v1/model lists
    the names the model knows, and the values of those with a list of them."""
    versions: Annotated[list[VersionIn], FailFast(), Field(max_length=MOST_VERSIONS)] = []
    """Attributes that became known later, in any order. Without them, a lead looked at in the past
    is taken to have had its attributes all along; `warnings` says so."""
    events: Annotated[list[EventIn], FailFast(), Field(max_length=MOST_LISTED)] = []
    """What the lead did or received, in any order."""
    stages: Annotated[list[StageIn], FailFast(), Field(max_length=MOST_LISTED)] = []
    """Where the lead has been between marketing and sales, in any order."""
    account_known_at: Moment | None = None
    """Since when the lead's account is known; as `created_at` if left out."""
    colleagues: Annotated[list[ColleagueIn] | None, Field(max_length=MOST_COLLEAGUES)] = None
    """The other leads of its account; an empty list if it has none. Left out, the account counts as
    not known, which is something else than an account without colleagues."""


class BatchIn(BaseModel):
    """Many leads, each judged on its own."""

    model_config = _CLOSED | ConfigDict(json_schema_extra={"examples": [EXAMPLE_BATCH]})

    leads: list[LeadIn]
    """The leads; the answers come in the same order. An id may occur more than once."""


_GIVEN = ConfigDict(use_attribute_docstrings=True)


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class ModelOut:
    """The model that scored."""

    name: str
    version: str
    """Twelve hex digits; the same version gives the same score."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class BandOut:
    """The band a score falls in, and its measured calibration error."""

    name: str
    """A is best."""
    points_from: float | None
    """Lower edge in points; null for the last band."""
    predicted: float | None
    """Mean predicted probability in this band, on the newest data."""
    observed: float | None
    """Share that converted there."""
    calibration_error: float | None
    """Distance between the two; null where the band was empty."""
    leads: int
    """Number of leads measured."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class BaseOut:
    """Where reasons count from."""

    points: float
    """The typical lead's points: 50."""
    probability: float
    """The typical lead's chance: that of the average log-odds. The base rate is as a rule higher."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class ReasonOut:
    """Why the score is what it is, in one line."""

    field: str
    """Business field; `rest` for everything not listed."""
    label: str
    """The field as people call it."""
    sub_score: SubScore | None
    """The part of the score it belongs to; null for the rest."""
    points: float
    """Points added to, or taken from, the typical lead's 50."""
    direction: Direction
    words: str
    """The fact and its direction, as a sentence."""


@with_config(_GIVEN | ConfigDict(json_schema_extra={"examples": [EXAMPLE_ANSWER]}))
@dataclass(frozen=True, slots=True)
class LeadScore:
    """A lead's score and why; or that not enough is known to give one."""

    lead_id: str
    status: Literal["scored", "not_enough_known"]
    as_of: datetime
    """The moment the score is as of."""
    contract: str
    """What the chance means, e.g. P(SQL within 30 days)."""
    event: str
    """The stage that counts as success."""
    horizon_days: float
    """Days from `as_of` within which it counts."""
    probability: float | None
    """The chance; null if not enough is known, which is not the same as no chance."""
    points: float | None
    """The score people see: 50 is the typical lead, ten more double the odds; cut to 0-100."""
    points_uncut: float | None
    """The score before the cut: `base.points` and all reasons add up to it."""
    band: BandOut | None
    expected_amount: float | None
    """Expected amount if the lead converts; null where amounts are not known."""
    expected_value: float | None
    """The chance times that amount."""
    base: BaseOut
    sub_scores: dict[SubScore, float] | None
    """Points by part; with `base.points` they add up to `points_uncut`."""
    reasons: list[ReasonOut]
    """Ranked by size, `rest` last."""
    why: str | None
    """Why no score is given."""
    would_help: list[str]
    """What to send for a score to be given."""
    ignored: list[str]
    """Attributes the model does not know; they were not used."""
    warnings: list[str]
    """What the caller should know about the input."""
    model: ModelOut
    timing: TimingOut | None = None
    """When to hand the lead off; null where the model does not know, and in `/v1/score/batch`."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class LeadRefused:
    """A lead of a batch that could not be read; the others are not affected."""

    lead_id: str | None
    """The id, if it could be read."""
    status: Literal["invalid"]
    problem: dict[str, Any]
    """What is wrong and what to do: a Problem."""


@with_config(_GIVEN)
@dataclass(frozen=True, slots=True)
class BatchScores:
    """Answers in the order of the leads."""

    counts: dict[str, int]
    """How many leads ended in each status."""
    leads: list[LeadScore | LeadRefused]


DESCRIBED_INPUTS: tuple[type[Any], ...] = (LeadIn, BatchIn)
DESCRIBED_OUTPUTS: tuple[type[Any], ...] = (LeadScore, BatchScores, LeadTiming, Problem)
