"""Handoffs and what hangs on them: decisions, moves, assignments, clock actions, nurture tracks."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number

OPEN_ONLY = text("closed_at IS NULL")


class Handoff(Base):
    """A lead handed from marketing to sales, once. A lead has one that is not closed, at most."""

    __tablename__ = "handoff"
    __table_args__ = (
        Index("uq_handoff_open", "lead_id", unique=True, postgresql_where=OPEN_ONLY),
        Index("ix_handoff_lead_id", "lead_id"),
        Index("ix_handoff_queue", "state", "value", "handoff_id", postgresql_where=OPEN_ONLY),
        Index("ix_handoff_seller_id", "seller_id", postgresql_where=OPEN_ONLY),
        Index("ix_handoff_next_at", "next_at", postgresql_where=OPEN_ONLY),
        Index("ix_handoff_decided_at", "decided_at"),
        Index("ix_handoff_closed_at", "closed_at"),
    )

    handoff_id: Mapped[Number]
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    cycle: Mapped[int]
    """Which handoff of its lead it is, from 1."""
    state: Mapped[str]
    """Of ``serving.handoff.machine.transitions.State``, after the last move."""
    since: Mapped[datetime]
    """Of the last move."""
    trigger: Mapped[str]
    because: Mapped[str]
    """The decision's sentence."""
    playbook_version: Mapped[str]
    decided_at: Mapped[datetime]
    handed_at: Mapped[datetime | None]
    """When sales was first offered it; None while the packet is held back."""
    closed_at: Mapped[datetime | None]
    seller_id: Mapped[str | None]
    """Whose hands it lies in; of a closed one: whose it was last."""
    packet: Mapped[dict[str, Any]]
    definition: Mapped[dict[str, Any]]
    """What the agreed definitions said when it was decided: met, failing, unknown."""
    segments: Mapped[list[Any]]
    source: Mapped[str | None]
    form: Mapped[str | None]
    priority: Mapped[str]
    """Name of the playbook's priority, which says how fast it is dealt with."""
    value: Mapped[float | None]
    """What it is worth to sales; the highest is routed first."""
    next_at: Mapped[datetime | None]
    """When time alone next asks for a look."""
    reason: Mapped[str | None]
    """Of a return or withdrawal."""
    reason_text: Mapped[str | None]


class HandoffMove(Base):
    """A move of a handoff; only ever added. The first has no origin but ``decided``."""

    __tablename__ = "handoff_move"
    __table_args__ = (Index("ix_handoff_move_handoff_id", "handoff_id", "move_number"),)

    move_number: Mapped[Number]
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoff.handoff_id", ondelete="CASCADE"))
    at: Mapped[datetime]
    origin: Mapped[str]
    state: Mapped[str]
    signal: Mapped[str]
    by: Mapped[str]
    """Who did it: a person, a key, or ``rule``."""
    seller_id: Mapped[str | None]
    """In whose hands the handoff lies after it."""
    reason: Mapped[str | None]
    note: Mapped[str | None]
    facts: Mapped[dict[str, Any]]


class Decision(Base):
    """What was decided of a lead and why, be it to hand over or to keep.

    Every handoff and every draw of the exploration is kept. To keep the lead is written down when the
    verdict, its triggers, its suppressions or the playbook differ from the newest, and once a day: else
    each event of each lead would leave the same sentence again.
    """

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_lead_id_at", "lead_id", "at"),
        Index("ix_decision_drawn", "at", postgresql_where=text("propensity IS NOT NULL")),
    )

    decision_number: Mapped[Number]
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    at: Mapped[datetime]
    verdict: Mapped[str]
    because: Mapped[str]
    trigger: Mapped[str | None]
    triggers: Mapped[list[Any]]
    suppressions: Mapped[list[Any]]
    propensity: Mapped[float | None]
    playbook_version: Mapped[str]
    points: Mapped[float | None]
    band: Mapped[str | None]
    by: Mapped[str]
    handoff_id: Mapped[int | None] = mapped_column(
        ForeignKey("handoff.handoff_id", ondelete="SET NULL"), index=True
    )


class Seller(Base):
    """Somebody who takes leads, as the playbook in effect names them; and what they were given."""

    __tablename__ = "seller"

    seller_id: Mapped[str] = mapped_column(primary_key=True)
    team: Mapped[str]
    actor: Mapped[str | None] = mapped_column(unique=True)
    """Who asks in this seller's name: ``person:...`` or ``key:...``."""
    named_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    """Since when no playbook in effect names them."""
    given_day: Mapped[date | None]
    """Routing ledger: the latest day, by their calendar, on which they were given leads."""
    given: Mapped[int] = mapped_column(server_default=text("0"))
    """How many on that day."""
    last_given_at: Mapped[datetime | None]


class Absence(Base):
    """Days on which a seller takes nothing, besides those of the playbook; both days count."""

    __tablename__ = "absence"
    __table_args__ = (CheckConstraint("last_day >= first_day", name="order"),)

    absence_id: Mapped[Number]
    seller_id: Mapped[str] = mapped_column(
        ForeignKey("seller.seller_id", ondelete="CASCADE"), index=True
    )
    first_day: Mapped[date]
    last_day: Mapped[date]
    noted_at: Mapped[datetime]
    noted_by: Mapped[str]
    removed_at: Mapped[datetime | None]


class RoutingCredit(Base):
    """Routing ledger: leads a seller is behind their share of a group; negative: ahead of it."""

    __tablename__ = "routing_credit"

    group_name: Mapped[str] = mapped_column(primary_key=True)
    seller_id: Mapped[str] = mapped_column(
        ForeignKey("seller.seller_id", ondelete="CASCADE"), primary_key=True
    )
    credit: Mapped[float]


class Assignment(Base):
    """That a handoff was given to a seller, and why to that one."""

    __tablename__ = "assignment"
    __table_args__ = (
        Index("ix_assignment_handoff_id", "handoff_id", "assignment_number"),
        Index("ix_assignment_seller_id", "seller_id", "at"),
    )

    assignment_number: Mapped[Number]
    handoff_id: Mapped[int] = mapped_column(ForeignKey("handoff.handoff_id", ondelete="CASCADE"))
    seller_id: Mapped[str]
    at: Mapped[datetime]
    because: Mapped[str]
    group_name: Mapped[str | None]
    rule: Mapped[str | None]
    by: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    """The signal that took it out of their hands."""


class ClockActionTaken(Base):
    """What was done since a promise was about to be broken, or was: once for each run of a clock."""

    __tablename__ = "clock_action"

    handoff_id: Mapped[int] = mapped_column(
        ForeignKey("handoff.handoff_id", ondelete="CASCADE"), primary_key=True
    )
    clock: Mapped[str] = mapped_column(primary_key=True)
    """A clock, or ``pursuit``."""
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    because: Mapped[str]


class NurtureTrack(Base):
    """Where a lead lies with marketing after sales gave it back, and how long it rests."""

    __tablename__ = "nurture_track"

    lead_id: Mapped[str] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="CASCADE"), primary_key=True
    )
    track: Mapped[str] = mapped_column(index=True)
    since: Mapped[datetime]
    rests_until: Mapped[datetime | None] = mapped_column(index=True)
    """None: it does not rest, or its rest was ended and announced."""
    because: Mapped[str]
    handoff_id: Mapped[int | None] = mapped_column(
        ForeignKey("handoff.handoff_id", ondelete="SET NULL")
    )


class OversightCase(Base):
    """A rejected lead that the lot laid before the overseer, with what the rule says of it."""

    __tablename__ = "oversight_case"
    __table_args__ = (Index("ix_oversight_case_month", "month"),)

    case_id: Mapped[Number]
    handoff_id: Mapped[int] = mapped_column(
        ForeignKey("handoff.handoff_id", ondelete="CASCADE"), unique=True
    )
    month: Mapped[date]
    """Its first day."""
    ruling: Mapped[str]
    because: Mapped[str]
    stratum: Mapped[list[Any]]
    weight: Mapped[float]
    """Rejections it stands for."""
    drawn_at: Mapped[datetime]
    due_at: Mapped[datetime]


class OversightFinding(Base):
    """What the overseer found of a case; the newest counts, none is changed."""

    __tablename__ = "oversight_finding"

    finding_number: Mapped[Number]
    case_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("oversight_case.case_id", ondelete="CASCADE"), index=True
    )
    finding: Mapped[str]
    note: Mapped[str | None]
    by: Mapped[str]
    at: Mapped[datetime]
