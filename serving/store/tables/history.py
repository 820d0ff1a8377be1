"""What happened: events, stage changes, attempts; and each lead's history, packed.

The rows are the truth. The packed history is what a lead is scored from, one row and no parsing; it
can be made anew from the rows at any time.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from serving.store.tables.base import Base, Number


class Event(Base):
    """Something the lead did or received. ``(source, event_id)`` lands once."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_event_lead_id_occurred_at", "lead_id", "occurred_at"),
    )

    event_number: Mapped[Number]
    source: Mapped[str]
    event_id: Mapped[str]
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    occurred_at: Mapped[datetime]
    """Theirs, corrected for the skew of their clock where they said when they sent it."""
    known_at: Mapped[datetime]
    """Ours."""
    kind: Mapped[str]
    """By the taxonomy in use when it arrived."""
    sent_kind: Mapped[str | None]
    name: Mapped[str | None]
    channel: Mapped[str | None]
    value: Mapped[float | None]
    properties: Mapped[dict[str, Any] | None]


class StageChange(Base):
    """A move of the lead. ``(source, change_id)`` lands once."""

    __tablename__ = "stage_change"
    __table_args__ = (
        UniqueConstraint("source", "change_id"),
        Index("ix_stage_change_lead_id_at", "lead_id", "at"),
    )

    change_number: Mapped[Number]
    source: Mapped[str]
    change_id: Mapped[str]
    """Theirs; or, left out, what the change itself makes unique: lead, moment and stage."""
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    at: Mapped[datetime]
    known_at: Mapped[datetime]
    stage: Mapped[str]
    signal: Mapped[str | None]
    reason: Mapped[str | None]
    actor: Mapped[str | None]
    amount: Mapped[float | None]
    propensity: Mapped[float | None]


class Attempt(Base):
    """What sales did to reach the lead. ``(source, attempt_id)`` lands once."""

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("source", "attempt_id"),
        Index("ix_attempt_lead_id_at", "lead_id", "at"),
    )

    attempt_number: Mapped[Number]
    source: Mapped[str]
    attempt_id: Mapped[str]
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    handoff_id: Mapped[str | None] = mapped_column(index=True)
    at: Mapped[datetime]
    known_at: Mapped[datetime]
    channel: Mapped[str]
    result: Mapped[str | None]
    actor: Mapped[str | None]


class PackedHistory(Base):
    """A lead's history as the kernel reads it (``features.kernel.packed``): sixteen bytes a record.

    Written under the lock of the lead's row. Codes are those of one catalogue; a row of another
    fingerprint, or of none, is stale and made anew before it is read.
    """

    __tablename__ = "packed_history"

    lead_id: Mapped[str] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="CASCADE"), primary_key=True
    )
    fingerprint: Mapped[str]
    """Of the catalogue whose codes these are; empty if stale."""
    known_until: Mapped[datetime]
    records: Mapped[bytes] = mapped_column(BYTEA)
    version_moments: Mapped[bytes] = mapped_column(BYTEA)
    version_cells: Mapped[bytes] = mapped_column(BYTEA)
    account_ids: Mapped[list[str | None]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
