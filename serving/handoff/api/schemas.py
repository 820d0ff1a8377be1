"""What the routes about handoffs take and give."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from features.toml import DRAFT
from serving.auth.actors import ACTOR
from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.playbook.sections.returns import SalesReason
from serving.leads.schemas import Shaped
from serving.scoring.moments import Moment
from serving.web_api.text_types import NO_NUL, ShortName

MOST_NUMBER = 2**63 - 1
HandoffId = Annotated[int, PathParameter(ge=1, le=MOST_NUMBER)]
SellerPath = ShortName
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000, pattern=NO_NUL),
]
Value = bool | float | Text | None


class Sent(BaseModel):
    """Root of the bodies: a field nobody knows is refused."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True, extra="forbid")


class HandOverIn(Sent):
    """Somebody wants a lead handed over."""

    lead_id: Text
    reason: Text
    """Why; the playbook says how long it must be at least."""


class NoteIn(Sent):
    """Words to go with an action."""

    note: Text | None = None


class QuestionIn(Sent):
    """What the seller asks marketing."""

    question: Text


class ReasonIn(Sent):
    """Why a handoff is taken back, or a deal was lost."""

    reason: Text
    note: Text | None = None


class ReturnIn(Sent):
    """Why a lead is given back."""

    reason: SalesReason
    note: Text | None = None
    """A sentence; some reasons ask for one."""


class AssignIn(Sent):
    """Who gets a handoff, by somebody's choice."""

    seller: Text
    reason: Text


class AttemptIn(Sent):
    """An attempt to reach the lead."""

    channel: Channel
    at: Moment | None = None
    """When; now, if left out. Not in the future, nor before the lead was taken. Logged more than an hour
    later, it counts from when it was logged."""
    result: Text | None = None
    """The result; reached, answered, replied or meeting mean that the lead was reached."""
    attempt_id: Text | None = None
    """Yours; the same one counts once."""


class QualifyIn(Sent):
    """What the lead answered after contact."""

    answers: dict[Text, Value] = Field(max_length=50)
    """By name, as the playbook's criteria ask for them: need, budget, authority, timeline_months."""


class ActorIn(Sent):
    """Who acts for a seller."""

    actor: Annotated[str, StringConstraints(pattern=ACTOR)] | None
    """As the audit log refers to them: `person:ID`, `key:ID`; null for nobody. Never their name."""


class AbsenceIn(Sent):
    """Days on which a seller is away, both included."""

    first: date
    last: date

    @model_validator(mode="after")
    def _run_forward(self) -> "AbsenceIn":
        if self.last < self.first:
            raise ValueError("last is before first; swap the two")
        return self


class PlaybookIn(Sent):
    """A playbook, as TOML."""

    body: Annotated[str, StringConstraints(max_length=DRAFT.n_bytes, pattern=NO_NUL)]
    note: Text | None = None
    """What it is to change, for those who are to agree."""


class ListedHandoff(Shaped):
    """A handoff of the queue."""

    handoff_id: int
    lead_id: str
    cycle: int
    """Which handoff of its lead it is, from 1."""
    state: str
    since: datetime
    trigger: str
    because: str
    playbook_version: str
    decided_at: datetime
    handed_at: datetime | None
    closed_at: datetime | None
    seller_id: str | None
    source: str | None
    priority: str
    value: float | None
    next_at: datetime | None
    """When the handoff is checked next if nothing happens before."""
    reason: str | None


class HandoffPage(Shaped):
    """A page of handoffs."""

    handoffs: list[ListedHandoff]
    next: str | None


class ProposedLead(Shaped):
    """A lead that would be handed over, had both sides agreed to a playbook."""

    lead_id: str
    at: datetime
    """When it was decided."""
    because: str
    trigger: str
    points: float | None
    band: str | None


class ProposedPage(Shaped):
    """A page of such leads."""

    proposed: list[ProposedLead]
    next: str | None


class ClockOut(Shaped):
    """A clock of a handoff, as of now."""

    clock: str
    state: str
    started_at: datetime
    stopped_at: datetime | None
    due_at: datetime | None
    because: str


class MoveOut(Shaped):
    """A move of a handoff."""

    at: datetime
    origin: str
    signal: str
    state: str
    by: str
    seller_id: str | None
    reason: str | None
    note: str | None
    attempted_at: datetime | None = None
    """Of an attempt: when it was made, by whoever logged it; `at` is when it was logged."""
    counted_from: datetime | None = None
    """Of an attempt: the moment that clocks go by."""


class AssignmentOut(Shaped):
    """An assignment of a handoff to a seller."""

    seller_id: str
    at: datetime
    because: str
    rule: str | None
    by: str
    ended_at: datetime | None
    ended_by: str | None


class HandoffOut(ListedHandoff):
    """A handoff with its whole history."""

    reason_text: str | None
    definition: dict[str, Any]
    """What the agreed definitions said when it was decided."""
    possible: list[str]
    """Signals its state takes."""
    clocks: list[ClockOut]
    pursuit: str | None
    """How far the plan has come, in a sentence."""
    moves: list[MoveOut]
    assignments: list[AssignmentOut]


class AttemptLogged(Shaped):
    """An attempt that was logged."""

    handoff: HandoffOut
    is_new: bool


class CriterionOut(Shaped):
    """Whether a criterion holds."""

    name: str
    verdict: Literal["met", "failed", "unknown"]
    because: str


class StageOut(Shaped):
    """Whether a lead meets the agreed definition of a stage."""

    verdict: Literal["met", "failed", "unknown"]
    because: str


class DefinitionsOut(Shaped):
    """Result of the agreed definitions for a lead at a moment."""

    lead_id: str
    as_of: datetime
    playbook_version: str
    fit: str | None
    fit_possible: list[str]
    fit_because: str
    persona: str | None
    persona_because: str
    segment: str | None
    criteria: list[CriterionOut]
    stages: dict[str, StageOut]


class DecisionOut(Shaped):
    """A decision about a lead, and why."""

    decision_number: int
    at: datetime
    verdict: str
    because: str
    trigger: str | None
    triggers: list[str]
    suppressions: list[str]
    propensity: float | None
    playbook_version: str
    points: float | None
    band: str | None
    by: str
    handoff_id: int | None


class DecisionPage(Shaped):
    """A page of decisions, and the lead's nurture track."""

    lead_id: str
    track: str | None
    rests_until: datetime | None
    decisions: list[DecisionOut]
    next: str | None


class AbsenceOut(Shaped):
    """Days on which a seller is away."""

    absence_id: int
    first: date
    last: date


class SellerOut(Shaped):
    """Somebody who takes leads."""

    seller_id: str
    team: str
    actor: str | None
    open_handoffs: int
    last_given_at: datetime | None
    absences: list[AbsenceOut]


class Sellers(Shaped):
    """Those who take leads."""

    sellers: list[SellerOut]


class SignatureOut(Shaped):
    """Who agreed for a side."""

    side: str
    by: str
    at: datetime


class VersionOut(Shaped):
    """A version of the playbook."""

    number: int | None
    """Null for the playbook that ships with Baton."""
    cited_as: str
    """As decisions cite it."""
    state: str
    because: str
    created_at: datetime | None
    created_by: str | None
    note: str | None
    in_effect_from: datetime | None
    agreed: list[SignatureOut]


class PlaybookOut(VersionOut):
    """A version with what it says."""

    body: str


class Versions(Shaped):
    """Every version proposed, newest first."""

    versions: list[VersionOut]


class PlaybookChecked(Shaped):
    """A valid draft, and what it would change."""

    fingerprint: str
    changes: list[str]


class Signed(Shaped):
    """Result of a signature."""

    because: str
    version: VersionOut
